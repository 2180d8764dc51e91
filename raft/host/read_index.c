/* Linearizable reads without a log write (Raft thesis, section 6.4): note the commit index, ask the voters "is your
 * term still T?", and when a majority says so nobody can have been elected before the question was asked; then wait
 * until the index is applied. A leader that has not committed an entry of its own term does not know the commit index
 * yet: its reads wait. One round serves all reads that were there when it began; those that come later wait for the
 * next one. Lost messages are asked again at each tick. */
#include "raft/host/host_int.h"

#include "base/buggify.h"

static bool knows_commit_index(struct raft_host *h)
{
	return libraft_term_of(&h->raft, raft_commit_index(&h->raft)) == raft_current_term(&h->raft);
}

static bool has_answered(const struct raft_host *h, uint64_t id)
{
	for (size_t i = 0; i < h->n_answered; i++)
		if (h->answered[i] == id)
			return true;
	return false;
}

static bool has_majority(const struct raft_host *h)
{
	const struct raft_configuration *c = libraft_configuration(&h->raft);
	unsigned voters = 0, yes = 0;
	for (unsigned i = 0; i < c->n; i++) {
		if (c->servers[i].role != RAFT_VOTER)
			continue;
		voters++;
		yes += c->servers[i].id == h->c.id || has_answered(h, c->servers[i].id);
	}
	CHECK(yes <= voters);
	return yes > voters / 2;
}

static void ask(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	const struct raft_configuration *c = libraft_configuration(&h->raft);
	struct strbuf b = STRBUF_INIT;
	if (buggify(BUGGIFY_READ_ASKED_LATE))
		return;
	message_encode_read(&b, h->c.id, h->c.address, MESSAGE_READ_PROBE, h->round_term, h->round, false);
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].role == RAFT_VOTER && c->servers[i].id != h->c.id &&
		        !has_answered(h, c->servers[i].id))
			h->c.env->v->send(h->c.env, c->servers[i].id, c->servers[i].address, b.data, b.len);
	strbuf_release(&b);
}

/* A round serves the reads that wait without one; their index is what is committed now. */
static void begin_round(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	bool any = false;
	CHECK(h->confirmed_round <= h->round && raft_host_is_leader(h));
	if (h->confirmed_round != h->round || !knows_commit_index(h))
		return;
	LIST_FOREACH (l, &h->reads) {
		struct raft_read *r = CONTAINER_OF(l, struct raft_read, link);
		if (r->round != 0)
			continue;
		CHECK(r->index == 0); /* an index is noted once, when its round begins */
		r->round = h->round + 1;
		r->index = raft_commit_index(&h->raft);
		any = true;
	}
	if (!any)
		return;
	h->round++;
	h->round_term = raft_current_term(&h->raft);
	h->n_answered = 0;
	ask(h);
}

void host_reads_advance(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	if (list_empty(&h->reads) || !raft_host_is_leader(h))
		return;
	begin_round(h);
	if (h->confirmed_round != h->round && has_majority(h))
		h->confirmed_round = h->round;
	LIST_FOREACH (l, &h->reads) {
		struct raft_read *r = CONTAINER_OF(l, struct raft_read, link);
		if (r->round == 0 || r->round > h->confirmed_round || libraft_last_applied(&h->raft) < r->index)
			continue;
		CHECK(r->index >= 1 && r->index <= raft_commit_index(&h->raft));
		list_del(&r->link);
		r->done(r, 0, r->index);
	}
	begin_round(h);
}

void host_reads_fail(struct raft_host *h, int status)
{
	adapter_check_owner(&h->adapter);
	struct list_link *l;
	while ((l = list_pop_front(&h->reads)) != NULL) {
		struct raft_read *r = CONTAINER_OF(l, struct raft_read, link);
		r->done(r, status, 0);
	}
	h->confirmed_round = h->round;
}

void host_reads_resend(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	if (!list_empty(&h->reads) && raft_host_is_leader(h) && h->confirmed_round != h->round)
		ask(h);
}

void host_receive_probe(struct raft_host *h, const struct frame *f)
{
	adapter_check_owner(&h->adapter);
	struct strbuf b = STRBUF_INIT;
	bool same = raft_current_term(&h->raft) == f->read_term;
	message_encode_read(&b, h->c.id, h->c.address, MESSAGE_READ_ANSWER, f->read_term, f->read_round, same);
	h->c.env->v->send(h->c.env, f->from, f->address, b.data, b.len);
	strbuf_release(&b);
}

void host_receive_answer(struct raft_host *h, const struct frame *f)
{
	adapter_check_owner(&h->adapter);
	if (!raft_host_is_leader(h) || !f->read_same_term || f->read_round != h->round ||
	        f->read_term != raft_current_term(&h->raft) || f->read_term != h->round_term ||
	        !host_is_member(h, f->from) || has_answered(h, f->from) ||
	        h->n_answered == sizeof h->answered / sizeof h->answered[0])
		return;
	CHECK(f->from != h->c.id && h->n_answered < COUNT_OF(h->answered));
	h->answered[h->n_answered++] = f->from;
	host_reads_advance(h);
}

void raft_host_read_index(struct raft_host *h, struct raft_read *r)
{
	adapter_check_owner(&h->adapter);
	CHECK(r->done && !h->closing);
	r->round = r->index = 0;
	list_push_back(&h->reads, &r->link); /* answered from the next call on, never in this one */
}
