/* What the settings of `k3x-store serve` mean, and which values are possible; serve_flags.c says what there is. */
#include "tools/store/serve/serve_settings.h"

#include "base/time/duration.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_KBYTES_MIN = 64, TABLE_KBYTES_MAX = 1024 * 1024 };

/* etcd's default quota. */
#define QUOTA_BYTES (INT64_C(2) * 1024 * 1024 * 1024)

enum { STREAMS_MAX = 1000000 };

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
	} else if (by_revision || !duration_parse_ms(v->compaction_retention, &v->compact_period_ms)) {
		return err_set(err, ERR_INVAL, "--auto-compaction-retention: \"%s\" is not %s", v->compaction_retention,
		        by_revision ? "a number of revisions" : "a number of hours or a duration like 30m");
	}
	return 0;
}

static const char *only_in(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return *words;
	return NULL;
}

static int check_log(struct serve_settings *v, struct err *err)
{
	static const char *const formats[] = {"text", "console", "json", NULL}, *const sets[] = {
	                                                                                "basic", "extensive", NULL};
	static const char *const levels[] = {"debug", "info", "warn", "error", "panic", "fatal", NULL};
	if (!only_in(v->log_format, formats))
		return err_set(
		        err, ERR_INVAL, "--log-format: \"%s\" is neither text (console) nor json", v->log_format);
	if (!only_in(v->log_level, levels))
		return err_set(
		        err, ERR_INVAL, "--log-level: \"%s\" is not one of debug, info, warn, error", v->log_level);
	if (!only_in(v->metrics, sets))
		return err_set(err, ERR_INVAL, "--metrics: \"%s\" is neither basic nor extensive", v->metrics);
	if (v->log_outputs.count > 1)
		return err_set(err, ERR_INVAL, "--log-outputs: the log goes to one place: stderr, stdout or a file");
	return 0;
}

/* Names of etcd 3.6, and what each must be; what is NULL is a choice. */
static int check_gate(struct serve_settings *v, struct slice name, struct slice value, struct err *err)
{
	static const struct {
		const char *name, *only, *why;
	} gates[] = {{"InitialCorruptCheck", NULL, NULL},
	        {"CompactHashCheck", "true", "replicas always compare their hashes"},
	        {"TxnModeWriteWithSharedBuffer", "true", "a transaction always sees its own writes without a copy"},
	        {"StopGRPCServiceOnDefrag", "false", "defrag goes in small steps and stops nothing"},
	        {"LeaseCheckpoint", "false", "a new leader gives each lease its whole time again"},
	        {"LeaseCheckpointPersist", "false", "a new leader gives each lease its whole time again"},
	        {"SetMemberLocalAddr", "false", "connections go out from the address that the routes choose"},
	        {"DistributedTracing", "false", "no spans are made"},
	        {"AllAlpha", "false", "name the gates one by one"}, {"AllBeta", "false", "name the gates one by one"}};
	for (size_t i = 0; i < sizeof gates / sizeof *gates; i++) {
		if (!slice_is(name, gates[i].name))
			continue;
		if (gates[i].only && !slice_is(value, gates[i].only))
			return err_set(err, ERR_INVAL, "--feature-gates: %s=%.*s: %s", gates[i].name, SLICE_FMT(value),
			        gates[i].why);
		if (!gates[i].only)
			v->initial_corrupt_check = slice_is(value, "true");
		return 0;
	}
	return err_set(err, ERR_INVAL, "--feature-gates: \"%.*s\" is not known", SLICE_FMT(name));
}

static int check_gates(struct serve_settings *v, struct err *err)
{
	struct slice rest = v->feature_gates ? slice_of(v->feature_gates) : SLICE_NULL;
	while (rest.ptr && rest.len) {
		struct slice value = slice_trim(slice_cut(&rest, ',')), name = slice_cut(&value, '=');
		if (!slice_is(value, "true") && !slice_is(value, "false"))
			return err_set(
			        err, ERR_INVAL, "--feature-gates: \"%.*s\" needs =true or =false", SLICE_FMT(name));
		if (check_gate(v, name, value, err) != 0)
			return err->code;
	}
	return 0;
}

