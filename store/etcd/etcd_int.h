/* What the files of the etcd service share. */
#ifndef K3X_STORE_ETCD_ETCD_INT_H
#define K3X_STORE_ETCD_ETCD_INT_H

#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/wire/grpc.h"
#include "store/etcd/rpc.pb-c.h"
#include "store/etcd/etcd_service.h"
#include "store/raft_engine.h"

enum etcd_alarm { ETCD_ALARM_NONE, ETCD_ALARM_NOSPACE, ETCD_ALARM_CORRUPT };

struct etcd_compactor;

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
	uint32_t alarms;  /* bits by enum etcd_alarm */
	int64_t in_use_bytes;
	struct etcd_compactor *compactor;
	struct {
		uint64_t requests, failed, watch_streams, watches;
	} counters;
	int close_steps;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* A unary call: one message in, one out. It has an arena of its own and lives until its store request has come back,
 * also when the client is gone by then. */
struct etcd_call {
	struct etcd_service *service;
	struct grpc_stream *stream; /* NULL: the client went away */
	struct arena arena;
	struct store_request request;
	void (*done)(struct etcd_call *c);
	void *state; /* the handler's */
};

typedef void etcd_handler(struct etcd_call *c, struct slice message);

/* Unpacks into the call's arena; NULL (and the call is answered) when the bytes are not that message. */
void *etcd_unpack(struct etcd_call *c, const ProtobufCMessageDescriptor *type, struct slice message);
/* Sends the one answer and ends the call. */
void etcd_reply(struct etcd_call *c, const ProtobufCMessage *message);
void etcd_reply_err(struct etcd_call *c, int grpc_status, const char *text);
/* etcd's words and status for what the store said. */
void etcd_reply_store_err(struct etcd_call *c, const struct store_request *req);
const char *etcd_error_text(const struct store_request *req, int *grpc_status);

/* Submits c->request; done runs on the loop, and is not called when the client is gone: the call is then freed. */
void etcd_submit(struct etcd_call *c, void (*done)(struct etcd_call *c));

Etcdpb__ResponseHeader *etcd_header(struct etcd_service *s, struct arena *a, int64_t revision);
ProtobufCAllocator etcd_allocator(struct arena *a);

static inline struct slice etcd_slice(ProtobufCBinaryData b)
{
	return (struct slice){(const char *)b.data, b.len};
}

static inline ProtobufCBinaryData etcd_bytes(struct slice s)
{
	return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

Etcdpb__KeyValue *etcd_kv(struct arena *a, const struct store_kv *kv);

/* Handlers. */
etcd_handler etcd_range, etcd_put, etcd_delete_range, etcd_txn, etcd_compact;
etcd_handler etcd_lease_grant, etcd_lease_revoke, etcd_lease_ttl, etcd_lease_list;
etcd_handler etcd_member_list, etcd_member_add, etcd_member_remove, etcd_member_promote, etcd_member_update;
etcd_handler etcd_move_leader;
etcd_handler etcd_status, etcd_alarm, etcd_defragment, etcd_health_check, etcd_hash, etcd_hash_kv;

/* The quota and alarms (etcd_quota.c). These answer the call and return true when it must not go on. */
bool etcd_has_alarm(const struct etcd_service *s, enum etcd_alarm alarm);
bool etcd_corrupt_refused(struct etcd_call *c);
bool etcd_op_refused(struct etcd_call *c); /* by what c->request.op writes */
bool etcd_lease_refused(struct etcd_call *c);
void etcd_quota_tick(struct etcd_service *s);
size_t etcd_alarm_texts(struct etcd_service *s, struct arena *a, char **texts); /* texts: room for two */

/* Members (etcd_cluster.c): once a second, publishes what this one says of itself, and promotes those that were added
 * as voters and have caught up. */
void etcd_cluster_tick(struct etcd_service *s);

/* Automatic compaction (etcd_compactor.c). Stopping goes on after the return: it counts as a call. */
void etcd_compactor_start(struct etcd_service *s);
void etcd_compactor_stop(struct etcd_service *s);

/* Streams: they take the exchange over. */
void etcd_watch_open(struct etcd_service *s, struct http_exchange *x);
void etcd_watch_tick(struct etcd_service *s);
void etcd_lease_keepalive_open(struct etcd_service *s, struct http_exchange *x);

void etcd_snapshot_open(struct etcd_service *s, struct http_exchange *x);
void etcd_health_watch_open(struct etcd_service *s, struct http_exchange *x);

/* Everything that is not gRPC. */
void etcd_http(struct etcd_service *s, struct http_exchange *x);

#endif
