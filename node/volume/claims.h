/* The claims of a pod: asked for before its volumes are set up, with the volumes they are bound to. Loop's thread, but
 * for claims_find() and claims_prepare(). */
#ifndef K3X_NODE_VOLUME_CLAIMS_H
#define K3X_NODE_VOLUME_CLAIMS_H

#include "base/err.h"
#include "base/json/json.h"

struct claims;
struct nfs_source;
struct pod;

/* NULL when the pod has none. */
struct claims *claims_new(struct pod *p);
void claims_free(struct claims *c); /* NULL is fine; nothing may be open */

/* Asks for those that are not known yet. `begun` is called for each question, now; `answered` for each answer, later:
 * the first error is in *err by then. What was bound once is not asked for again, for a claim never
 * changes its volume; but those of drivers are, for they may grow. With `is_refresh` the pod
 * has all its volumes, and nothing that fails is an error. */
void claims_ask(struct claims *c, bool is_refresh, struct err *err, void (*begun)(void *arg),
        void (*answered)(void *arg), void *arg);

/* A claim's volume on this host, as the pod uses it. Any thread while the pod's operation is open. */
struct claim_source {
	struct slice volume; /* its name in the pod */
	const char *path;    /* of the directory, or of the device */
	const char
	        *type; /* "": no check; else as of a hostPath: "Directory", "DirectoryOrCreate", "BlockDevice", ... */
	bool is_local; /* a local volume: fsGroup counts */
	bool is_block; /* for volumeDevices */
	bool is_read_only;
	/* Of a driver: the PersistentVolume and the claim, as they were last asked for. They live until claims_ask(),
	 * and are NULL when that has failed. */
	bool is_csi;
	const struct json *pv, *object;
	const struct nfs_source *nfs; /* NULL: no nfs volume */
	const char *pv_name;
};
/* NULL: no claim's, or not bound yet. */
const struct claim_source *claims_find(const struct claims *c, struct slice volume);

#endif
