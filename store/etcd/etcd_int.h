/* What the files of the etcd service share. */
#ifndef K3X_STORE_ETCD_ETCD_INT_H
#define K3X_STORE_ETCD_ETCD_INT_H

#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/histogram.h"
#include "base/wire/grpc.h"
#include "store/etcd/rpc.pb-c.h"
#include "store/etcd/etcd_auth_int.h"
#include "store/etcd/etcd_service.h"
#include "store/raft_engine.h"

enum etcd_alarm { ETCD_ALARM_NONE, ETCD_ALARM_NOSPACE, ETCD_ALARM_CORRUPT };

struct etcd_compactor;
struct etcd_counts;
struct etcd_stream;
struct etcd_call;
struct pool;

/* Waits until what is known of the system keyspace is fresh again. `err` is NULL when it is. */
struct etcd_waiter {
	struct list_link link;
	void (*run)(struct etcd_waiter *w, const struct err *err);
};

struct etcd_alarm_entry {
	uint64_t member_id;
	enum etcd_alarm alarm;
};

/* What was last read of the system keyspace (etcd_system.c). */
struct etcd_system {
	int64_t version; /* 0: nothing was read yet */
	struct etcd_auth_state *auth;
	struct etcd_alarm_entry *alarms;
	size_t n_alarms;
	struct store_request request;
	bool is_loading;
	bool wants_linearizable;  /* the next read must be: a request was refused as too old */
	struct list_link waiters; /* for the read under way */
	struct list_link later;   /* for the next one */
};

