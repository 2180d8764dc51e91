/* The S3 store's settings as they are used: the flags', what a Secret of the cluster says where those do not, and the
 * defaults. */
#ifndef K3X_TOOLS_SNAPSHOTS_S3_SECRET_H
#define K3X_TOOLS_SNAPSHOTS_S3_SECRET_H

#include "base/mem/arena.h"
#include "base/mem/str.h"
#include "tools/snapshots/settings.h"

/* Somebody who can read objects of the cluster: the answer to GET path is appended. */
struct s3_secret_source {
	int (*get)(void *arg, const char *path, struct strbuf *answer, struct err *err);
	void *arg;
};

/* *ret is `from`, complete and checked; what was read lies in the arena. Without --etcd-s3-config-secret, or when there
 * is no S3 store, nothing is asked. ERR_INVAL names what the Secret lacks. As slow as the source. */
int s3_settings_resolve(const struct s3_settings *from, const struct s3_secret_source *source, struct arena *a,
        struct s3_settings *ret, struct err *err);

#endif
