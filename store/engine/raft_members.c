/* Membership, on the raft thread of the leader. Changes are steps of the raft host (one at a time, each behind a
 * barrier); what people ask for is one or two of them:
 *
 *     ADD      spare -> standby          (libraft adds spares)
 *     PROMOTE  standby -> voter, once it has caught up
 *     DEMOTE   voter -> standby
 *     REMOVE   and DEMOTE of itself: somebody else leads first, and is asked again
 *
 * When the leader changes between the two steps of ADD nobody is left to take the second, and a spare is sent nothing:
 * the leader that comes takes it, when it has seen a spare for a while.
 *
 * Once a second the leader looks at its members: a voter that has been away for promote_after_ms is demoted to standby
 * when a standby that has caught up can take its place. First the standby becomes a voter, then the lost one loses its
 * vote, so that a majority of those who vote is there at each step; when the lost one returns it is a standby. */
#include "store/engine/raft_members_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/stop_point.h"
#include "store/engine/raft_reads_int.h"
#include "store/engine/raft_state_int.h"

#include <inttypes.h>
#include <stdlib.h>

/* Entries a standby may be behind and still count as caught up: what a quick follower is behind under load. */
enum { CAUGHT_UP_ENTRIES = 100, SPARE_MS = 3000 };

struct member_change {
	struct raft_host_change change;
	struct raft_engine *engine;
	enum raft_engine_change_kind kind;
	bool is_second; /* step of ADD */
	char address[RAFT_ADDRESS_BYTES_MAX];
	void (*done)(void *arg, int code, const char *text);
	void *arg;
};

static void finish(struct member_change *c, int code, const char *text)
{
	c->done(c->arg, code, text);
	free(c);
}

static void submit(struct member_change *c)
{
	static const char *const names[] = {
	        [RAFT_CHANGE_ADD] = "add", [RAFT_CHANGE_ASSIGN] = "assign", [RAFT_CHANGE_REMOVE] = "remove"};
	log_info("store", "changing the members", "change=%s member=%016" PRIx64 " address=%s role=%s",
	        names[c->change.kind], c->change.server.id, c->address, raft_host_role_name(c->change.server.role));
	c->change.server.address = c->address;
	reads_must_ask(c->engine);
	raft_host_change_members(engine_host(c->engine), &c->change);
	loop_defer(raft_node_loop(c->engine->node), &c->engine->flush);
}

static void stepped(struct raft_host_change *change, int status)
{
	struct member_change *c = CONTAINER_OF(change, struct member_change, change);
	if (status != 0) {
		finish(c, status == ERR_CONFLICT ? ERR_CONFLICT : ERR_TIMEOUT,
		        status == ERR_CONFLICT
		                ? "another change of membership is under way, or there is nothing to change"
		                : "the leader changed meanwhile: look at the members before trying again");
		return;
	}
	if (c->kind == RAFT_ENGINE_ADD && !c->is_second && engine_host(c->engine)) {
		stop_point(STOP_CHANGE_HALF);
		c->is_second = true;
		c->change.kind = RAFT_CHANGE_ASSIGN;
		c->change.server.role = RAFT_HOST_STANDBY;
		submit(c);
		return;
	}
	if (c->kind == RAFT_ENGINE_PROMOTE)
		stop_point(STOP_CHANGE_ANSWERED);
	finish(c, 0, NULL);
}

static const struct raft_host_member *find(const struct raft_host_member *m, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].server.id == id)
			return &m[i];
	return NULL;
}

static unsigned count_voters(const struct raft_host_member *m, size_t n, bool only_online)
{
	unsigned voters = 0;
	for (size_t i = 0; i < n; i++)
		voters += m[i].server.role == RAFT_HOST_VOTER && (!only_online || m[i].is_online);
	return voters;
}

static bool has_caught_up(struct raft_engine *e, const struct raft_host_member *m)
{
	return m->is_online && m->match_index + CAUGHT_UP_ENTRIES >= raft_host_last_index(engine_host(e));
}

