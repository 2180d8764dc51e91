/* The flags and environment of `k3x-store serve`: etcd's, where the meaning is the same. */
#include "tools/store/serve_int.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* etcd's default quota. */
#define QUOTA_BYTES (INT64_C(2) * 1024 * 1024 * 1024)

/* "1h30m", "500ms": Go's durations, in whole milliseconds. */
static bool parse_duration(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"h", 3600e3}, {"m", 60e3}, {"s", 1e3}};
	double sum = 0;
	for (const char *p = text; *p;) {
		char *end;
		if (*p != '.' && (*p < '0' || *p > '9'))
			return false;
		double n = strtod(p, &end);
		size_t i = 0;
		while (i < 4 && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == 4)
			return false;
		sum += n * units[i].ms;
		p = end + strlen(units[i].unit);
	}
	*ret_ms = (uint64_t)sum;
	return *text && sum <= 1e15;
}

/* etcd's: a plain number means hours or revisions, whichever the mode is about. */
static int parse_compaction(struct serve_settings *v, struct err *err)
{
	struct slice text = slice_of(v->compaction_retention);
	bool by_revision = strcmp(v->compaction_mode, "revision") == 0;
	int64_t n;
	if (!by_revision && strcmp(v->compaction_mode, "periodic") != 0)
		return err_set(err, ERR_INVAL, "--auto-compaction-mode: \"%s\" is neither periodic nor revision",
		        v->compaction_mode);
	if (slice_to_i64(text, &n) && n >= 0 && n <= 1000000000) {
		v->compact_keep_revisions = by_revision ? n : 0;
		v->compact_period_ms = by_revision ? 0 : (uint64_t)n * 3600 * 1000;
	} else if (by_revision || !parse_duration(v->compaction_retention, &v->compact_period_ms)) {
		return err_set(err, ERR_INVAL, "--auto-compaction-retention: \"%s\" is not %s", v->compaction_retention,
		        by_revision ? "a number of revisions" : "a number of hours or a duration like 30m");
	}
	return 0;
}

/* Flags of etcd that choose between what is built in and what is not here: refused by name, never ignored. */
static int check_fixed(const struct serve_settings *v, struct err *err)
{
	if (!v->strict_reconfig)
		return err_set(err, ERR_INVAL,
		        "--strict-reconfig-check=false: a change that would cost the majority is always refused");
	if (!v->pre_vote)
		return err_set(err, ERR_INVAL, "--pre-vote=false: elections always begin with a pre-vote");
	if (v->enable_v2)
		return err_set(err, ERR_INVAL, "--enable-v2: the v2 API is not here; clients use v3");
	if (strcmp(v->logger, "zap") != 0)
		return err_set(err, ERR_INVAL,
		        "--logger: \"%s\" is not known; the log is lines of key=value, as with zap", v->logger);
	if (strcmp(v->log_outputs, "default") != 0 && strcmp(v->log_outputs, "stderr") != 0)
		return err_set(err, ERR_INVAL, "--log-outputs: \"%s\": the log goes to stderr alone; redirect that",
		        v->log_outputs);
	if (v->max_wals >= 0 || v->max_snapshots >= 0)
		return err_set(err, ERR_INVAL,
		        "%s: the log keeps what a snapshot and slow members need, and nothing is left to count: leave "
		        "it out",
		        v->max_wals >= 0 ? "--max-wals" : "--max-snapshots");
	return 0;
}

static int check_progress(struct serve_settings *v, struct err *err)
{
	if (!v->progress_interval || (parse_duration(v->progress_interval, &v->progress_ms) && v->progress_ms >= 100))
		return 0;
	return err_set(err, ERR_INVAL,
	        "--experimental-watch-progress-notify-interval: \"%s\" is no duration of 100ms or more",
	        v->progress_interval);
}

/* etcd's: 0 is never. */
static int check_corrupt_time(struct serve_settings *v, struct err *err)
{
	const char *text = v->corrupt_check_time;
	if (strcmp(text, "0") == 0) {
		v->corrupt_check_ms = UINT64_MAX;
		return 0;
	}
	if (!parse_duration(text, &v->corrupt_check_ms) || (v->corrupt_check_ms && v->corrupt_check_ms < 1000))
		return err_set(err, ERR_INVAL,
		        "--experimental-corrupt-check-time: \"%s\" is no duration of 1s or more, nor 0 for never",
		        text);
	if (!v->corrupt_check_ms)
		v->corrupt_check_ms = UINT64_MAX;
	return 0;
}

