/* Every flag of etcd 3.5 and 3.6 that is no setting of `k3x-store serve`: what is chosen by it is built in one way
 * here, or is not here. None is passed over in silence. Either it is refused with the reason, or its value must be the
 * one that is what happens (ONLY_...), so that a unit file that says the obvious still works.
 *
 * 3.6 has given plain names to most of the experimental flags and made gates of the others: `alias` is the older name.
 * What is honoured has its row in serve_flags.c. docs/k3x-store.md tells how the two differ from etcd. */
#include "tools/store/serve/etcd_flags.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum kind { REFUSED, REFUSED_SWITCH, ONLY_TRUE, ONLY_FALSE, ONLY_TEXT };

static const struct row {
	const char *name, *alias;
	enum kind kind;
	const char *only; /* of ONLY_TEXT: words with spaces between */
	const char *why;
} rows[] = {
        {"wal-dir", NULL, REFUSED, NULL,
                "the log lies in DIR/raft of --data-dir: mount another disk there, or make it a link"},
        {"max-snapshots", NULL, REFUSED, NULL,
                "the log keeps what a snapshot and slow members need, and nothing is left to count: leave it out"},
        {"max-wals", NULL, REFUSED, NULL,
                "the log keeps what a snapshot and slow members need, and nothing is left to count: leave it out"},
        {"initial-election-tick-advance", NULL, ONLY_TRUE, NULL, "an election begins as early as it may, always"},
        {"backend-bbolt-freelist-type", NULL, REFUSED, NULL, "there is no bbolt here"},
        {"backend-batch-interval", NULL, REFUSED, NULL,
                "a write is answered when the log has it on the disk, and the database follows by itself"},
        {"backend-batch-limit", NULL, REFUSED, NULL,
                "a write is answered when the log has it on the disk, and the database follows by itself"},
        {"socket-reuse-address", NULL, ONLY_TEXT, "true false", "it is always set"},
        {"raft-read-timeout", NULL, REFUSED, NULL, "a peer that says nothing is given up after some election timeouts"},
        {"raft-write-timeout", NULL, REFUSED, NULL,
                "a peer that takes nothing is given up after some election timeouts"},
        {"discovery", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-proxy", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-srv", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-srv-name", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-fallback", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-token", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-endpoints", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-dial-timeout", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-request-timeout", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-keepalive-time", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-keepalive-timeout", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-cert", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-key", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-cacert", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-user", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-password", NULL, REFUSED, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-insecure-transport", NULL, REFUSED_SWITCH, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"discovery-insecure-skip-tls-verify", NULL, REFUSED_SWITCH, NULL,
                "members find each other by --initial-cluster, or join with --initial-cluster-state existing"},
        {"strict-reconfig-check", NULL, ONLY_TRUE, NULL, "a change that would cost the majority is always refused"},
        {"pre-vote", NULL, ONLY_TRUE, NULL, "elections always begin with a pre-vote"},
        {"enable-v2", NULL, ONLY_FALSE, NULL, "the v2 API is not here; clients use v3"},
        {"experimental-enable-v2v3", NULL, REFUSED, NULL, "the v2 API is not here; clients use v3"},
        {"v2-deprecation", NULL, ONLY_TEXT, "gone write-only-drop-data write-only not-yet",
                "the v2 API is not here; clients use v3"},
        {"client-cert-file", NULL, REFUSED, NULL, "the server is no client of its own port"},
        {"client-key-file", NULL, REFUSED, NULL, "the server is no client of its own port"},
        {"cors", NULL, ONLY_TEXT, "*", "answers carry no origin, and a browser is no client of this"},
        {"host-whitelist", NULL, ONLY_TEXT, "*", "the Host of a request is not looked at: serve clients with TLS"},
        {"enable-pprof", NULL, ONLY_FALSE, NULL, "there is no Go runtime to look at: use perf"},
        {"logger", NULL, ONLY_TEXT, "zap", "it is not known; zap stands for what is written here, see --log-format"},
        {"enable-log-rotation", NULL, ONLY_FALSE, NULL,
                "the log goes to one file or descriptor: rotate it with logrotate (copytruncate) or the journal"},
        {"log-rotation-config-json", NULL, REFUSED, NULL,
                "the log goes to one file or descriptor: rotate it with logrotate (copytruncate) or the journal"},
        {"enable-distributed-tracing", "experimental-enable-distributed-tracing", ONLY_FALSE, NULL,
                "no spans are made: --log-level debug and /metrics show what takes long"},
        {"distributed-tracing-address", "experimental-distributed-tracing-address", REFUSED, NULL,
                "no spans are made: --log-level debug and /metrics show what takes long"},
        {"distributed-tracing-service-name", "experimental-distributed-tracing-service-name", REFUSED, NULL,
                "no spans are made: --log-level debug and /metrics show what takes long"},
        {"distributed-tracing-instance-id", "experimental-distributed-tracing-instance-id", REFUSED, NULL,
                "no spans are made: --log-level debug and /metrics show what takes long"},
        {"distributed-tracing-sampling-rate", "experimental-distributed-tracing-sampling-rate", REFUSED, NULL,
                "no spans are made: --log-level debug and /metrics show what takes long"},
        {"proxy", NULL, ONLY_TEXT, "off", "the v2 proxy is not here: clients are given all endpoints"},
        {"proxy-failure-wait", NULL, REFUSED, NULL, "the v2 proxy is not here: clients are given all endpoints"},
        {"proxy-refresh-interval", NULL, REFUSED, NULL, "the v2 proxy is not here: clients are given all endpoints"},
        {"proxy-dial-timeout", NULL, REFUSED, NULL, "the v2 proxy is not here: clients are given all endpoints"},
        {"proxy-write-timeout", NULL, REFUSED, NULL, "the v2 proxy is not here: clients are given all endpoints"},
        {"proxy-read-timeout", NULL, REFUSED, NULL, "the v2 proxy is not here: clients are given all endpoints"},
        {"experimental-compact-hash-check-enabled", NULL, ONLY_TRUE, NULL,
                "replicas always compare their hashes, every five seconds"},
        {"compact-hash-check-time", "experimental-compact-hash-check-time", REFUSED, NULL,
                "replicas compare their hashes every five seconds"},
        {"experimental-enable-lease-checkpoint", NULL, ONLY_FALSE, NULL,
                "a new leader gives each lease its whole time again"},
        {"experimental-enable-lease-checkpoint-persist", NULL, ONLY_FALSE, NULL,
                "a new leader gives each lease its whole time again"},
        {"compaction-batch-limit", "experimental-compaction-batch-limit", REFUSED, NULL,
                "compaction goes in small steps beside the writes by itself"},
        {"compaction-sleep-interval", "experimental-compaction-sleep-interval", REFUSED, NULL,
                "compaction goes in small steps beside the writes by itself"},
        {"peer-skip-client-san-verification", "experimental-peer-skip-client-san-verification", ONLY_TRUE, NULL,
                "a peer is known by its CA and --peer-cert-allowed-cn or -hostname, not by its address"},
        {"downgrade-check-time", "experimental-downgrade-check-time", REFUSED, NULL, "there is nothing to go down to"},
        {"warning-apply-duration", "experimental-warning-apply-duration", REFUSED, NULL,
                "how long requests take is in /metrics"},
        {"warning-unary-request-duration", "experimental-warning-unary-request-duration", REFUSED, NULL,
                "how long requests take is in /metrics"},
        {"experimental-txn-mode-write-with-shared-buffer", NULL, ONLY_TRUE, NULL,
                "a transaction always sees its own writes without a copy"},
        {"bootstrap-defrag-threshold-megabytes", "experimental-bootstrap-defrag-threshold-megabytes", REFUSED, NULL,
                "free pages go back to the disk by themselves after a compaction"},
        {"experimental-stop-grpc-service-on-defrag", NULL, ONLY_FALSE, NULL,
                "defrag goes in small steps and stops nothing"},
        {"max-learners", "experimental-max-learners", REFUSED, NULL,
                "any number of members may be learners: they cost no majority"},
        {"snapshot-catchup-entries", "experimental-snapshot-catchup-entries", REFUSED, NULL,
                "the log keeps up to 4096 entries for slow members by itself"},
        {"experimental-set-member-localaddr", NULL, ONLY_FALSE, NULL,
                "connections to peers go out from the address that the routes choose"},
        {"wait-cluster-ready-timeout", "experimental-wait-cluster-ready-timeout", REFUSED, NULL,
                "clients are served at once, and told while there is no leader"},
        {"unsafe-no-fsync", NULL, ONLY_FALSE, NULL, "what is acknowledged is on the disk, always"},
};

