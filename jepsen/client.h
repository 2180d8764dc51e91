/* A client of one server, for one thread: calls block that thread, which runs the connection's loop meanwhile.
 *
 * An outcome says what is known about the request's effect: it happened, it surely did not, or nobody knows. etcd's
 * words decide (client_outcome.c), and what is not known for sure to be harmless counts as unknown. */
#ifndef K3X_JEPSEN_CLIENT_H
#define K3X_JEPSEN_CLIENT_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "store/proto/rpc.pb-c.h"

#include <string.h>

struct client;
struct client_stream;

enum client_outcome { CLIENT_OK, CLIENT_FAIL, CLIENT_INFO };

struct client_answer {
	enum client_outcome outcome;
	void *message; /* unpacked, until the client's next call; NULL unless OK */
	int status;    /* grpc's */
	struct err err;
};

struct client *client_new(const char *host, int port, unsigned timeout_ms);
void client_free(struct client *c);

/* "KV/Range". */
struct client_answer client_call(struct client *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer);

/* A stream. */
struct client_stream *client_stream_open(struct client *c, const char *method, const ProtobufCMessage *first);
void client_stream_send(struct client_stream *s, const ProtobufCMessage *message);
/* The next message within timeout_ms, in the arena; NULL when none came. *ended says that none will. */
void *client_stream_next(struct client_stream *s, const ProtobufCMessageDescriptor *descriptor, unsigned timeout_ms,
        struct arena *a, bool *ended);
const struct err *client_stream_error(const struct client_stream *s);
void client_stream_close(struct client_stream *s);

/* What an error says about the request's effect. */
enum client_outcome client_outcome_of(int status, const char *message);

static inline ProtobufCBinaryData client_bytes(const char *text)
{
	return (ProtobufCBinaryData){text ? strlen(text) : 0, (uint8_t *)(text ? text : "")};
}

#endif
