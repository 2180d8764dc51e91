/* The adapter's life: opening what is on the disk, handing it to libraft, term and vote, ticks, closing.
 *
 * Never is an error returned to libraft from a hook that writes or sends: it would skip messages or entries of that
 * step. A disk that fails ends in raft_env's fatal(), which stops the process; where that returns (in the simulator)
 * the adapter is dead: it does nothing any more until it is closed. */
#include "raft/adapter/adapter.h"

#include "base/breakage.h"
#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

void adapter_fatal(struct raft_adapter *a, const struct err *err)
{
	CHECK(err->code != 0);
	a->dead = true;
	a->c.env->v->fatal(a->c.env, err);
}

/* 13. Nothing but the stock backend fires the callbacks of what was committed: do it after every call. */
void adapter_after(struct raft_adapter *a)
{
	adapter_check_owner(a);
	if (adapter_works_around(a, 13))
		LegacyFireCompletedRequests(a->raft);
	if (a->c.after)
		a->c.after(a->c.arg);
}

/* ---- configurations in the log ---- */

void adapter_forget_changes(struct raft_adapter *a, uint64_t from)
{
	adapter_check_owner(a);
	while (a->n_changes && a->changes[a->n_changes - 1].index >= from)
		free(a->changes[--a->n_changes].data);
}

void adapter_note_change(struct raft_adapter *a, uint64_t index, const void *data, size_t len)
{
	adapter_check_owner(a);
	CHECK(index >= 1);
	adapter_forget_changes(a, index);
	if (a->n_changes == a->cap_changes) {
		a->cap_changes = a->cap_changes ? a->cap_changes * 2 : 8;
		a->changes = xrealloc(a->changes, a->cap_changes * sizeof *a->changes);
	}
	a->changes[a->n_changes++] = (struct config_change){index, xmemdup(data, len), len};
}

/* ---- what was on the disk ---- */

static void forget_loaded(struct raft_adapter *a)
{
	for (size_t i = 0; i < a->n_loaded; i++)
		raft_free((char *)a->loaded[i].data.ptr); /* NULL: handed over */
	free(a->loaded);
	a->loaded = NULL;
	a->n_loaded = a->cap_loaded = 0;
}

static void keep_entry(void *arg, uint64_t index, const struct log_entry *e)
{
	struct raft_adapter *a = arg;
	if (!a->n_loaded)
		a->loaded_first = index;
	CHECK(index == a->loaded_first + a->n_loaded); /* an array stands for indexes without a gap */
	if (a->n_loaded == a->cap_loaded) {
		a->cap_loaded = a->cap_loaded ? a->cap_loaded * 2 : 64;
		a->loaded = xrealloc(a->loaded, a->cap_loaded * sizeof *a->loaded);
	}
	struct log_entry copy = *e;
	char *data = raft_malloc(e->data.len + 1);
	CHECK(data != NULL);
	memcpy(data, e->data.ptr, e->data.len);
	copy.data.ptr = data;
	a->loaded[a->n_loaded++] = copy;
	if (e->kind == RAFT_CHANGE)
		adapter_note_change(a, index, e->data.ptr, e->data.len);
}

static bool is_alone(const struct snapshot_record *s)
{
	struct raft_buffer b = {s->conf.data, s->conf.len};
	struct raft_configuration conf;
	if (!s->index || raft_configuration_decode(&b, &conf) != 0)
		return false; /* libraft says so when it is given it */
	bool alone = conf.n == 1;
	raft_configuration_close(&conf);
	return alone;
}

/* The oldest entry that anybody may ask for: the state replays what it does not have, followers get what is not far
 * behind the snapshot. A log of packed entries is many times larger in memory, and most of it is of no use to anybody.
 */
static uint64_t first_needed(const struct raft_adapter *a)
{
	const struct snapshot_record *s = &a->snapshot;
	uint64_t behind = is_alone(s) ? 0 : a->c.trailing;
	uint64_t from = s->index > behind ? s->index - behind : 0;
	uint64_t durable = from ? a->c.durable_index(a->c.arg) : 0;
	return durable < from ? durable + 1 : from;
}

/* The log may be older than the snapshot, when a crash came between installing one and restarting the other: then it
 * goes. Entries missing between the two are damage. */
