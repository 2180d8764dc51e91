/* What comes next for one volume and one node: whether it is to be attached, told as attached, or detached. Pure. */
#ifndef K3X_API_CONTROLLERS_ATTACH_PLAN_H
#define K3X_API_CONTROLLERS_ATTACH_PLAN_H

#include "base/json/json.h"

struct attach_facts {
	bool is_wanted;               /* by a pod on the node */
	bool is_there;                /* its VolumeAttachment is */
	bool is_attached, is_leaving; /* whose status says so; which is being deleted */
	bool is_told;                 /* in the Node's status.volumesAttached */
	bool is_in_use;               /* in the Node's status.volumesInUse: it is, or may be, mounted there */
	bool is_elsewhere;            /* attached, or being attached, to another node */
	bool is_exclusive;            /* none of its access modes is for many nodes */
	bool node_is_gone, node_is_healthy, node_is_out_of_service;
	uint64_t unwanted_ms; /* for how long */
};

enum attach_step {
	ATTACH_REST,   /* nothing, or somebody else's turn: the attacher beside the driver, the kubelet */
	ATTACH_MAKE,   /* make the VolumeAttachment */
	ATTACH_TELL,   /* put it into volumesAttached */
	ATTACH_UNTELL, /* take it out, before anything else */
	ATTACH_REMOVE, /* delete the VolumeAttachment */
	ATTACH_BLOCKED /* another node has it, and it can't be at two */
};

/* Upstream's maxWaitForUnmountDuration: from then on a node that is not healthy is not waited for. */
enum { ATTACH_FORCE_MS = 6 * 60 * 1000 };

/* *wait_ms: when to look again though nothing happens; 0: not at all. */
enum attach_step attach_next(const struct attach_facts *f, uint64_t *wait_ms);

/* "csi-" and a hash: how the VolumeAttachment of a driver's volume and a node is called. */
const char *attach_name(struct arena *a, struct slice handle, struct slice driver, struct slice node);
/* "kubernetes.io/csi/DRIVER^HANDLE": how nodes call the volume. */
const char *attach_unique_name(struct arena *a, struct slice driver, struct slice handle);
/* Of PersistentVolume.spec.accessModes: true when no mode is for many nodes; a volume that tells none may be anything.
 */
bool attach_is_exclusive(const struct json *access_modes);
/* The pod needs its volumes no more: it has ended, or is being deleted and nothing of it runs. */
bool attach_pod_is_over(const struct json *pod);

#endif
