/* Messages on their way in: turned into libraft's form, and split, trimmed, corrected or dropped where libraft 0.22.1
 * would draw a wrong conclusion from them. Each number is that of a finding; each can be switched off by the simulator,
 * which must then fail. */
#include "raft/adapter/adapter.h"

#include "base/breakage.h"
#include "base/check.h"

static void deliver(struct raft_adapter *a, struct raft_message *m)
{
	adapter_check_owner(a);
	CHECK(a->recv && !a->dead && !a->closing);
	uint64_t term = raft_current_term(a->raft), commit = raft_commit_index(a->raft);
	a->recv(&a->io, m);
	CHECK(raft_current_term(a->raft) >= term && (a->c.workarounds_off || raft_commit_index(a->raft) >= commit));
	a->stale = false;
	adapter_after(a);
}

/* libraft takes the array and one batch for all of it. */
static struct raft_entry *make_entries(const struct frame_entry *from, unsigned n)
{
	size_t bytes = 0;
	if (!n)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		bytes += from[i].data.len;
	char *batch = raft_malloc(bytes + 1), *p = batch;
	struct raft_entry *e = raft_malloc(n * sizeof *e);
	for (unsigned i = 0; i < n; i++) {
		e[i] = (struct raft_entry){.term = from[i].term,
		        .type = (enum raft_entry_type)from[i].kind,
		        .buf = {p, from[i].data.len},
		        .batch = batch};
		memcpy(p, from[i].data.ptr, from[i].data.len);
		p += from[i].data.len;
	}
	CHECK(p == batch + bytes);
	return e;
}

/* 5. libraft takes an entry that was compacted away for one that is missing: entries that begin below the log would be
 * appended at its end. What is committed here needs no look: cut it off. It also keeps the commit index from going
 * back (4). Returns how many entries are skipped. */
static unsigned skip_committed(
        struct raft_adapter *a, const struct raft_append_entries *m, uint64_t *prev, uint64_t *term)
{
	uint64_t commit = raft_commit_index(a->raft);
	if (!adapter_works_around(a, 5) || m->term < raft_current_term(a->raft) || *prev >= commit ||
	        libraft_is_installing(a->raft))
		return 0;
	uint64_t commit_term = libraft_term_of(a->raft, commit);
	if (commit_term == 0)
		return 0;
	CHECK(commit > *prev);
	uint64_t known = commit - *prev;
	*prev = commit;
	*term = commit_term;
	return known < m->n_entries ? (unsigned)known : m->n_entries;
}

/* 2. libraft records a configuration change under the index of the message's first entry: so a change is always the
 * first of its message. Returns the end of the piece that begins at `from`. */
static unsigned piece_end(const struct raft_adapter *a, const struct frame *f, unsigned from)
{
	unsigned n = f->m.append_entries.n_entries, end = from + 1;
	if (from >= n || !adapter_works_around(a, 2))
		return n;
	while (end < n && f->entries[end].kind != RAFT_CHANGE)
		end++;
	CHECK(end > from && end <= n);
	return end;
}

/* 4. The commit index of a message that ends below ours would set ours back: never say more than we know there. */
static uint64_t bounded_commit(const struct raft_adapter *a, uint64_t last, uint64_t leader_commit)
{
	uint64_t commit = raft_commit_index(a->raft);
	return adapter_works_around(a, 4) && last < commit && leader_commit > commit ? commit : leader_commit;
}

/* 15. A message that contradicts what is committed here makes libraft fail its step, and then free the entries twice.
 * No sound leader sends one (Raft section 5.4.3): it is dropped. */
static bool contradicts(const struct raft_adapter *a, const struct raft_append_entries *m)
{
	raft_term own =
	        m->prev_log_index <= raft_commit_index(a->raft) ? libraft_term_of(a->raft, m->prev_log_index) : 0;
	return m->term >= raft_current_term(a->raft) && m->prev_log_index && own && own != m->prev_log_term;
}

static void receive_append(struct raft_adapter *a, const struct frame *f)
{
	adapter_check_owner(a);
	const struct raft_append_entries *src = &f->m.append_entries;
	uint64_t prev = src->prev_log_index, term = src->prev_log_term;
	if (contradicts(a, src) && adapter_works_around(a, 15))
		return;
	unsigned i = skip_committed(a, src, &prev, &term);
	do {
		unsigned end = piece_end(a, f, i), n = end - i;
		struct raft_message m = f->m;
		m.append_entries.prev_log_index = prev;
		m.append_entries.prev_log_term = term;
		m.append_entries.n_entries = n;
		m.append_entries.entries = n ? make_entries(f->entries + i, n) : NULL;
		m.append_entries.leader_commit = bounded_commit(a, prev + n, src->leader_commit);
		a->stale = src->term < raft_current_term(a->raft);
		deliver(a, &m);
		prev += n;
		if (n)
			term = f->entries[end - 1].term;
		i = end;
	} while (i < src->n_entries && !a->dead);
}

/* What is committed may be said before the entries are sent: others made a majority without us, and the entries come
 * with the older commit index they were made with. It is kept and heard again behind them: readers and watchers here
 * would else wait for the next heartbeat. */
static void receive_commit(struct raft_adapter *a, const struct frame *f)
{
	adapter_check_owner(a);
	const struct raft_append_entries *m = &f->m.append_entries;
	CHECK(m->n_entries == 0 && !a->mute);
	a->mute = true;
	receive_append(a, f);
	a->mute = false;
	a->late.m.append_entries.term = 0;
	if (m->term != raft_current_term(a->raft) || m->leader_commit <= raft_commit_index(a->raft))
		return;
	a->late = *f;
	if (f->address != a->late_address)
		snprintf(a->late_address, sizeof a->late_address, "%s", f->address);
	a->late.address = a->late.m.server_address = a->late_address;
}

