/* What the files of `k3x-store serve` share. */
#ifndef K3X_TOOLS_STORE_SERVE_SERVE_SETTINGS_H
#define K3X_TOOLS_STORE_SERVE_SERVE_SETTINGS_H

#include "base/flags.h"
#include "base/rt/loop.h"
#include "store/etcd/etcd_service.h"
#include "store/engine/raft_engine.h"
#include "tools/store/answers.h"

struct tls_context;

/* Of one side, clients or peers. */
struct serve_tls_settings {
	const char *cert_file, *key_file, *ca_file, *crl_file;
	bool client_cert_auth;
	bool is_auto;
	struct flag_list allowed_names, allowed_hosts;  /* names: peers only */
	const char *client_cert_file, *client_key_file; /* peers only: shown to the others instead of cert_file */
};

struct serve_settings {
	const char *config_file;
	bool want_version;
	const char *name, *data_dir;
	struct flag_list listen_client, advertise_client, listen_peer, advertise_peer;
	struct flag_list listen_http, listen_metrics;
	bool reuse_port, grpc_gateway;
	int64_t streams_max;
	const char *ping_min_time, *ping_interval, *ping_timeout;
	uint64_t ping_min_ms, ping_ms, ping_wait_ms;
	const char *initial_cluster, *initial_cluster_state, *initial_cluster_token;
	struct serve_tls_settings client_tls, peer_tls;
	int64_t cert_years;
	const char *tls_min, *tls_max; /* as etcd names them */
	struct flag_list cipher_suites;
	const char *auth_token;
	int64_t auth_token_ttl_s, bcrypt_cost;
	const char *peer_secret_file;
	bool force_new_cluster;
	const char *log_level, *log_format, *metrics;
	struct flag_list log_outputs; /* one */
	bool memory_lock;
	int64_t quota_bytes, request_bytes_max, txn_ops_max;
	const char *compaction_mode, *compaction_retention;
	uint64_t compact_period_ms;
	int64_t compact_keep_revisions;
	int64_t heartbeat_ms, election_ms, snapshot_count, promote_after_s, state_mbytes_per_s, table_kbytes;
	const char *progress_interval;
	uint64_t progress_ms; /* 0: the default */
	const char *corrupt_check_time;
	uint64_t corrupt_check_ms; /* UINT64_MAX: never */
	bool initial_corrupt_check;
	const char *feature_gates;
};

/* Loads and checks flags and environment. Strings in the arena. */
int serve_settings_load(
        struct serve_settings *v, struct arena *a, int argc, char **argv, bool *want_help, struct err *err);
/* Their values alone, and the flags of etcd that are no settings; serve_flags.c. */
int serve_flags_load(
        struct serve_settings *v, struct arena *a, int argc, char **argv, bool *want_help, struct err *err);

/* TLS of one side, by its settings; serve_tls.c. */
struct serve_tls {
	struct tls_context *server, *client; /* NULL: that side has none. Clients' side: server alone */
	uint64_t stamp;                      /* of the files it came from */
};
/* For clients; hosts: URLs that a certificate made here is for, whose files the settings name then. */
int serve_tls_open_clients(struct serve_settings *v, const struct flag_list *hosts, struct arena *a,
        struct serve_tls *ret, struct err *err);
/* For peers; nothing is opened without a certificate or CA. */
int serve_tls_open_peers(struct serve_settings *v, const struct flag_list *hosts, struct arena *a,
        struct serve_tls *ret, struct err *err);
/* Reads the files again when they have changed: certificates are renewed, and revoked, without a restart. */
void serve_tls_refresh(struct serve_tls *t, const struct serve_tls_settings *s);
void serve_tls_release(struct serve_tls *t);

/* Who this member is and with whom it begins; see store_cluster.c. */
struct serve_identity {
	uint64_t cluster_id, member_id;
	const char *peer_url;
	struct raft_host_server *servers; /* to begin a cluster with; NULL: it joins one, or goes on */
	size_t n_servers;
};

/* Finds out from the data directory, the flags, and when joining from the members that are up. access is for peers.
 * Blocks. */
int serve_identity_load(const struct serve_settings *v, struct arena *a, const struct raft_peer_access *access,
        struct serve_identity *ret, struct err *err);

/* Who a member of a cluster that begins is, by name, data of the cluster and URLs alone: a restored directory is made
 * for it (store_restore.c). */
int serve_identity_begin(const struct serve_settings *v, struct arena *a, struct serve_identity *ret, struct err *err);

#endif
