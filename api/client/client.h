/* The one way to reach the Kubernetes API from inside the house, whoever asks: controllers and the scheduler, the
 * kubelet, the service proxy, add-ons.
 *
 * A client is a loop, an identity and a transport. Two transports exist: in-process, which hands the request to the API
 * server's router without sockets, TLS or copies of the answer, and HTTPS. A caller cannot tell them apart:
 * authorization, admission and errors are the same.
 *
 * Requests are embedded by the caller and completed exactly once, on the client's loop, never before the call returns.
 * All functions are called on that loop. Bodies are JSON. */
#ifndef K3X_API_CLIENT_CLIENT_H
#define K3X_API_CLIENT_CLIENT_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/rcbuf.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"

struct client;
struct tls_context;

/* JSON, and of objects all but managedFields, which nobody in the house reads (in-process they are never there). */
#define CLIENT_ACCEPT "application/json;managedFields=omit"

/* A request with one answer. */
struct client_request {
	/* set by the caller; all bytes stay valid until done() */
	const char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE" */
	const char *path;   /* path and query, escaped: "/api/v1/namespaces/default/pods?limit=5" */
	struct slice body;
	const char *content_type; /* NULL: "application/json"; for PATCH one of the patch types */
	const char *accept;       /* NULL: CLIENT_ACCEPT */
	void (*done)(struct client_request *req);
	/* set by the client */
	struct err err;  /* transport trouble, or the Status the server answered with (code by its reason, message its
	                    own) */
	int http_status; /* 0 when no answer came */
	struct rcbuf *response; /* the body; the request owns the reference, client_request_release() drops it */
	/* the transport's own */
	void *transport_data;
	struct loop_task task;
};

void client_send(struct client *c, struct client_request *req);
void client_request_release(struct client_request *req);

/* Gives up: done() still runs, with ERR_CANCELED, unless the answer was on its way. */
void client_cancel(struct client *c, struct client_request *req);

/* A watch: GET with watch=1, events one by one. */
struct client_watch {
	/* set by the caller */
	const char *path; /* "/api/v1/pods?watch=1&resourceVersion=5&allowWatchBookmarks=true"; valid until on_end */
	/* `type` is "ADDED", "MODIFIED", "DELETED", "BOOKMARK" or "ERROR"; `object` its JSON text, valid during the
	 * call. `shared`, when not NULL, holds just that text: take a reference to keep it without a copy. */
	void (*on_event)(struct client_watch *w, const char *type, struct slice object, struct rcbuf *shared);
	/* The end, exactly once: err->code 0 when the server ended it, else why (also when the first answer was an
	 * error). */
	void (*on_end)(struct client_watch *w, const struct err *err);
	/* the transport's own */
	void *transport_data;
	struct loop_task task;
};

void client_watch_open(struct client *c, struct client_watch *w);
void client_watch_close(struct client *c, struct client_watch *w); /* on_end still runs, with ERR_CANCELED */

struct client_vtable {
	void (*send)(struct client *c, struct client_request *req);
	void (*cancel)(struct client *c, struct client_request *req);
	void (*watch_open)(struct client *c, struct client_watch *w);
	void (*watch_close)(struct client *c, struct client_watch *w);
	void (*close)(struct client *c, void (*closed)(void *arg), void *arg);
};

/* Transports embed this as their first member. */
struct client {
	const struct client_vtable *vtable;
	struct loop *loop;
};

/* Cancels what is outstanding, then frees the client and calls closed(arg) (may be NULL). */
void client_close(struct client *c, void (*closed)(void *arg), void *arg);

struct client_https_options {
	const char *server_url;           /* "https://127.0.0.1:6443" */
	const char *ca_file;              /* PEM */
	const char *cert_file, *key_file; /* client certificate, or NULL */
	struct tls_context *tls; /* instead of these three: whoever owns it may renew it. A reference is taken */
	const char *token;       /* bearer token, or NULL */
	const char
	        *token_file;    /* instead: a file that holds it and is written anew from time to time (a pod's service
	                           account): read for every request. A file that can't be read leaves what was read last */
	const char *user_agent; /* NULL: "k3x" */
};

int client_https_new(
        struct loop *loop, const struct client_https_options *options, struct client **ret, struct err *err);

#endif
