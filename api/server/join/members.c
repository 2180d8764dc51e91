/* Servers that join: what they need to begin (the keys, sealed under the token, and where the members are), and their
 * becoming members.
 *
 *     read the servers' names -> look for rivals -> ask around -> [ remove one that is gone ]* -> add -> note its name
 *
 * A rival is a member that has the joiner's address or its name, and another id. One that answers on its peer port as
 * itself is alive, and the joiner is turned away: two servers of a name would fight over it. One that does not is what
 * the joiner was before its disk was wiped, and makes room. The joiner itself is asked too: a peer port that the others
 * can't reach is told now, and not by a cluster that loses its majority when the member is promoted.
 *
 * Every step can be repeated: a joiner that was not answered asks again, and is a member already. Members are added one
 * at a time; who comes meanwhile is told to wait. It comes in as a standby without a vote; promotion is its own affair,
 * when it has caught up. */
#include "api/server/join/join_int.h"

#include "api/machinery/rules/validate.h"
#include "api/server/answer.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/log.h"
#include "base/stop_point.h"
#include "store/engine/raft_engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ASK_MS = 2000 };

struct adding {
	struct join *join;
	struct call *call;
	struct arena arena;
	struct join_ask ask;
	struct raft_node_status status;
	bool is_rival[RAFT_MEMBERS_MAX]; /* by its place in status */
	bool is_alive[RAFT_MEMBERS_MAX];
	bool is_reached; /* the joiner, from here */
	struct pool_work work;
	struct store_request request;
	struct store_system_entry entry;
	struct raft_engine_change change;
	struct err err;
};

static bool can_join(struct join *j, struct err *err)
{
	if (j->raft && j->options.access)
		return true;
	err_set(err, ERR_CONFLICT,
	        "this server was not started to be joined by others: start it again with --cluster-init (its data "
	        "stays)");
	return false;
}

/* ---- the beginning ---- */

struct bootstrap {
	struct join *join;
	struct call *call;
	struct store_request request;
};

static void respond_offer(struct join *j, struct call *c, struct slice keys)
{
	struct strbuf out = STRBUF_INIT;
	struct raft_node_status s;
	struct join_offer o = {.cluster_id = j->options.cluster_id,
	        .protocol = JOIN_PROTOCOL,
	        .kubernetes = K3X_KUBE_VERSION,
	        .settings = j->options.settings,
	        .keys = keys};
	raft_engine_status(j->raft, &s);
	for (size_t i = 0; i < s.n_members && o.n_members < JOIN_MEMBERS_MAX; i++)
		o.members[o.n_members++] = s.members[i].address;
	join_offer_write(&o, &out);
	call_respond_strbuf(c, 200, "application/json", &out);
}

static void keys_read(struct store_request *req)
{
	struct bootstrap *b = CONTAINER_OF(req, struct bootstrap, request);
	struct err err = req->err;
	if (!err.code && req->system.n_entries != 1)
		err_set(&err, ERR_UNAVAILABLE, "the cluster's keys are not in the store yet: try again in a moment");
	if (!err.code)
		respond_offer(b->join, b->call, req->system.entries[0].value);
	store_request_release(req);
	join_end(b->join, b->call, &err);
	free(b);
}

void join_bootstrap(struct join *j, struct call *c)
{
	struct err err = ERR_INIT;
	const char *mark = j->options.stale_mark_file;
	/* Before the read: what is read once it is gone is what was written then. */
	if (can_join(j, &err) && mark && access(mark, F_OK) == 0)
		err_set(&err, ERR_UNAVAILABLE, "the cluster's keys are not in the store yet: try again in a moment");
	if (err.code) {
		call_respond_err(c, &err);
		return;
	}
	struct bootstrap *b = xcalloc(1, sizeof *b);
	b->join = j;
	b->call = c;
	b->request =
	        (struct store_request){.type = STORE_REQUEST_SYSTEM_READ, .loop = j->server->loop, .done = keys_read};
	b->request.system.prefix = SLICE(JOIN_KEYS_KEY);
	join_begin(j, c);
	store_submit(j->server->store, &b->request);
}

