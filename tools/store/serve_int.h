/* What the files of `k3x-store serve` share. */
#ifndef K3X_TOOLS_STORE_SERVE_INT_H
#define K3X_TOOLS_STORE_SERVE_INT_H

#include "base/flags.h"
#include "base/rt/loop.h"
#include "store/etcd/etcd_service.h"
#include "store/engine/raft_engine.h"

struct serve_settings {
	const char *name, *data_dir;
	struct flag_list listen_client, advertise_client, listen_peer, advertise_peer;
	const char *initial_cluster, *initial_cluster_state, *initial_cluster_token;
	const char *cert_file, *key_file, *ca_file;
	bool client_cert_auth;
	const char *auth_token;
	int64_t auth_token_ttl_s, bcrypt_cost;
	const char *peer_cert_file, *peer_key_file, *peer_ca_file;
	bool peer_client_cert_auth;
	const char *peer_secret_file;
	const char *log_level;
	int64_t quota_bytes, request_bytes_max, txn_ops_max;
	const char *compaction_mode, *compaction_retention;
	uint64_t compact_period_ms;
	int64_t compact_keep_revisions;
	int64_t heartbeat_ms, election_ms, snapshot_count, promote_after_s, state_mbytes_per_s;
	const char *progress_interval;
	uint64_t progress_ms; /* 0: the default */
	const char *corrupt_check_time;
	uint64_t corrupt_check_ms; /* UINT64_MAX: never */
	bool initial_corrupt_check;
	const char *logger, *log_outputs;
	bool strict_reconfig, pre_vote, enable_v2, tick_advance;
	int64_t max_wals, max_snapshots; /* below 0: not given */
};

/* Loads and checks flags and environment. Strings in the arena. */
int serve_settings_load(
        struct serve_settings *v, struct arena *a, int argc, char **argv, bool *want_help, struct err *err);

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

/* Answers of a member to one that asks who it is; for raft_engine_options. `engine` is set once it is open. */
struct serve_answers {
	_Atomic(struct raft_engine *) engine;
	uint64_t cluster_id;
};
void serve_answer(void *arg, struct slice question, struct strbuf *answer);

/* What one of them said. */
struct serve_told {
	uint64_t cluster_id, member_id; /* 0: it knows no such member */
	uint64_t term;
	bool leads;       /* and its list of members is committed */
	const char *from; /* the URL that was asked; the caller's */
};
int serve_answer_parse(struct slice text, struct serve_told *told, struct err *err);
/* Whom to believe: the leader, when nobody knows of a later term; NULL: nobody. */
const struct serve_told *serve_answer_choose(const struct serve_told *told, size_t n);
/* Who is to be believed that member `id`, asked for by its peer URL, was removed; NULL: nobody. */
const struct serve_told *serve_answer_removal(const struct serve_told *told, size_t n, uint64_t id);

/* Watches whether this member was removed from its cluster while it could not hear of it (store_removed.c): calls
 * removed(arg) once, on a thread of its own, when their leader says so. */
struct removal_watch;
struct removal_watch *removal_watch_start(struct raft_engine *e, const char *peer_url,
        const struct raft_peer_access *access, void (*removed)(void *arg), void *arg);
void removal_watch_stop(struct removal_watch *w);

#endif
