/* gRPC over HTTP/2: calls of a client, streams of a server, messages as bytes (protobuf is the caller's).
 *
 * Clients call through an http_client made with HTTP_CLIENT_H2; servers accept an http_exchange. Everything belongs to
 * the loop below it; callbacks come from the loop. Messages are not compressed, and compressed ones are refused. */
#ifndef K3X_BASE_WIRE_GRPC_H
#define K3X_BASE_WIRE_GRPC_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/wire/http.h"
#include "base/wire/http_client.h"

enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

int grpc_err_code(int grpc_status);            /* 0 or the ERR_* nearest to it */
const char *grpc_status_name(int grpc_status); /* as Go prints it: "OK", "InvalidArgument" */

/* ---- framing, without I/O ---- */

struct grpc_frames {
	unsigned char head[5];
	size_t head_len;
	size_t message_len;
	size_t message_bytes_max;
	struct strbuf message;
};

void grpc_frames_init(struct grpc_frames *f, size_t message_bytes_max);
void grpc_frames_release(struct grpc_frames *f);
/* Takes bytes up to the end of the next whole message: *whole says there is one, in f->message until the next call.
 * ERR_TOO_BIG, ERR_UNIMPLEMENTED (compressed), ERR_PROTOCOL. */
int grpc_frames_feed(struct grpc_frames *f, const char *data, size_t len, size_t *used, bool *whole, struct err *err);
bool grpc_frames_clean(const struct grpc_frames *f); /* not inside a message */
enum { GRPC_FRAME_HEAD_BYTES = 5 };
void grpc_frame_head(char ret[GRPC_FRAME_HEAD_BYTES], size_t message_len);

/* grpc-timeout as text ("1500m") to milliseconds; false when it is none. */
bool grpc_timeout_parse(struct slice s, uint64_t *ret_ms);
void grpc_percent_encode(struct strbuf *out, struct slice s);
void grpc_percent_decode(struct strbuf *out, struct slice s); /* broken escapes stay as they are */

/* ---- clients ---- */

struct grpc_call;

struct grpc_call_options {
	const char *method; /* "/runtime.v1.RuntimeService/Version" */
	const struct http_header *metadata;
	size_t metadata_count;
	unsigned timeout_ms;      /* 0: none */
	size_t message_bytes_max; /* 0: 16 MiB */
	struct slice request;     /* the first message, copied */
	bool stream;              /* more messages follow with grpc_call_send(); request.ptr NULL: none yet */
	void (*on_message)(struct grpc_call *call, struct slice message, void *arg); /* valid during the call */
	/* Once, the last callback; the call is freed on return. err NULL: status is GRPC_OK; else err says what the
	 * server or the connection said and status is its grpc status. Not after grpc_call_cancel(). */
	void (*on_done)(struct grpc_call *call, int status, const struct err *err, void *arg);
	void (*on_writable)(struct grpc_call *call, void *arg);
	void *arg;
};

struct grpc_call *grpc_client_call(struct http_client *client, const struct grpc_call_options *options);
bool grpc_call_send(struct grpc_call *call, struct slice message); /* false: wait for on_writable */
void grpc_call_send_end(struct grpc_call *call);
void grpc_call_cancel(struct grpc_call *call);
void grpc_call_pause(struct grpc_call *call);
void grpc_call_resume(struct grpc_call *call);

/* ---- servers ---- */

struct grpc_stream;

struct grpc_stream_callbacks {
	void (*on_message)(struct grpc_stream *s, struct slice message, void *arg);
	void (*on_end)(struct grpc_stream *s, void *arg);   /* the client sends no more; NULL is allowed */
	void (*on_abort)(struct grpc_stream *s, void *arg); /* gone; s must not be touched after; may be NULL */
	void (*on_writable)(struct grpc_stream *s, void *arg);
};

/* The exchange is a gRPC request (POST over HTTP/2 with its content type). */
bool grpc_is_request(const struct http_exchange *x);
/* Takes the exchange over. s lives until grpc_finish() or on_abort; its memory is the exchange's arena. A message above
 * the limit or a broken one finishes the stream with its status and counts as abort. */
struct grpc_stream *grpc_accept(
        struct http_exchange *x, size_t message_bytes_max, const struct grpc_stream_callbacks *callbacks, void *arg);
struct http_exchange *grpc_exchange(struct grpc_stream *s);  /* for peer, headers, arena */
uint64_t grpc_timeout_ms(struct grpc_stream *s);             /* what the client allows; 0: no limit */
bool grpc_send(struct grpc_stream *s, struct slice message); /* false: wait for on_writable */
/* The same without a copy: the message begins GRPC_FRAME_HEAD_BYTES into the buffer, which nobody else has seen yet.
 * The reference is taken over. */
bool grpc_send_ref(struct grpc_stream *s, struct rcbuf *message);
void grpc_want_writable(struct grpc_stream *s);
void grpc_read_pause(struct grpc_stream *s);
void grpc_read_resume(struct grpc_stream *s);
/* Sends the status; message may be NULL. s is gone. */
void grpc_finish(struct grpc_stream *s, int status, const char *message);
void grpc_finish_err(struct grpc_stream *s, const struct err *err);
/* For exchanges that no service takes. */
void grpc_refuse(struct http_exchange *x, int status, const char *message);

#endif
