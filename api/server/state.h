/* The API server's state: who owns what. Everything belongs to its loop. */
#ifndef K3X_API_SERVER_STATE_H
#define K3X_API_SERVER_STATE_H

#include "api/server/cache/cache.h"
#include "api/server/options.h"
#include "base/rt/closing.h"

struct admission_config;
struct aggregator;
struct audit;
struct authenticator;
struct authorizers;
struct definitions;
struct duties;
struct join;
struct fairness;
struct http_server;
struct node_graph;
struct outgoing_pool;
struct policy_store;
struct rbac_index;
struct sealer;
struct service_allocator;
struct tls_context;
struct tunnels;
struct webhook_store;

struct api_server {
	struct api_server_options options; /* strings copied into the arena */
	struct arena arena;
	struct loop *loop;
	struct engine *store;
	struct sealer *sealer; /* what is stored encrypted, and how */
	struct cache *cache;
	struct http_server *http;
	struct tls_context *tls;
	struct tls_context *kubelet_tls; /* towards kubelets; NULL when none was given */
	struct tls_context *any_tls;     /* towards pods and services, whoever answers; NULL until it is needed */
	unsigned proxy_turns;            /* of the endpoints of services */
	struct outgoing_pool *outgoing;  /* calls to webhooks and issuers */
	struct fairness *fairness;
	struct audit *audit; /* NULL: nothing is audited */
	struct authenticator *authenticator;
	struct authorizers *authorizers;
	struct admission_config *admission; /* which plugins are on, and what they were told */
	struct rbac_index *rbac;
	struct node_graph *node_graph;
	struct service_allocator *services;
	struct duties *duties;
	struct definitions *definitions;
	struct aggregator *aggregator;
	struct policy_store *policies;  /* admission/policies.c; NULL: nobody asked yet */
	struct webhook_store *webhooks; /* admission/webhooks.c; NULL: nobody asked yet */
	struct map quota_lines;         /* namespace -> those that draw on its quotas: admission/resource_quota.c */
	struct join *join;              /* NULL: nobody joins here */
	struct tunnels *tunnels;
	struct list_link sessions; /* of exec and its like: connections that are no calls any more */
	void (*sessions_closed)(void *arg);
	void *sessions_arg;
	void (*ready)(void *arg, const struct err *err);
	void *ready_arg;
	bool is_ready;
	bool closing;
	uv_timer_t bookmark_timer;
	unsigned ticks;           /* seconds since the start */
	unsigned leaderless;      /* seconds in which no leader was known; 0: one is */
	size_t built_bytes;       /* of answers that were built and are not sent yet */
	struct list_link watches; /* of struct watch, for bookmarks and time limits */
	struct { /* the last watch event as it was framed: the next watcher most likely wants the same */
		struct rcbuf *object;
		const char *type;
		bool is_managed; /* with managedFields */
		struct rcbuf *text;
	} frame;
	struct {
		uint64_t requests;
		uint64_t errors;
		uint64_t watches_open;
		uint64_t events_sent;
	} counters;
	void (*closed)(void *arg);
	void *closed_arg;
	unsigned drain_ms;
	struct closing closing_parts;
	struct { /* requests of calls that go there at the end of the loop's turn */
		struct store_request *first, **end;
		struct loop_defer defer;
	} to_store;
	unsigned asked;            /* requests of calls to the store that are under way: call_submit() */
	bool awaits_answers;       /* closing goes on when there are none */
	struct loop_task answered; /* says so */
};

#endif
