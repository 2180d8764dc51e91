/* See message_int.h. A frame is: kind (4), version (4), sender, the sender's address, then the kind's fields as 64-bit
 * numbers and length-prefixed bytes. What can go wrong is only what a peer sends: short frames, lengths beyond the end,
 * unknown kinds or entry types. */
#include "raft/adapter/message.h"

static void put(struct strbuf *b, uint64_t v)
{
	strbuf_add(b, &v, sizeof v);
}

static void put_bytes(struct strbuf *b, const void *data, size_t len)
{
	put(b, len);
	strbuf_add(b, data, len);
}

static void put_head(struct strbuf *b, uint32_t kind, uint32_t version, uint64_t from, const char *address)
{
	strbuf_add(b, &kind, sizeof kind);
	strbuf_add(b, &version, sizeof version);
	put(b, from);
	put_bytes(b, address, strlen(address));
}

static void put_append(struct strbuf *b, const struct raft_append_entries *a)
{
	put(b, a->term);
	put(b, a->prev_log_index);
	put(b, a->prev_log_term);
	put(b, a->leader_commit);
	put(b, a->n_entries);
	for (unsigned i = 0; i < a->n_entries; i++) {
		put(b, a->entries[i].term);
		put(b, a->entries[i].type);
		put_bytes(b, a->entries[i].buf.base, a->entries[i].buf.len);
	}
}

static void put_snapshot(struct strbuf *b, const struct raft_install_snapshot *s)
{
	struct raft_buffer conf = {NULL, 0};
	(void)raft_configuration_encode(&s->conf, &conf);
	put(b, s->term);
	put(b, s->last_index);
	put(b, s->last_term);
	put(b, s->conf_index);
	put_bytes(b, conf.base, conf.len);
	put_bytes(b, s->data.base, s->data.len);
	raft_free(conf.base);
}

void message_encode(struct strbuf *b, uint64_t from, const char *address, const struct raft_message *m)
{
	/* the version is the first byte of every member */
	put_head(b, (uint32_t)m->type, m->request_vote.version, from, address);
	switch (m->type) {
	case RAFT_APPEND_ENTRIES:
		put_append(b, &m->append_entries);
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		put(b, m->append_entries_result.term);
		put(b, m->append_entries_result.rejected);
		put(b, m->append_entries_result.last_log_index);
		put(b, m->append_entries_result.features);
		put(b, m->append_entries_result.capacity);
		break;
	case RAFT_REQUEST_VOTE:
		put(b, m->request_vote.term);
		put(b, m->request_vote.candidate_id);
		put(b, m->request_vote.last_log_index);
		put(b, m->request_vote.last_log_term);
		put(b, m->request_vote.disrupt_leader);
		put(b, m->request_vote.pre_vote);
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		put(b, m->request_vote_result.term);
		put(b, m->request_vote_result.vote_granted);
		put(b, m->request_vote_result.pre_vote);
		put(b, m->request_vote_result.features);
		put(b, m->request_vote_result.capacity);
		break;
	case RAFT_INSTALL_SNAPSHOT:
		put_snapshot(b, &m->install_snapshot);
		break;
	case RAFT_TIMEOUT_NOW:
		put(b, m->timeout_now.term);
		put(b, m->timeout_now.last_log_index);
		put(b, m->timeout_now.last_log_term);
		break;
	}
}

void message_encode_read(
        struct strbuf *b, uint64_t from, const char *address, int kind, uint64_t term, uint64_t round, bool same_term)
{
	put_head(b, (uint32_t)kind, 0, from, address);
	put(b, term);
	put(b, round);
	put(b, same_term);
}

void message_encode_commit(
        struct strbuf *b, uint64_t from, const char *address, uint64_t term, uint64_t commit, uint64_t commit_term)
{
	put_head(b, MESSAGE_COMMIT, 0, from, address);
	put(b, term);
	put(b, commit);
	put(b, commit_term);
}

/* ---- reading ---- */

uint64_t message_answered_round(struct slice bytes)
{
	uint32_t kind;
	uint64_t tail[2]; /* the round, and whether the term is the same */
	if (bytes.len < sizeof kind + sizeof tail)
		return 0;
	memcpy(&kind, bytes.ptr, sizeof kind);
	memcpy(tail, bytes.ptr + bytes.len - sizeof tail, sizeof tail);
	return kind == MESSAGE_READ_ANSWER ? tail[0] : 0;
}

struct reader {
	struct slice rest;
	bool bad;
};

static uint64_t get(struct reader *r)
{
	uint64_t v = 0;
	if (r->rest.len < sizeof v) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->rest.ptr, sizeof v);
	r->rest.ptr += sizeof v;
	r->rest.len -= sizeof v;
	return v;
}

