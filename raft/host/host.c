/* The host: owns struct raft, packs proposals into entries, unpacks committed ones for the state machine, and notices
 * changes of role. An entry is a sequence of commands, each with its length before it.
 *
 * What can go wrong: leadership is lost with proposals in flight (they are answered ERR_CANCELED: nobody knows whether
 * they will be committed), a peer sends an entry that does not unpack, or holds what is no command (its connection is
 * closed, and nothing of it gets into the log). What is in our own log was looked at on its way in: CHECK. */
#include "raft/host/host_int.h"

#include "base/buggify.h"
#include "base/check.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdlib.h>

/* Few packs at a time: while they are on their way the next ones fill up, so that with many clients an entry, its sync
 * and its messages are shared by many commands, and nobody waits on purpose. */
enum { PACKS_IN_FLIGHT_MAX = 2 };

/* Of entries that a server alone holds in memory; each snapshot costs two syncs of a small file. */
#define ALONE_SNAPSHOT_BYTES (UINT64_C(4) * 1024 * 1024)

/* Beyond what any cluster reaches, and far from where sums overflow. */
#define TERM_MAX (UINT64_C(1) << 62)
#define TERM_JUMP_MAX (UINT64_C(1) << 32) /* more elections than there can have been while a server was away */
#define INDEX_MAX LOG_INDEX_MAX
enum { SERVERS_MAX = 64 };
_Static_assert(RAFT_STANDBY <= RAFT_SPARE && RAFT_VOTER <= RAFT_SPARE, "the highest role is known");

struct pack {
	struct list_link link;
	struct raft_host *host;
	struct raft_apply req;
	struct list_link proposals;
};

/* ---- proposals ---- */

static void answer(struct pack *p, int status, uint64_t index)
{
	struct list_link *l;
	size_t position = 0;
	CHECK(p->host->n_packs > 0 && !list_empty(&p->proposals));
	CHECK(status != 0 || index >= 1);
	list_del(&p->link);
	p->host->n_packs--;
	while ((l = list_pop_front(&p->proposals)) != NULL) {
		struct raft_proposal *q = CONTAINER_OF(l, struct raft_proposal, link);
		q->done(q, status, index, position++);
	}
	free(p);
}

static void committed(struct raft_apply *req, int status, void *result)
{
	answer(req->data, status == 0 ? 0 : ERR_CANCELED, req->index);
}

/* Moves proposals from the queue into a pack; returns its bytes in libraft's memory. */
static struct raft_buffer fill(struct raft_host *h, struct pack *p)
{
	struct strbuf b = STRBUF_INIT;
	while (!list_empty(&h->proposals)) {
		struct raft_proposal *q = CONTAINER_OF(h->proposals.next, struct raft_proposal, link);
		if (b.len && (b.len + q->data.len > RAFT_PACK_BYTES_MAX || buggify(BUGGIFY_PACK_OF_ONE)))
			break;
		uint32_t len = (uint32_t)q->data.len;
		strbuf_add(&b, &len, sizeof len);
		strbuf_add_slice(&b, q->data);
		list_del(&q->link);
		list_push_back(&p->proposals, &q->link);
	}
	CHECK(b.len > 0 && b.len <= RAFT_ENTRY_BYTES_MAX); /* the others refuse more */
	struct raft_buffer r = {raft_malloc(b.len), b.len};
	memcpy(r.base, b.data, b.len);
	strbuf_release(&b);
	return r;
}

static void flush_one(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	CHECK(h->started && !list_empty(&h->proposals));
	struct pack *p = xcalloc(1, sizeof *p);
	p->host = h;
	p->req.data = p;
	list_init(&p->proposals);
	list_push_back(&h->packs, &p->link);
	h->n_packs++;
	struct raft_buffer b = fill(h, p);
	int rc = raft_host_is_leader(h) ? raft_apply(&h->raft, &p->req, &b, 1, committed) : RAFT_NOTLEADER;
	if (rc != 0) {
		raft_free(b.base);
		answer(p, ERR_UNAVAILABLE, 0);
	}
}

static bool may_pack(const struct raft_host *h)
{
	return !list_empty(&h->proposals) && (h->n_packs < PACKS_IN_FLIGHT_MAX || !raft_host_is_leader(h));
}

void raft_host_flush(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	if (h->closing || h->adapter.dead || h->is_flushing)
		return;
	h->is_flushing = true;
	while (may_pack(h))
		flush_one(h);
	h->is_flushing = false;
	adapter_after(&h->adapter);
}

