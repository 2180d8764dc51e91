/* What the files of the API server share: the server object, and one entry function per kind of request. */
#ifndef K3X_API_SERVER_SERVER_INT_H
#define K3X_API_SERVER_SERVER_INT_H

#include "api/server/cache_int.h"
#include "api/server/call_int.h"
#include "api/server/server.h"

struct http_client;

struct api_server {
	struct api_server_options options; /* strings copied into the arena */
	struct arena arena;
	struct loop *loop;
	struct engine *store;
	struct cache *cache;
	struct http_server *http;
	struct tls_context *tls;
	struct tls_context *kubelet_tls; /* towards kubelets; NULL when none was given */
	struct authenticator *authenticator;
	struct service_allocator *services;
	struct compactor *compactor;
	void (*ready)(void *arg, const struct err *err);
	void *ready_arg;
	bool is_ready;
	bool closing;
	uv_timer_t bookmark_timer;
	unsigned ticks;           /* seconds since the start */
	struct list_link watches; /* of struct watch, for bookmarks and time limits */
	struct { /* the last watch event as it was framed: the next watcher most likely wants the same */
		struct rcbuf *object;
		const char *type;
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
	int closing_steps;
};

/* Steps of a request, in this order (dispatch.c). */
void api_dispatch(struct call *c);

/* Reads (read.c), watches (watch.c). */
void api_get(struct call *c);
void api_list(struct call *c);
void api_watch(struct call *c);
void watches_tick(struct api_server *s); /* every second: bookmarks, time limits */

/* Writes (create.c, update.c, delete.c). */
void api_create(struct call *c);
void api_update(struct call *c); /* PUT and PATCH */
void api_delete(struct call *c);
void api_delete_collection(struct call *c);
/* Deletes the route's pod with these DeleteOptions (NULL: none); the cache is fresh enough already. */
void api_evict(struct call *c, struct json *options);

/* Subresources that are not plain writes (subresource.c, connect.c), reviews (review.c). */
bool api_subresource(struct call *c); /* false: treat it as a plain read or write */
void api_review(struct call *c);
void api_token(struct call *c);   /* serviceaccounts/NAME/token (token.c) */
void api_connect(struct call *c); /* log, exec, attach, portforward, proxy */

/* Everything that is not a resource: discovery, OpenAPI, health, version, metrics (nonresource.c). */
void api_nonresource(struct call *c);

/* Runs fn(c) when the cache holds everything that was acknowledged before now; drops the call when its client is gone
 * by then. `consistent` false: only what this process knows of (enough before a compare-and-swap). */
void api_when_fresh(struct call *c, bool consistent, void (*fn)(struct call *c));

/* "namespace/name" of the route, in the call's arena. */
struct slice api_route_key(struct call *c);
/* The object of the route from the cache, NULL when absent. Borrowed. */
struct object *api_route_object(struct call *c);

#endif
