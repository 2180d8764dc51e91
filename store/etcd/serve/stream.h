/* Streams: messages both ways over gRPC, or as lines of JSON. See stream.c. */
#ifndef K3X_STORE_ETCD_SERVE_STREAM_H
#define K3X_STORE_ETCD_SERVE_STREAM_H

#include "base/wire/grpc.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/method.h"
#include "store/etcd/serve/service.h"

struct etcd_stream_callbacks {
	void (*on_message)(struct etcd_stream *x, struct slice message, void *arg);
	void (*on_end)(struct etcd_stream *x, void *arg);   /* the client sends no more; may be NULL */
	void (*on_abort)(struct etcd_stream *x, void *arg); /* gone; not to be touched after */
	void (*on_writable)(struct etcd_stream *x, void *arg);
};

/* Once a second: streams whose clients ask for a leader end when there has been none for a while. */
void etcd_streams_tick(struct etcd_service *s);

void etcd_stream_open(struct etcd_service *s, struct http_exchange *x, const struct etcd_method *method, bool is_json);
struct etcd_service *etcd_stream_service(struct etcd_stream *x);
/* Called by a method's opener, once. Messages come when the system keyspace is known, unless anybody may call. */
void etcd_stream_start(
        struct etcd_stream *x, size_t message_bytes_max, const struct etcd_stream_callbacks *callbacks, void *arg);
bool etcd_stream_send(struct etcd_stream *x, const ProtobufCMessage *m); /* false: wait for on_writable */
/* The same of a packed message of this kind that begins GRPC_FRAME_HEAD_BYTES into the buffer; the reference is taken
 * over. */
bool etcd_stream_send_message(struct etcd_stream *x, const ProtobufCMessageDescriptor *kind, struct rcbuf *message);
void etcd_stream_finish(struct etcd_stream *x, int grpc_status, const char *text);
void etcd_stream_pause(struct etcd_stream *x);
void etcd_stream_resume(struct etcd_stream *x);
/* Who is at the other end; an error when the token is bad. */
enum etcd_auth_error etcd_stream_identify(struct etcd_stream *x, struct etcd_identity *ret);

#endif
