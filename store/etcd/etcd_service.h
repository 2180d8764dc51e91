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

/* What is served at one place. HTTP is the gateway and etcd's paths; METRICS is /metrics and the probes alone. */
enum etcd_serves { ETCD_SERVES_GRPC = 1, ETCD_SERVES_HTTP = 2, ETCD_SERVES_METRICS = 4 };
enum { ETCD_LISTENS_MAX = 16 };

struct etcd_listen {
	const char *address;     /* "127.0.0.1" */
	int port;                /* 2379; 0: the kernel picks */
	const char *unix_path;   /* a socket instead */
	struct tls_context *tls; /* NULL: plain; a reference is taken */
	unsigned serves;         /* bits by enum etcd_serves */
};

struct etcd_service_options {
	struct loop *loop;
	struct engine *store;              /* borrowed, outlives the service */
	const struct etcd_listen *listens; /* 1 to ETCD_LISTENS_MAX */
	size_t n_listens;
	bool reuse_port;                             /* others may listen on the same ports */
	unsigned streams_max;                        /* requests at a time per connection; 0: HTTP2_STREAMS_MAX */
	uint64_t ping_ms, ping_wait_ms, ping_min_ms; /* as of http_server_options */
	bool without_gateway;                        /* no JSON over HTTP */
	const char *const *command_line;             /* for /debug/vars; NULL: it is not told */
	const char *name;                            /* member name */
	const char *client_url;                      /* advertised */
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

/* Starts listening. Strings are copied, but for command_line. Loop's thread. */
int etcd_service_new(const struct etcd_service_options *options, struct etcd_service **ret, struct err *err);
int etcd_service_port(const struct etcd_service *s); /* of the first that is TCP */

/* Ends all streams, then frees. closed(arg) may be NULL. Loop's thread. */
void etcd_service_close(struct etcd_service *s, unsigned timeout_ms, void (*closed)(void *arg), void *arg);

#endif