static int match_log_with_snapshot(struct raft_adapter *a, struct err *err)
{
	const struct snapshot_record *s = &a->snapshot;
	uint64_t first = log_first_index(a->log), last = log_last_index(a->log);
	if (first > s->index + 1)
		return err_set(err, ERR_CORRUPT,
		        "the raft log begins at entry %" PRIu64 ", but the snapshot ends at %" PRIu64
		        ": entries are missing. Remove this server from the cluster, delete its data and join it again",
		        first, s->index);
	bool in_log = s->index >= first && s->index <= last;
	CHECK(!in_log || a->loaded_first <= s->index);
	bool same = in_log && a->loaded[s->index - a->loaded_first].term == s->term;
	if (s->index == 0 || same || first == s->index + 1)
		return 0;
	forget_loaded(a);
	adapter_forget_changes(a, 0);
	return log_restart(a->log, s->index + 1, err);
}

/* ---- libraft's hooks ---- */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
	return 0;
}

/* Of a server alone what is below the snapshot was for the state only, which has it by now. The snapshot's own entry
 * stays: of a log that begins behind it libraft takes that entry for there, and would send nothing to who lacks it. */
static size_t count_taken_in(const struct raft_adapter *a)
{
	uint64_t snapshot = a->snapshot.index, end = a->loaded_first + a->n_loaded;
	if (!a->n_loaded || a->loaded_first >= snapshot)
		return 0;
	return end <= snapshot ? a->n_loaded : snapshot - a->loaded_first;
}

static struct raft_entry *hand_over_at_once(struct log_entry *loaded, size_t n, struct raft_entry *entries)
{
	size_t bytes = 1, at = 0;
	for (size_t i = 0; i < n; i++)
		bytes += loaded[i].data.len;
	char *all = raft_malloc(bytes);
	for (size_t i = 0; i < n; i++) {
		memcpy(all + at, loaded[i].data.ptr, loaded[i].data.len);
		entries[i].buf.base = all + at;
		entries[i].batch = all;
		at += loaded[i].data.len;
	}
	CHECK(at + 1 == bytes);
	return entries;
}

/* 9. libraft counts a batch's users by the entries in its log only and frees one that a send still holds, then again:
 * so every entry is a batch of its own (and sends hold nothing, see adapter_send.c). */
static struct raft_entry *hand_over(struct raft_adapter *a, struct log_entry *loaded, size_t n)
{
	struct raft_entry *entries = raft_calloc(n, sizeof *entries);
	CHECK(entries != NULL);
	for (size_t i = 0; i < n; i++) {
		struct log_entry *e = &loaded[i];
		entries[i] = (struct raft_entry){
		        .term = e->term, .type = (enum raft_entry_type)e->kind, .buf.len = e->data.len};
	}
	if (!adapter_works_around(a, 9))
		return hand_over_at_once(loaded, n, entries);
	for (size_t i = 0; i < n; i++) {
		entries[i].buf.base = entries[i].batch = (char *)loaded[i].data.ptr;
		loaded[i].data.ptr = NULL;
	}
	return entries;
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *vote, struct raft_snapshot **snapshot,
        raft_index *start_index, struct raft_entry *entries[], size_t *n_entries)
{
	struct raft_adapter *a = io->impl;
	CHECK(!a->tick); /* once, before it starts */
	CHECK(!a->n_loaded || a->loaded_first + a->n_loaded == log_last_index(a->log) + 1);
	size_t skip = is_alone(&a->snapshot) ? count_taken_in(a) : 0;
	*term = meta_term(a->meta);
	*vote = meta_vote(a->meta);
	*snapshot = NULL;
	*entries = NULL;
	*start_index = a->n_loaded ? a->loaded_first + skip : log_last_index(a->log) + 1;
	*n_entries = a->n_loaded - skip;
	if (a->snapshot.index && adapter_snapshot_make(&a->snapshot, snapshot) != 0)
		return RAFT_CORRUPT;
	if (*n_entries)
		*entries = hand_over(a, a->loaded + skip, *n_entries);
	forget_loaded(a);
	return 0;
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
	struct raft_adapter *a = io->impl;
	CHECK(!a->tick && !a->closing && tick && recv);
	a->tick = tick;
	a->recv = recv;
	return 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	struct raft_adapter *a = io->impl;
	struct raft_buffer b;
	struct err err = ERR_INIT;
	CHECK(!a->tick);
	if (meta_term(a->meta) > 1 || meta_vote(a->meta) != 0 || log_last_index(a->log) != 0 || a->snapshot.index)
		return RAFT_CANTBOOTSTRAP;
	if (raft_configuration_encode(conf, &b) != 0)
		return RAFT_NOMEM;
	struct log_entry e = {1, RAFT_CHANGE, {b.base, b.len}};
	int rc = meta_set_term(a->meta, 1, &err);
	if (rc == 0)
		rc = log_append(a->log, 1, &e, 1, &err);
	if (rc == 0) {
		keep_entry(a, 1, &e);
		if (a->c.probe.appended)
			a->c.probe.appended(a->c.probe.arg, 1, &e);
	} else {
		adapter_fatal(a, &err);
	}
	raft_free(b.base);
	return rc == 0 ? 0 : RAFT_IOERR;
}