/* ---- becoming a member ---- */

static void finish(struct adding *a)
{
	struct strbuf out = STRBUF_INIT;
	a->join->is_adding = false;
	if (a->err.code) {
		log_warn("join", "a server was not added", "name=%s address=%s error=\"%s\"", a->ask.name,
		        a->ask.address, a->err.msg);
	} else {
		strbuf_addf(&out, "{\"member\":\"%016" PRIx64 "\"}", a->ask.member_id);
		call_respond_strbuf(a->call, 200, "application/json", &out);
	}
	join_end(a->join, a->call, &a->err);
	arena_release(&a->arena);
	free(a);
}

static void name_written(struct store_request *req)
{
	struct adding *a = CONTAINER_OF(req, struct adding, request);
	a->err = req->err;
	store_request_release(req);
	stop_point(STOP_ADD_NAMED);
	finish(a);
}

static void note_name(struct adding *a)
{
	a->entry = (struct store_system_entry){
	        .key = slice_of(arena_printf(&a->arena, JOIN_NAMES_PREFIX "%016" PRIx64, a->ask.member_id)),
	        .value = slice_of(a->ask.name)};
	a->request = (struct store_request){
	        .type = STORE_REQUEST_SYSTEM, .loop = a->join->server->loop, .done = name_written};
	a->request.system.expect_version = STORE_SYSTEM_ANY;
	a->request.system.changes = &a->entry;
	a->request.system.n_changes = 1;
	store_submit(a->join->server->store, &a->request);
}

static void change_next(struct adding *a);

static void changed(struct raft_engine_change *change)
{
	struct adding *a = CONTAINER_OF(change, struct adding, change);
	bool is_gone_anyway = change->kind == RAFT_ENGINE_REMOVE && change->err.code == ERR_NOT_FOUND;
	a->err = change->err;
	if (a->err.code && !is_gone_anyway) {
		finish(a);
		return;
	}
	a->err = ERR_INIT;
	if (change->kind == RAFT_ENGINE_ADD) {
		log_info("join", "a server was added, it gets a vote when it has caught up",
		        "name=%s address=%s member=%016" PRIx64, a->ask.name, a->ask.address, a->ask.member_id);
		stop_point(STOP_ADD_ADDED);
		note_name(a);
	} else {
		change_next(a);
	}
}

static void submit_change(struct adding *a, enum raft_engine_change_kind kind, uint64_t id)
{
	a->change = (struct raft_engine_change){.kind = kind, .id = id, .loop = a->join->server->loop, .done = changed};
	snprintf(a->change.address, sizeof a->change.address, "%s", a->ask.address);
	raft_engine_change_members(a->join->raft, &a->change);
}

static void change_next(struct adding *a)
{
	bool is_member = false;
	stop_point(STOP_ADD_BEGUN);
	for (size_t i = 0; i < a->status.n_members; i++) {
		const struct raft_node_member *m = &a->status.members[i];
		if (a->is_rival[i]) {
			a->is_rival[i] = false;
			log_info("join", "a member that is gone makes room for one that takes its place",
			        "member=%016" PRIx64 " address=%s name=%s", m->id, m->address, a->ask.name);
			submit_change(a, RAFT_ENGINE_REMOVE, m->id);
			return;
		}
		is_member = is_member || (m->id == a->ask.member_id && strcmp(m->address, a->ask.address) == 0);
	}
	if (is_member)
		note_name(a);
	else
		submit_change(a, RAFT_ENGINE_ADD, a->ask.member_id);
}

/* ---- asking around ---- */

/* On the pool. */
static bool says_it_is(struct adding *a, const char *address, uint64_t *id, struct err *err)
{
	struct strbuf answer = STRBUF_INIT;
	bool ok = raft_node_ask(address, a->join->options.access, slice_of(address), ASK_MS, &answer, err) == 0;
	*id = ok ? join_answered_member(strbuf_slice(&answer)) : 0;
	strbuf_release(&answer);
	return ok;
}

