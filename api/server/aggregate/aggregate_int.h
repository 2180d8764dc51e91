/* What the files of the room share. */
#ifndef K3X_API_SERVER_AGGREGATE_AGGREGATE_INT_H
#define K3X_API_SERVER_AGGREGATE_AGGREGATE_INT_H

#include "api/client/client.h"
#include "api/server/aggregate/aggregate.h"
#include "api/server/cache/follower.h"
#include "api/server/state.h"
#include "base/wire/http_client.h"

struct tls_context;

/* One APIService that names a Service. */
struct api_service {
	struct slice name; /* key: "v1beta1.metrics.k8s.io" */
	struct aggregator *all;
	struct list_link dirty; /* to be looked at */
	/* of the object, in the arena */
	struct arena arena;
	struct slice group, version, service_ns, service;
	int port;
	int64_t group_priority, version_priority;
	const char *server_name; /* in its certificate */
	const char *ca_pem;      /* NULL: the system's roots */
	bool skip_verify, is_remote;
	const char *spec; /* that all this is of; NULL: it was not read yet */
	struct tls_context *tls;
	/* what came of asking */
	bool is_available, was_asked;
	char reason[64], message[512];
	struct strbuf resources; /* of its discovery: "[{...}]"; empty: it never answered */
	/* asking */
	struct {
		struct arena arena;
		struct http_client *client;
		struct http_call *call; /* NULL: nothing is asked */
		uint64_t due_ms;
		unsigned turns;
	} ask;
	/* writing what came of it */
	struct {
		struct client_request request;
		struct arena arena;
		bool is_out;
	} write;
};

struct aggregator {
	struct api_server *server;
	struct cache_follower follower;
	struct map by_name;
	struct list_link dirty;
	struct loop_defer look;
	struct client *client;
	bool is_started, is_closing, leads;
	/* sorted for discovery, made anew when something has changed */
	struct discovery_extra *extras;
	size_t n_extras;
	bool is_sorted;
};

void api_service_touch(struct api_service *v);
struct object *api_service_object(const struct api_service *v); /* borrowed; NULL: it is gone */
/* What it can be reached with. ERR_INVAL: its caBundle is none. */
int api_service_tls(struct api_service *v, struct err *err);
/* Asks when it is due, and lets the leader write what has changed (availability.c). */
void api_service_look(struct api_service *v);
bool api_service_is_busy(const struct api_service *v);
void api_service_give_up(struct api_service *v);

/* The one that serves a group and version; NULL: it is served here, or by nobody. */
struct api_service *aggregate_find(struct aggregator *g, struct slice group, struct slice version);

/* A way to one of its endpoints: a client of the caller's own. Errors of backend_find() and api_service_tls(). */
int api_service_connect(struct api_service *v, struct arena *a, struct http_client **ret, struct err *err);

#endif