static int io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
	snprintf(io->errmsg, sizeof io->errmsg, "recovery by force is not offered by this backend");
	return RAFT_IOERR;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
	struct raft_adapter *a = io->impl;
	struct err err = ERR_INIT;
	if (!a->dead && meta_set_term(a->meta, term, &err) != 0)
		adapter_fatal(a, &err);
	return 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
	struct raft_adapter *a = io->impl;
	struct err err = ERR_INIT;
	if (!a->dead && meta_set_vote(a->meta, id, &err) != 0)
		adapter_fatal(a, &err);
	return 0;
}

static raft_time io_time(struct raft_io *io)
{
	struct raft_adapter *a = io->impl;
	return a->c.env->v->now_ms(a->c.env);
}

static int io_random(struct raft_io *io, int min, int max)
{
	struct raft_adapter *a = io->impl;
	CHECK(min <= max);
	if (breakage_is(
	            BREAK_FORGET_VOTE)) /* candidates meet: where votes count once, nothing comes of it but a delay */
		return min;
	return min + (int)(a->c.env->v->random(a->c.env) % (uint64_t)((int64_t)max - min + 1));
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
	struct raft_adapter *a = io->impl;
	CHECK(!a->closing);
	a->closing = true;
	a->c.env->v->quiesce(a->c.env);
	adapter_cancel_ops(a);
	adapter_sends_done(a, RAFT_CANCELED);
	/* 10. A snapshot_get callback with an error makes libraft free what it never set: they stay unanswered. */
	while (!list_empty(&a->gets))
		free(CONTAINER_OF(list_pop_front(&a->gets), struct pending_get, link));
	CHECK(list_empty(&a->queue) && list_empty(&a->running) && list_empty(&a->sends)); /* all are answered */
	cb(io);
}

void adapter_tick(struct raft_adapter *a)
{
	adapter_check_owner(a);
	if (a->dead)
		return;
	CHECK(a->tick && !a->closing);
	adapter_answer_gets(a);
	if (!list_empty(&a->sends) && io_random(&a->io, 0, 7) == 0)
		adapter_sends_done(a, 0);
	adapter_start_job(a); /* one that found the disk full tries again */
	a->tick(&a->io);
	adapter_after(a);
}

/* ---- life ---- */

static void set_hooks(struct raft_adapter *a)
{
	a->io = (struct raft_io){
	        .version = 2,
	        .capacity = 60000, /* above libraft's threshold: room is looked after in adapter_disk.c */
	        .impl = a,
	        .init = io_init,
	        .close = io_close,
	        .load = io_load,
	        .start = io_start,
	        .bootstrap = io_bootstrap,
	        .recover = io_recover,
	        .set_term = io_set_term,
	        .set_vote = io_set_vote,
	        .send = adapter_send,
	        .append = adapter_append,
	        .truncate = adapter_truncate,
	        .snapshot_put = adapter_snapshot_put,
	        .snapshot_get = adapter_snapshot_get,
	        .time = io_time,
	        .random = io_random,
	};
}

int adapter_open(struct raft_adapter *a, struct raft *r, const struct adapter_config *c, struct err *err)
{
	CHECK(c->id != 0 && c->env && c->env->v && c->disk && c->disk->v);
	memset(a, 0, sizeof *a);
	a->c = *c;
	a->raft = r;
	list_init(&a->queue);
	list_init(&a->running);
	list_init(&a->gets);
	list_init(&a->sends);
	set_hooks(a);
	int rc = meta_open(c->disk, &a->meta, err);
	if (rc == 0)
		rc = adapter_snapshot_load(a, err);
	if (rc == 0)
		rc = log_open(c->disk, c->segment_bytes, first_needed(a), keep_entry, a, &a->log, err);
	if (rc == 0)
		rc = match_log_with_snapshot(a, err);
	if (rc != 0)
		adapter_release(a);
	return rc;
}

void adapter_release(struct raft_adapter *a)
{
	adapter_check_owner(a);
	forget_loaded(a);
	adapter_forget_changes(a, 0);
	free(a->changes);
	snapshot_record_release(&a->snapshot);
	strbuf_release(&a->frame);
	if (a->log)
		log_close(a->log);
	if (a->meta)
		meta_close(a->meta);
	a->log = NULL;
	a->meta = NULL;
	a->changes = NULL;
}
