/* Inside the client: http_client.c (pool and calls), h1_client.c and h2_client.c (protocols). */
#ifndef K3X_BASE_WIRE_HTTP_CLIENT_INT_H
#define K3X_BASE_WIRE_HTTP_CLIENT_INT_H

#include "base/limits.h"
#include "base/mem/list.h"
#include "base/wire/conn.h"
#include "base/wire/http_client.h"

struct client_conn;

struct header_vec {
	struct http_header *items;
	size_t count;
	size_t cap;
	size_t bytes;
};

struct http_call {
	struct http_client *client;
	struct client_conn *on; /* NULL while it waits */
	struct list_link link;  /* client->waiting or on->calls */
	struct loop_defer turn; /* frees it when finished; delivers what was held */
	struct arena arena;
	struct http_call_options o; /* strings in the arena */
	struct strbuf out;          /* request body not yet sent */
	size_t out_at;
	bool out_ended;
	bool out_deferred; /* HTTP/2: the data source waits */
	bool wants_writable;
	struct http_answer answer;
	struct header_vec headers;
	struct header_vec trailers;
	struct strbuf body; /* collected, or held while paused */
	uint64_t deadline_ms;
	bool paused;
	bool got_bytes; /* something of the answer came */
	bool retried;
	bool head_done;
	bool finished; /* on_done, on_upgraded or cancel happened */
	int32_t stream_id;
	size_t unconsumed;
};

struct client_protocol {
	void (*start)(struct client_conn *k, struct http_call *call); /* send its request */
	void (*received)(struct client_conn *k, const char *data, size_t len);
	void (*ended)(struct client_conn *k); /* the peer closed in order */
	void (*flush)(struct client_conn *k);
	void (*wake)(struct http_call *call);                        /* body bytes were added, or resumed */
	void (*drop)(struct client_conn *k, struct http_call *call); /* the call was given up */
	bool (*has_room)(struct client_conn *k);                     /* for one more call */
	void (*tick)(struct client_conn *k, uint64_t now);
	void (*closed)(struct client_conn *k);
};

extern const struct client_protocol h1_client, h2_client;

struct client_conn {
	struct http_client *client;
	struct conn *conn;
	struct list_link link;
	struct list_link calls;
	size_t calls_count;
	struct loop_defer turn;
	const struct client_protocol *protocol; /* NULL until open */
	bool used;                              /* has answered a call */
	bool going;                             /* takes no new calls */
	bool closing;
	bool detached; /* upgraded */
	uint64_t idle_since_ms;
	uint64_t last_read_ms;
	void *state;
};

struct http_client {
	struct loop *loop;
	struct http_client_options o;
	struct list_link conns;
	size_t conns_count;
	struct list_link waiting;
	size_t calls_live;
	struct loop_defer turn;
	uv_timer_t tick;
	bool closing;
	bool tick_closed;
	void (*on_closed)(void *arg);
	void *closed_arg;
};

bool header_vec_add(struct header_vec *v, struct arena *a, const void *name, size_t name_len, const void *value,
        size_t value_len); /* false: more than the limits allow */
/* The answer's head is complete. */
void call_head(struct http_call *call);
/* Body bytes; false: paused now (they were taken). */
bool call_data(struct http_call *call, const char *data, size_t len);
void call_done(struct http_call *call, const struct err *err);
size_t call_out_left(const struct http_call *call);
void call_out_taken(struct http_call *call, size_t n);
void client_conn_wake(struct client_conn *k);
/* Ends the connection; its calls end with err (or are tried again). */
void client_conn_fail(struct client_conn *k, const struct err *err);
void client_conn_released(struct client_conn *k); /* a call has left */

#endif