static void ask_around(struct pool_work *w)
{
	struct adding *a = CONTAINER_OF(w, struct adding, work);
	struct err unused;
	uint64_t id;
	a->is_reached = says_it_is(a, a->ask.address, &id, &a->err);
	for (size_t i = 0; a->is_reached && i < a->status.n_members; i++) {
		unused = ERR_INIT;
		a->is_alive[i] = a->is_rival[i] && a->status.members[i].id != a->ask.member_id &&
		                 says_it_is(a, a->status.members[i].address, &id, &unused) &&
		                 id == a->status.members[i].id;
	}
}

static void asked_around(struct pool_work *w)
{
	struct adding *a = CONTAINER_OF(w, struct adding, work);
	if (!a->is_reached) {
		struct err why = a->err;
		err_set(&a->err, ERR_TIMEOUT,
		        "the peer port of the server that joins can't be reached from %s (open it in the firewall, or "
		        "give "
		        "--node-ip): %s",
		        a->join->server->options.advertise_address, why.msg);
	}
	for (size_t i = 0; !a->err.code && i < a->status.n_members; i++)
		if (a->is_alive[i])
			err_set(&a->err, ERR_EXISTS,
			        "another server that runs has the name %s or the address %s (member %016" PRIx64
			        " at %s): give this one another --node-name and --node-ip",
			        a->ask.name, a->ask.address, a->status.members[i].id, a->status.members[i].address);
	if (a->err.code)
		finish(a);
	else
		change_next(a);
}

/* ---- rivals ---- */

static bool has_name(const struct store_request *names, uint64_t id, const char *name)
{
	char key[64];
	snprintf(key, sizeof key, JOIN_NAMES_PREFIX "%016" PRIx64, id);
	for (size_t i = 0; i < names->system.n_entries; i++)
		if (slice_is(names->system.entries[i].key, key))
			return slice_is(names->system.entries[i].value, name);
	return false;
}

static void names_read(struct store_request *req)
{
	struct adding *a = CONTAINER_OF(req, struct adding, request);
	a->err = req->err;
	raft_engine_status(a->join->raft, &a->status);
	for (size_t i = 0; !a->err.code && i < a->status.n_members; i++) {
		const struct raft_node_member *m = &a->status.members[i];
		bool same_id = m->id == a->ask.member_id, same_address = strcmp(m->address, a->ask.address) == 0;
		a->is_rival[i] = same_id ? !same_address : same_address || has_name(req, m->id, a->ask.name);
	}
	store_request_release(req);
	if (a->err.code) {
		finish(a);
	} else if (!pool_submit(a->join->pool, &a->work, a->join->server->loop, ask_around, asked_around)) {
		err_set(&a->err, ERR_BUSY, "too many servers and agents join at this moment: try again");
		finish(a);
	}
}

static int check(struct join *j, const struct join_ask *ask, struct err *err)
{
	if (!can_join(j, err) || join_check_versions(K3X_KUBE_VERSION, ask->protocol, ask->kubernetes, err) != 0)
		return err->code;
	if (validate_dns1123_subdomain(slice_of(ask->name)))
		return err_set(err, ERR_INVAL, "\"name\" is not a node's name");
	if (strncmp(ask->address, "https://", 8) != 0)
		return err_set(err, ERR_INVAL, "\"address\" is not like https://10.0.0.1:2380");
	if (j->is_adding)
		return err_set(err, ERR_UNAVAILABLE, "another server joins at this moment: wait until it has");
	return 0;
}

void join_member(struct join *j, struct call *c)
{
	struct adding *a = xcalloc(1, sizeof *a);
	a->join = j;
	a->call = c;
	if (join_ask_parse(&a->arena, c->body, &a->ask, &a->err) != 0 || check(j, &a->ask, &a->err) != 0) {
		call_respond_err(c, &a->err);
		arena_release(&a->arena);
		free(a);
		return;
	}
	j->is_adding = true;
	join_begin(j, c);
	a->request =
	        (struct store_request){.type = STORE_REQUEST_SYSTEM_READ, .loop = j->server->loop, .done = names_read};
	a->request.system.prefix = SLICE(JOIN_NAMES_PREFIX);
	store_submit(j->server->store, &a->request);
}