enum { ROWS = sizeof rows / sizeof *rows };

struct etcd_flags {
	bool switches[ROWS];
	const char *texts[ROWS];
};

/* "max-wals" -> "ETCD_MAX_WALS" */
static const char *env_of(struct arena *a, const char *name)
{
	char *env = arena_printf(a, "ETCD_%s", name);
	for (char *p = env; *p; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return env;
}

static struct flag make(struct arena *a, const char *name, size_t i, struct etcd_flags *e)
{
	const struct row *r = &rows[i];
	bool is_switch = r->kind != REFUSED && r->kind != ONLY_TEXT;
	bool is_refused = r->kind == REFUSED || r->kind == REFUSED_SWITCH;
	return (struct flag){.name = name,
	        .type = is_switch ? FLAG_BOOL : FLAG_STRING,
	        .value = is_switch ? (void *)&e->switches[i] : (void *)&e->texts[i],
	        .env = env_of(a, name),
	        .unsupported = is_refused ? r->why : NULL};
}

const struct flag *etcd_flags_add(
        struct arena *a, const struct flag *own, size_t n, struct etcd_flags **ret, size_t *ret_count)
{
	struct etcd_flags *e = ARENA_NEW(a, struct etcd_flags);
	struct flag *all = ARENA_ARRAY(a, struct flag, n + 2 * ROWS);
	memcpy(all, own, n * sizeof *own);
	for (size_t i = 0; i < ROWS; i++) {
		e->switches[i] = rows[i].kind == ONLY_TRUE;
		all[n++] = make(a, rows[i].name, i, e);
		if (rows[i].alias)
			all[n++] = make(a, rows[i].alias, i, e);
	}
	*ret = e;
	*ret_count = n;
	return all;
}

static bool is_word_of(const char *words, const char *text)
{
	struct slice rest = slice_of(words);
	while (rest.ptr)
		if (slice_is(slice_cut(&rest, ' '), text))
			return true;
	return false;
}

int etcd_flags_check(const struct etcd_flags *e, struct err *err)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		bool is_switch = r->kind == ONLY_TRUE || r->kind == ONLY_FALSE;
		if (is_switch && e->switches[i] != (r->kind == ONLY_TRUE))
			return err_set(
			        err, ERR_INVAL, "--%s=%s: %s", r->name, e->switches[i] ? "true" : "false", r->why);
		if (r->kind == ONLY_TEXT && e->texts[i] && *e->texts[i] && !is_word_of(r->only, e->texts[i]))
			return err_set(err, ERR_INVAL, "--%s=%s: %s", r->name, e->texts[i], r->why);
	}
	return 0;
}

const char *etcd_flags_config_name(struct arena *a, struct slice section, struct slice key)
{
	static const struct {
		const char *key, *client, *peer;
	} odd[] = {{"allowed-cn", NULL, "peer-cert-allowed-cn"},
	        {"allowed-hostname", "client-cert-allowed-hostname", "peer-cert-allowed-hostname"},
	        {"client-cert-auth", "client-cert-auth", "peer-client-cert-auth"},
	        {"client-cert-file", "client-cert-file", "peer-client-cert-file"},
	        {"client-key-file", "client-key-file", "peer-client-key-file"},
	        {"crl-file", "client-crl-file", "peer-crl-file"}};
	bool is_peer = slice_is(section, "peer-transport-security");
	if (!is_peer && !slice_is(section, "client-transport-security"))
		return NULL;
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		if (slice_is(key, odd[i].key))
			return is_peer ? odd[i].peer : odd[i].client;
	return arena_printf(a, "%s%.*s", is_peer ? "peer-" : "", SLICE_FMT(key));
}
