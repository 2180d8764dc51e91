/* CSI on the node: drivers that register, and their volumes, staged and published for pods. Loop's thread. */
#ifndef K3X_NODE_CSI_CSI_H
#define K3X_NODE_CSI_CSI_H

#include "base/err.h"
#include "base/json/json.h"

struct csi;
struct node;
struct pod;

/* Whom the room tells. */
struct csi_callbacks {
	void (*in_use_changed)(struct node *n);                /* csi_volumes_in_use() is another */
	void (*pod_may_go_on)(struct pod *p);                  /* what it waited for may be there */
	void (*pod_is_clean)(struct node *n, const char *uid); /* nothing is left of a pod that nobody knows */
};

/* Watches DIR/plugins_registry, where DIR is /var/lib/kubelet, or, with a data folder of one's own, DATA/agent/kubelet;
 * reads what earlier processes have left in DIR. Errors: the folders cannot be made. */
int csi_new(struct node *n, const struct csi_callbacks *callbacks, struct csi **ret, struct err *err);
/* Calls under way end; what they did is found again by the next process. */
void csi_close(struct csi *c, void (*closed)(void *arg), void *arg);
void csi_free(struct csi *c); /* after the node's calls and errands */

/* The Node object has changed: volumes may have been attached. */
void csi_node_changed(struct csi *c, struct slice uid);
/* The pods that there are are known: what none of them uses is undone from now on. */
void csi_pods_known(struct csi *c);

/* ---- volumes of a pod ---- */

/* A volume that a pod wants. What it points to must live until csi_mount() has ended. */
struct csi_wish {
	struct pod *pod;
	struct slice volume;           /* its name in the pod */
	const struct json *source;     /* PersistentVolume.spec.csi, or the pod's own volume.csi */
	const struct json *pv, *claim; /* NULL: inline */
	bool is_block, is_read_only;
};

/* Attached, staged, published, grown, its files given to the pod's group: what of it is not so yet, is done. done() on
 * the loop, never inside, once. ERR_BUSY: its attachment is waited for, pod_may_go_on() will be called. All other
 * errors begin with what failed, as upstream's events do. */
void csi_mount(struct csi *c, const struct csi_wish *wish, void (*done)(void *arg, const struct err *err), void *arg);
/* The same beside a pod that has its volume already: published again when the driver wants that, grown. Nobody waits
 * for it; what fails is told as an event of the pod, and tried at the next refresh. What the wish points to is copied.
 */
void csi_refresh(struct csi *c, const struct csi_wish *wish);
/* Where it lies for the pod: a folder, or a device. */
const char *csi_mount_path(struct csi *c, const struct csi_wish *wish, struct arena *a);

/* Something of a driver's is, or may be, mounted for the pod. */
bool csi_has_uses(const struct csi *c, const char *uid);
/* Undoes all of the pod. done() on the loop, never inside; err is the first. */
void csi_unmount_pod(struct csi *c, struct pod *p, void (*done)(struct pod *p, const struct err *err));
/* True for what only its driver may unmount. */
bool csi_is_path(struct slice path);

/* ---- what is told ---- */

/* Node.status.volumesInUse: sorted, in the arena. */
struct json *csi_volumes_in_use(const struct csi *c, struct arena *a);

/* Appends the elements of a pod's "volume" in /stats/summary. */
void csi_summary_write(const struct csi *c, const char *uid, struct strbuf *out);
/* kubelet_volume_stats_*, as upstream's /metrics has them. */
void csi_metrics_write(struct csi *c, struct strbuf *out);

#endif