void raft_host_propose(struct raft_host *h, struct raft_proposal *p)
{
	adapter_check_owner(&h->adapter);
	CHECK(p->done && p->data.len > 0 && !h->closing);
	list_push_back(&h->proposals, &p->link);
}

/* ---- what libraft calls ---- */

/* The next command of an entry: 1, 0 at its end, -1 when it is broken. */
static int next_command(struct slice *rest, struct slice *ret)
{
	uint32_t len;
	if (rest->len == 0)
		return 0;
	if (rest->len < sizeof len)
		return -1;
	memcpy(&len, rest->ptr, sizeof len);
	if (len > rest->len - sizeof len)
		return -1;
	*ret = (struct slice){rest->ptr + sizeof len, len};
	*rest = (struct slice){ret->ptr + len, rest->len - sizeof len - len};
	return 1;
}

static void unpack(struct raft_host *h, uint64_t index, uint64_t term, struct slice rest)
{
	struct slice commands[64] = {{NULL, 0}}, command;
	struct slice *all = commands;
	size_t n = 0, cap = COUNT_OF(commands);
	int rc;
	while ((rc = next_command(&rest, &command)) == 1) {
		if (n == cap) {
			struct slice *more = xmalloc(2 * cap * sizeof *more);
			memcpy(more, all, n * sizeof *more);
			if (all != commands)
				free(all);
			all = more;
			cap *= 2;
		}
		all[n++] = command;
	}
	CHECK(rc == 0);
	h->c.machine->v->apply(h->c.machine, index, term, all, n);
	if (all != commands)
		free(all);
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct raft_host *h = fsm->data;
	/* libraft tells no index: it is the one behind the last applied */
	uint64_t index = libraft_last_applied(&h->raft) + 1;
	*result = NULL;
	if (h->adapter.dead)
		return 0;
	CHECK(index > h->told && index <= raft_commit_index(&h->raft)); /* each once, in order, none before its time */
	h->told = index;
	unpack(h, index, libraft_term_of(&h->raft, index), (struct slice){buf->base, buf->len});
	return 0;
}

/* Entries without commands are not given to the machine one by one, but it learns how far it is. */
static void tell_index(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	uint64_t index = libraft_last_applied(&h->raft);
	CHECK(index <= raft_commit_index(&h->raft));
	if (h->told >= index)
		return;
	h->told = index;
	h->c.machine->v->apply(h->c.machine, index, libraft_term_of(&h->raft, index), NULL, 0);
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
	struct raft_host *h = fsm->data;
	struct strbuf b = STRBUF_INIT;
	tell_index(h);
	CHECK(h->told == libraft_last_applied(&h->raft));
	h->c.machine->v->snapshot(h->c.machine, h->told, &b);
	*bufs = raft_malloc(sizeof **bufs);
	*n_bufs = 1;
	(*bufs)[0].len = b.len;
	(*bufs)[0].base = raft_malloc(b.len + 1);
	memcpy((*bufs)[0].base, b.data, b.len);
	strbuf_release(&b);
	return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct raft_host *h = fsm->data;
	if (!h->adapter.dead)
		h->c.machine->v->restore(h->c.machine, (struct slice){buf->base, buf->len});
	raft_free(buf->base);
	return 0;
}

static void free_barrier(struct raft_barrier *b, int status)
{
	free(b);
}

bool raft_host_is_alone(const struct raft_host *h)
{
	const struct raft_configuration *c = libraft_configuration(&h->raft);
	return c->n == 1 && c->servers[0].id == h->c.id;
}

/* A new leader does not know what is committed before an entry of its own term is (Raft section 8). One that is alone,
 * and begins in the term that it stopped in, has all of its log committed: a start writes nothing. */
static void commit_own_term(struct raft_host *h)
{
	uint64_t commit = raft_commit_index(&h->raft);
	if (raft_host_is_alone(h) && commit == raft_host_last_index(h) &&
	        libraft_term_of(&h->raft, commit) == raft_host_term(h))
		return;
	struct raft_barrier *b = xcalloc(1, sizeof *b);
	if (raft_barrier(&h->raft, b, free_barrier) != 0)
		free(b);
}

/* libraft tells followers what is committed with the next entries or heartbeat. But somebody may wait there for exactly
 * that, with a write that was sent on, a read or a watch: so it is told at once. */