/* Would the cluster still have a majority of voters that are there? etcd's strict reconfiguration check. */
static bool is_safe_to_drop(const struct raft_host_member *m, size_t n, const struct raft_host_member *x)
{
	if (x->server.role != RAFT_HOST_VOTER)
		return true;
	unsigned voters = count_voters(m, n, false) - 1;
	unsigned online = count_voters(m, n, true) - (x->is_online ? 1 : 0);
	return voters > 0 && online > voters / 2;
}

static int lead(struct raft_engine *e, uint64_t to, const char **text)
{
	RAFT_THREAD(e);
	static struct err err; /* raft thread only; the text is used before the next call */
	err = ERR_INIT;
	if (to == raft_host_id(engine_host(e)))
		return 0;
	int rc = raft_host_transfer(engine_host(e), to, &err);
	*text = err.msg;
	return rc;
}

/* What stands against the change; 0: nothing, and *c says what the host is asked for. */
static int judge(struct raft_engine *e, struct member_change *c, const char **text)
{
	RAFT_THREAD(e);
	struct arena a = ARENA_INIT;
	struct raft_host_member *m;
	size_t n = raft_host_members(engine_host(e), &a, &m);
	const struct raft_host_member *x = find(m, n, c->change.server.id);
	int rc = 0;
	if (c->kind == RAFT_ENGINE_ADD) {
		for (size_t i = 0; i < n; i++)
			if (m[i].server.id == c->change.server.id || strcmp(m[i].server.address, c->address) == 0)
				rc = ERR_EXISTS, *text = "there is a member with this id or address";
		if (n >= RAFT_MEMBERS_MAX)
			rc = ERR_TOO_BIG, *text = "there are too many members";
	} else if (!x) {
		rc = ERR_NOT_FOUND, *text = "there is no such member";
	} else if (c->kind == RAFT_ENGINE_PROMOTE && x->server.role == RAFT_HOST_VOTER) {
		rc = ERR_INVAL, *text = "the member is a voter already";
	} else if (c->kind == RAFT_ENGINE_DEMOTE && x->server.role == RAFT_HOST_STANDBY) {
		rc = ERR_INVAL, *text = "the member has no vote";
	} else if (c->kind == RAFT_ENGINE_PROMOTE && !has_caught_up(e, x)) {
		rc = ERR_CONFLICT, *text = "the member has not caught up with the leader yet";
	} else if ((c->kind == RAFT_ENGINE_REMOVE || c->kind == RAFT_ENGINE_DEMOTE) && !is_safe_to_drop(m, n, x)) {
		rc = ERR_FORBIDDEN, *text = "the voters that would be left are not a majority of those that are there";
	}
	arena_release(&a);
	return rc;
}

void members_change(struct raft_engine *e, struct raft_engine_change *asked,
        void (*done)(void *arg, int code, const char *text), void *arg)
{
	RAFT_THREAD(e);
	static const enum raft_change_kind kinds[] = {[RAFT_ENGINE_ADD] = RAFT_CHANGE_ADD,
	        [RAFT_ENGINE_PROMOTE] = RAFT_CHANGE_ASSIGN,
	        [RAFT_ENGINE_DEMOTE] = RAFT_CHANGE_ASSIGN,
	        [RAFT_ENGINE_REMOVE] = RAFT_CHANGE_REMOVE};
	const char *text = NULL;
	if (asked->kind == RAFT_ENGINE_LEAD) {
		int rc = lead(e, asked->id, &text);
		done(arg, rc, text);
		return;
	}
	if (asked->kind < RAFT_ENGINE_ADD || asked->kind > RAFT_ENGINE_REMOVE) {
		done(arg, ERR_INVAL, "unknown change of membership");
		return;
	}
	struct member_change *c = xcalloc(1, sizeof *c);
	c->engine = e;
	c->kind = asked->kind;
	c->done = done;
	c->arg = arg;
	snprintf(c->address, sizeof c->address, "%s", asked->address);
	c->change.kind = kinds[asked->kind];
	c->change.server.id = asked->id;
	c->change.server.role = asked->kind == RAFT_ENGINE_PROMOTE ? RAFT_HOST_VOTER : RAFT_HOST_STANDBY;
	c->change.done = stepped;
	int rc = judge(e, c, &text);
	/* A leader that is to go hands over; the one that follows it is asked again by whoever asked. */
	if (rc == 0 && asked->id == raft_host_id(engine_host(e)) && asked->kind != RAFT_ENGINE_ADD) {
		rc = lead(e, 0, &text);
		if (rc == 0)
			rc = ERR_BUSY, text = "this server leads: it has been told to hand over first";
	}
	if (rc != 0)
		finish(c, rc, text);
	else
		submit(c);
}

