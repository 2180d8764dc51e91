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

static int check_settings(struct serve_settings *v, struct arena *a, struct err *err)
{
	if (v->request_bytes_max < 1024 || v->request_bytes_max > (int)STORE_REQUEST_BYTES_CEILING)
		return err_set(err, ERR_INVAL, "--max-request-bytes: 1024 to %d are possible", STORE_REQUEST_BYTES_CEILING);
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
	if (strcmp(v->engine, "raft") != 0 && strcmp(v->engine, "sqlite") != 0)
		return err_set(err, ERR_INVAL, "--engine: \"%s\" is neither raft nor sqlite", v->engine);
	if (strcmp(v->initial_cluster_state, "new") != 0 && strcmp(v->initial_cluster_state, "existing") != 0)
		return err_set(err, ERR_INVAL, "--initial-cluster-state: \"%s\" is neither new nor existing",
		        v->initial_cluster_state);
	if (!v->data_dir)
		v->data_dir = arena_printf(a, "%s.k3x", v->name);
	return parse_compaction(v, err);
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
	        .engine = "raft",
	        .heartbeat_ms = 100,
	        .election_ms = 1000,
	        .promote_after_s = 60,
	        .log_level = "info"};
	const struct flag table[] = {
	        {"name", 0, FLAG_STRING, &v->name, "ETCD_NAME", "name of this member (default)", NULL},
	        {"data-dir", 0, FLAG_STRING, &v->data_dir, "ETCD_DATA_DIR", "where state is kept (NAME.k3x)", NULL},
	        {"listen-client-urls", 0, FLAG_LIST, &v->listen_client, "ETCD_LISTEN_CLIENT_URLS",
	                "where clients are served (http://localhost:2379)", NULL},
	        {"advertise-client-urls", 0, FLAG_LIST, &v->advertise_client, "ETCD_ADVERTISE_CLIENT_URLS",
	                "what clients are told", NULL},
	        {"listen-peer-urls", 0, FLAG_LIST, &v->listen_peer, "ETCD_LISTEN_PEER_URLS",
	                "where peers are served (http://localhost:2380)", NULL},
	        {"initial-advertise-peer-urls", 0, FLAG_LIST, &v->advertise_peer, "ETCD_INITIAL_ADVERTISE_PEER_URLS",
	                "what peers are told", NULL},
	        {"initial-cluster", 0, FLAG_STRING, &v->initial_cluster, "ETCD_INITIAL_CLUSTER",
	                "name=peer-url,... of the members that begin (default=http://localhost:2380)", NULL},
	        {"initial-cluster-state", 0, FLAG_STRING, &v->initial_cluster_state, "ETCD_INITIAL_CLUSTER_STATE",
	                "new, or existing to join (new)", NULL},
	        {"initial-cluster-token", 0, FLAG_STRING, &v->initial_cluster_token, "ETCD_INITIAL_CLUSTER_TOKEN",
	                "goes into the cluster's identity", NULL},
	        {"cert-file", 0, FLAG_STRING, &v->cert_file, "ETCD_CERT_FILE", "serving certificate, PEM", NULL},
	        {"key-file", 0, FLAG_STRING, &v->key_file, "ETCD_KEY_FILE", "its key, PEM", NULL},
	        {"trusted-ca-file", 0, FLAG_STRING, &v->ca_file, "ETCD_TRUSTED_CA_FILE",
	                "CA of client certificates, PEM", NULL},
	        {"client-cert-auth", 0, FLAG_BOOL, &v->client_cert_auth, "ETCD_CLIENT_CERT_AUTH",
	                "ask clients for a certificate", NULL},
	        {"log-level", 0, FLAG_STRING, &v->log_level, "ETCD_LOG_LEVEL", "debug, info, warn or error (info)",
	                NULL},
	        {"quota-backend-bytes", 0, FLAG_INT, &v->quota_bytes, "ETCD_QUOTA_BACKEND_BYTES",
	                "bytes the database may hold; 0: 2 GiB, below 0: no limit", NULL},
	        {"auto-compaction-mode", 0, FLAG_STRING, &v->compaction_mode, "ETCD_AUTO_COMPACTION_MODE",
	                "periodic or revision (periodic)", NULL},
	        {"auto-compaction-retention", 0, FLAG_STRING, &v->compaction_retention,
	                "ETCD_AUTO_COMPACTION_RETENTION",
	                "history to keep: hours or a duration like 30m; or a number of revisions; 0: all", NULL},
	        {"max-request-bytes", 0, FLAG_INT, &v->request_bytes_max, "ETCD_MAX_REQUEST_BYTES",
	                "largest request (1572864)", NULL},
	        {"auth-token", 0, FLAG_STRING, &v->auth_token, "ETCD_AUTH_TOKEN",
	                "simple, or jwt,pub-key=FILE,priv-key=FILE,sign-method=ES256,ttl=5m (simple)", NULL},
	        {"auth-token-ttl", 0, FLAG_INT, &v->auth_token_ttl_s, "ETCD_AUTH_TOKEN_TTL",
	                "seconds that a simple token lives after its last use (300)", NULL},
	        {"bcrypt-cost", 0, FLAG_INT, &v->bcrypt_cost, "ETCD_BCRYPT_COST",
	                "how slow a password's hash is, 4 to 14 (10)", NULL},
	        {"max-txn-ops", 0, FLAG_INT, &v->txn_ops_max, "ETCD_MAX_TXN_OPS",
	                "most operations in a transaction (128)", NULL},
	        {"peer-cert-file", 0, FLAG_STRING, &v->peer_cert_file, "ETCD_PEER_CERT_FILE",
	                "certificate for peers, PEM", NULL},
	        {"peer-key-file", 0, FLAG_STRING, &v->peer_key_file, "ETCD_PEER_KEY_FILE", "its key, PEM", NULL},
	        {"peer-trusted-ca-file", 0, FLAG_STRING, &v->peer_ca_file, "ETCD_PEER_TRUSTED_CA_FILE",
	                "CA of the peers, PEM", NULL},
	        {"peer-client-cert-auth", 0, FLAG_BOOL, &v->peer_client_cert_auth, "ETCD_PEER_CLIENT_CERT_AUTH",
	                "ask peers for a certificate", NULL},
	        {"heartbeat-interval", 0, FLAG_INT, &v->heartbeat_ms, "ETCD_HEARTBEAT_INTERVAL",
	                "milliseconds between a leader's heartbeats (100)", NULL},
	        {"election-timeout", 0, FLAG_INT, &v->election_ms, "ETCD_ELECTION_TIMEOUT",
	                "milliseconds without one after which a leader is elected (1000)", NULL},
	        {"snapshot-count", 0, FLAG_INT, &v->snapshot_count, "ETCD_SNAPSHOT_COUNT",
	                "log entries after which a snapshot is taken; 0: 16 MiB of log alone count (0)", NULL},
	        {"promote-standby-after", 0, FLAG_INT, &v->promote_after_s, "K3X_PROMOTE_STANDBY_AFTER",
	                "seconds a voter may be lost before a standby takes its place; 0: never (60)", NULL},
	        {"state-transfer-mbytes", 0, FLAG_INT, &v->state_mbytes_per_s, "K3X_STATE_TRANSFER_MBYTES",
	                "MB/s at which a state is sent to a member that is far behind; 0: no limit (0)", NULL},
	        {"engine", 0, FLAG_STRING, &v->engine, "K3X_STORE_ENGINE",
	                "raft, or sqlite for one member that stays alone (raft)", NULL},
	        /* Taken, so that etcd's unit files and harnesses start this; without a meaning here. */
	        {"logger", 0, FLAG_STRING, &v->ignored_text, "ETCD_LOGGER", NULL, NULL},
	        {"log-outputs", 0, FLAG_STRING, &v->ignored_text, "ETCD_LOG_OUTPUTS", NULL, NULL},
	        {"strict-reconfig-check", 0, FLAG_BOOL, &v->ignored_bool, "ETCD_STRICT_RECONFIG_CHECK", NULL, NULL},
	        {"pre-vote", 0, FLAG_BOOL, &v->ignored_bool, "ETCD_PRE_VOTE", NULL, NULL},
	        {"enable-v2", 0, FLAG_BOOL, &v->ignored_bool, "ETCD_ENABLE_V2", NULL, NULL},
	        {"initial-election-tick-advance", 0, FLAG_BOOL, &v->ignored_bool, "ETCD_INITIAL_ELECTION_TICK_ADVANCE",
	                NULL, NULL},
	        {"max-wals", 0, FLAG_INT, &v->ignored, "ETCD_MAX_WALS", NULL, NULL},
	        {"max-snapshots", 0, FLAG_INT, &v->ignored, "ETCD_MAX_SNAPSHOTS", NULL, NULL},
	        {"experimental-initial-corrupt-check", 0, FLAG_BOOL, &v->ignored_bool,
	                "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK", NULL, NULL},
	        {"experimental-watch-progress-notify-interval", 0, FLAG_STRING, &v->ignored_text,
	                "ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL", NULL, NULL},
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
