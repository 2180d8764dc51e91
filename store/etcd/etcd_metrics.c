/* /metrics: Prometheus text, under etcd's names where the meaning is etcd's, so that dashboards made for etcd show it.
 */
#include "store/etcd/etcd_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void one(struct strbuf *b, const char *name, const char *type, const char *help, int64_t value)
{
	strbuf_addf(b, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", name, help, name, type, name, value);
}

static void store_part(struct strbuf *b, struct etcd_service *s)
{
	struct store_stats st = {0};
	store_stats(s->store, &st);
	one(b, "etcd_mvcc_db_total_size_in_bytes", "gauge", "Bytes of the database and its write-ahead log.",
	        st.size_bytes);
	one(b, "etcd_mvcc_db_total_size_in_use_in_bytes", "gauge", "Bytes of the database that hold something.",
	        st.size_in_use_bytes);
	one(b, "etcd_debugging_mvcc_keys_total", "gauge", "Keys that live.", st.keys);
	one(b, "etcd_debugging_mvcc_current_revision", "gauge", "Newest revision.", st.revision);
	one(b, "etcd_debugging_mvcc_compact_revision", "gauge", "Compacted revision.", st.compacted_revision);
	one(b, "etcd_debugging_mvcc_watch_stream_total", "gauge", "Watch streams.", (int64_t)s->counters.watch_streams);
	one(b, "etcd_debugging_mvcc_watcher_total", "gauge", "Watches.", (int64_t)s->counters.watches);
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
	strbuf_adds(b, "# HELP etcd_network_active_peers Members heard of lately.\n"
	               "# TYPE etcd_network_active_peers gauge\n");
	for (size_t i = 0; i < r->n_members; i++)
		if (r->members[i].id != r->id)
			strbuf_addf(b,
			        "etcd_network_active_peers{Local=\"%016" PRIx64 "\",Remote=\"%016" PRIx64 "\"} %d\n",
			        r->id, r->members[i].id, r->members[i].is_online);
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
	one(b, "etcd_server_proposals_pending", "gauge", "Requests that wait.", (int64_t)n.proposals_pending);
	one(b, "etcd_server_proposals_failed_total", "counter", "Requests that failed.", (int64_t)n.proposals_failed);
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
}

static int64_t resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void process_part(struct strbuf *b)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	double cpu = (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	             (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	one(b, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
	strbuf_addf(b,
	        "# HELP process_cpu_seconds_total CPU time used.\n# TYPE process_cpu_seconds_total counter\n"
	        "process_cpu_seconds_total %.2f\n",
	        cpu);
}

void etcd_metrics(struct etcd_service *s, struct http_exchange *x)
{
	struct strbuf out = STRBUF_INIT;
	if (s->raft) {
		raft_part(&out, s);
	} else {
		one(&out, "etcd_server_has_leader", "gauge", "Whether a leader is known.", 1);
		one(&out, "etcd_server_is_leader", "gauge", "Whether this member leads.", 1);
	}
	store_part(&out, s);
	process_part(&out);
	strbuf_addf(&out, "# HELP etcd_server_version The version of etcd whose behaviour this is.\n# TYPE "
	                  "etcd_server_version gauge\n"
	                  "etcd_server_version{server_version=\"3.5.16\"} 1\n");
	http_set_content_type(x, "text/plain; version=0.0.4");
	http_respond_strbuf(x, 200, &out);
}
