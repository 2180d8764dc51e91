/* Objects of an S3-compatible store: put, get, list, delete. Blocks, up to the timeout of the settings for each
 * request; any thread. libcurl is opened at the first request. */
#ifndef K3X_TOOLS_SNAPSHOTS_S3_H
#define K3X_TOOLS_SNAPSHOTS_S3_H

#include "tools/snapshots/s3_xml.h"
#include "tools/snapshots/settings.h"

#include <stdatomic.h>

struct s3 {
	const struct s3_settings *settings; /* checked; as long as this */
	atomic_bool *is_canceled;           /* ends a transfer soon after it is set; NULL: never */
};

/* `name` is that of a snapshot: the key is the settings' folder and it. ERR_FORBIDDEN, ERR_NOT_FOUND (of object or
 * bucket), ERR_UNAVAILABLE and others say what the store said. */
int s3_put(const struct s3 *s, const char *name, const char *file, struct err *err);
/* Into a new file, which is whole and durable then, or not there. */
int s3_get(const struct s3 *s, const char *name, const char *file, struct err *err);
int s3_delete(const struct s3 *s, const char *name, struct err *err);
/* fn(arg, o) for each object right in the folder, its key without that. */
int s3_list(const struct s3 *s, void (*fn)(void *arg, const struct s3_object *o), void *arg, struct err *err);

#endif
