/* Who a member is, and with whom it begins.
 *
 * The ids stay with the data: "cluster" and "member" in the data directory hold them from the first start on. A cluster
 * that begins derives them, so that every member finds the same: a member's from the token and its peer URL, the
 * cluster's from all of those. A member that joins is in the cluster's configuration already (member add); it asks the
 * others under which id, by its peer URL.
 *
 * A member that lags may still know that URL under the id of one that was removed meanwhile, and a server that began
 * with that id would never be let in. So everybody is asked, and only the leader is believed, and that only when nobody
 * knows of a later term. */
#include "tools/store/serve/serve_settings.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/log.h"
#include "base/pki/pki.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ASK_MS = 3000, ASK_ROUNDS = 10 };

static uint64_t hash_id(const char *x, const char *y)
{
	struct arena a = ARENA_INIT;
	unsigned char hash[32];
	uint64_t id;
	char *text = arena_printf(&a, "%s\n%s", x, y);
	pki_sha256(text, strlen(text), hash);
	memcpy(&id, hash, sizeof id);
	arena_release(&a);
	return id ? id : 1;
}

/* ---- the files ---- */

static int load_id(const char *path, uint64_t *id, struct err *err)
{
	unsigned long long n = 0;
	FILE *f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : err_errno(err, errno, "open %s", path);
	int got = fscanf(f, "%16llx", &n);
	fclose(f);
	*id = n;
	if (got == 1 && n)
		return 0;
	return err_set(
	        err, ERR_CORRUPT, "%s does not hold an id (16 hex digits): restore it from another member", path);
}

static int save_id(const char *path, uint64_t id, struct err *err)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", id);
	return pki_file_write(path, (struct slice){text, (size_t)n}, 0600, err);
}

/* ---- beginning ---- */

static int compare_servers(const void *a, const void *b)
{
	const struct raft_host_server *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* "a=http://10.0.0.1:2380,b=http://..." */
static int parse_cluster(const struct serve_settings *v, struct arena *a, struct serve_identity *id, struct err *err)
{
	struct slice rest = slice_of(v->initial_cluster);
	bool has_self = false;
	size_t n = 1;
	for (const char *p = v->initial_cluster; *p; p++)
		n += *p == ',';
	id->servers = ARENA_ARRAY(a, struct raft_host_server, n);
	while (rest.len) {
		struct slice url = slice_cut(&rest, ','), name = slice_cut(&url, '=');
		if (!name.len || !url.len)
			return err_set(err, ERR_INVAL,
			        "--initial-cluster: \"%s\" is not like name=http://host:2380,...", v->initial_cluster);
		const char *address = arena_printf(a, "%.*s", SLICE_FMT(url));
		has_self |= slice_is(name, v->name) && strcmp(address, id->peer_url) == 0;
		id->servers[id->n_servers++] =
		        (struct raft_host_server){hash_id(v->initial_cluster_token, address), address, RAFT_HOST_VOTER};
	}
	qsort(id->servers, id->n_servers, sizeof *id->servers, compare_servers);
	if (!has_self)
		return err_set(err, ERR_INVAL,
		        "--initial-cluster \"%s\" does not hold %s=%s (--name and --initial-advertise-peer-urls)",
		        v->initial_cluster, v->name, id->peer_url);
	return 0;
}

static uint64_t cluster_id_of(const struct serve_identity *id, const char *token, struct arena *a)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < id->n_servers; i++)
		strbuf_addf(&b, "%016" PRIx64, id->servers[i].id);
	uint64_t n = hash_id(token, strbuf_cstr(&b));
	strbuf_release(&b);
	return n;
}

/* ---- joining ---- */

static uint64_t id_in(const json_t *answer, const char *name)
{
	struct slice text = json_lib_get_str(answer, name);
	return text.len ? strtoull(text.ptr, NULL, 16) : 0;
}

/* {"cluster":"...","member":"...","term":N,"leads":true}, or with "error" in place of the ids */
int serve_answer_parse(struct slice text, struct serve_told *told, struct err *err)
{
	json_auto_t *j = json_lib_parse(text, err);
	if (!j)
		return err->code;
	int64_t term = json_lib_get_int(j, "term", 0);
	*told = (struct serve_told){.cluster_id = id_in(j, "cluster"),
	        .member_id = id_in(j, "member"),
	        .term = term > 0 ? (uint64_t)term : 0,
	        .leads = json_lib_get_bool(j, "leads", false)};
	if (!json_lib_get_str(j, "error").len && (!told->cluster_id || !told->member_id))
		return err_set(err, ERR_PROTOCOL, "an answer without ids");
	return 0;
}

const struct serve_told *serve_answer_choose(const struct serve_told *told, size_t n)
{
	const struct serve_told *leader = NULL;
	uint64_t term = 0;
	for (size_t i = 0; i < n; i++) {
		if (told[i].term > term)
			term = told[i].term;
		if (told[i].leads && (!leader || told[i].term > leader->term))
			leader = &told[i];
	}
	return leader && leader->term == term ? leader : NULL;
}

const struct serve_told *serve_answer_removal(const struct serve_told *told, size_t n, uint64_t id)
{
	const struct serve_told *leader = serve_answer_choose(told, n);
	return leader && leader->member_id != id ? leader : NULL;
}

