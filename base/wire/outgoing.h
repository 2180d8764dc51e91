/* Outgoing HTTP and HTTPS calls to whoever an operator has named: the API server's to webhooks and to an OIDC issuer,
 * the scheduler's to extenders.
 *
 * A pool belongs to a loop and knows all targets. A target is where calls go and how each side proves who it is; who
 * asks for the same one again gets the same, with its connections (HTTP/2 where the other side has it, else HTTP/1.1).
 * Targets are counted: the last reference closes the connections. Names are resolved off the loop. All functions are
 * called on the loop; callbacks come from it, never from inside a call. */
#ifndef K3X_BASE_WIRE_OUTGOING_H
#define K3X_BASE_WIRE_OUTGOING_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"
#include "base/wire/http.h"

struct outgoing;
struct outgoing_pool;
struct http_answer;
struct http_call;

struct outgoing_pool *outgoing_pool_new(struct loop *loop);
/* Calls still open end with ERR_CANCELED, connections are closed, then closed(arg) is called and the pool is gone.
 * References to targets may be given back before or after. */
void outgoing_pool_close(struct outgoing_pool *p, void (*closed)(void *arg), void *arg);

struct outgoing_target {
	const char *url; /* http:// or https://, host, port when it is not 80 or 443, path and query */
	/* Where the connection goes when that is not the URL's host: an address of a Service whose name is. NULL, 0:
	 * the URL's. */
	const char *connect_host;
	int connect_port;
	const char *server_name;     /* in the certificate; NULL: the URL's host */
	const char *ca_pem;          /* who vouches for the other side; NULL: the system's roots */
	bool skip_verify;            /* whoever answers is believed */
	const char *certificate_pem; /* ours, with its key; NULL: none */
	const char *key_pem;
	const char *bearer;              /* a token; NULL: none */
	const char *bearer_file;         /* a file that holds it, read again every minute; NULL: none */
	const char *username, *password; /* HTTP Basic; NULL: none */
};

/* The file of those that everybody trusts; NULL: this system has none. */
const char *outgoing_system_roots(void);

/* Is it a URL of a target? What is behind its server, its path and query, lies in the arena then and begins with a
 * slash. Pure, any thread. ERR_INVAL says what is wrong with it. */
int outgoing_url_check(struct arena *a, const char *url, const char **ret_path, struct err *err);

/* Would outgoing_get() take this target? For who wants to know at the start: certificates and keys are read. Any
 * thread; its errors. */
int outgoing_target_check(struct arena *a, const struct outgoing_target *t, struct err *err);

/* *ret is a reference to the target, which is made when it is not there; *t is copied. ERR_INVAL says what is wrong
 * with the URL, a certificate or a key; ERR_NOT_FOUND: ca_pem is NULL and the system has no file of roots. */
int outgoing_get(struct outgoing_pool *p, const struct outgoing_target *t, struct outgoing **ret, struct err *err);
struct outgoing *outgoing_ref(struct outgoing *o);
void outgoing_unref(struct outgoing *o);            /* NULL is allowed */
const char *outgoing_url(const struct outgoing *o); /* as it was given, for messages; lives as long as the target */

/* One call, embedded by who makes it, zeroed before it is filled. */
struct outgoing_call {
	/* set by the caller; all bytes stay valid until done() */
	const char *method;                /* NULL: "POST" with a body, else "GET" */
	const char *path;                  /* instead of the URL's path and query; NULL: those */
	const struct http_header *headers; /* lower case names; Accept, Authorization and User-Agent are made here */
	size_t headers_count;
	const char *content_type; /* NULL: "application/json" */
	struct slice body;
	unsigned timeout_ms; /* all tries together; 0: OUTGOING_MS_DEFAULT */
	unsigned tries; /* 0: one. Tried again: no answer, 429, 5xx; half a second later, then half as long again */
	size_t answer_bytes_max; /* 0: OUTGOING_ANSWER_BYTES_MAX; a larger answer is ERR_TOO_BIG */
	void (*done)(struct outgoing_call *c);
	void *arg; /* the caller's */
	/* set before done(), which is called exactly once */
	struct err err; /* 0: an answer came, of whatever status. Else why none did; the message names method and URL */
	int status;
	struct slice answer; /* valid during done() */
	/* outgoing's own */
	struct outgoing *target;
	struct list_link link;
	struct http_call *http;
	struct loop_defer ending;
	uint64_t deadline_ms, due_ms;
	unsigned tried;
	bool is_over;
};

/* Holds a reference to the target until done(). ERR_BUSY (by done()): OUTGOING_CALLS_MAX are under way to it. */
void outgoing_send(struct outgoing *o, struct outgoing_call *c);
/* Gives up: done() still comes, with ERR_CANCELED. Nothing when done() is on its way. */
void outgoing_cancel(struct outgoing_call *c);

#endif
