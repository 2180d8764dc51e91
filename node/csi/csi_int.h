/* The room's state: drivers, volumes, and who uses them. One owner, the node's loop. */
#ifndef K3X_NODE_CSI_CSI_INT_H
#define K3X_NODE_CSI_CSI_INT_H

#include "base/json/json.h"
#include "base/mem/list.h"
#include "base/rt/closing.h"
#include "base/rt/loop.h"
#include "node/csi/csi.h"
#include "node/csi/record_int.h"
#include "node/csi/request_int.h"
#include "node/ground/retry.h"

struct drivers;
struct node;

/* A driver that has registered (drivers.c). */
struct csi_driver {
	struct list_link link;
	struct drivers *drivers;
	struct watched_plugin *plugin; /* who registered it */
	bool is_answered;              /* that it is taken */
	bool is_known, is_told;        /* it has said what it is; the API knows it */
	bool is_dropped, is_gone;      /* gone: with its socket */
	char *name;
	struct rpc_client *rpc;
	unsigned capabilities; /* enum csi_capability */
	struct arena arena;    /* of what follows */
	const char *node_id;
	struct json *topology;
	int64_t volumes_max;
};

/* A volume on this node, whoever uses it: DRIVER and HANDLE are its identity. One piece of work at a time is done to
 * it: who wants to do some takes a turn. */
struct csi_volume {
	struct list_link link; /* in csi.volumes */
	struct csi *csi;
	struct list_link uses;
	char *driver, *handle, *name; /* name: the first PV's, or the volume's in its pod */
	char *attachment;             /* the VolumeAttachment's name; "": none is needed, or known */
	bool is_block, is_inline;
	bool may_be_staged; /* a record says so, and it is to be unstaged */
	bool is_staged;     /* the driver said so, to us */
	unsigned holds;     /* of those who know it: it is not freed */
	struct csi_turn *turn;
	struct list_link turns; /* who waits */
	struct retry unstage;
};

/* What was used of a volume when its driver was asked last. */
struct csi_usage {
	int64_t at_ns;                                       /* Unix time */
	int64_t available_bytes, capacity_bytes, used_bytes; /* -1: not told */
	int64_t inodes_free, inodes, inodes_used;
	bool has_condition, is_abnormal;
};

/* A pod's use of a volume, by the name of the PV (several may be of one handle). It is there from the first wish of the
 * pod's until it is unpublished. */
struct csi_use {
	struct list_link link; /* in volume.uses */
	struct csi_volume *volume;
	char *uid, *name;
	char *alias, *claim_ns, *claim; /* alias: its name in the pod, NULL: not known yet; claim NULL: it has none */
	bool may_be_published;          /* a record says so */
	bool is_published;
	bool is_known, republishes; /* known: what the CSIDriver says of it has been read since our start */
	bool is_refreshing;
	uint64_t waits_since_ms; /* for its attachment, on the loop's clock; 0: it does not */
	struct retry unpublish;
	/* stats.c */
	bool is_measured, is_measuring;
	struct csi_usage usage;
};

struct csi_turn {
	struct list_link link;
	void (*run)(struct csi_turn *t); /* it is one's turn */
};

struct csi {
	struct node *n;
	const struct csi_callbacks *callbacks;
	char *root; /* the kubelet's folder, as drivers see it */
	struct drivers *drivers;
	struct list_link volumes;
	uv_timer_t timer, stats_timer;
	bool may_clean;            /* the pods that there are are known */
	uint64_t clean_generation; /* of the look at the runtime that tells which others run */
	bool is_closing;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- csi.c ---- */
struct csi_volume *csi_volume_find(struct csi *c, const char *driver, const char *handle);
struct csi_volume *csi_volume_need(struct csi *c, const struct csi_record *r);
/* NULL: none. name NULL: any. */
struct csi_use *csi_use_of(const struct csi_volume *v, const char *uid, const char *name);
struct csi_use *csi_use_need(struct csi_volume *v, const char *uid, const char *name);
void csi_use_free(struct csi_use *u);
/* Frees it when nobody uses it and nothing is left of it. */
void csi_volume_settle(struct csi_volume *v);
struct csi_record csi_staged_record(const struct csi_volume *v);
struct csi_record csi_use_record(const struct csi_use *u);
/* run() now, or when those before it have given their turns back. */
void csi_turn_take(struct csi_volume *v, struct csi_turn *t);
void csi_turn_give(struct csi_volume *v);
/* Looks for what is to be undone; soon. */
void csi_reconcile_soon(struct csi *c);

/* ---- drivers.c ---- */
int drivers_new(struct csi *c, struct drivers **ret, struct err *err);
void drivers_close(struct drivers *d); /* a part of csi.parts, which it holds no more when it is closed */
void drivers_free(struct drivers *d);  /* after the calls to the API */
void drivers_node_changed(struct drivers *d, struct slice uid);
/* NULL, with upstream's words: it has not registered. */
struct csi_driver *driver_find(struct drivers *d, const char *name, struct err *err);

/* ---- release.c: undoing ---- */
/* Unpublishes a use and frees it; then unstages the volume when it was the last. done (may be NULL) is called after the
 * first of the two. */
void csi_release_use(struct csi_use *u, void (*done)(void *arg, const struct err *err), void *arg);
void csi_release_volume(struct csi_volume *v);

/* ---- stats.c ---- */
void csi_stats_start(struct csi *c);
void csi_stats_ask(struct csi_use *u); /* at once, of a use that is new */

#endif