static int check_settings(struct serve_settings *v, struct arena *a, struct err *err)
{
	if (v->request_bytes_max < 1024 || v->request_bytes_max > (int)STORE_REQUEST_BYTES_CEILING)
		return err_set(
		        err, ERR_INVAL, "--max-request-bytes: 1024 to %d are possible", STORE_REQUEST_BYTES_CEILING);
	if (v->auth_token_ttl_s < 1 || v->auth_token_ttl_s > 1000000000)
		return err_set(err, ERR_INVAL, "--auth-token-ttl: 1 to 1000000000 seconds are possible");
	if (v->bcrypt_cost < 0 || v->bcrypt_cost > 31)
		return err_set(err, ERR_INVAL, "--bcrypt-cost: 4 to 14 are possible");
	if (v->txn_ops_max < 1 || v->txn_ops_max > STORE_TXN_OPS_CEILING)
		return err_set(err, ERR_INVAL, "--max-txn-ops: 1 to %d are possible", STORE_TXN_OPS_CEILING);
	if (v->quota_bytes == 0)
		v->quota_bytes = QUOTA_BYTES;
	if (v->heartbeat_ms < 10 || v->heartbeat_ms > 10000 || v->election_ms > 50000)
		return err_set(err, ERR_INVAL,
		        "--heartbeat-interval: 10 to 10000 ms are possible, --election-timeout: up to 50000");
	if (v->election_ms < 3 * v->heartbeat_ms)
		return err_set(err, ERR_INVAL,
		        "--election-timeout of %d ms: it should be ten times the heartbeat interval (%d ms) and must "
		        "be "
		        "three times",
		        (int)v->election_ms, (int)v->heartbeat_ms);
	if (strcmp(v->initial_cluster_state, "new") != 0 && strcmp(v->initial_cluster_state, "existing") != 0)
		return err_set(err, ERR_INVAL, "--initial-cluster-state: \"%s\" is neither new nor existing",
		        v->initial_cluster_state);
	if (!v->data_dir)
		v->data_dir = arena_printf(a, "%s.k3x", v->name);
	if (check_fixed(v, err) != 0 || check_progress(v, err) != 0 || check_corrupt_time(v, err) != 0)
		return err->code;
	return parse_compaction(v, err);
}

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
#define FIXED(flag, type, at, env) \
	{ \
		flag, 0, type, &v->at, env, NULL, NULL \
	}

int serve_settings_load(
        struct serve_settings *v, struct arena *a, int argc, char **argv, bool *want_help, struct err *err)
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
	        .log_level = "info",
	        .corrupt_check_time = "24h",
	        .logger = "zap",
	        .log_outputs = "default",
	        .strict_reconfig = true,
	        .pre_vote = true,
	        .max_wals = -1,
	        .max_snapshots = -1};
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
	        TEXT("cert-file", cert_file, "ETCD_CERT_FILE", "serving certificate, PEM"),
	        TEXT("key-file", key_file, "ETCD_KEY_FILE", "its key, PEM"),
	        TEXT("trusted-ca-file", ca_file, "ETCD_TRUSTED_CA_FILE", "CA of client certificates, PEM"),
	        SWITCH("client-cert-auth", client_cert_auth, "ETCD_CLIENT_CERT_AUTH", "ask clients for a certificate"),
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
	        TEXT("peer-cert-file", peer_cert_file, "ETCD_PEER_CERT_FILE", "certificate for peers, PEM"),
	        TEXT("peer-key-file", peer_key_file, "ETCD_PEER_KEY_FILE", "its key, PEM"),
	        TEXT("peer-trusted-ca-file", peer_ca_file, "ETCD_PEER_TRUSTED_CA_FILE", "CA of the peers, PEM"),
	        SWITCH("peer-client-cert-auth", peer_client_cert_auth, "ETCD_PEER_CLIENT_CERT_AUTH",
	                "ask peers for a certificate"),
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
	        TEXT("experimental-watch-progress-notify-interval", progress_interval,
	                "ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL",
	                "between notifications of progress to quiet watches (10m)"),
	        SWITCH("experimental-initial-corrupt-check", initial_corrupt_check,
	                "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK", "look at the checksums of all pages before serving"),
	        TEXT("experimental-corrupt-check-time", corrupt_check_time, "ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME",
	                "and so often in the background; 0: never (24h)"),
	        /* etcd's, where one value alone is what happens here: see check_fixed(). */
	        FIXED("logger", FLAG_STRING, logger, "ETCD_LOGGER"),
	        FIXED("log-outputs", FLAG_STRING, log_outputs, "ETCD_LOG_OUTPUTS"),
	        FIXED("strict-reconfig-check", FLAG_BOOL, strict_reconfig, "ETCD_STRICT_RECONFIG_CHECK"),
	        FIXED("pre-vote", FLAG_BOOL, pre_vote, "ETCD_PRE_VOTE"),
	        FIXED("enable-v2", FLAG_BOOL, enable_v2, "ETCD_ENABLE_V2"),
	        FIXED("initial-election-tick-advance", FLAG_BOOL, tick_advance, "ETCD_INITIAL_ELECTION_TICK_ADVANCE"),
	        FIXED("max-wals", FLAG_INT, max_wals, "ETCD_MAX_WALS"),
	        FIXED("max-snapshots", FLAG_INT, max_snapshots, "ETCD_MAX_SNAPSHOTS"),
	};
	struct flags f = {.program = "k3x-store serve",
	        .summary = "k3x-store serve: a datastore that speaks etcd's v3 API",
	        .table = table,
	        .count = sizeof table / sizeof *table};
	int rc = flags_load(&f, a, argc, argv, err);
	*want_help = rc == 0 && f.want_help;
	if (*want_help)
		flags_help(&f);
	return rc ? rc : check_settings(v, a, err);
}