static void push_commit(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	const struct raft_configuration *c = libraft_configuration(&h->raft);
	uint64_t commit = raft_commit_index(&h->raft), term = raft_host_term(h);
	uint64_t commit_term = libraft_term_of(&h->raft, commit);
	struct strbuf b = STRBUF_INIT;
	CHECK(raft_host_is_leader(h) && commit_term <= term);
	if (commit <= h->pushed_commit || commit_term != term || buggify(BUGGIFY_COMMIT_NOT_TOLD))
		return;
	h->pushed_commit = commit;
	message_encode_commit(&b, h->c.id, h->c.address, term, commit, commit_term);
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].id != h->c.id && c->servers[i].role != RAFT_SPARE)
			h->c.env->v->send(h->c.env, c->servers[i].id, c->servers[i].address, b.data, b.len);
	strbuf_release(&b);
}

/* libraft counts entries; bytes are what memory and disk are made of. With the limit reached a snapshot is due at the
 * next step, and what stays below it is as many entries of the size seen as make three quarters of the limit. A server
 * alone has no follower who might need them: they lie on its disk until the state is durable, and not in memory. */
static void pace_snapshots(struct raft_host *h)
{
	bool is_alone = raft_host_is_alone(h);
	uint64_t limit = h->c.snapshot_bytes, bytes = h->adapter.bytes, n = h->adapter.entries;
	if (is_alone && limit > ALONE_SNAPSHOT_BYTES)
		limit = ALONE_SNAPSHOT_BYTES;
	bool due = limit && bytes >= (h->is_sending_state ? 4 * limit : limit);
	unsigned trailing = is_alone ? 1 : h->c.snapshot_trailing;
	if (limit && n && bytes / n * trailing > limit / 4 * 3)
		trailing = (unsigned)(limit / 4 * 3 / (bytes / n)) + 1;
	CHECK(trailing >= 1); /* 0 is libraft's sign of an installed snapshot: see adapter_snapshot_write() */
	raft_set_snapshot_trailing(&h->raft, trailing);
	raft_set_snapshot_threshold(&h->raft, due                            ? 1
	                                      : h->is_sending_state && limit ? UINT32_MAX
	                                                                     : h->c.snapshot_entries);
}

static void after(void *arg)
{
	struct raft_host *h = arg;
	raft_id leader = 0;
	const char *address;
	if (h->closing || h->adapter.dead || !h->started)
		return;
	tell_index(h);
	pace_snapshots(h);
	bool is_leader = raft_host_is_leader(h);
	CHECK(raft_host_term(h) >= h->was_term);
	raft_leader(&h->raft, &leader, &address);
	if (is_leader != h->was_leader || raft_host_term(h) != h->was_term || leader != h->was_leader_id) {
		if (h->was_leader)
			host_reads_fail(h, ERR_UNAVAILABLE);
		if (is_leader && (!h->was_leader || raft_host_term(h) != h->was_term))
			commit_own_term(h);
		h->pushed_commit = 0;
		h->was_leader = is_leader;
		h->was_term = raft_host_term(h);
		h->was_leader_id = leader;
		h->c.machine->v->role_changed(h->c.machine, is_leader, h->was_term, leader);
	}
	if (is_leader)
		push_commit(h);
	else
		host_reads_fail(h, ERR_UNAVAILABLE);
	host_reads_advance(h);
	if (may_pack(h)) /* a pack is through: what has queued meanwhile goes at once */
		raft_host_flush(h);
}

/* ---- driving ---- */

/* libraft draws election timeouts between one and two times the set one; half of that spread parts few servers as well,
 * and a leader that fell silent is followed a quarter of a timeout sooner. */
static void narrow_election_timer(struct raft_host *h)
{
	unsigned base = h->c.election_ms;
	if (raft_state(&h->raft) != RAFT_FOLLOWER)
		return;
	unsigned *drawn = libraft_election_timeout(&h->raft);
	if (*drawn > base + base / 2)
		*drawn = base + (*drawn - base) / 2;
}

void raft_host_tick(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	raft_host_flush(h);
	narrow_election_timer(h);
	pace_snapshots(h);
	if (!h->adapter.dead)
		adapter_tick(&h->adapter);
	if (!h->adapter.dead)
		host_reads_resend(h);
}

