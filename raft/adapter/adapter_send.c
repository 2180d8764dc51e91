/* Messages on their way out: copied into a frame at once, so that libraft's memory is never held (9), and mended where
 * libraft leaves a field unset. With 9 off it is held for some ticks. */
#include "raft/adapter/adapter.h"

#include "base/buggify.h"
#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

/* 7. The reply to a message of an old term carries the new term and a last index that was never set; if the old sender
 * leads the new term it would take it for success and count it. The reply must still go: it deposes stale leaders. */
static void mend_stale_reply(const struct raft_adapter *a, struct raft_message *m)
{
	if (m->type != RAFT_APPEND_ENTRIES_RESULT || !a->stale || !adapter_works_around(a, 7))
		return;
	m->append_entries_result.rejected = UINT64_MAX;
	m->append_entries_result.last_log_index = 0;
}

/* 11. A refused pre-vote echoes the term of the request, so a candidate whose log is the only one that can win may
 * never learn of a higher term and is refused for ever. */
static void mend_pre_vote_refusal(const struct raft_adapter *a, struct raft_message *m)
{
	adapter_check_owner(a);
	struct raft_request_vote_result *v = &m->request_vote_result;
	if (m->type == RAFT_REQUEST_VOTE_RESULT && adapter_works_around(a, 11) && v->pre_vote && !v->vote_granted &&
	        raft_current_term(a->raft) > v->term)
		v->term = raft_current_term(a->raft);
}

/* As many entries as a write of the log takes, one at least: libraft sends all it has. Those left out are as good as
 * lost, and are sent again from where the answer says. */
static void trim(struct raft_append_entries *m)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < m->n_entries; i++) {
		bytes += m->entries[i].buf.len + 24;
		if (i && (bytes > RAFT_BATCH_BYTES_MAX - 1024 || buggify(BUGGIFY_SEND_TRIMMED))) {
			m->n_entries = i;
			CHECK(i >= 1);
			return;
		}
	}
}

int adapter_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message, raft_io_send_cb cb)
{
	struct raft_adapter *a = io->impl;
	struct raft_message m = *message;
	req->cb = cb;
	if (m.type == RAFT_APPEND_ENTRIES)
		trim(&m.append_entries);
	mend_stale_reply(a, &m);
	mend_pre_vote_refusal(a, &m);
	if (!a->dead && !(a->mute && m.type == RAFT_APPEND_ENTRIES_RESULT)) {
		strbuf_reset(&a->frame);
		message_encode(&a->frame, a->c.id, a->c.address, &m);
		CHECK(a->frame.len <= FRAME_BYTES_MAX); /* what the other takes */
		a->c.env->v->send(a->c.env, m.server_id, m.server_address, a->frame.data, a->frame.len);
	}
	if (adapter_works_around(a, 9)) {
		cb(req, 0);
		return 0;
	}
	struct pending_send *p = xcalloc(1, sizeof *p);
	p->req = req;
	list_push_back(&a->sends, &p->link);
	return 0;
}

void adapter_sends_done(struct raft_adapter *a, int status)
{
	adapter_check_owner(a);
	struct list_link *l;
	while ((l = list_pop_front(&a->sends)) != NULL) {
		struct pending_send *p = CONTAINER_OF(l, struct pending_send, link);
		struct raft_io_send *req = p->req;
		free(p);
		req->cb(req, status);
	}
}
