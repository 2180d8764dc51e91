/* The flags and environment of `k3x-store serve` that are settings: etcd's, where the meaning is the same. Those of
 * etcd's that are no settings here are in etcd_flags.c. */
#include "tools/store/serve/serve_settings.h"

#include "base/limits.h"
#include "tools/store/serve/etcd_flags.h"

/* `at` is a member of struct serve_settings. */
#define TEXT(flag, at, env, help) \
	{ \
		flag, 0, FLAG_STRING, &v->at, env, help, NULL \
	}
#define LIST(flag, at, env, help) \
	{ \
		flag, 0, FLAG_LIST, &v->at, env, help, NULL \
	}
#define NUMBER(flag, at, env, help) \
	{ \
		flag, 0, FLAG_INT, &v->at, env, help, NULL \
	}
#define SWITCH(flag, at, env, help) \
	{ \
		flag, 0, FLAG_BOOL, &v->at, env, help, NULL \
	}
/* Another name of the one before. */
#define ALSO(flag, type, at, env) \
	{ \
		flag, 0, type, &v->at, env, NULL, NULL \
	}

int serve_flags_load(struct serve_settings *v, struct arena *a, int argc, char **argv, bool *want_help, struct err *err)
{
	*v = (struct serve_settings){.name = "default",
	        .initial_cluster_state = "new",
	        .initial_cluster_token = "etcd-cluster",
	        .request_bytes_max = STORE_REQUEST_BYTES_MAX,
	        .txn_ops_max = STORE_TXN_OPS_MAX,
	        .auth_token_ttl_s = 300,
	        .bcrypt_cost = 10,
	        .compaction_mode = "periodic",
	        .compaction_retention = "0",
	        .heartbeat_ms = 100,
	        .election_ms = 1000,
	        .promote_after_s = 60,
	        .table_kbytes = STORE_TABLE_BYTES_MAX / 1024,
	        .log_level = "info",
	        .log_format = "text",
	        .metrics = "extensive",
	        .grpc_gateway = true,
	        .ping_min_time = "5s",
	        .ping_interval = "2h",
	        .ping_timeout = "20s",
	        .cert_years = 1,
	        .corrupt_check_time = "24h"};
	const struct flag table[] = {
	        TEXT("name", name, "ETCD_NAME", "name of this member (default)"),
	        TEXT("data-dir", data_dir, "ETCD_DATA_DIR", "where state is kept (NAME.k3x)"),
	        LIST("listen-client-urls", listen_client, "ETCD_LISTEN_CLIENT_URLS",
	                "where clients are served (http://localhost:2379)"),
	        LIST("advertise-client-urls", advertise_client, "ETCD_ADVERTISE_CLIENT_URLS", "what clients are told"),
	        LIST("listen-peer-urls", listen_peer, "ETCD_LISTEN_PEER_URLS",
	                "where peers are served (http://localhost:2380)"),
	        LIST("initial-advertise-peer-urls", advertise_peer, "ETCD_INITIAL_ADVERTISE_PEER_URLS",
	                "what peers are told"),
	        TEXT("initial-cluster", initial_cluster, "ETCD_INITIAL_CLUSTER",
	                "name=peer-url,... of the members that begin (default=http://localhost:2380)"),
	        TEXT("initial-cluster-state", initial_cluster_state, "ETCD_INITIAL_CLUSTER_STATE",
	                "new, or existing to join (new)"),
	        TEXT("initial-cluster-token", initial_cluster_token, "ETCD_INITIAL_CLUSTER_TOKEN",
	                "goes into the cluster's identity"),
	        TEXT("cert-file", client_tls.cert_file, "ETCD_CERT_FILE", "serving certificate, PEM"),
	        TEXT("key-file", client_tls.key_file, "ETCD_KEY_FILE", "its key, PEM"),
	        TEXT("trusted-ca-file", client_tls.ca_file, "ETCD_TRUSTED_CA_FILE", "CA of client certificates, PEM"),
	        SWITCH("client-cert-auth", client_tls.client_cert_auth, "ETCD_CLIENT_CERT_AUTH",
	                "ask clients for a certificate"),
	        TEXT("client-crl-file", client_tls.crl_file, "ETCD_CLIENT_CRL_FILE",
	                "list of revoked client certificates, PEM or DER"),
	        LIST("client-cert-allowed-hostname", client_tls.allowed_hosts, "ETCD_CLIENT_CERT_ALLOWED_HOSTNAME",
	                "names of which a client's certificate must have one"),
	        SWITCH("auto-tls", client_tls.is_auto, "ETCD_AUTO_TLS", "serve clients with a certificate made here"),
	        SWITCH("peer-auto-tls", peer_tls.is_auto, "ETCD_PEER_AUTO_TLS", "the same for peers"),
	        NUMBER("self-signed-cert-validity", cert_years, "ETCD_SELF_SIGNED_CERT_VALIDITY",
	                "years that such a certificate lasts (1)"),
	        TEXT("tls-min-version", tls_min, "ETCD_TLS_MIN_VERSION", "TLS1.2 or TLS1.3 (TLS1.2)"),
	        TEXT("tls-max-version", tls_max, "ETCD_TLS_MAX_VERSION", "the same (the newest)"),
	        LIST("cipher-suites", cipher_suites, "ETCD_CIPHER_SUITES", "of TLS 1.2, by their IANA names"),
	        {"log-level", 0, FLAG_STRING, &v->log_level, "ETCD_LOG_LEVEL", "debug, info, warn or error (info)",
	                NULL},
	        NUMBER("quota-backend-bytes", quota_bytes, "ETCD_QUOTA_BACKEND_BYTES",
	                "bytes the database may hold; 0: 2 GiB, below 0: no limit"),
	        TEXT("auto-compaction-mode", compaction_mode, "ETCD_AUTO_COMPACTION_MODE",
	                "periodic or revision (periodic)"),
	        TEXT("auto-compaction-retention", compaction_retention, "ETCD_AUTO_COMPACTION_RETENTION",
	                "history to keep: hours or a duration like 30m; or a number of revisions; 0: all"),
	        NUMBER("max-request-bytes", request_bytes_max, "ETCD_MAX_REQUEST_BYTES", "largest request (1572864)"),
	        TEXT("auth-token", auth_token, "ETCD_AUTH_TOKEN",
	                "simple, or jwt,pub-key=FILE,priv-key=FILE,sign-method=ES256,ttl=5m (simple)"),
	        NUMBER("auth-token-ttl", auth_token_ttl_s, "ETCD_AUTH_TOKEN_TTL",
	                "seconds that a simple token lives after its last use (300)"),
	        NUMBER("bcrypt-cost", bcrypt_cost, "ETCD_BCRYPT_COST", "how slow a password's hash is, 4 to 14 (10)"),
	        NUMBER("max-txn-ops", txn_ops_max, "ETCD_MAX_TXN_OPS", "most operations in a transaction (128)"),
	        TEXT("peer-cert-file", peer_tls.cert_file, "ETCD_PEER_CERT_FILE", "certificate for peers, PEM"),
	        TEXT("peer-key-file", peer_tls.key_file, "ETCD_PEER_KEY_FILE", "its key, PEM"),
	        TEXT("peer-trusted-ca-file", peer_tls.ca_file, "ETCD_PEER_TRUSTED_CA_FILE", "CA of the peers, PEM"),
	        SWITCH("peer-client-cert-auth", peer_tls.client_cert_auth, "ETCD_PEER_CLIENT_CERT_AUTH",
	                "ask peers for a certificate"),
	        TEXT("peer-crl-file", peer_tls.crl_file, "ETCD_PEER_CRL_FILE",
	                "list of revoked peer certificates, PEM or DER"),
	        LIST("peer-cert-allowed-cn", peer_tls.allowed_names, "ETCD_PEER_CERT_ALLOWED_CN",
	                "common names of which a peer's certificate must have one"),
	        LIST("peer-cert-allowed-hostname", peer_tls.allowed_hosts, "ETCD_PEER_CERT_ALLOWED_HOSTNAME",
	                "names of which it must be good for one"),
	        TEXT("peer-client-cert-file", peer_tls.client_cert_file, "ETCD_PEER_CLIENT_CERT_FILE",
	                "certificate to show to peers, where it is another one, PEM"),
	        TEXT("peer-client-key-file", peer_tls.client_key_file, "ETCD_PEER_CLIENT_KEY_FILE", "its key, PEM"),
	        TEXT("peer-secret-file", peer_secret_file, "K3X_PEER_SECRET_FILE",
	                "a secret that all members have, by which they know each other where there is no TLS"),
	        NUMBER("heartbeat-interval", heartbeat_ms, "ETCD_HEARTBEAT_INTERVAL",
	                "milliseconds between a leader's heartbeats (100)"),
	        NUMBER("election-timeout", election_ms, "ETCD_ELECTION_TIMEOUT",
	                "milliseconds without one after which a leader is elected (1000)"),
	        NUMBER("snapshot-count", snapshot_count, "ETCD_SNAPSHOT_COUNT",
	                "log entries after which a snapshot is taken; 0: 16 MiB of log alone count (0)"),
	        NUMBER("promote-standby-after", promote_after_s, "K3X_PROMOTE_STANDBY_AFTER",
	                "seconds a voter may be lost before a standby takes its place; 0: never (60)"),
	        NUMBER("state-transfer-mbytes", state_mbytes_per_s, "K3X_STATE_TRANSFER_MBYTES",
	                "MB/s at which a state is sent to a member that is far behind; 0: no limit (0)"),
	        NUMBER("memory-table-kbytes", table_kbytes, "K3X_MEMORY_TABLE_KBYTES",
	                "what is applied goes to the database when it takes so much memory (8192)"),
	        TEXT("watch-progress-notify-interval", progress_interval, "ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL",
	                "between notifications of progress to quiet watches (10m)"),
	        ALSO("experimental-watch-progress-notify-interval", FLAG_STRING, progress_interval,
	                "ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL"),
	        TEXT("feature-gates", feature_gates, "ETCD_FEATURE_GATES",
	                "as of etcd 3.6; InitialCorruptCheck=true is the one there is a choice about"),
	        SWITCH("experimental-initial-corrupt-check", initial_corrupt_check,
	                "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK", "look at the checksums of all pages before serving"),
	        TEXT("corrupt-check-time", corrupt_check_time, "ETCD_CORRUPT_CHECK_TIME",
	                "and so often in the background; 0: never (24h)"),
	        ALSO("experimental-corrupt-check-time", FLAG_STRING, corrupt_check_time,
	                "ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME"),
	        LIST("listen-client-http-urls", listen_http, "ETCD_LISTEN_CLIENT_HTTP_URLS",
	                "where the gateway, /health and the like are served instead of beside gRPC"),
	        LIST("listen-metrics-urls", listen_metrics, "ETCD_LISTEN_METRICS_URLS",
	                "where /metrics and the probes are served, too"),
	        TEXT("metrics", metrics, "ETCD_METRICS", "basic or extensive; both give all there is"),
	        NUMBER("max-concurrent-streams", streams_max, "ETCD_MAX_CONCURRENT_STREAMS",
	                "requests and watch streams at a time per connection (250)"),
	        SWITCH("enable-grpc-gateway", grpc_gateway, "ETCD_ENABLE_GRPC_GATEWAY", "JSON over HTTP (true)"),
	        TEXT("grpc-keepalive-min-time", ping_min_time, "ETCD_GRPC_KEEPALIVE_MIN_TIME",
	                "clients that ping more often are closed (5s)"),
	        TEXT("grpc-keepalive-interval", ping_interval, "ETCD_GRPC_KEEPALIVE_INTERVAL",
	                "quiet clients are pinged so often; 0: never (2h)"),
	        TEXT("grpc-keepalive-timeout", ping_timeout, "ETCD_GRPC_KEEPALIVE_TIMEOUT",
	                "and closed when they say nothing for so long (20s)"),
	        SWITCH("socket-reuse-port", reuse_port, "ETCD_SOCKET_REUSE_PORT",
	                "let others listen on the client ports, too"),
	        TEXT("log-format", log_format, "ETCD_LOG_FORMAT", "text (console) or json (text)"),
	        LIST("log-outputs", log_outputs, "ETCD_LOG_OUTPUTS", "stderr, stdout or a file (stderr)"),
	        SWITCH("memory-mlock", memory_lock, "ETCD_MEMORY_MLOCK", "keep all memory from being swapped out"),
	        ALSO("experimental-memory-mlock", FLAG_BOOL, memory_lock, "ETCD_EXPERIMENTAL_MEMORY_MLOCK"),
	        SWITCH("force-new-cluster", force_new_cluster, "ETCD_FORCE_NEW_CLUSTER",
	                "become the only member: see recover --single-node"),
	        TEXT("config-file", config_file, "ETCD_CONFIG_FILE", "YAML, with these names; flags are stronger"),
	        SWITCH("version", want_version, NULL, "say the version"),
	};
	struct etcd_flags *fixed;
	size_t count;
	const struct flag *all = etcd_flags_add(a, table, sizeof table / sizeof *table, &fixed, &count);
	struct flags f = {.program = "k3x-store serve",
	        .summary = "k3x-store serve: a datastore that speaks etcd's v3 API",
	        .table = all,
	        .count = count,
	        .config_flag = "config-file",
	        .config_name = etcd_flags_config_name};
	int rc = flags_load(&f, a, argc, argv, err);
	*want_help = rc == 0 && f.want_help;
	if (*want_help)
		flags_help(&f);
	return rc ? rc : etcd_flags_check(fixed, err);
}
