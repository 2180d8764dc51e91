/* Unary calls: one message in, one out. See call.c. */
#ifndef K3X_STORE_ETCD_SERVE_CALL_H
#define K3X_STORE_ETCD_SERVE_CALL_H

#include "base/wire/grpc.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/method.h"
#include "store/etcd/serve/service.h"

/* One message in, one out. It has an arena of its own and lives until whatever it waits for has come back, also when
 * the client is gone by then. */
struct etcd_call {
	struct etcd_service *service;
	const struct etcd_method *method;
	struct grpc_stream *stream; /* gRPC, or */
	struct http_exchange *json; /* the JSON gateway */
	bool is_gone;               /* the client went away */
	bool is_out;                /* something will come back for it */
	int status;                 /* that it was answered with; GRPC_CANCELLED until then */
	uint64_t begun_ns;
	struct slice message; /* in the arena */
	struct etcd_identity who;
	struct arena arena;
	struct store_request request;
	enum etcd_auth_error lease_keys_error;
	struct etcd_waiter waiter;
	unsigned tries;
	void (*done)(struct etcd_call *c);
	/* Instead of ending the call when the client is gone and nothing is out any more; ends it with etcd_call_end().
	 */
	void (*gone)(struct etcd_call *c);
	void *state; /* the handler's */
};

/* Unpacks into the call's arena; NULL (and the call is answered) when the bytes are not that message. */
void *etcd_unpack(struct etcd_call *c, const ProtobufCMessageDescriptor *type, struct slice message);
/* Sends the one answer and ends the call. */
void etcd_reply(struct etcd_call *c, const ProtobufCMessage *message);
void etcd_reply_err(struct etcd_call *c, int grpc_status, const char *text);
void etcd_reply_header(struct etcd_call *c, int64_t revision); /* an answer that is a header and nothing else */
void etcd_reply_auth_err(struct etcd_call *c, enum etcd_auth_error error);
/* etcd's words and status for what the store said. */
void etcd_reply_store_err(struct etcd_call *c, const struct store_request *req);
const char *etcd_error_text(const struct store_request *req, int *grpc_status);
void etcd_call_end(struct etcd_call *c); /* without an answer: the client is gone */

/* Submits c->request, if the caller may (else the call is answered); done runs on the loop, and is not called when the
 * client is gone: the call is then freed. */
void etcd_submit(struct etcd_call *c, void (*done)(struct etcd_call *c));
/* The same for a call that has had an answer already: what that held is freed. */
void etcd_submit_next(struct etcd_call *c, const struct store_request *req, void (*done)(struct etcd_call *c));
/* Changes the system keyspace as follows from what was read of it. When it has changed meanwhile the handler is run
 * again from the start. *changes live in the arena. */
void etcd_submit_system(
        struct etcd_call *c, const struct store_system_entry *changes, size_t n, void (*done)(struct etcd_call *c));

/* For handlers that wait for something themselves: they set is_out, and call this when it has come. False: the call has
 * ended (the client is gone, or err was answered). */
bool etcd_call_is_back(struct etcd_call *c, const struct err *err);
/* Reads the system keyspace anew, at least as new as everything answered before. */
void etcd_call_reread(struct etcd_call *c, void (*then)(struct etcd_call *c));

/* Makes a call; takes a copy of the message. One of stream and json is given. Entering it admits it, when all for that
 * is known, and runs its handler; it may have ended on return. */
struct etcd_call *etcd_call_begin(struct etcd_service *s, const struct etcd_method *method, struct grpc_stream *stream,
        struct http_exchange *json, struct slice message);
void etcd_call_enter(struct etcd_call *c);
/* The client went away; the call is not to be touched after. */
void etcd_call_abort(struct etcd_call *c);
void etcd_call_open(struct etcd_service *s, struct http_exchange *x, const struct etcd_method *method);

/* True: the call was answered, for the alarm CORRUPT stands and nothing may be written. */
bool etcd_corrupt_refused(struct etcd_call *c);

#endif
