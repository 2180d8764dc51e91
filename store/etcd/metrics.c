/* /metrics: Prometheus text, under etcd's names where the meaning is etcd's, so that dashboards and alerts made for
 * etcd (those of its documentation and of kube-prometheus) work with it. Two differ by their nature: the write-ahead
 * log that is synced is raft's, or, with one server, SQLite's, so that its syncs are parts of the commits; and a member
 * of a cluster commits without a sync, because the log has been synced. */
#include "store/etcd/http_int.h"

#include "base/check.h"
#include "base/histogram.h"
#include "base/wire/http.h"
#include "store/etcd/serve/counts.h"
#include "store/etcd/serve/service.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void one(struct strbuf *b, const char *name, const char *type, const char *help, int64_t value)
{
	strbuf_addf(b, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", name, help, name, type, name, value);
}

static void times(struct strbuf *b, const char *name, const char *help, const struct histogram *h)
{
	strbuf_addf(b, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
	histogram_write(h, b, name, "");
}

static void store_part(struct strbuf *b, struct etcd_service *s)
{
	struct store_stats st = {0};
	store_stats(s->store, &st);
	one(b, "etcd_mvcc_db_total_size_in_bytes", "gauge", "Bytes of the database and its write-ahead log.",
	        st.size_bytes);
	one(b, "etcd_mvcc_db_total_size_in_use_in_bytes", "gauge", "Bytes of the database that hold something.",
	        st.size_in_use_bytes);
	one(b, "k3x_store_rotten_total", "counter", "Reads and checks that met a page that is not what was written.",
	        (int64_t)st.rotten);
	one(b, "etcd_debugging_mvcc_keys_total", "gauge", "Keys that live.", st.keys);
	one(b, "etcd_debugging_mvcc_current_revision", "gauge", "Newest revision.", st.revision);
	one(b, "etcd_debugging_mvcc_compact_revision", "gauge", "Compacted revision.", st.compacted_revision);
	one(b, "etcd_debugging_mvcc_watch_stream_total", "gauge", "Watch streams.", (int64_t)s->counters.watch_streams);
	one(b, "etcd_debugging_mvcc_watcher_total", "gauge", "Watches.", (int64_t)s->counters.watches);
	one(b, "etcd_debugging_mvcc_events_total", "counter", "Events sent to watches.", (int64_t)s->counters.events);
	one(b, "etcd_mvcc_range_total", "counter", "Ranges read.", (int64_t)st.ranges);
	one(b, "etcd_mvcc_put_total", "counter", "Puts carried out.", (int64_t)st.puts);
	one(b, "etcd_mvcc_delete_total", "counter", "Deletions carried out.", (int64_t)st.deletes);
	one(b, "etcd_mvcc_txn_total", "counter", "Transactions of more than one operation.", (int64_t)st.txns);
	times(b, "etcd_disk_wal_fsync_duration_seconds", "Syncs of the log that makes answers durable.", st.syncs);
	times(b, "etcd_disk_backend_commit_duration_seconds", "Commits to the database.", st.commits);
	one(b, "etcd_server_quota_backend_bytes", "gauge", "Bytes the database may hold.", s->options.quota_bytes);
	one(b, "k3x_store_requests_total", "counter", "Requests taken.", (int64_t)s->counters.requests);
	one(b, "k3x_store_requests_failed_total", "counter", "Requests answered with an error.",
	        (int64_t)s->counters.failed);
}

static void members_part(struct strbuf *b, const struct raft_node_status *r)
{
	strbuf_adds(b, "# HELP k3x_raft_member_match_index How far a member's log is known to be, on the leader.\n"
	               "# TYPE k3x_raft_member_match_index gauge\n");
	for (size_t i = 0; i < r->n_members; i++)
		strbuf_addf(b, "k3x_raft_member_match_index{member=\"%016" PRIx64 "\"} %" PRIu64 "\n", r->members[i].id,
		        r->members[i].match_index);
}

enum peer_metric { PEER_ACTIVE, PEER_SENT, PEER_RECEIVED, PEER_FAILURES, PEER_ROUND_TRIPS };

static void peer_line(
        struct strbuf *b, enum peer_metric what, const char *name, uint64_t self, const struct peer_stats *p)
{
	char labels[64];
	uint64_t id = p->id;
	snprintf(labels, sizeof labels, "%s=\"%" PRIx64 "\"", what == PEER_RECEIVED ? "From" : "To", id);
	switch (what) {
	case PEER_ACTIVE:
		strbuf_addf(b, "%s{Local=\"%" PRIx64 "\",Remote=\"%" PRIx64 "\"} %d\n", name, self, id,
		        peer_stats_is_active(p, histogram_now_ns()));
		break;
	case PEER_SENT:
		strbuf_addf(b, "%s{%s} %" PRIu64 "\n", name, labels, p->sent_bytes);
		break;
	case PEER_RECEIVED:
		strbuf_addf(b, "%s{%s} %" PRIu64 "\n", name, labels, p->received_bytes);
		break;
	case PEER_FAILURES:
		strbuf_addf(b, "%s{%s} %" PRIu64 "\n", name, labels, p->send_failures);
		break;
	case PEER_ROUND_TRIPS:
		histogram_write(&p->round_trips, b, name, labels);
		break;
	}
}

static void peers_part(struct strbuf *b, uint64_t self, const struct peer_table *t)
{
	static const struct {
		enum peer_metric what;
		const char *name, *type, *help;
	} metrics[] = {{PEER_ACTIVE, "etcd_network_active_peers", "gauge", "Members heard of lately."},
	        {PEER_SENT, "etcd_network_peer_sent_bytes_total", "counter", "Bytes of messages sent to peers."},
	        {PEER_RECEIVED, "etcd_network_peer_received_bytes_total", "counter",
	                "Bytes of messages received from peers."},
	        {PEER_FAILURES, "etcd_network_peer_sent_failures_total", "counter", "Messages to peers dropped."},
	        {PEER_ROUND_TRIPS, "etcd_network_peer_round_trip_time_seconds", "histogram", "Round trips to peers."}};
	for (size_t i = 0; i < COUNT_OF(metrics); i++) {
		strbuf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help, metrics[i].name,
		        metrics[i].type);
		for (size_t p = 0; p < PEER_STATS_MAX && t->at[p].id; p++)
			peer_line(b, metrics[i].what, metrics[i].name, self, &t->at[p]);
	}
}

static void raft_part(struct strbuf *b, struct etcd_service *s)
{
	struct raft_node_status r;
	struct raft_engine_counters n;
	bool is_learner = true;
	raft_engine_status(s->raft, &r);
	raft_engine_counters(s->raft, &n);
	for (size_t i = 0; i < r.n_members; i++)
		is_learner &= r.members[i].id != r.id || r.members[i].role != RAFT_HOST_VOTER;
	one(b, "etcd_server_has_leader", "gauge", "Whether a leader is known.", r.leader != 0);
	one(b, "etcd_server_is_leader", "gauge", "Whether this member leads.", r.is_leader);
	one(b, "etcd_server_is_learner", "gauge", "Whether this member has no vote.", is_learner);
	one(b, "etcd_server_leader_changes_seen_total", "counter", "Changes of the leader seen.",
	        (int64_t)n.leader_changes);
	one(b, "etcd_server_proposals_committed_total", "gauge", "Log entries committed.", (int64_t)r.commit_index);
	one(b, "etcd_server_proposals_applied_total", "gauge", "Log entries applied to the state.", n.applied_index);
	one(b, "etcd_server_proposals_pending", "gauge", "Proposals that wait.", (int64_t)n.proposals_pending);
	one(b, "etcd_server_proposals_failed_total", "counter", "Proposals that failed.", (int64_t)n.proposals_failed);
	one(b, "etcd_server_slow_read_indexes_total", "counter",
	        "Questions what is committed that were not answered in time.", (int64_t)n.slow_reads);
	one(b, "k3x_raft_term", "gauge", "Term.", (int64_t)r.term);
	one(b, "k3x_raft_last_index", "gauge", "Last entry of the log.", (int64_t)r.last_index);
	one(b, "k3x_raft_commands_applied_total", "counter", "Commands applied.", (int64_t)n.proposals_applied);
	one(b, "k3x_raft_apply_queue_bytes", "gauge", "Committed bytes that wait to be applied.",
	        (int64_t)n.apply_queue_bytes);
	one(b, "k3x_raft_durable_index", "gauge", "Entry up to which the database is synced.", n.durable_index);
	one(b, "k3x_raft_disk_full", "gauge", "Whether the disk is full.", n.is_disk_full);
	one(b, "k3x_raft_fenced", "gauge", "Whether this replica differs from the others and is being replaced.",
	        n.is_fenced);
	one(b, "k3x_raft_state_fetch_bytes", "gauge", "Bytes of a state fetched so far.",
	        r.is_fetching ? (int64_t)r.fetched_bytes : 0);
	members_part(b, &r);
	peers_part(b, r.id, raft_engine_peers(s->raft));
}

static void memory_part(struct strbuf *b)
{
	long all = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%ld %ld", &all, &resident) != 2)
		all = resident = 0;
	if (f)
		fclose(f);
	one(b, "process_resident_memory_bytes", "gauge", "Resident memory.", resident * sysconf(_SC_PAGESIZE));
	one(b, "process_virtual_memory_bytes", "gauge", "Memory that is mapped.", all * sysconf(_SC_PAGESIZE));
}

static int64_t open_files(void)
{
	int64_t n = 0;
	DIR *d = opendir("/proc/self/fd");
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n ? n - 1 : 0; /* less the one that reads the folder */
}

/* In seconds since 1970: the kernel tells ticks since it began itself. */
static double start_time_s(void)
{
	char text[1024];
	unsigned long long ticks = 0, boot = 0;
	FILE *f = fopen("/proc/self/stat", "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = 0;
	if (f)
		fclose(f);
	const char *behind = strrchr(text, ')'); /* the name of a program may be anything */
	if (behind)
		sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		        &ticks);
	f = fopen("/proc/stat", "re");
	while (f && fgets(text, sizeof text, f) && sscanf(text, "btime %llu", &boot) != 1)
		;
	if (f)
		fclose(f);
	return (double)boot + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void process_part(struct strbuf *b)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	double cpu = (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	             (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	struct rlimit files = {0};
	memory_part(b);
	getrlimit(RLIMIT_NOFILE, &files);
	one(b, "process_open_fds", "gauge", "Descriptors that are open.", open_files());
	one(b, "process_max_fds", "gauge", "Descriptors that may be.", (int64_t)files.rlim_cur);
	strbuf_addf(b,
	        "# HELP process_start_time_seconds When the process began, since 1970.\n# TYPE "
	        "process_start_time_seconds gauge\nprocess_start_time_seconds %.2f\n",
	        start_time_s());
	strbuf_addf(b,
	        "# HELP process_cpu_seconds_total CPU time used.\n# TYPE process_cpu_seconds_total counter\n"
	        "process_cpu_seconds_total %.2f\n",
	        cpu);
}

void etcd_metrics(struct etcd_service *s, struct http_exchange *x)
{
	LOOP_CHECK_OWNER(s->loop);
	struct strbuf out = STRBUF_INIT;
	raft_part(&out, s);
	store_part(&out, s);
	etcd_counts_write(s->counts, &out);
	process_part(&out);
	one(&out, "etcd_server_health_success", "counter", "Health checks that went well.",
	        (int64_t)s->counters.health_successes);
	one(&out, "etcd_server_health_failures", "counter", "Health checks that did not.",
	        (int64_t)s->counters.health_failures);
	strbuf_addf(&out,
	        "# HELP etcd_server_id Who this is.\n# TYPE etcd_server_id gauge\netcd_server_id{server_id=\"%" PRIx64
	        "\"} 1\n"
	        "# HELP etcd_cluster_version The version of etcd's API that all members speak.\n# TYPE "
	        "etcd_cluster_version gauge\netcd_cluster_version{cluster_version=\"3.5\"} 1\n",
	        s->options.member_id);
	strbuf_addf(&out, "# HELP etcd_server_version The version of etcd whose behaviour this is.\n# TYPE "
	                  "etcd_server_version gauge\n"
	                  "etcd_server_version{server_version=\"3.5.16\"} 1\n");
	http_set_content_type(x, "text/plain; version=0.0.4");
	http_respond_strbuf(x, 200, &out);
}
