/* `k3x-store endpoint|alarm|defrag`: what each server says of itself. Every command asks each endpoint, or with
 * --cluster each member of the cluster, and ends with success only when all answered. */
#include "tools/store/members.h"
#include "tools/store/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool in_cluster;

#define CLUSTER_FLAG \
	{ \
		"cluster", 0, FLAG_BOOL, &in_cluster, NULL, "ask every member of the cluster", NULL \
	}

/* Loads; with --cluster the endpoints are the members' then. */
static bool load(struct store_command *m, const char *name, const char *summary, const struct flag *more, size_t n,
        int argc, char **argv)
{
	in_cluster = false;
	return store_command_load(m, name, summary, more, n, argc, argv) == 0 &&
	       store_command_wants(m, 0, 0, "no arguments") == 0 && (!in_cluster || store_members_as_endpoints(m));
}

static void *ask(struct store_command *m, const char *endpoint, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer)
{
	struct err err = ERR_INIT;
	void *got = store_endpoint_call(m, endpoint, method, request, answer, &err);
	if (!got) {
		fprintf(stderr, "k3x-store %s: %s: %s\n", m->name, endpoint, err.msg);
		m->exit_code = err_exit_code(err.code);
	}
	return got;
}

/* ---- status ---- */

static void add_status(struct store_table *t, const char *endpoint, const Etcdpb__StatusResponse *s)
{
	struct strbuf errors = STRBUF_INIT;
	for (size_t i = 0; i < s->n_errors; i++)
		strbuf_addf(&errors, "%s%s", i ? "; " : "", s->errors[i]);
	bool leads = s->leader == s->header->member_id;
	store_table_add(t, "%s", endpoint);
	store_table_add(t, "%016" PRIx64, s->header->member_id);
	store_table_add(t, "%s", s->version);
	store_table_add(t, "%s", store_table_size(t, s->dbsize));
	store_table_add(t, "%s", store_table_size(t, s->dbsizeinuse));
	store_table_add(t, "%s", leads ? "leader" : s->islearner ? "learner" : "follower");
	store_table_add(t, "%" PRIu64, s->raftterm);
	store_table_add(t, "%" PRIu64, s->raftindex);
	store_table_add(t, "%" PRIu64, s->raftappliedindex);
	store_table_add(t, "%" PRId64, s->header->revision);
	store_table_add(t, "%s", strbuf_cstr(&errors));
	store_table_add(t, "%" PRId64, s->dbsize);
	store_table_add(t, "%" PRId64, s->dbsizeinuse);
	store_table_add(t, "%" PRId64, s->dbsizequota);
	store_table_add(t, "%s", leads ? "true" : "false");
	store_table_add(t, "%s", s->islearner ? "true" : "false");
	store_table_add(t, "%016" PRIx64, s->leader);
	strbuf_release(&errors);
}

int store_endpoint_status(int argc, char **argv)
{
	static const struct store_column columns[] = {{"ENDPOINT", "endpoint", STORE_COLUMN_TEXT},
	        {"MEMBER", "member", STORE_COLUMN_TEXT}, {"VERSION", "version", STORE_COLUMN_TEXT},
	        {"SIZE", NULL, STORE_COLUMN_NUMBER}, {"IN USE", NULL, STORE_COLUMN_NUMBER},
	        {"ROLE", NULL, STORE_COLUMN_TEXT}, {"TERM", "term", STORE_COLUMN_NUMBER},
	        {"INDEX", "index", STORE_COLUMN_NUMBER}, {"APPLIED", "appliedIndex", STORE_COLUMN_NUMBER},
	        {"REVISION", "revision", STORE_COLUMN_NUMBER}, {"ERRORS", "errors", STORE_COLUMN_TEXT},
	        {NULL, "dbSize", STORE_COLUMN_NUMBER}, {NULL, "dbSizeInUse", STORE_COLUMN_NUMBER},
	        {NULL, "quota", STORE_COLUMN_NUMBER}, {NULL, "isLeader", STORE_COLUMN_JSON},
	        {NULL, "isLearner", STORE_COLUMN_JSON}, {NULL, "leader", STORE_COLUMN_TEXT}};
	struct store_command m = {0};
	struct store_table t = {columns, sizeof columns / sizeof *columns, ARENA_INIT, NULL, 0, 0};
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT; /* an empty message */
	const struct flag more[] = {CLUSTER_FLAG};
	if (!load(&m, "endpoint status", "k3x-store endpoint status: what each endpoint says of itself", more, 1, argc,
	            argv))
		return store_command_end(&m);
	for (size_t i = 0; i < m.settings.endpoints.count; i++) {
		const char *e = m.settings.endpoints.items[i];
		Etcdpb__StatusResponse *s =
		        ask(&m, e, "Maintenance/Status", &empty.base, &etcdpb__status_response__descriptor);
		if (s)
			add_status(&t, e, s);
	}
	store_table_print(&t, m.json);
	return store_command_end(&m);
}

