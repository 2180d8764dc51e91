/* Reading the folder of manifests: files in, pods out; and what of the pods that run is not wanted any more. Any
 * thread. */
#ifndef K3X_NODE_PODS_STATIC_SCAN_INT_H
#define K3X_NODE_PODS_STATIC_SCAN_INT_H

#include "base/err.h"
#include "base/json/json.h"
#include "base/mem/rcbuf.h"

/* One manifest. */
struct static_file {
	const char *name;     /* of the file */
	const char *uid;      /* of the pod; NULL: it cannot be read, or is no pod */
	const char *ns, *pod; /* its name */
	struct rcbuf *object; /* as the API server would have completed it */
	const char *error;    /* when there is no uid */
};

struct static_folder {
	struct arena arena;
	struct static_file *files;
	size_t count;
	struct err err; /* the folder cannot be read to its end: `files` is a part of it */
};

/* Reads all of it; blocks. Reports what is wrong in *ret. */
void static_folder_read(const char *dir, const char *node_name, struct static_folder *ret);
void static_folder_release(struct static_folder *f);

/* One manifest's text as a pod of this node, in the arena; ret->error when it is none. */
void static_file_parse(
        struct arena *a, const char *path, struct slice text, const char *node_name, struct static_file *ret);

/* Is a running pod, made of `file` and with this uid, to be stopped? Only when the folder was read whole and says so:
 * its file is gone, or is another pod now. What cannot be read changes nothing. */
bool static_pod_is_unwanted(const struct static_folder *f, const char *file, const char *uid);

#endif