/* Places are those of the configuration's servers: one that is in it no more makes room. */
static void note_heard(struct raft_host *h, uint64_t id)
{
	size_t free_at = COUNT_OF(h->heard);
	if (!host_is_member(h, id))
		return;
	for (size_t i = 0; i < COUNT_OF(h->heard); i++) {
		if (h->heard[i].id == id) {
			h->heard[i].at_ms = h->c.env->v->now_ms(h->c.env);
			return;
		}
		if (free_at == COUNT_OF(h->heard) && (!h->heard[i].id || !host_is_member(h, h->heard[i].id)))
			free_at = i;
	}
	CHECK(id != 0);
	if (free_at == COUNT_OF(h->heard))
		return; /* more members than are allowed */
	h->heard[free_at].id = id;
	h->heard[free_at].at_ms = h->c.env->v->now_ms(h->c.env);
}

uint64_t host_last_heard(const struct raft_host *h, uint64_t id)
{
	for (size_t i = 0; i < COUNT_OF(h->heard); i++)
		if (h->heard[i].id == id)
			return h->heard[i].at_ms;
	return 0;
}

/* ---- what a peer sends ---- */

static int check_commands(struct raft_host *h, struct slice rest, struct err *err)
{
	const struct raft_machine_vtable *v = h->c.machine->v;
	struct slice command;
	int rc;
	while ((rc = next_command(&rest, &command)) == 1)
		if (v->is_command && !v->is_command(h->c.machine, command))
			return err_set(err, ERR_PROTOCOL,
			        "an entry with a command that is broken, or of a newer program than this one");
	return rc == 0 ? 0 : err_set(err, ERR_PROTOCOL, "an entry that does not unpack");
}

/* Does a configuration read within its bytes? libraft looks for the ends of addresses beyond them. Its form: 1, how
 * many (8 bytes), and of each the id (8), the address with a zero byte, and the role. */
static bool is_configuration(struct slice rest)
{
	uint64_t n;
	if (rest.len < 1 + sizeof n || rest.ptr[0] != 1)
		return false;
	memcpy(&n, rest.ptr + 1, sizeof n);
	rest = (struct slice){rest.ptr + 1 + sizeof n, rest.len - 1 - sizeof n};
	if (n > SERVERS_MAX)
		return false;
	for (; n > 0; n--) {
		uint64_t id = 0;
		if (rest.len > sizeof id)
			memcpy(&id, rest.ptr, sizeof id);
		const char *end = rest.len > sizeof n ? memchr(rest.ptr + sizeof n, 0, rest.len - sizeof n) : NULL;
		if (!id || !end || end - (rest.ptr + sizeof n) > FRAME_ADDRESS_MAX ||
		        (size_t)(end - rest.ptr) + 2 > rest.len || (unsigned char)end[1] > RAFT_SPARE)
			return false;
		rest = (struct slice){end + 2, rest.len - (size_t)(end - rest.ptr) - 2};
	}
	return true;
}

static int check_entry(struct raft_host *h, const struct frame_entry *e, struct err *err)
{
	struct raft_buffer b = {(void *)e->data.ptr, e->data.len};
	struct raft_configuration conf;
	if (e->data.len > RAFT_ENTRY_BYTES_MAX)
		return err_set(err, ERR_PROTOCOL, "an entry of %zu bytes; up to %u are taken", e->data.len,
		        (unsigned)RAFT_ENTRY_BYTES_MAX);
	if (e->kind == RAFT_COMMAND)
		return check_commands(h, e->data, err);
	if (e->kind != RAFT_CHANGE)
		return 0;
	if (!is_configuration(e->data) || raft_configuration_decode(&b, &conf) != 0)
		return err_set(err, ERR_PROTOCOL, "a configuration that does not read");
	raft_configuration_close(&conf);
	return 0;
}

/* Terms never fall along a log, and none is above its leader's (Raft figure 3.2); libraft relies on it. */
static int check_order(const struct frame *f, struct err *err)
{
	const struct raft_append_entries *m = &f->m.append_entries;
	uint64_t before = m->prev_log_index ? m->prev_log_term : 1;
	bool ok = m->term && m->term < TERM_MAX && m->prev_log_index < INDEX_MAX;
	ok &= !m->prev_log_index || m->prev_log_term;
	for (unsigned i = 0; i < m->n_entries && ok; i++) {
		ok = f->entries[i].term >= before && f->entries[i].term <= m->term;
		before = f->entries[i].term;
	}
	return ok ? 0 : err_set(err, ERR_PROTOCOL, "entries whose terms or indexes are none of a log");
}

