/* Membership changes: a barrier first, so that this leader has committed in its own term (the bug of single-server
 * changes, raft-dev 2015), then the change, if nothing else is under way by then. */
#include "raft/host/host_int.h"

#include <stdlib.h>

struct change_request {
	struct list_link link;
	struct raft_host *host;
	struct raft_host_change *change;
	struct raft_barrier barrier;
	struct raft_change raft_change;
};

static void finish(struct change_request *q, int status)
{
	struct raft_host_change *c = q->change;
	adapter_check_owner(&q->host->adapter);
	CHECK(c && c->done);
	list_del(&q->link);
	free(q);
	c->done(c, status);
}

static void changed(struct raft_change *req, int status)
{
	finish(req->data, status == 0 ? 0 : ERR_CANCELED);
}

static bool is_free(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	return libraft_may_change(&h->raft);
}

static int submit(struct raft_host *h, struct change_request *q)
{
	const struct raft_host_server *s = &q->change->server;
	static const int roles[] = {RAFT_STANDBY, RAFT_VOTER, RAFT_SPARE};
	CHECK(raft_host_is_leader(h) && libraft_may_change(&h->raft)); /* one at a time: Raft section 6 */
	CHECK((size_t)s->role < COUNT_OF(roles));
	q->raft_change.data = q;
	switch (q->change->kind) {
	case RAFT_CHANGE_ADD:
		return raft_add(&h->raft, &q->raft_change, s->id, s->address, changed);
	case RAFT_CHANGE_ASSIGN:
		return raft_assign(&h->raft, &q->raft_change, s->id, roles[s->role], changed);
	case RAFT_CHANGE_REMOVE:
		return raft_remove(&h->raft, &q->raft_change, s->id, changed);
	}
	return RAFT_INVALID;
}

static void after_barrier(struct raft_barrier *req, int status)
{
	struct change_request *q = req->data;
	struct raft_host *h = q->host;
	if (status != 0 || h->closing || raft_state(&h->raft) != RAFT_LEADER)
		finish(q, ERR_UNAVAILABLE);
	else if (!is_free(h) || submit(h, q) != 0)
		finish(q, ERR_CONFLICT);
}

void raft_host_change_members(struct raft_host *h, struct raft_host_change *c)
{
	adapter_check_owner(&h->adapter);
	CHECK(c->done && !h->closing);
	struct change_request *q = xcalloc(1, sizeof *q);
	q->host = h;
	q->change = c;
	q->barrier.data = q;
	list_push_back(&h->changes, &q->link);
	if (raft_barrier(&h->raft, &q->barrier, after_barrier) != 0)
		finish(q, ERR_UNAVAILABLE);
	else
		adapter_after(&h->adapter);
}

static void transferred(struct raft_transfer *req)
{
}

int raft_host_transfer(struct raft_host *h, uint64_t to, struct err *err)
{
	adapter_check_owner(&h->adapter);
	if (!raft_host_is_leader(h))
		return err_set(err, ERR_UNAVAILABLE, "only the leader can hand over, and this server is not it");
	if (libraft_is_transferring(&h->raft))
		return err_set(err, ERR_CONFLICT, "leadership is being transferred already");
	int rc = raft_transfer(&h->raft, &h->transfer, to, transferred);
	if (rc != 0)
		return err_set(err, ERR_UNAVAILABLE, "nobody can take over: %s", raft_strerror(rc));
	adapter_after(&h->adapter);
	return 0;
}

bool host_is_member(const struct raft_host *h, uint64_t id)
{
	adapter_check_owner(&h->adapter);
	const struct raft_configuration *c = libraft_configuration(&h->raft);
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].id == id)
			return true;
	return false;
}

static enum raft_host_role role_of(int role)
{
	return role == RAFT_VOTER ? RAFT_HOST_VOTER : role == RAFT_STANDBY ? RAFT_HOST_STANDBY : RAFT_HOST_SPARE;
}

size_t raft_host_members(struct raft_host *h, struct arena *a, struct raft_host_member **ret)
{
	adapter_check_owner(&h->adapter);
	const struct raft_configuration *c = libraft_configuration(&h->raft);
	bool leads = raft_host_is_leader(h);
	uint64_t now = h->c.env->v->now_ms(h->c.env);
	*ret = ARENA_ARRAY(a, struct raft_host_member, c->n + 1);
	for (unsigned i = 0; i < c->n; i++) {
		struct raft_host_member *m = &(*ret)[i];
		raft_index match = 0;
		m->server = (struct raft_host_server){
		        c->servers[i].id, arena_strdup(a, c->servers[i].address), role_of(c->servers[i].role)};
		if (leads && raft_match_index(&h->raft, m->server.id, &match) == 0)
			m->match_index = match;
		uint64_t heard = host_last_heard(h, m->server.id);
		m->is_online = m->server.id == h->c.id || (heard && now - heard < h->c.election_ms);
	}
	return c->n;
}

const char *raft_host_role_name(enum raft_host_role role)
{
	static const char *const names[] = {
	        [RAFT_HOST_STANDBY] = "standby", [RAFT_HOST_VOTER] = "voter", [RAFT_HOST_SPARE] = "spare"};
	CHECK((size_t)role < COUNT_OF(names));
	return names[role];
}

bool raft_host_is_changing(const struct raft_host *h)
{
	return libraft_has_uncommitted_configuration(&h->raft);
}

void host_changes_fail(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	for (struct list_link *l; (l = list_pop_front(&h->changes)) != NULL;)
		finish(CONTAINER_OF(l, struct change_request, link), ERR_CANCELED);
}