static int ask(const char *url, const struct serve_identity *id, const struct raft_peer_access *access,
        struct serve_told *told, struct err *err)
{
	struct strbuf answer = STRBUF_INIT;
	int rc = raft_node_ask(url, access, slice_of(id->peer_url), ASK_MS, &answer, err);
	if (rc == 0)
		rc = serve_answer_parse(strbuf_slice(&answer), told, err);
	strbuf_release(&answer);
	return rc;
}

static int ask_once(struct serve_identity *id, const struct raft_peer_access *access, struct err *err)
{
	struct serve_told told[RAFT_MEMBERS_MAX] = {0};
	size_t n = 0;
	err_set(err, ERR_INVAL, "--initial-cluster names nobody else to ask");
	for (size_t i = 0; i < id->n_servers && n < RAFT_MEMBERS_MAX; i++) {
		const char *url = id->servers[i].address;
		if (strcmp(url, id->peer_url) == 0)
			continue;
		*err = ERR_INIT;
		if (ask(url, id, access, &told[n], err) == 0)
			n++;
		else
			log_info("store", "not told who this is", "asked=%s error=\"%s\"", url, err->msg);
	}
	const struct serve_told *best = serve_answer_choose(told, n);
	if (best && best->member_id) {
		id->cluster_id = best->cluster_id;
		id->member_id = best->member_id;
		return 0;
	}
	if (n)
		err_set(err, ERR_NOT_FOUND, "%s", best ? "no member has this peer URL" : "nobody of them leads");
	return err->code;
}

static int join(struct serve_identity *id, const struct raft_peer_access *access, struct err *err)
{
	int rc = -1;
	for (int i = 0; i < ASK_ROUNDS && rc != 0; i++) {
		if (i)
			usleep(1000 * 1000);
		rc = ask_once(id, access, err);
	}
	id->n_servers = 0;
	id->servers = NULL;
	return rc == 0 ? 0
	               : err_wrap(err,
	                         "joining: no member of --initial-cluster that leads knows this server's peer URL "
	                         "(add it with `member add` first)");
}

void serve_answer(void *arg, struct slice question, struct strbuf *answer)
{
	struct serve_answers *s = arg;
	struct raft_engine *e = atomic_load(&s->engine);
	struct raft_node_status status = {0};
	if (e)
		raft_engine_status(e, &status);
	const struct raft_node_member *m = NULL;
	for (size_t i = 0; i < status.n_members; i++)
		if (slice_is(question, status.members[i].address))
			m = &status.members[i];
	json_auto_t *v = json_object();
	if (m) {
		json_lib_set_fmt(v, "cluster", "%016" PRIx64, s->cluster_id);
		json_lib_set_fmt(v, "member", "%016" PRIx64, m->id);
	} else {
		json_lib_set_cstr(v, "error", "no member has this peer URL");
	}
	json_lib_set_int(v, "term", (int64_t)status.term);
	json_lib_set_bool(v, "leads", status.is_leader && !status.is_changing);
	json_lib_write(answer, v);
}

/* ---- all of it ---- */

int serve_identity_begin(const struct serve_settings *v, struct arena *a, struct serve_identity *id, struct err *err)
{
	struct serve_settings with = *v;
	id->peer_url = v->advertise_peer.count ? v->advertise_peer.items[0] : "http://localhost:2380";
	if (!with.initial_cluster)
		with.initial_cluster = arena_printf(a, "%s=%s", v->name, id->peer_url);
	if (parse_cluster(&with, a, id, err) != 0)
		return err->code;
	id->member_id = hash_id(v->initial_cluster_token, id->peer_url);
	id->cluster_id = cluster_id_of(id, v->initial_cluster_token, a);
	return 0;
}

static int find_out(const struct serve_settings *v, struct arena *a, const struct raft_peer_access *access,
        struct serve_identity *id, struct err *err)
{
	if (serve_identity_begin(v, a, id, err) != 0)
		return err->code;
	return strcmp(v->initial_cluster_state, "existing") == 0 ? join(id, access, err) : 0;
}

int serve_identity_load(const struct serve_settings *v, struct arena *a, const struct raft_peer_access *access,
        struct serve_identity *ret, struct err *err)
{
	const char *cluster = arena_printf(a, "%s/cluster", v->data_dir),
	           *member = arena_printf(a, "%s/member", v->data_dir);
	struct serve_identity id = {0};
	uint64_t cluster_id = 0;
	id.peer_url = v->advertise_peer.count ? v->advertise_peer.items[0] : "http://localhost:2380";
	if (load_id(cluster, &cluster_id, err) != 0 || load_id(member, &id.member_id, err) != 0)
		return err->code;
	id.cluster_id = cluster_id;
	if (id.member_id && cluster_id) {
		*ret = id;
		return 0;
	}
	if (find_out(v, a, access, &id, err) != 0)
		return err->code;
	if (cluster_id) /* data of a single server, or restored: it keeps its identity */
		id.cluster_id = cluster_id;
	else if (save_id(cluster, id.cluster_id, err) != 0)
		return err->code;
	if (save_id(member, id.member_id, err) != 0)
		return err->code;
	*ret = id;
	return 0;
}