/* ---- health ---- */

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int store_endpoint_health(int argc, char **argv)
{
	static const struct store_column columns[] = {{"ENDPOINT", "endpoint", STORE_COLUMN_TEXT},
	        {"HEALTH", NULL, STORE_COLUMN_TEXT}, {"TOOK", NULL, STORE_COLUMN_NUMBER},
	        {"ERROR", "error", STORE_COLUMN_TEXT}, {NULL, "health", STORE_COLUMN_JSON},
	        {NULL, "tookMs", STORE_COLUMN_NUMBER}};
	struct store_command m = {0};
	struct store_table t = {columns, sizeof columns / sizeof *columns, ARENA_INIT, NULL, 0, 0};
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = store_bytes("health");
	const struct flag more[] = {CLUSTER_FLAG};
	if (!load(&m, "endpoint health",
	            "k3x-store endpoint health: can each endpoint answer a consistent read? Exit code 0: all", more, 1,
	            argc, argv))
		return store_command_end(&m);
	for (size_t i = 0; i < m.settings.endpoints.count; i++) {
		const char *e = m.settings.endpoints.items[i];
		struct err err = ERR_INIT;
		double start = now_ms();
		bool good =
		        store_endpoint_call(&m, e, "KV/Range", &r.base, &etcdpb__range_response__descriptor, &err) ||
		        err.code == ERR_FORBIDDEN; /* it could have answered */
		double took = now_ms() - start;
		if (!good)
			m.exit_code = err_exit_code(err.code);
		store_table_add(&t, "%s", e);
		store_table_add(&t, "%s", good ? "healthy" : "unhealthy");
		store_table_add(&t, "%.1f ms", took);
		store_table_add(&t, "%s", good ? "" : err.msg);
		store_table_add(&t, "%s", good ? "true" : "false");
		store_table_add(&t, "%.1f", took);
	}
	store_table_print(&t, m.json);
	return store_command_end(&m);
}

/* ---- hashes ---- */

/* Replicas are to be compared at one revision: the lowest of their newest, which all of them have. */
static int64_t common_revision(struct store_command *m)
{
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT;
	int64_t lowest = 0;
	for (size_t i = 0; i < m->settings.endpoints.count; i++) {
		struct err err = ERR_INIT;
		Etcdpb__StatusResponse *s = store_endpoint_call(m, m->settings.endpoints.items[i], "Maintenance/Status",
		        &empty.base, &etcdpb__status_response__descriptor, &err);
		if (s && s->header && (!lowest || s->header->revision < lowest))
			lowest = s->header->revision;
	}
	return lowest;
}

struct hashes {
	const char *first_endpoint;
	const Etcdpb__HashKVResponse *first;
	bool differ, not_comparable;
};

static void compare(struct hashes *x, const char *endpoint, const Etcdpb__HashKVResponse *h)
{
	if (!x->first) {
		x->first = h;
		x->first_endpoint = endpoint;
	} else if (h->compact_revision != x->first->compact_revision) {
		x->not_comparable = true; /* a compaction is on its way to one of them */
	} else if (h->hash != x->first->hash) {
		x->differ = true;
		fprintf(stderr, "k3x-store endpoint hashkv: %s and %s DIFFER at revision %" PRId64 "\n",
		        x->first_endpoint, endpoint, h->hash_revision);
	}
}

static void add_hash(struct store_table *t, const char *endpoint, const Etcdpb__HashKVResponse *h)
{
	store_table_add(t, "%s", endpoint);
	store_table_add(t, "%08x", h->hash);
	store_table_add(t, "%" PRId64, h->hash_revision);
	store_table_add(t, "%" PRId64, h->compact_revision);
}

