/* Which devices there are, and who has them. Pure. */
#ifndef K3X_NODE_DEVICES_DEVICE_LEDGER_INT_H
#define K3X_NODE_DEVICES_DEVICE_LEDGER_INT_H

#include "base/json/json.h"
#include "node/numa/numa_hint.h"

struct device {
	char *id;
	bool is_healthy;
	uint64_t nodes; /* of memory that it is near to; 0: the plugin does not say */
};

/* All that one plugin offers. Kept after the plugin went, for its devices are still in containers. */
struct device_resource {
	char *name; /* "example.com/gpu" */
	struct device *devices;
	size_t count;
	bool is_connected;
	uint64_t gone_ms; /* when it went */
};

/* What one container has of one resource. */
struct device_grant {
	char *uid, *container, *resource;
	char **ids;
	size_t ids_count;
	struct strbuf answer; /* the plugin's, packed: a ContainerAllocateResponse; empty until it came */
	bool is_answered;     /* else it is in no checkpoint: the plugin is being asked */
	bool gives_on;        /* of an init container that ends: later ones of the pod get them first */
};

struct device_ledger {
	struct device_resource **resources;
	size_t resources_count;
	struct device_grant **grants;
	size_t grants_count;
};

enum { DEVICE_GONE_MS = 300000 }; /* so long the devices of a plugin that went count as capacity */

void device_ledger_release(struct device_ledger *l);

struct device_resource *device_ledger_resource(const struct device_ledger *l, struct slice name); /* NULL: none */
struct device_resource *device_ledger_need(struct device_ledger *l, struct slice name);
/* What a plugin says now: all of its devices. */
void device_resource_set(struct device_resource *r, const struct device *list, size_t count);
size_t device_resource_capacity(const struct device_resource *r, uint64_t now_ms);
size_t device_resource_allocatable(const struct device_resource *r);

/* Ids for a container of the pod, in the arena, in this order: those that its init containers had, free ones near to
 * the nodes of memory, and the other free ones; within, in order of their names. */
struct device_candidates {
	const char **ids;
	size_t own, near, count; /* count: all */
};
/* nodes 0: none is near. */
struct device_candidates device_ledger_candidates(
        const struct device_ledger *l, struct arena *a, const char *uid, struct slice resource, uint64_t nodes);
/* Of these `wanted` are to be chosen, when one may choose: when the near ones are enough, no others are looked at.
 * *ret_must: the first of them, which must be taken. */
size_t device_candidates_narrow(const struct device_candidates *c, size_t wanted, size_t *ret_must);
/* Where so many of the resource could lie. No wish when the plugin does not say where its devices are. */
void device_ledger_wish(const struct device_ledger *l, const char *uid, struct slice resource, size_t wanted,
        uint64_t all_nodes, struct numa_wishes *w);

struct device_grant *device_ledger_grant(struct device_ledger *l, const char *uid, struct slice container,
        struct slice resource, const char *const *ids, size_t count, bool gives_on);
struct device_grant *device_ledger_of(
        const struct device_ledger *l, const char *uid, struct slice container, struct slice resource);
bool device_ledger_give_back(struct device_ledger *l, const char *uid); /* true: it had some */

/* The checkpoint as JSON, and back. ERR_INVAL: garbage. */
void device_ledger_write(const struct device_ledger *l, struct strbuf *out);
int device_ledger_read(struct device_ledger *l, struct slice text, struct err *err);

#endif
