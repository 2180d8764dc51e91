/* A call: one API request, whatever transport it came by.
 *
 * A call has an arena of its own and is reference-counted, because work for it may be under way in the store when its
 * client goes away: the transport holds one reference, every asynchronous step one more. Steps that come back look at
 * call->gone first. A call is answered exactly once, by one of call_respond_*() or by call_stream_begin() ... _end().
 *
 * All on the API loop. */
#ifndef K3X_API_SERVER_CALL_H
#define K3X_API_SERVER_CALL_H

#include "api/server/auth/user.h"
#include "api/server/route.h"
#include "api/server/shape.h"
#include "base/mem/budget.h"
#include "base/wire/http.h"

struct api_server;
struct audit_record;
struct flow;
struct store_request;
struct token_note;
struct call;
struct impersonation;
struct json;

struct call_transport {
	/* Reads the request's body into c->body, then runs then(c): never from inside. A body that is too large or
	 * breaks off is dealt with there. NULL: the body is there. */
	void (*read_body)(struct call *c, void (*then)(struct call *c));
	/* Takes over the references in bufs; the array lives as long as the call. */
	void (*respond)(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count);
	void (*begin)(struct call *c, int status, const char *content_type);
	bool (*write)(struct call *c, struct http_buf piece); /* false: wait for on_writable */
	void (*end)(struct call *c);
	/* A watch event whose object needs no encoding; takes over the reference. NULL: the transport wants bytes. */
	bool (*event)(struct call *c, const char *type, struct rcbuf *object);
};

struct param {
	struct slice name;
	struct slice value;
};

struct call {
	struct api_server *server;
	struct loop *loop; /* the server's */
	struct arena arena;
	const char *words;    /* of an error that is longer than its message may be; in the arena. NULL: its message */
	struct budget budget; /* of the arena, for writes */
	const struct json *status; /* of an error that says more than its code and words; in the arena. NULL: those */
	unsigned refs;
	bool gone; /* the client went away: nobody waits for an answer */
	bool answered;
	bool broke_off; /* the stream is not whole: said before its end, where there is no connection to break */
	bool not_again; /* a 429 that clients should not try again by themselves */
	const struct call_transport *transport;
	void *transport_data;
	/* request */
	struct slice method;
	struct slice path;
	struct slice query; /* raw */
	struct slice accept;
	struct slice content_type;
	struct slice user_agent;
	struct slice body;
	struct param *params;
	size_t n_params;
	struct user *user;                   /* a reference */
	struct impersonation *impersonation; /* whom the user wants to act as; NULL: himself */
	uint64_t led_term;                   /* not 0: written in this term of the leadership or never */
	struct route route;
	const struct token_note *notes; /* about who asks, for its audit; in the arena */
	size_t n_notes;
	struct audit_record *audit;      /* NULL: it is not audited */
	struct flow *flow;               /* its place in fairness/; NULL: it has none */
	void (*on_over)(struct call *c); /* with the last reference, before the memory goes: dispatch's */
	/* answer */
	enum call_format format;
	enum call_shape shape;
	struct slice table_include; /* "Metadata" (or empty), "Object", "None" */
	bool wants_managed;         /* objects are answered with managedFields: to everybody outside of the house */
	const char **warnings;      /* for Warning headers */
	size_t n_warnings;
	size_t n_kept_warnings;         /* of them, about who asks: a verb that begins anew drops the others alone */
	struct http_exchange *exchange; /* for what only HTTP can do (upgrades, ETags); NULL in-process */
	/* streams */
	void (*on_writable)(struct call *c);
	void (*on_gone)(struct call *c);
	void *handler_data;
	void (*with_body)(struct call *c); /* the transport's, while it reads the body */
	uint64_t started_ns;
};

struct call *call_new(struct api_server *s, const struct call_transport *t, void *transport_data);
struct call *call_ref(struct call *c);
void call_unref(struct call *c);

/* Asks the store on behalf of a call, which holds a reference until `done`. That function first of all says
 * call_was_answered(): the server does not close while a request of a call is under way, be its client there or not.
 * What the calls of one turn of the loop ask for goes to the store together, at its end, so that the store's threads
 * are woken once and find a batch. */
void call_submit(struct call *c, struct store_request *req);
void call_submit_all(struct loop_defer *d); /* that end: the server's to_store.defer */
void call_was_answered(struct call *c);

/* Transports say this when the client went away; drops their reference too. */
void call_set_gone(struct call *c);

/* Parses path, query and Accept; method, path, query, accept are set. */
void call_parse_query(struct call *c);
int call_negotiate(struct call *c, struct err *err);
struct slice call_param(const struct call *c, const char *name); /* SLICE_NULL when absent */
bool call_param_bool(const struct call *c, const char *name);    /* "true", "1" */
void call_warn(struct call *c, const char *text);                /* text lives as long as the arena */
void call_drop_warnings(struct call *c);                         /* those of a try that is over */

#endif
