/* What endpointslice.c (slices) and endpoints.c (the older Endpoints objects) share: one run for one service. */
#ifndef K3X_API_CONTROLLERS_ENDPOINTS_INT_H
#define K3X_API_CONTROLLERS_ENDPOINTS_INT_H

#include "api/controllers/controllers_int.h"
#include "api/controllers/slices.h"
#include "base/ip.h"

/* What is remembered of a service between two runs. */
struct service_memory {
	char *hints_said[IP_FAMILIES]; /* the last event about hints, by enum ip_family; NULL: none */
	int64_t trigger_s;             /* the newest change of a pod that was told */
	char key[];
};

struct endpoint_slices {
	struct controllers *c;
	struct shared_informer *services, *pods, *slices, *endpoints, *nodes;
	struct informer_index *pods_by_namespace, *services_by_namespace, *slices_by_service;
	struct work_queue *queue;
	struct expectations expectations;
	struct recorder *recorder;
	struct map memories; /* key of a service -> struct service_memory */
	bool has_topology;   /* some service is shared out by zones */
};

/* A pod behind the service. */
struct backend {
	struct json *pod;
	struct meta meta;
	struct slice node;
	bool is_ready, is_dying;
};

struct publish {
	struct endpoint_slices *s;
	struct work *work;
	struct meta meta;
	struct json *service, *spec;
	bool is_headless, publishes_not_ready, prefers_close;
	bool by_zones;        /* topology-mode: Auto */
	struct slice trigger; /* when it happened what is told now; "": not known */
	struct service_memory *memory;
	struct backend *backends; /* by address */
	size_t count;
};

/* The address of the family ("IPv4", "IPv6") a pod has; SLICE_NULL: none. */
struct slice endpoints_pod_ip(const struct json *pod, const char *family);
/* The ports of the service as this pod has them: [{"name","port","protocol"}]. */
struct json *endpoints_ports(struct publish *y, const struct json *pod);
/* Brings the Endpoints object up to date (endpoints.c). */
void endpoints_write(struct publish *y);

#endif