static int check_snapshot(const struct raft_host *h, const struct frame *f, struct err *err)
{
	const struct raft_install_snapshot *m = &f->m.install_snapshot;
	const struct raft_machine_vtable *v = h->c.machine->v;
	bool ok = m->term && m->term < TERM_MAX && m->last_term && m->last_term <= m->term && m->last_index &&
	          m->last_index < INDEX_MAX && m->conf_index <= m->last_index && is_configuration(f->conf);
	ok = ok && f->conf.len + f->descriptor.len <= SNAPSHOT_RECORD_BYTES_MAX;
	if (ok && v->is_descriptor)
		ok = v->is_descriptor(h->c.machine, f->descriptor);
	return ok ? 0 : err_set(err, ERR_PROTOCOL, "a snapshot of something else");
}

static uint64_t term_of(const struct frame *f)
{
	switch (f->kind) {
	case RAFT_REQUEST_VOTE:
		return f->m.request_vote.term;
	case RAFT_REQUEST_VOTE_RESULT:
		return f->m.request_vote_result.term;
	case RAFT_APPEND_ENTRIES:
	case MESSAGE_COMMIT:
		return f->m.append_entries.term;
	case RAFT_APPEND_ENTRIES_RESULT:
		return f->m.append_entries_result.term;
	case RAFT_INSTALL_SNAPSHOT:
		return f->m.install_snapshot.term;
	case RAFT_TIMEOUT_NOW:
		return f->m.timeout_now.term;
	default:
		return 0; /* our own kinds change no term */
	}
}

/* A term is taken from whoever names it, and can't rise for ever. A term has one leader (Raft section 5.2): libraft
 * takes that for granted, and writes a follower's fields over a leader's that hears from another. */
static int check_term(struct raft_host *h, const struct frame *f, struct err *err)
{
	uint64_t own = raft_current_term(&h->raft), term = term_of(f);
	bool is_leaders =
	        f->kind == RAFT_APPEND_ENTRIES || f->kind == MESSAGE_COMMIT || f->kind == RAFT_INSTALL_SNAPSHOT;
	if (term >= TERM_MAX || (term > own && term - own > TERM_JUMP_MAX))
		return err_set(err, ERR_PROTOCOL, "server %llu says the term is %llu, and here it is %llu",
		        (unsigned long long)f->from, (unsigned long long)term, (unsigned long long)own);
	if (is_leaders && term == own && h->started && raft_state(&h->raft) == RAFT_LEADER)
		return err_set(err, ERR_PROTOCOL, "server %llu says it leads in term %llu, which this server does",
		        (unsigned long long)f->from, (unsigned long long)term);
	return 0;
}

/* Whatever gets past this may be relied on. */
static int check_frame(struct raft_host *h, const struct frame *f, struct err *err)
{
	if (check_term(h, f, err) != 0)
		return err->code;
	if (f->kind == RAFT_INSTALL_SNAPSHOT)
		return check_snapshot(h, f, err);
	int rc = f->kind == RAFT_APPEND_ENTRIES ? check_order(f, err) : 0;
	for (unsigned i = 0; f->kind == RAFT_APPEND_ENTRIES && rc == 0 && i < f->m.append_entries.n_entries; i++)
		rc = check_entry(h, &f->entries[i], err);
	return rc;
}

/* New entries for a machine that has enough; heartbeats, votes and what it led to itself go on. */
static bool is_shed(const struct raft_host *h, const struct frame *f)
{
	const struct raft_machine_vtable *v = h->c.machine->v;
	return f->kind == RAFT_APPEND_ENTRIES && f->m.append_entries.n_entries &&
	       ((v->is_busy && v->is_busy(h->c.machine)) || buggify(BUGGIFY_ENTRIES_SHED));
}

int raft_host_receive(struct raft_host *h, uint64_t from, struct slice bytes, struct err *err)
{
	adapter_check_owner(&h->adapter);
	struct arena a = ARENA_INIT;
	struct frame f;
	int rc = message_decode(bytes, &a, &f, err);
	if (rc == 0 && f.from != from)
		rc = err_set(err, ERR_PROTOCOL, "raft message from server %llu says it is from %llu",
		        (unsigned long long)from, (unsigned long long)f.from);
	if (rc == 0)
		rc = check_frame(h, &f, err);
	if (rc == 0)
		note_heard(h, from);
	if (rc == 0 && !h->adapter.dead && !is_shed(h, &f)) {
		if (f.kind == MESSAGE_READ_PROBE)
			host_receive_probe(h, &f);
		else if (f.kind == MESSAGE_READ_ANSWER)
			host_receive_answer(h, &f);
		else
			adapter_receive(&h->adapter, &f);
	}
	arena_release(&a);
	return rc;
}