/* ---- replacing lost voters ---- */

static void managed(void *arg, int code, const char *text)
{
	struct raft_engine *e = arg;
	e->is_managing = false;
	if (code)
		log_info("store", "membership not changed", "error=\"%s\"", text);
}

static void manage(struct raft_engine *e, enum raft_engine_change_kind kind, uint64_t id, const char *what)
{
	RAFT_THREAD(e);
	struct raft_engine_change c = {.kind = kind, .id = id};
	log_info("store", what, "member=%016" PRIx64, id);
	e->is_managing = true;
	members_change(e, &c, managed, e);
}

/* How long a member has been away. */
static uint64_t lost_ms(struct raft_engine *e, const struct raft_host_member *m, uint64_t now)
{
	size_t i = 0;
	while (i < RAFT_MEMBERS_MAX && e->lost_id[i] && e->lost_id[i] != m->server.id)
		i++;
	if (i == RAFT_MEMBERS_MAX)
		return 0;
	if (e->lost_id[i] != m->server.id || m->is_online || !e->lost_since[i]) {
		e->lost_id[i] = m->server.id;
		e->lost_since[i] = m->is_online ? 0 : now;
	}
	return m->is_online ? 0 : now - e->lost_since[i];
}

/* The table is the members': who is none any more loses the place. */
static void forget_others(struct raft_engine *e, const struct raft_host_member *m, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < RAFT_MEMBERS_MAX && e->lost_id[i]; i++) {
		if (!find(m, n, e->lost_id[i]))
			continue;
		e->lost_id[kept] = e->lost_id[i];
		e->lost_since[kept++] = e->lost_since[i];
	}
	for (; kept < RAFT_MEMBERS_MAX; kept++)
		e->lost_id[kept] = e->lost_since[kept] = 0;
}

/* Has this member been a spare for a while? */
static bool was_left_half_way(struct raft_engine *e, const struct raft_host_member *m, uint64_t now)
{
	if (m->server.role != RAFT_HOST_SPARE)
		return false;
	if (e->spare_id != m->server.id) {
		e->spare_id = m->server.id;
		e->spare_since = now;
	}
	return now - e->spare_since >= SPARE_MS;
}

void members_tick(struct raft_engine *e)
{
	RAFT_THREAD(e);
	struct arena a = ARENA_INIT;
	struct raft_host_member *m;
	uint64_t now = loop_now_ms(raft_node_loop(e->node)), longest = 0;
	const struct raft_host_member *lost = NULL, *caught_up = NULL, *half_way = NULL;
	if (!e->is_leader) {
		memset(e->lost_id, 0, sizeof e->lost_id);
		e->spare_id = 0;
		return;
	}
	size_t n = raft_host_members(engine_host(e), &a, &m);
	forget_others(e, m, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t ms = lost_ms(e, &m[i], now);
		if (m[i].server.role == RAFT_HOST_VOTER && ms > longest) {
			lost = &m[i];
			longest = ms;
		}
		if (m[i].server.role == RAFT_HOST_STANDBY && has_caught_up(e, &m[i]))
			caught_up = &m[i];
		if (was_left_half_way(e, &m[i], now))
			half_way = &m[i];
	}
	bool is_due = e->promote_after_ms && lost && longest >= e->promote_after_ms && !e->is_managing;
	bool is_even = count_voters(m, n, false) % 2 == 0; /* a replacement has been promoted already */
	if (half_way && !e->is_managing)
		manage(e, RAFT_ENGINE_DEMOTE, half_way->server.id, "completing the addition of a member");
	else if (is_due && is_even && is_safe_to_drop(m, n, lost))
		manage(e, RAFT_ENGINE_DEMOTE, lost->server.id, "demoting a lost voter");
	else if (is_due && caught_up)
		manage(e, RAFT_ENGINE_PROMOTE, caught_up->server.id, "promoting a standby");
	arena_release(&a);
}
