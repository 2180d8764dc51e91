/* A service of etcd's API over a real store (of one server, in a folder of its own) and a client of it, over
 * loopback, all on the test's thread: a call turns the loop until its answer has come.
 *
 * One service at a time. Answers live until rpc_close(). Whatever takes longer than ten seconds fails the test. */
#ifndef K3X_TESTS_RPC_FIXTURE_H
#define K3X_TESTS_RPC_FIXTURE_H

#include "base/check.h"
#include "base/wire/grpc.h"
#include "store/etcd/serve/service.h"
#include "store/proto/rpc.pb-c.h"
#include "store/proto/unpack.h"
#include "tests/unit/unit.h"

/* NULL: as serve does without flags; only what a test is about need be set. For cmocka: rpc_setup, rpc_teardown. */
void rpc_open(const struct etcd_service_options *options);
void rpc_close(void);
int rpc_setup(void **state);
int rpc_teardown(void **state);

struct arena *rpc_arena(void);
struct etcd_service *rpc_service(void);
void rpc_use_token(const char *token); /* for what comes; NULL: none */
void rpc_wait(bool (*is_true)(void *arg), void *arg);

/* ---- unary calls ---- */

struct rpc_call {
	int status; /* grpc; -1: not answered yet */
	const char *text;
	void *message; /* NULL with an error */
	const ProtobufCMessageDescriptor *type;
	struct grpc_call *grpc;
};

/* method: "KV/Put", of etcdserverpb, or a whole path. */
struct rpc_call *rpc_begin(const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type);
struct rpc_call *rpc_begin_bytes(const char *method, struct slice request, const ProtobufCMessageDescriptor *type);
void rpc_end(struct rpc_call *c);    /* waits for the answer */
void rpc_cancel(struct rpc_call *c); /* the client goes away */
bool rpc_is_answered(const struct rpc_call *c);

/* The answer; the test fails when it is an error. */
void *rpc_ok(const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type);
/* The call must end with this error. */
void rpc_fails(const char *method, const ProtobufCMessage *request, int status, const char *text);

/* ---- streams ---- */

struct rpc_stream;

struct rpc_stream *rpc_stream_open(const char *method, const ProtobufCMessageDescriptor *type);
void rpc_stream_send(struct rpc_stream *s, const ProtobufCMessage *m);
void *rpc_stream_next(struct rpc_stream *s);     /* waits for the next message */
size_t rpc_stream_waiting(struct rpc_stream *s); /* messages that have come and were not taken */
void rpc_stream_end(struct rpc_stream *s);       /* the client sends no more */
int rpc_stream_status(struct rpc_stream *s);     /* waits for the end */
void rpc_stream_cancel(struct rpc_stream *s);

/* ---- what most tests do ---- */

int64_t rpc_put(const char *key, const char *value); /* the revision */
const Etcdpb__RangeResponse *rpc_get(const char *key);
/* "key=value key=value " */
const char *rpc_pairs(Etcdpb__KeyValue *const *kvs, size_t n);
int64_t rpc_grant(int64_t id, int64_t ttl_s);
void rpc_put_under(const char *key, int64_t lease);

#endif
