/* What an S3 server answers: lists of objects and errors, as XML. Pure, any thread; the bytes are a stranger's. */
#ifndef K3X_TOOLS_SNAPSHOTS_S3_XML_H
#define K3X_TOOLS_SNAPSHOTS_S3_XML_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdint.h>

struct s3_object {
	const char *key; /* in the arena */
	int64_t size, modified_s;
};

/* One page of a list (ListObjectsV2): object(arg, o) for each. *ret_next: what continues it, NULL at the end.
 * ERR_PROTOCOL: it is no such list. */
int s3_xml_list(struct arena *a, struct slice xml, void (*object)(void *arg, const struct s3_object *o), void *arg,
        const char **ret_next, struct err *err);

/* The code and message of an error, as "NoSuchBucket: The specified bucket does not exist"; "" when it says none. */
const char *s3_xml_error(struct arena *a, struct slice xml);

#endif
