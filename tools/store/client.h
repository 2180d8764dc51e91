/* A blocking client of the store's gRPC API, for commands: calls look like function calls, streams like files.
 *
 * A loop runs on a thread of its own; the caller's thread waits. One caller at a time. */
#ifndef K3X_TOOLS_STORE_CLIENT_H
#define K3X_TOOLS_STORE_CLIENT_H

#include "base/flags.h"
#include "base/mem/arena.h"
#include "store/proto/rpc.pb-c.h"

struct store_client;
struct store_call;

/* The flags every such command has. */
struct store_client_settings {
	struct flag_list endpoints;
	const char *ca, *cert, *key;
	const char *user, *password; /* user may hold the password behind a colon */
	int64_t timeout_s;
	const char *output;
};

#define STORE_CLIENT_FLAGS(s) \
	{"endpoints", 0, FLAG_LIST, &(s)->endpoints, "ETCDCTL_ENDPOINTS", "servers (http://127.0.0.1:2379)", NULL}, \
	        {"cacert", 0, FLAG_STRING, &(s)->ca, "ETCDCTL_CACERT", "CA of the servers, PEM", NULL}, \
	        {"cert", 0, FLAG_STRING, &(s)->cert, "ETCDCTL_CERT", "client certificate, PEM", NULL}, \
	        {"key", 0, FLAG_STRING, &(s)->key, "ETCDCTL_KEY", "its key, PEM", NULL}, \
	        {"user", 0, FLAG_STRING, &(s)->user, "ETCDCTL_USER", \
	                "NAME or NAME:PASSWORD, when the server asks who is there", NULL}, \
	        {"password", 0, FLAG_STRING, &(s)->password, "ETCDCTL_PASSWORD", "of --user", NULL}, \
	        {"timeout", 0, FLAG_INT, &(s)->timeout_s, NULL, "seconds a call may take (5)", NULL}, \
	{ \
		"output", 'o', FLAG_STRING, &(s)->output, NULL, "table or json (table)", NULL \
	}

/* Does not connect yet. */
int store_client_new(
        const struct store_client_settings *settings, const char *endpoint, struct store_client **ret, struct err *err);
void store_client_free(struct store_client *c);

/* "KV/Range": one message out, one back, unpacked into the arena. The error carries the server's words. */
void *store_client_call(struct store_client *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, struct arena *a, struct err *err);

/* A stream: the request is sent, more may follow. */
struct store_call *store_call_open(struct store_client *c, const char *method, const ProtobufCMessage *request);
void store_call_send(struct store_call *call, const ProtobufCMessage *message);
void store_call_send_end(struct store_call *call);
/* The next answer, unpacked into the arena; NULL at the end (err->code 0) or on failure. */
void *store_call_next(
        struct store_call *call, const ProtobufCMessageDescriptor *answer, struct arena *a, struct err *err);
void store_call_close(struct store_call *call);

#endif
