/* Volumes that are folders of this machine: emptyDir, on disk, in memory, in huge pages; and whether a path of the host
 * is what it is said to be. All block: for the pool. */
#ifndef K3X_NODE_VOLUME_LOCAL_DIR_H
#define K3X_NODE_VOLUME_LOCAL_DIR_H

#include "base/err.h"
#include "base/json/json.h"

/* A tmpfs at the path, unless something is mounted there already. */
int local_tmpfs_mount(const char *path, const char *options, struct err *err);
/* The folder `path`, which is there, as the emptyDir `source` of a pod (its spec says of which size its huge pages are)
 * wants it; of the group `gid`, -1: of nobody's. ERR_INVAL for a medium that is none. */
int local_dir_make(struct arena *a, const struct json *spec, const struct json *source, const char *path, int64_t gid,
        struct err *err);
/* Is it of this type (of hostPath.type; "": of any, and made as a folder when it is not there)? ERR_NOT_FOUND,
 * ERR_INVAL; what is to be made is. */
int local_path_check(const char *path, struct slice type, struct err *err);

#endif