static int parse_ping(const char *flag, const char *text, uint64_t *ret_ms, struct err *err)
{
	*ret_ms = 0;
	if (strcmp(text, "0") == 0 || duration_parse_ms(text, ret_ms))
		return 0;
	return err_set(err, ERR_INVAL, "%s: \"%s\" is no duration like 20s, nor 0", flag, text);
}

static int check_connections(struct serve_settings *v, struct err *err)
{
	if (parse_ping("--grpc-keepalive-min-time", v->ping_min_time, &v->ping_min_ms, err) != 0 ||
	        parse_ping("--grpc-keepalive-interval", v->ping_interval, &v->ping_ms, err) != 0 ||
	        parse_ping("--grpc-keepalive-timeout", v->ping_timeout, &v->ping_wait_ms, err) != 0)
		return err->code;
	/* etcd's default: no limit. */
	if (v->streams_max >= UINT32_MAX)
		v->streams_max = STREAMS_MAX;
	if (v->streams_max < 0 || v->streams_max > STREAMS_MAX)
		return err_set(err, ERR_INVAL, "--max-concurrent-streams: 1 to %d are possible", STREAMS_MAX);
	if (v->listen_peer.count > 1 || v->advertise_peer.count > 1 || v->advertise_client.count > 1)
		return err_set(err, ERR_INVAL, "%s: one URL is possible",
		        v->listen_peer.count > 1      ? "--listen-peer-urls"
		        : v->advertise_peer.count > 1 ? "--initial-advertise-peer-urls"
		                                      : "--advertise-client-urls");
	return 0;
}

static int check_tls(const struct serve_settings *v, struct err *err)
{
	static const char *const versions[] = {"TLS1.2", "TLS1.3", NULL};
	if (v->tls_min && *v->tls_min && !only_in(v->tls_min, versions))
		return err_set(err, ERR_INVAL, "--tls-min-version: \"%s\" is neither TLS1.2 nor TLS1.3", v->tls_min);
	if (v->tls_max && *v->tls_max && !only_in(v->tls_max, versions))
		return err_set(err, ERR_INVAL, "--tls-max-version: \"%s\" is neither TLS1.2 nor TLS1.3", v->tls_max);
	if (v->cipher_suites.count && v->tls_min && strcmp(v->tls_min, "TLS1.3") == 0)
		return err_set(err, ERR_INVAL,
		        "--cipher-suites: those of TLS 1.3 are fixed, and --tls-min-version leaves no other");
	if (v->cert_years < 1 || v->cert_years > 10)
		return err_set(err, ERR_INVAL, "--self-signed-cert-validity: 1 to 10 years are possible");
	if (v->peer_tls.allowed_names.count && v->peer_tls.allowed_hosts.count)
		return err_set(
		        err, ERR_INVAL, "--peer-cert-allowed-cn and --peer-cert-allowed-hostname: give one of them");
	return 0;
}

static int check_progress(struct serve_settings *v, struct err *err)
{
	if (!v->progress_interval ||
	        (duration_parse_ms(v->progress_interval, &v->progress_ms) && v->progress_ms >= 100))
		return 0;
	return err_set(err, ERR_INVAL, "--watch-progress-notify-interval: \"%s\" is no duration of 100ms or more",
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
	if (!duration_parse_ms(text, &v->corrupt_check_ms) || (v->corrupt_check_ms && v->corrupt_check_ms < 1000))
		return err_set(err, ERR_INVAL,
		        "--corrupt-check-time: \"%s\" is no duration of 1s or more, nor 0 for never", text);
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
	if (v->table_kbytes < TABLE_KBYTES_MIN || v->table_kbytes > TABLE_KBYTES_MAX)
		return err_set(err, ERR_INVAL, "--memory-table-kbytes: %d to %d are possible", TABLE_KBYTES_MIN,
		        TABLE_KBYTES_MAX);
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
	if (check_log(v, err) != 0 || check_gates(v, err) != 0 || check_connections(v, err) != 0 ||
	        check_tls(v, err) != 0 || check_progress(v, err) != 0 || check_corrupt_time(v, err) != 0)
		return err->code;
	return parse_compaction(v, err);
}

int serve_settings_load(
        struct serve_settings *v, struct arena *a, int argc, char **argv, bool *want_help, struct err *err)
{
	int rc = serve_flags_load(v, a, argc, argv, want_help, err);
	return rc != 0 || *want_help || v->want_version ? rc : check_settings(v, a, err);
}
