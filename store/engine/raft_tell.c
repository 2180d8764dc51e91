/* What an engine says to another one beside the log. A message is a kind and varints (command.h); one that is lost
 * costs the asker its patience and nothing else. Answers come in by raft_peers.c. */
#include "store/engine/raft_tell_int.h"

#include "base/check.h"
#include "store/engine/raft_state_int.h"

bool peers_tell(struct raft_engine *e, uint64_t to, struct strbuf *b)
{
	RAFT_THREAD(e);
	bool sent = engine_host(e) && raft_node_tell(e->node, to, strbuf_slice(b));
	strbuf_release(b);
	return sent;
}

struct strbuf peers_begin(enum message_kind kind, uint64_t first)
{
	struct strbuf b = STRBUF_INIT;
	command_put(&b, kind);
	command_put(&b, first);
	return b;
}

bool peers_forward(struct raft_engine *e, struct slice command)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_FORWARD, command.len);
	strbuf_add_slice(&b, command);
	return peers_tell(e, e->leader, &b);
}

bool peers_ask_index(struct raft_engine *e, uint64_t batch_id)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_INDEX, batch_id);
	return peers_tell(e, e->leader, &b);
}

bool peers_ask_lease(struct raft_engine *e, const struct pending *p)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_LEASE, p->sequence);
	command_put(&b, (uint64_t)p->req->type);
	command_put(&b, (uint64_t)p->req->lease.id);
	return peers_tell(e, e->leader, &b);
}

bool peers_ask_change(struct raft_engine *e, const struct pending *p)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_CHANGE, p->sequence);
	command_put(&b, (uint64_t)p->change->kind);
	command_put(&b, p->change->id);
	command_put_bytes(&b, slice_of(p->change->address));
	return peers_tell(e, e->leader, &b);
}

void peers_ask_hash(struct raft_engine *e, uint64_t to, uint64_t index)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_HASH, index);
	peers_tell(e, to, &b);
}

void peers_answer_hash(struct raft_engine *e, uint64_t to, uint64_t index, uint64_t hash)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_HASH_ANSWER, index);
	command_put(&b, hash);
	peers_tell(e, to, &b);
}

void peers_fence(struct raft_engine *e, uint64_t to, uint64_t index)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_FENCE, index);
	peers_tell(e, to, &b);
}
