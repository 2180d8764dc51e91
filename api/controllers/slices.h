/* Fitting endpoints into slices with as few writes as can be. Pure: trees in, a plan out.
 * Upstream: staging/src/k8s.io/endpointslice/reconciler.go. */
#ifndef K3X_API_CONTROLLERS_SLICES_H
#define K3X_API_CONTROLLERS_SLICES_H

#include "base/json/json.h"

enum { SLICE_ENDPOINTS_MAX = 100 };

enum slice_action { SLICE_KEEP, SLICE_UPDATE, SLICE_CREATE, SLICE_DELETE };

struct slice_plan {
	struct slice_plan *next;
	enum slice_action action;
	const struct json *existing; /* the stored slice; NULL: to be created */
	struct json *ports;          /* array */
	struct json *endpoints;      /* array, what it shall hold */
};

/* Endpoints that share a set of ports. */
struct slice_group {
	struct slice_group *next;
	struct json *ports;
	struct json **endpoints;
	size_t count, cap;
};

/* The group for these ports: found or made. */
struct slice_group *slice_group_need(struct arena *a, struct slice_group **groups, struct json *ports);
void slice_group_add(struct arena *a, struct slice_group *g, struct json *endpoint);

/* `existing`: the slices of one service and address family. Without any endpoint one empty slice remains. */
struct slice_plan *slices_plan(struct arena *a, struct slice_group *groups, const struct json **existing, size_t n);

#endif