static void receive_late_commit(struct raft_adapter *a)
{
	struct frame f = a->late;
	if (f.m.append_entries.term && !a->dead && !a->closing)
		receive_commit(a, &f);
}

/* 15, of a snapshot: what is committed here and known to be of another term is taken from nobody. */
static bool snapshot_contradicts(const struct raft_adapter *a, const struct raft_install_snapshot *m)
{
	raft_term own = m->last_index <= raft_commit_index(a->raft) ? libraft_term_of(a->raft, m->last_index) : 0;
	return own && own != m->last_term;
}

static void receive_snapshot(struct raft_adapter *a, const struct frame *f)
{
	adapter_check_owner(a);
	if (snapshot_contradicts(a, &f->m.install_snapshot) && adapter_works_around(a, 15))
		return;
	struct raft_message m = f->m;
	struct raft_buffer conf = {(void *)f->conf.ptr, f->conf.len};
	/* 8. While a snapshot of any kind is being written, another one crashes libraft or is leaked. It comes again.
	 */
	if (a->puts && adapter_works_around(a, 8))
		return;
	if (raft_configuration_decode(&conf, &m.install_snapshot.conf) != 0)
		return; /* a peer's broken bytes: as good as lost */
	m.install_snapshot.data.len = f->descriptor.len;
	m.install_snapshot.data.base = raft_malloc(f->descriptor.len + 1);
	memcpy(m.install_snapshot.data.base, f->descriptor.ptr, f->descriptor.len);
	a->stale = m.install_snapshot.term < raft_current_term(a->raft);
	deliver(a, &m);
}

/* 6. A rejection that comes late, from before entries matched, sets the next index below the match and the number of
 * messages in flight below zero: the follower then gets only heartbeats. */
static void receive_append_result(struct raft_adapter *a, const struct frame *f)
{
	adapter_check_owner(a);
	struct raft_message m = f->m;
	struct raft_append_entries_result *r = &m.append_entries_result;
	raft_index match;
	if (adapter_works_around(a, 6) && r->rejected && r->term == raft_current_term(a->raft) &&
	        raft_match_index(a->raft, m.server_id, &match) == 0) {
		if (r->rejected <= match)
			return;
		if (r->last_log_index < match)
			r->last_log_index = match;
	}
	deliver(a, &m);
}

static struct raft_server *own_server(struct raft_adapter *a)
{
	struct raft_configuration *c = libraft_configuration_of(a->raft);
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].id == a->c.id)
			return &c->servers[i];
	return NULL;
}

/* libraft refuses its vote as long as its own, randomized timer has not run out, so that an election waits for the
 * slowest of a majority instead of the fastest. Thesis section 4.2.3: a leader counts for the minimum timeout. */
static void forget_quiet_leader(struct raft_adapter *a, unsigned quiet_ms)
{
	uint64_t now = a->c.env->v->now_ms(a->c.env);
	if (raft_state(a->raft) == RAFT_FOLLOWER && now - a->last_append_ms > quiet_ms)
		libraft_forget_leader(a->raft);
}

/* 12. A server that does not know yet that it was made a voter refuses its vote, and one that is no voter never
 * forgets its leader: either can block elections for ever. Thesis section 4.2.2: the vote is given anyway. */
static void receive_vote_request(struct raft_adapter *a, const struct frame *f)
{
	adapter_check_owner(a);
	struct raft_message m = f->m;
	struct raft_server *own = adapter_works_around(a, 12) ? own_server(a) : NULL;
	int role = own ? own->role : RAFT_VOTER;
	forget_quiet_leader(a, role == RAFT_VOTER ? a->c.election_ms : 2 * a->c.election_ms);
	if (role != RAFT_VOTER)
		own->role = RAFT_VOTER;
	if (breakage_is(BREAK_FORGET_VOTE))
		libraft_forget_vote(a->raft);
	a->recv(&a->io, &m);
	own = role != RAFT_VOTER ? own_server(a) : NULL;
	if (own)
		own->role = role;
	adapter_after(a);
}

void adapter_receive(struct raft_adapter *a, const struct frame *f)
{
	adapter_check_owner(a);
	struct raft_message m = f->m;
	uint64_t term = raft_current_term(a->raft);
	if (a->dead || a->closing)
		return;
	CHECK(f->from == m.server_id && f->from != 0);
	if ((f->kind == RAFT_APPEND_ENTRIES && m.append_entries.term >= term) ||
	        (f->kind == RAFT_INSTALL_SNAPSHOT && m.install_snapshot.term >= term))
		a->last_append_ms = a->c.env->v->now_ms(a->c.env);
	switch (f->kind) {
	case MESSAGE_COMMIT:
		receive_commit(a, f);
		break;
	case RAFT_APPEND_ENTRIES:
		receive_append(a, f);
		receive_late_commit(a);
		break;
	case RAFT_INSTALL_SNAPSHOT:
		receive_snapshot(a, f);
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		receive_append_result(a, f);
		break;
	case RAFT_REQUEST_VOTE:
		receive_vote_request(a, f);
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		/* 14. libraft reads a candidate's fields in other states. */
		if (raft_state(a->raft) == RAFT_CANDIDATE || !adapter_works_around(a, 14))
			deliver(a, &m);
		break;
	default:
		deliver(a, &m);
	}
}