/* An election is safe at any time, and one that is not needed fails in the pre-vote, since the others still hear their
 * leader. The moment is random so that followers do not all stand at once. */
void raft_host_peer_gone(struct raft_host *h, uint64_t id)
{
	adapter_check_owner(&h->adapter);
	struct raft *r = &h->raft;
	struct raft_env *env = h->c.env;
	if (!h->started || h->adapter.dead || raft_host_is_leader(h) || raft_host_leader(h) != id ||
	        raft_state(r) != RAFT_FOLLOWER)
		return;
	unsigned timeout = *libraft_election_timeout(r);
	unsigned wait = (unsigned)(env->v->random(env) % (h->c.election_ms / 4 + 1));
	raft_time now = env->v->now_ms(env), start = now + wait > timeout ? now + wait - timeout : 0;
	if (start < *libraft_election_timer(r))
		*libraft_election_timer(r) = start;
	h->adapter.last_append_ms = 0;
}

/* ---- life ---- */

static int install(void *arg, struct slice descriptor, struct err *err)
{
	struct raft_host *h = arg;
	return h->c.machine->v->install(h->c.machine, descriptor, err);
}

static uint64_t durable_index(void *arg)
{
	struct raft_host *h = arg;
	return h->c.machine->v->durable_index(h->c.machine);
}

static void configure(struct raft_host *h)
{
	struct raft *r = &h->raft;
	raft_set_election_timeout(r, h->c.election_ms);
	raft_set_heartbeat_timeout(r, h->c.heartbeat_ms);
	raft_set_install_snapshot_timeout(r, h->c.install_ms);
	raft_set_snapshot_threshold(r, h->c.snapshot_entries);
	raft_set_snapshot_trailing(r, h->c.snapshot_trailing);
	raft_set_pre_vote(r, true);
}

