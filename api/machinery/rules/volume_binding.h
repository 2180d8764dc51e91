/* Claims and volumes: what binding asks of them, and which volume fits which claim.
 *
 * Shared by the binder and by the scheduler, so that both always agree. A view is read from an object's text in one go
 * and points into it; nothing is kept. Any thread. Upstream: component-helpers/storage/volume. */
#ifndef K3X_API_MACHINERY_RULES_VOLUME_BINDING_H
#define K3X_API_MACHINERY_RULES_VOLUME_BINDING_H

#include "base/json/json.h"

/* Annotations of upstream's, which tools and provisioners read. */
#define VOLUME_BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define VOLUME_BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define VOLUME_PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define VOLUME_SELECTED_NODE "volume.kubernetes.io/selected-node"
#define VOLUME_STORAGE_PROVISIONER "volume.kubernetes.io/storage-provisioner"
#define VOLUME_BETA_STORAGE_PROVISIONER "volume.beta.kubernetes.io/storage-provisioner"
#define VOLUME_BETA_CLASS "volume.beta.kubernetes.io/storage-class"
#define VOLUME_NO_PROVISIONER "kubernetes.io/no-provisioner"

/* Access modes are a set. */
enum {
	ACCESS_READ_WRITE_ONCE = 1,
	ACCESS_READ_ONLY_MANY = 2,
	ACCESS_READ_WRITE_MANY = 4,
	ACCESS_READ_WRITE_ONCE_POD = 8
};

struct volume_view {
	struct slice text, name, uid, class, phase, labels, annotations, affinity; /* affinity: the required terms */
	int64_t size;                                                              /* bytes */
	unsigned access;
	bool is_block, is_dying;
	bool has_claim; /* spec.claimRef is there; its uid may be empty: reserved by a user */
	struct slice claim_ns, claim_name, claim_uid;
};

struct claim_view {
	struct slice text, ns, name, uid, class, phase, volume, annotations, selector;
	int64_t size; /* asked for, bytes */
	unsigned access;
	bool is_block, is_dying;
	bool has_class;     /* a class is said, be it "" */
	bool was_bound;     /* bind-completed */
	bool by_controller; /* bound-by-controller */
	struct slice selected_node;
};

void volume_view_read(struct slice object, struct volume_view *out);
void claim_view_read(struct slice object, struct claim_view *out);

/* The volume points at this claim, by name, and by uid when it has one. */
bool volume_is_for(const struct volume_view *v, const struct claim_view *c);
/* NULL, or why a volume that the claim names cannot be its own ("requested PV is too small"). */
const char *volume_mismatch(const struct volume_view *v, const struct claim_view *c);
/* The affinity admits a node with this name and these labels (raw text). */
bool volume_reaches_node(const struct volume_view *v, struct slice node, struct slice labels);

/* The volume's object with a claimRef to the claim, and the binder's mark when it was not reserved for it before. */
struct json *volume_point_to_claim(struct arena *a, const struct volume_view *v, const struct claim_view *c);

/* A search for the claim's volume: one volume after the other is offered, the best is kept. `node` and `labels`: the
 * scheduler's search for a volume on that node, which also finds for claims that wait for their first consumer. */
struct volume_search {
	const struct claim_view *claim;
	bool waits_for_consumer; /* of the binder: only volumes that are reserved for the claim count */
	bool on_node;
	struct slice node, labels;
	/* the search's own */
	struct json *selector; /* made at the start; NULL: none */
	struct arena *arena;
	bool found, is_reserved, is_refused;
	struct volume_view best;
};

void volume_search_start(struct volume_search *s, struct arena *a);
void volume_search_offer(struct volume_search *s, const struct volume_view *v);
/* The best, NULL: none. Reserved ones come first, then the fewest access modes, then the smallest. */
const struct volume_view *volume_search_end(const struct volume_search *s);

/* Keys of indexes of volumes: "/CLASS" of those without a claim, "ns/name" of the claim that others point to. */
void volume_index_free(struct slice object, struct strbuf *out);
void volume_index_pointing(struct slice object, struct strbuf *out);

/* A storage class: WaitForFirstConsumer. Empty text: false. */
bool storage_class_waits(struct slice storage_class);

#endif