struct etcd_service {
	struct etcd_service_options options; /* strings in the arena */
	struct arena arena;
	struct loop *loop;
	struct engine *store;
	struct raft_engine *raft; /* the same, when it is replicated; else NULL */
	struct http_server *http;
	struct list_link watch_streams;
	uv_timer_t timer; /* progress notifications */
	unsigned calls;   /* unary calls whose store request is out, and whatever else must end before the service */
	bool is_published, is_publishing, is_promoting; /* see etcd_cluster.c */
	uint32_t alarms;                                /* bits by enum etcd_alarm: of any member */
	int64_t in_use_bytes;
	struct etcd_compactor *compactor;
	struct etcd_system system;
	struct etcd_tokens *tokens;
	struct pool *pool; /* for password hashes; NULL until the first */
	struct {
		uint64_t requests, failed, watch_streams, watches, events;
	} counters;
	struct etcd_counts *counts; /* of calls */
	int close_steps;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- methods ---- */

typedef void etcd_handler(struct etcd_call *c, struct slice message);
typedef void etcd_opener(struct etcd_stream *x);

/* Who may call, once authentication is on. */
enum etcd_access {
	ETCD_ACCESS_OPEN,  /* anybody, and no token is looked at */
	ETCD_ACCESS_KNOWN, /* the same, but the handler must know users and roles */
	ETCD_ACCESS_TOKEN, /* a token that comes must be good; what the request touches is checked when it is submitted
	                    */
	ETCD_ACCESS_ADMIN, /* who has the role root */
};

struct etcd_method {
	const char *path;      /* "/etcdserverpb.KV/Range" */
	const char *json_path; /* "/v3/kv/range"; NULL: not in the JSON gateway */
	etcd_handler *handler; /* unary; or */
	etcd_opener *open;     /* a stream */
	const ProtobufCMessageDescriptor *request;
	enum etcd_access access;
	bool is_data;   /* writes: refused while the alarm CORRUPT stands */
	bool is_recipe; /* made of other calls: its errors have etcd's words, and no code but UNKNOWN */
	bool is_feed;   /* a stream on which the client sends one message only */
};

/* By either path, NULL when there is none. */
const struct etcd_method *etcd_method_find(struct slice path);
const struct etcd_method *etcd_method_find_json(struct slice path);
/* All of them, for tests. */
const struct etcd_method *etcd_methods(size_t *ret_n);

/* ---- unary calls (etcd_call.c) ---- */

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

/* ---- streams (etcd_stream.c): messages both ways over gRPC, or as lines of JSON ---- */

struct etcd_stream_callbacks {
	void (*on_message)(struct etcd_stream *x, struct slice message, void *arg);
	void (*on_end)(struct etcd_stream *x, void *arg);   /* the client sends no more; may be NULL */
	void (*on_abort)(struct etcd_stream *x, void *arg); /* gone; not to be touched after */
	void (*on_writable)(struct etcd_stream *x, void *arg);
};

void etcd_stream_open(struct etcd_service *s, struct http_exchange *x, const struct etcd_method *method, bool is_json);
struct etcd_service *etcd_stream_service(struct etcd_stream *x);
/* Called by a method's opener, once. Messages come when the system keyspace is known, unless anybody may call. */
void etcd_stream_start(
        struct etcd_stream *x, size_t message_bytes_max, const struct etcd_stream_callbacks *callbacks, void *arg);
bool etcd_stream_send(struct etcd_stream *x, const ProtobufCMessage *m); /* false: wait for on_writable */
void etcd_stream_finish(struct etcd_stream *x, int grpc_status, const char *text);
void etcd_stream_pause(struct etcd_stream *x);
void etcd_stream_resume(struct etcd_stream *x);
/* Who is at the other end; an error when the token is bad. */
enum etcd_auth_error etcd_stream_identify(struct etcd_stream *x, struct etcd_identity *ret);

/* ---- calls in numbers (etcd_counts.c) ---- */

struct etcd_counts *etcd_counts_new(void); /* free() it */
void etcd_count_started(struct etcd_counts *c, const struct etcd_method *m);
/* A message; grpc_bytes 0: it came or went as JSON. */
void etcd_count_received(struct etcd_counts *c, const struct etcd_method *m, size_t grpc_bytes);
void etcd_count_sent(struct etcd_counts *c, const struct etcd_method *m, size_t grpc_bytes);
/* begun_ns 0: a stream, whose time says nothing. */
void etcd_count_handled(struct etcd_counts *c, const struct etcd_method *m, int status, uint64_t begun_ns);
void etcd_counts_write(const struct etcd_counts *c, struct strbuf *out);

/* ---- the JSON gateway (etcd_gateway.c) ---- */

bool etcd_gateway_takes(struct http_exchange *x); /* is it a request for the gateway? */
void etcd_gateway_open(struct etcd_service *s, struct http_exchange *x);
void etcd_gateway_reply(struct http_exchange *x, const ProtobufCMessage *m);
void etcd_gateway_reply_err(struct http_exchange *x, int grpc_status, const char *text);
void etcd_gateway_error_json(struct strbuf *out, int grpc_status, const char *text); /* the last line of a stream */
int etcd_gateway_http_status(int grpc_status);

/* ---- the system keyspace (etcd_system.c) ---- */

void etcd_system_start(struct etcd_service *s);
void etcd_system_release(struct etcd_service *s);
bool etcd_system_is_fresh(const struct etcd_service *s);
/* Runs w when it has been read (again). `refused`: a request was refused because it has changed. */
void etcd_system_wait(struct etcd_service *s, struct etcd_waiter *w, bool refused);
void etcd_waiter_cancel(struct etcd_waiter *w);
void etcd_system_tick(struct etcd_service *s);

/* ---- messages ---- */

Etcdpb__ResponseHeader *etcd_header(struct etcd_service *s, struct arena *a, int64_t revision);
ProtobufCAllocator etcd_allocator(struct arena *a);
/* protobuf_c_message_unpack() with a limit on how deep messages are nested; NULL when the bytes are no such message. */
void *etcd_message_unpack(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice bytes);

static inline struct slice etcd_slice(ProtobufCBinaryData b)
{
	return (struct slice){(const char *)b.data, b.len};
}

static inline ProtobufCBinaryData etcd_bytes(struct slice s)
{
	return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

Etcdpb__KeyValue *etcd_kv(struct arena *a, const struct store_kv *kv);

/* ---- handlers ---- */

etcd_handler etcd_range, etcd_put, etcd_delete_range, etcd_txn, etcd_compact;
etcd_handler etcd_lease_grant, etcd_lease_revoke, etcd_lease_ttl, etcd_lease_list;
etcd_handler etcd_member_list, etcd_member_add, etcd_member_remove, etcd_member_promote, etcd_member_demote,
        etcd_member_update;
etcd_handler etcd_move_leader;
etcd_handler etcd_status, etcd_alarm, etcd_defragment, etcd_health_check, etcd_hash, etcd_hash_kv;
etcd_handler etcd_auth_enable, etcd_auth_disable, etcd_auth_status, etcd_authenticate;
etcd_handler etcd_user_add, etcd_user_get, etcd_user_list, etcd_user_delete, etcd_user_change_password;
etcd_handler etcd_user_grant_role, etcd_user_revoke_role;
etcd_handler etcd_role_add, etcd_role_get, etcd_role_list, etcd_role_delete;
etcd_handler etcd_role_grant_permission, etcd_role_revoke_permission;
etcd_handler etcd_lock, etcd_unlock, etcd_campaign, etcd_proclaim, etcd_leader, etcd_resign;
etcd_opener etcd_watch_open, etcd_lease_keepalive_open, etcd_snapshot_open, etcd_health_watch_open, etcd_observe_open;

/* ---- authentication (etcd_auth*.c) ---- */

/* Who sent this request: a token, or the client's certificate. */
enum etcd_auth_error etcd_identify(
        struct etcd_service *s, struct http_exchange *x, bool is_json, struct etcd_identity *who);
/* May the caller do what c->request asks? Which keys a lease has is left to the store to look at: it is told by
 * lease_keys_within what the caller may write, and c->lease_keys_error is the answer when it has others. */
enum etcd_auth_error etcd_auth_check_call(struct etcd_call *c);
enum etcd_auth_error etcd_auth_check_reading(const struct etcd_call *c, const struct slice *keys, size_t n);

/* Hashes a password, or checks it against a hash, on a thread of the pool; then runs on the loop unless the call has
 * ended. The hash is in the arena; NULL when there was no room for the work: the call is then answered. */
void etcd_password_hash(
        struct etcd_call *c, struct slice password, void (*then)(struct etcd_call *c, struct slice hash));
void etcd_password_check(
        struct etcd_call *c, struct slice password, struct slice hash, void (*then)(struct etcd_call *c, bool fits));

/* ---- the quota and alarms (etcd_quota.c). These answer the call and return true when it must not go on. ---- */

bool etcd_has_alarm(const struct etcd_service *s, enum etcd_alarm alarm);
bool etcd_corrupt_refused(struct etcd_call *c);
bool etcd_op_refused(struct etcd_call *c); /* by what c->request.op writes */
bool etcd_lease_refused(struct etcd_call *c);
void etcd_quota_tick(struct etcd_service *s);
/* What a key of the system keyspace says about an alarm; false when it is about something else. */
bool etcd_alarm_parse(struct slice key, struct etcd_alarm_entry *ret);
size_t etcd_alarm_texts(struct etcd_service *s, struct arena *a, char **texts, size_t max);

/* Members (etcd_cluster.c): once a second, publishes what this one says of itself, and promotes those that were added
 * as voters and have caught up. */
void etcd_cluster_tick(struct etcd_service *s);

/* Automatic compaction (etcd_compactor.c). Stopping goes on after the return: it counts as a call. */
void etcd_compactor_start(struct etcd_service *s);
void etcd_compactor_stop(struct etcd_service *s);

void etcd_watch_tick(struct etcd_service *s);

/* Everything that is neither gRPC nor the gateway's. */
void etcd_http(struct etcd_service *s, struct http_exchange *x);
void etcd_metrics(struct etcd_service *s, struct http_exchange *x);

#endif