int raft_host_open(const struct raft_host_config *c, struct raft_host **ret, struct err *err)
{
	struct raft_host *h = xcalloc(1, sizeof *h);
	CHECK(c->id != 0 && c->snapshot_trailing != 0);
	libraft_check_version();
	h->c = *c;
	h->fsm = (struct raft_fsm){
	        .version = 1, .data = h, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
	list_init(&h->proposals);
	list_init(&h->packs);
	list_init(&h->reads);
	list_init(&h->changes);
	struct adapter_config ac = {.env = c->env,
	        .disk = c->disk,
	        .id = c->id,
	        .address = c->address,
	        .segment_bytes = c->segment_bytes,
	        .workarounds_off = c->workarounds_off,
	        .election_ms = c->election_ms,
	        .trailing = c->snapshot_trailing,
	        .after = after,
	        .install = install,
	        .durable_index = durable_index,
	        .arg = h};
	if (c->probe)
		ac.probe = *c->probe;
	int rc = adapter_open(&h->adapter, &h->raft, &ac, err);
	if (rc != 0) {
		free(h);
		return rc;
	}
	CHECK(raft_init(&h->raft, &h->adapter.io, &h->fsm, c->id, c->address) == 0);
	libraft_silence(&h->raft);
	configure(h);
	*ret = h;
	return 0;
}

int raft_host_bootstrap(struct raft_host *h, const struct raft_host_server *servers, size_t n, struct err *err)
{
	static const int roles[] = {RAFT_STANDBY, RAFT_VOTER, RAFT_SPARE};
	struct raft_configuration conf;
	CHECK(!h->started && n >= 1);
	raft_configuration_init(&conf);
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = raft_configuration_add(&conf, servers[i].id, servers[i].address, roles[servers[i].role]);
	if (rc == 0)
		rc = raft_bootstrap(&h->raft, &conf);
	raft_configuration_close(&conf);
	if (rc == RAFT_CANTBOOTSTRAP)
		return err_set(err, ERR_EXISTS, "this server already belongs to a cluster");
	return rc == 0 ? 0 : err_set(err, ERR_INVAL, "bootstrap: %s", raft_strerror(rc));
}

/* The state may be older than the newest snapshot: what lies between is in the log, and committed. */
static int close_the_gap(struct raft_host *h, struct err *err)
{
	const struct raft_adapter *a = &h->adapter;
	uint64_t has = h->c.machine->v->applied_index(h->c.machine), wants = a->snapshot.index;
	if (has < wants && (!a->n_loaded || a->loaded_first > has + 1))
		return err_set(err, ERR_CORRUPT,
		        "the state ends at entry %" PRIu64 ", the snapshot is of %" PRIu64
		        " and the log does not hold what lies between: the state is older than it can be. Remove this "
		        "server from the cluster, delete its data and join it again",
		        has, wants);
	CHECK(has >= wants || a->loaded_first <= has + 1);
	for (uint64_t i = has + 1; i <= wants && i - a->loaded_first < a->n_loaded; i++) {
		const struct log_entry *e = &a->loaded[i - a->loaded_first];
		if (e->kind == RAFT_COMMAND)
			unpack(h, i, e->term, e->data);
	}
	h->told = wants;
	if (has < wants)
		h->c.machine->v->apply(h->c.machine, wants, a->snapshot.term, NULL, 0);
	return 0;
}

int raft_host_start(struct raft_host *h, struct err *err)
{
	CHECK(!h->started && !h->closing);
	if (close_the_gap(h, err) != 0)
		return err->code;
	h->adapter.owner = pthread_self();
	h->adapter.has_owner = true;
	int rc = raft_start(&h->raft);
	if (rc != 0)
		return err_set(
		        err, ERR_CORRUPT, "raft does not start: %s (%s)", raft_strerror(rc), raft_errmsg(&h->raft));
	h->started = true;
	adapter_after(&h->adapter);
	return 0;
}

static void closed(struct raft *r)
{
}

void raft_host_close(struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	struct list_link *l;
	CHECK(!h->closing);
	h->closing = true;
	raft_close(&h->raft, closed); /* our backend closes at once */
	while ((l = list_pop_front(&h->packs)) != NULL)
		answer(CONTAINER_OF(l, struct pack, link), ERR_CANCELED, 0);
	while ((l = list_pop_front(&h->proposals)) != NULL) {
		struct raft_proposal *p = CONTAINER_OF(l, struct raft_proposal, link);
		p->done(p, ERR_CANCELED, 0, 0);
	}
	host_reads_fail(h, ERR_CANCELED);
	host_changes_fail(h);
	CHECK(h->n_packs == 0 && list_empty(&h->proposals) && list_empty(&h->reads)); /* everybody was answered */
	adapter_release(&h->adapter);
	free(h);
}

bool raft_host_is_leader(const struct raft_host *h)
{
	return raft_state((struct raft *)&h->raft) == RAFT_LEADER;
}

uint64_t raft_host_term(const struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	return raft_current_term(&h->raft);
}

uint64_t raft_host_commit_index(const struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	return raft_commit_index(&h->raft);
}

uint64_t raft_host_applied_index(const struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	return libraft_last_applied(&h->raft);
}

uint64_t raft_host_last_index(const struct raft_host *h)
{
	return raft_last_index((struct raft *)&h->raft);
}

uint64_t raft_host_id(const struct raft_host *h)
{
	return h->c.id;
}

uint64_t raft_host_leader(const struct raft_host *h)
{
	adapter_check_owner(&h->adapter);
	raft_id id = 0;
	const char *address;
	raft_leader((struct raft *)&h->raft, &id, &address);
	return id;
}

const char *raft_host_address(const struct raft_host *h, uint64_t id, struct arena *a)
{
	const struct raft_configuration *c = libraft_configuration(&h->raft);
	raft_id leader = 0;
	const char *address;
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].id == id)
			return arena_strdup(a, c->servers[i].address);
	raft_leader((struct raft *)&h->raft, &leader, &address);
	return leader == id && address ? arena_strdup(a, address) : NULL;
}

void raft_host_set_busy(struct raft_host *h, bool is_sending_state)
{
	adapter_check_owner(&h->adapter);
	h->is_sending_state = is_sending_state;
}

uint64_t raft_host_snapshot_index(const struct raft_host *h)
{
	return h->adapter.snapshot.index;
}

bool raft_host_has_log(const struct raft_host *h)
{
	return h->adapter.snapshot.index || log_last_index(h->adapter.log) != 0;
}

bool raft_host_is_disk_full(const struct raft_host *h)
{
	return h->adapter.is_full;
}