int store_endpoint_hashkv(int argc, char **argv)
{
	static const struct store_column columns[] = {{"ENDPOINT", "endpoint", STORE_COLUMN_TEXT},
	        {"HASH", "hash", STORE_COLUMN_TEXT}, {"REVISION", "revision", STORE_COLUMN_NUMBER},
	        {"COMPACTED", "compactedRevision", STORE_COLUMN_NUMBER}};
	struct store_command m = {0};
	struct hashes x = {0};
	struct store_table t = {columns, sizeof columns / sizeof *columns, ARENA_INIT, NULL, 0, 0};
	Etcdpb__HashKVRequest r = ETCDPB__HASH_KVREQUEST__INIT;
	const struct flag more[] = {
	        CLUSTER_FLAG, {"rev", 0, FLAG_INT, &r.revision, NULL,
	                              "as of this revision (the newest that all of them have)", NULL}};
	if (!load(&m, "endpoint hashkv",
	            "k3x-store endpoint hashkv: compare what the endpoints keep, by its hash at one revision.\n"
	            "Exit code 0: all the same; 7: they differ; 4: compacted differently right now, ask again",
	            more, 2, argc, argv))
		return store_command_end(&m);
	if (!r.revision && m.settings.endpoints.count > 1)
		r.revision = common_revision(&m);
	for (size_t i = 0; i < m.settings.endpoints.count; i++) {
		const char *e = m.settings.endpoints.items[i];
		Etcdpb__HashKVResponse *h =
		        ask(&m, e, "Maintenance/HashKV", &r.base, &etcdpb__hash_kvresponse__descriptor);
		if (!h)
			continue;
		h->hash_revision =
		        h->hash_revision ? h->hash_revision : r.revision; /* before etcd 3.5.9 it is not said */
		add_hash(&t, e, h);
		compare(&x, e, h);
	}
	store_table_print(&t, m.json);
	if (x.differ)
		m.exit_code = err_exit_code(ERR_CORRUPT);
	else if (x.not_comparable)
		m.exit_code = err_exit_code(ERR_CONFLICT);
	if (x.not_comparable)
		fprintf(stderr,
		        "k3x-store endpoint hashkv: the endpoints are compacted at different revisions: ask again\n");
	return store_command_end(&m);
}

/* ---- alarms ---- */

static void print_alarms(struct store_command *m, const Etcdpb__AlarmResponse *got)
{
	static const char *const names[] = {"NONE", "NOSPACE", "CORRUPT"};
	for (size_t i = 0; i < got->n_alarms; i++) {
		const Etcdpb__AlarmMember *x = got->alarms[i];
		const char *name = x->alarm >= 0 && x->alarm <= 2 ? names[x->alarm] : "UNKNOWN";
		if (m->json)
			json_lib_print(stdout, json_pack("{s:o, s:s}", "member",
			                               json_sprintf("%016" PRIx64, x->memberid), "alarm", name));
		else
			printf("member %016" PRIx64 " alarm %s\n", x->memberid, name);
	}
}

int store_alarm_list(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__AlarmRequest r = ETCDPB__ALARM_REQUEST__INIT;
	Etcdpb__AlarmResponse *got = NULL;
	if (store_command_load(&m, "alarm list", "k3x-store alarm list: alarms that stand", NULL, 0, argc, argv) == 0)
		got = store_command_call(&m, "Maintenance/Alarm", &r.base, &etcdpb__alarm_response__descriptor);
	if (got)
		print_alarms(&m, got);
	return store_command_end(&m);
}

int store_alarm_disarm(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__AlarmRequest r = ETCDPB__ALARM_REQUEST__INIT;
	Etcdpb__AlarmResponse *standing = NULL;
	if (store_command_load(&m, "alarm disarm",
	            "k3x-store alarm disarm: take alarms down, once their cause is gone (room was made)", NULL, 0, argc,
	            argv) == 0)
		standing = store_command_call(&m, "Maintenance/Alarm", &r.base, &etcdpb__alarm_response__descriptor);
	for (size_t i = 0; standing && i < standing->n_alarms; i++) {
		r.action = 2;
		r.memberid = standing->alarms[i]->memberid;
		r.alarm = standing->alarms[i]->alarm;
		Etcdpb__AlarmResponse *got =
		        store_command_call(&m, "Maintenance/Alarm", &r.base, &etcdpb__alarm_response__descriptor);
		if (got)
			print_alarms(&m, got);
	}
	return store_command_end(&m);
}

/* ---- defrag ---- */

int store_defrag(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT;
	const struct flag more[] = {CLUSTER_FLAG};
	if (!load(&m, "defrag",
	            "k3x-store defrag: let each endpoint give free space of its file back. A k3x-store does that by "
	            "itself\n"
	            "after compactions; this is for etcd, where an endpoint does not answer meanwhile",
	            more, 1, argc, argv))
		return store_command_end(&m);
	for (size_t i = 0; i < m.settings.endpoints.count; i++) {
		const char *e = m.settings.endpoints.items[i];
		if (!ask(&m, e, "Maintenance/Defragment", &empty.base, &etcdpb__header_response__descriptor))
			continue;
		if (m.json)
			json_lib_print(stdout, json_pack("{s:o, s:b}", "endpoint", json_lib_new_str(slice_of(e)),
			                               "defragmented", true));
		else
			printf("%s defragmented\n", e);
	}
	return store_command_end(&m);
}
