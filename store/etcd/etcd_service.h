/* The etcd v3 API over any store engine: what etcdctl, a stock kube-apiserver and every other etcd client speak.
 *
 * gRPC over HTTP/2, with TLS or plain, and etcd's HTTP paths (/health, /version, /metrics) on the same port. One loop
 * serves all connections; the engine does the work on its own threads. Here now: KV, Watch, Lease, Auth, Lock,
 * Election, the quota and alarms, automatic compaction, gRPC's health service, the JSON gateway, and of Maintenance and
 * Cluster what one server can answer. What is missing (changing members) answers Unimplemented. */
#ifndef K3X_STORE_ETCD_ETCD_SERVICE_H
#define K3X_STORE_ETCD_ETCD_SERVICE_H

#include "base/rt/loop.h"
#include "store/engine.h"

struct etcd_service;
struct tls_context;

struct etcd_service_options {
	struct loop *loop;
	struct engine *store;    /* borrowed, outlives the service */
	const char *address;     /* "127.0.0.1" */
	int port;                /* 2379; 0: the kernel picks */
	struct tls_context *tls; /* NULL: plain; a reference is taken */
	const char *name;        /* member name */
	const char *client_url;  /* advertised */
	const char *peer_url;
	uint64_t cluster_id, member_id;
	uint64_t snapshot_stall_ms;     /* whose client takes nothing for so long; 0: STORE_SNAPSHOT_STALL_MS_MAX */
	int64_t quota_bytes;            /* of the database; 0 or less: none */
	size_t request_bytes_max;       /* 0: STORE_REQUEST_BYTES_MAX */
	size_t txn_ops_max;             /* 0: STORE_TXN_OPS_MAX */
	uint64_t compact_period_ms;     /* automatic compaction: history to keep; 0: none */
	int64_t compact_keep_revisions; /* or: revisions to keep; 0: none */
	const char *auth_token;         /* as etcd's --auth-token; NULL: "simple" */
	unsigned auth_token_ttl_s;      /* a simple token's life after its last use; 0: 300 */
	unsigned bcrypt_cost;           /* how slow a password's hash is, as etcd's --bcrypt-cost; 0: 10 */
	bool are_peers_open;            /* anybody passes for a member: users and passwords would protect nothing */
	bool client_cert_auth;          /* a client's certificate names its user */
	uint64_t progress_ms;           /* between progress notifications of quiet watches; 0: ten minutes */
};

/* Starts listening. Strings are copied. Loop's thread. */
int etcd_service_new(const struct etcd_service_options *options, struct etcd_service **ret, struct err *err);
int etcd_service_port(const struct etcd_service *s);

/* Ends all streams, then frees. closed(arg) may be NULL. Loop's thread. */
void etcd_service_close(struct etcd_service *s, unsigned timeout_ms, void (*closed)(void *arg), void *arg);

#endif
