/* HTTP for clients: calls to one server over a small pool of connections, HTTP/1.1 or HTTP/2.
 *
 * A client and all its calls belong to one loop. A call ends exactly once: with on_done (answered, failed, timed out),
 * on_upgraded, or http_call_cancel(), after which no callback comes. Callbacks come from the loop, never from inside a
 * function of this file.
 *
 * Connections are made when calls need them and kept while idle; HTTP/2 ones carry many calls, checked with PING while
 * calls are open. A request that found its kept connection dead before any byte of an answer is sent once more on a new
 * one if its method is GET or HEAD. */
#ifndef K3X_BASE_WIRE_HTTP_CLIENT_H
#define K3X_BASE_WIRE_HTTP_CLIENT_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"
#include "base/wire/http.h"

struct http_client;
struct http_call;
struct conn_callbacks;
struct conn_connect_options;
struct tls_context;

enum http_client_protocol { HTTP_CLIENT_AUTO, HTTP_CLIENT_H1, HTTP_CLIENT_H2 }; /* AUTO: ALPN, else HTTP/1.1 */

struct http_client_options {
	struct loop *loop;
	const char *host; /* name or address, or */
	int port;
	const char *unix_path;   /* a socket; then host is only what Host says ("localhost" when NULL) */
	struct tls_context *tls; /* NULL: plain; a reference is taken */
	const char *server_name; /* in the certificate; NULL: host */
	const char *host_header; /* HTTP/1.1: what Host says; NULL: host and port */
	enum http_client_protocol protocol;
	/* How connections are made instead, as conn_connect_tcp() does with these options; never NULL. Only while calls
	 * wait for one, never from inside a call. NULL: to host and port, or the socket. */
	struct conn *(*dial)(void *arg, const struct conn_connect_options *options,
	        const struct conn_callbacks *callbacks, void *callbacks_arg);
	void *dial_arg;
	unsigned connections_max; /* HTTP/1.1; 0: 8 */
	unsigned connect_ms;      /* 0: 10 s */
	unsigned idle_ms;         /* 0: 90 s */
};

/* *options is copied. */
struct http_client *http_client_new(const struct http_client_options *options);
/* Calls still open end with ERR_CANCELED first (from the loop); on_closed(arg) (may be NULL) is the last callback. */
void http_client_close(struct http_client *c, void (*on_closed)(void *arg), void *arg);

struct http_answer {
	int status;
	const struct http_header *headers;
	size_t headers_count;
	const struct http_header *trailers; /* complete at on_done */
	size_t trailers_count;
	struct slice body;   /* whole body when on_data is NULL */
	bool complete;       /* the answer ended in order */
	bool is_sent;        /* the request, or a part of it, may have reached the server */
	unsigned reset_code; /* HTTP/2 error code of a reset stream */
};
struct slice http_answer_header(const struct http_answer *a, const char *name);

struct http_call_options {
	const char *method;
	const char *target;                /* path and query */
	const char *host;                  /* Host or :authority; NULL: the client's */
	const struct http_header *headers; /* lower case names; Host, lengths and Connection are made here; line ends in
	                                      values become blanks */
	size_t headers_count;
	struct slice body;   /* copied */
	bool stream_body;    /* the body comes with http_call_write(); `body` is its beginning */
	int64_t body_length; /* of stream_body: how long it will be, exactly; 0: not known, or nothing */
	const char
	        *upgrade; /* HTTP/1.1: ask for this protocol; on_upgraded tells of success, on_done of anything else */
	unsigned timeout_ms;   /* for the whole call, with on_data until its head; 0: none */
	bool timeout_whole;    /* with on_data too */
	size_t body_bytes_max; /* whole answers; larger ends with ERR_TOO_BIG; 0: 16 MiB */
	/* A connection has taken it: from now on the server may have seen it. May be NULL. */
	void (*on_sent)(struct http_call *call, void *arg);
	void (*on_head)(struct http_call *call, const struct http_answer *answer, void *arg); /* may be NULL */
	void (*on_data)(struct http_call *call, struct slice data, void *arg);                /* NULL: collect */
	/* err is NULL when the answer is complete; answer->status is 0 when none came. Memory goes on return. */
	void (*on_done)(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg);
	void (*on_writable)(struct http_call *call, void *arg); /* room again after http_call_write() returned false */
	/* The connection is the callee's now: conn_start() it in this call. */
	void (*on_upgraded)(struct http_call *call, const struct http_answer *answer, struct conn *conn, void *arg);
	void *arg;
};

/* Everything is copied except `arg`. Never NULL. */
struct http_call *http_client_call(struct http_client *c, const struct http_call_options *options);
void http_call_cancel(struct http_call *call);
const char *http_call_target(const struct http_call *call); /* lives as long as the call */

/* Stops and continues on_data; the server is slowed down by flow control. */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);

/* For stream_body. False: wait for on_writable; the bytes are taken in either case. */
bool http_call_write(struct http_call *call, struct slice data);
void http_call_write_end(struct http_call *call);

#endif