static struct slice get_bytes(struct reader *r)
{
	uint64_t len = get(r);
	if (r->bad || len > r->rest.len) {
		r->bad = true;
		return SLICE_NULL;
	}
	struct slice s = {r->rest.ptr, (size_t)len};
	r->rest.ptr += len;
	r->rest.len -= len;
	return s;
}

static void get_append(struct reader *r, struct arena *a, struct frame *f)
{
	struct raft_append_entries *m = &f->m.append_entries;
	m->term = get(r);
	m->prev_log_index = get(r);
	m->prev_log_term = get(r);
	m->leader_commit = get(r);
	uint64_t n = get(r);
	if (r->bad || n > r->rest.len / 24) {
		r->bad = true;
		return;
	}
	m->n_entries = (unsigned)n;
	f->entries = ARENA_ARRAY(a, struct frame_entry, n + 1);
	for (uint64_t i = 0; i < n && !r->bad; i++) {
		f->entries[i].term = get(r);
		f->entries[i].kind = (uint32_t)get(r);
		f->entries[i].data = get_bytes(r);
		if (f->entries[i].kind < RAFT_COMMAND || f->entries[i].kind > RAFT_CHANGE)
			r->bad = true;
	}
}

static void get_fields(struct reader *r, struct arena *a, struct frame *f)
{
	struct raft_message *m = &f->m;
	switch (f->kind) {
	case RAFT_APPEND_ENTRIES:
		get_append(r, a, f);
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		m->append_entries_result.term = get(r);
		m->append_entries_result.rejected = get(r);
		m->append_entries_result.last_log_index = get(r);
		m->append_entries_result.features = (unsigned short)get(r);
		m->append_entries_result.capacity = (unsigned short)get(r);
		break;
	case RAFT_REQUEST_VOTE:
		m->request_vote.term = get(r);
		m->request_vote.candidate_id = get(r);
		m->request_vote.last_log_index = get(r);
		m->request_vote.last_log_term = get(r);
		m->request_vote.disrupt_leader = get(r) != 0;
		m->request_vote.pre_vote = get(r) != 0;
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		m->request_vote_result.term = get(r);
		m->request_vote_result.vote_granted = get(r) != 0;
		m->request_vote_result.pre_vote = get(r) != 0;
		m->request_vote_result.features = (unsigned short)get(r);
		m->request_vote_result.capacity = (unsigned short)get(r);
		break;
	case RAFT_INSTALL_SNAPSHOT:
		m->install_snapshot.term = get(r);
		m->install_snapshot.last_index = get(r);
		m->install_snapshot.last_term = get(r);
		m->install_snapshot.conf_index = get(r);
		f->conf = get_bytes(r);
		f->descriptor = get_bytes(r);
		break;
	case RAFT_TIMEOUT_NOW:
		m->timeout_now.term = get(r);
		m->timeout_now.last_log_index = get(r);
		m->timeout_now.last_log_term = get(r);
		break;
	case MESSAGE_READ_PROBE:
	case MESSAGE_READ_ANSWER:
		f->read_term = get(r);
		f->read_round = get(r);
		f->read_same_term = get(r) != 0;
		break;
	case MESSAGE_COMMIT:
		m->type = RAFT_APPEND_ENTRIES;
		m->append_entries.term = get(r);
		m->append_entries.prev_log_index = m->append_entries.leader_commit = get(r);
		m->append_entries.prev_log_term = get(r);
		break;
	default:
		r->bad = true;
	}
}

int message_decode(struct slice bytes, struct arena *a, struct frame *ret, struct err *err)
{
	struct reader r = {bytes, false};
	struct frame f = {0};
	uint64_t head = get(&r);
	f.kind = (int)(uint32_t)head;
	f.from = get(&r);
	struct slice address = get_bytes(&r);
	if (r.bad || address.len > FRAME_ADDRESS_MAX || !f.from)
		return err_set(err, ERR_PROTOCOL, "raft message: broken head of a frame of %zu bytes", bytes.len);
	f.address = arena_memdup(a, address.ptr, address.len);
	f.m.type = (enum raft_message_type)f.kind;
	f.m.server_id = f.from;
	f.m.server_address = f.address;
	f.m.request_vote.version = (unsigned char)(head >> 32);
	get_fields(&r, a, &f);
	if (r.bad || r.rest.len != 0)
		return err_set(err, ERR_PROTOCOL, "raft message of kind %d from server %llu: broken frame of %zu bytes",
		        f.kind, (unsigned long long)f.from, bytes.len);
	*ret = f;
	return 0;
}
