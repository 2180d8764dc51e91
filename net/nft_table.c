/* See nft_table.h.
 *
 *     IDLE --(something differs)--> SETTLING --> WRITING --(taken)--> IDLE
 *       ^                              ^            \--(refused)--> CHECKING --> WRITING (what was accepted)
 *       \--(a pause)-- PAUSED <--------+------------ (even the frame is refused, or nft cannot be run)
 *
 * A transaction is the removal of what changed or went, and the addition of what changed or came; or, when the table is
 * to be rebuilt, the frame and all parts. When the kernel does not take it, which is all or nothing, the parts are
 * tried in halves with `nft -c`, which changes nothing, oldest first, each half on top of what was accepted before it:
 * a single part that fails is refused. So a table of a thousand parts with one bad one costs some twenty checks, and
 * meanwhile the kernel keeps what it had.
 *
 * A turn that has nothing but elements of sets that are known is written without nft (nft_elements.h); if the kernel
 * does not take that, nft tries the same, and what is said above happens.
 *
 * What can go wrong: somebody else removes something of the table, or flushes all tables of the machine: the kernel
 * tells (nft_watch.h), and all is rebuilt at once; if it goes on, with a growing pause, for two may be at it who both
 * put back. Where the kernel does not tell, the next removal fails, and all is rebuilt then. nft is absent or too old:
 * told once a minute, and tried again with a growing pause. */
#include "net/nft_table.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "base/mem/rcbuf.h"
#include "base/rt/closing.h"
#include "base/rt/sm.h"
#include "net/nft_run.h"
#include "net/nft_script.h"
#include "net/nft_watch.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	SETTLE_MS = 20,
	RETRY_MS = 1000,
	RETRY_MS_MAX = 30000,
	TELL_MS = 60000,
	REFUSED_AGAIN_MS = 300000,
	PUT_BACK_MS = 1000,
	PUT_BACK_MS_MAX = 5000, /* so long services are out while somebody works at the firewall */
	OWN_RUNS = 8,           /* of which the kernel may tell still */
	GROUPS_MAX = 128        /* halves of halves: more than the bits of a size, twice */
};

enum table_state { TABLE_NEW, TABLE_IDLE, TABLE_SETTLING, TABLE_WRITING, TABLE_CHECKING, TABLE_PAUSED, TABLE_CLOSING };

struct part {
	struct slice key;
	struct rcbuf *rank;
	struct rcbuf *add, *remove; /* as it is wanted; NULL: not any more */
	struct rcbuf *there;        /* what undoes what the kernel has of it; NULL: nothing */
	bool is_refused, is_told;
	bool in_turn;
	struct list_link dirty;
};

/* A part of a turn, as it was when the turn began: owners go on changing theirs. */
struct entry {
	struct part *part;
	struct rcbuf *rank, *add, *remove; /* add NULL: it goes */
	bool is_accepted;
	struct err err; /* why not */
};

/* Entries [first, first + count) of the turn, to be checked together. */
struct group {
	size_t first, count;
};

struct nft_table {
	struct nft_table_options o;
	struct sm sm;
	struct map parts;
	struct list_link dirty;
	bool rebuild;
	uv_timer_t timer, again_timer, put_back_timer;
	struct nft_run run;
	bool running; /* nft, or the writer of elements */
	/* elements alone, on libuv's pool */
	int elements_fd; /* -1: there is none */
	unsigned elements_port;
	uv_work_t elements_work;
	struct strbuf batch;
	int batch_rc;
	uint64_t written_ms;
	/* what others do to it */
	struct nft_watch *watch; /* NULL: nobody tells */
	uint32_t own[OWN_RUNS];  /* process ids of our last runs of nft */
	size_t own_next;
	uint64_t put_back_wait_ms, put_back_at_ms;
	/* the turn: a transaction and, when it is refused, its checks */
	bool turn_rebuilds, was_checked, base_is_good;
	struct entry *entries; /* those to be added first, oldest first */
	size_t entries_count, adds_count;
	struct strbuf base, accepted;
	struct group *groups; /* a stack */
	size_t groups_count;
	/* failures of the whole */
	uint64_t retry_ms, told_ms;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool holds(const struct sm *m, int before)
{
	const struct nft_table *t = CONTAINER_OF(m, struct nft_table, sm);
	bool in_turn = sm_state(m) == TABLE_WRITING || sm_state(m) == TABLE_CHECKING;
	return in_turn == (t->entries != NULL) && (sm_state(m) == TABLE_CHECKING || !t->groups_count);
}

#define TO_CLOSING SM_TO(TABLE_CLOSING)
static const struct sm_state states[] = {
        [TABLE_NEW] = {"new", SM_TO(TABLE_SETTLING) | TO_CLOSING},
        [TABLE_IDLE] = {"idle", SM_TO(TABLE_SETTLING) | TO_CLOSING},
        [TABLE_SETTLING] = {"settling", SM_TO(TABLE_WRITING) | TO_CLOSING},
        [TABLE_WRITING] = {"writing", SM_TO(TABLE_IDLE) | SM_TO(TABLE_CHECKING) | SM_TO(TABLE_PAUSED) | TO_CLOSING},
        [TABLE_CHECKING] = {"checking",
                SM_TO(TABLE_WRITING) | SM_TO(TABLE_PAUSED) | SM_TO(TABLE_SETTLING) | TO_CLOSING},
        [TABLE_PAUSED] = {"paused", SM_TO(TABLE_SETTLING) | TO_CLOSING},
        [TABLE_CLOSING] = {"closing", 0},
};
static const struct sm_kind machine = SM_KIND("nft-table", states, holds);

static void settled(uv_timer_t *timer);

static void settle(struct nft_table *t, uint64_t ms)
{
	sm_move(&t->sm, TABLE_SETTLING);
	uv_timer_start(&t->timer, settled, ms, 0);
}

static void poke(struct nft_table *t)
{
	/* One change by itself is written at once; of many in a row those that come meanwhile go together. */
	bool is_at_rest = loop_now_ms(t->o.loop) - t->written_ms >= SETTLE_MS;
	if (sm_state(&t->sm) == TABLE_IDLE)
		settle(t, is_at_rest ? 0 : SETTLE_MS);
}

/* ---- parts ---- */

static void part_free(struct part *p)
{
	rcbuf_unref(p->rank);
	rcbuf_unref(p->add);
	rcbuf_unref(p->remove);
	rcbuf_unref(p->there);
	free(p);
}

static void mark_dirty(struct nft_table *t, struct part *p)
{
	if (!list_linked(&p->dirty))
		list_push_back(&t->dirty, &p->dirty);
	poke(t);
}

static struct slice text_of(const struct rcbuf *b)
{
	return (struct slice){b->data, b->len};
}

static void replace(struct rcbuf **b, struct slice s)
{
	rcbuf_unref(*b);
	*b = rcbuf_copy(s.ptr ? s.ptr : "", s.len);
}

static struct part *part_new(struct nft_table *t, struct slice key)
{
	struct part *p = MAP_ENTRY_NEW(struct part, key, key);
	list_init(&p->dirty);
	map_put(&t->parts, p->key, p);
	return p;
}

bool nft_table_put(struct nft_table *t, struct slice key, struct slice rank, struct slice add, struct slice remove)
{
	LOOP_CHECK_OWNER(t->o.loop);
	struct part *p = map_get(&t->parts, key);
	if (p && p->add && slice_eq(text_of(p->add), add) && slice_eq(text_of(p->rank), rank))
		return false;
	p = p ? p : part_new(t, key);
	replace(&p->rank, rank);
	replace(&p->add, add);
	replace(&p->remove, remove);
	p->is_refused = p->is_told = false;
	mark_dirty(t, p);
	return true;
}

void nft_table_drop(struct nft_table *t, struct slice key)
{
	LOOP_CHECK_OWNER(t->o.loop);
	struct part *p = map_get(&t->parts, key);
	if (!p || !p->add)
		return;
	rcbuf_unref(TAKE(p->add));
	rcbuf_unref(TAKE(p->remove));
	mark_dirty(t, p);
}

void nft_table_rebuild(struct nft_table *t)
{
	LOOP_CHECK_OWNER(t->o.loop);
	t->rebuild = true;
	poke(t);
}

/* ---- a turn: its entries ---- */

static int adds_first_and_oldest(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (!x->add != !y->add)
		return x->add ? -1 : 1;
	int d = x->add ? strcmp(x->rank->data, y->rank->data) : 0;
	return d ? d : slice_cmp(x->part->key, y->part->key);
}

static void take_entry(struct nft_table *t, struct part *p)
{
	struct entry *e = &t->entries[t->entries_count++];
	*e = (struct entry){.part = p, .err = ERR_INIT};
	p->in_turn = true;
	if (!p->add)
		return;
	e->rank = rcbuf_ref(p->rank);
	e->add = rcbuf_ref(p->add);
	e->remove = rcbuf_ref(p->remove);
	t->adds_count++;
}

static void take_entries(struct nft_table *t)
{
	struct list_link *l;
	if (t->turn_rebuilds)
		MAP_FOREACH (it, &t->parts) {
			struct part *p = it->value;
			if (!list_linked(&p->dirty))
				list_push_back(&t->dirty, &p->dirty);
		}
	t->entries = xcalloc(t->parts.count + 1, sizeof *t->entries);
	t->entries_count = t->adds_count = 0;
	while ((l = list_pop_front(&t->dirty)))
		take_entry(t, CONTAINER_OF(l, struct part, dirty));
	qsort(t->entries, t->entries_count, sizeof *t->entries, adds_first_and_oldest);
}

static void entry_release(struct entry *e)
{
	rcbuf_unref(e->rank);
	rcbuf_unref(e->add);
	rcbuf_unref(e->remove);
}

static void drop_entries(struct nft_table *t)
{
	for (size_t i = 0; i < t->entries_count; i++) {
		t->entries[i].part->in_turn = false;
		entry_release(&t->entries[i]);
	}
	free(t->entries);
	free(t->groups);
	t->entries = NULL;
	t->groups = NULL;
	t->entries_count = t->adds_count = t->groups_count = 0;
	strbuf_reset(&t->base);
	strbuf_reset(&t->accepted);
}

/* The removal of what changes or goes; or the frame. */
static void write_base(struct nft_table *t)
{
	if (t->turn_rebuilds)
		t->o.frame(t->o.arg, &t->base);
	else
		for (size_t i = 0; i < t->entries_count; i++)
			if (t->entries[i].part->there)
				strbuf_add_slice(&t->base, text_of(t->entries[i].part->there));
}

/* ---- a turn: running nft ---- */

static void ran(struct nft_run *r, const struct err *err);

/* Runs base, what was accepted, and a group. */
static void run(struct nft_table *t, struct group g, bool is_check)
{
	struct nft_script script = NFT_SCRIPT_INIT;
	CHECK(!t->running && g.first + g.count <= t->adds_count);
	nft_script_add(&script, strbuf_slice(&t->base));
	nft_script_add(&script, strbuf_slice(&t->accepted));
	for (size_t i = g.first; i < g.first + g.count; i++)
		nft_script_add(&script, text_of(t->entries[i].add));
	t->running = true;
	t->run = (struct nft_run){
	        .loop = t->o.loop, .script = nft_script_text(&script), .is_check = is_check, .done = ran};
	nft_run_start(&t->run, t->o.nft_path);
	t->own[t->own_next++ % OWN_RUNS] = (uint32_t)uv_process_get_pid(&t->run.process);
}

/* ---- a turn: elements alone ---- */

static void send_elements(uv_work_t *w)
{
	struct nft_table *t = w->data;
	t->batch_rc = nft_elements_send(t->elements_fd, strbuf_slice(&t->batch));
}

static void written(struct nft_table *t, const struct err *err);

/* What the kernel did not take is nft's to try, and to say why. */
static void elements_sent(uv_work_t *w, int status)
{
	struct nft_table *t = w->data;
	struct err none = ERR_INIT;
	LOOP_CHECK_OWNER(t->o.loop);
	t->running = false;
	strbuf_reset(&t->batch);
	if (sm_state(&t->sm) == TABLE_CLOSING)
		closing_part_done(&t->closing);
	else if (t->batch_rc == 0)
		written(t, &none);
	else
		run(t, (struct group){0, t->adds_count}, false);
}

/* False: the turn has more than elements. */
static bool write_elements(struct nft_table *t)
{
	struct strbuf commands = STRBUF_INIT;
	if (t->turn_rebuilds || t->elements_fd < 0)
		return false;
	strbuf_add_slice(&commands, strbuf_slice(&t->base));
	for (size_t i = 0; i < t->adds_count && commands.len <= NFT_ELEMENTS_BYTES_MAX; i++)
		strbuf_add_slice(&commands, text_of(t->entries[i].add));
	strbuf_reset(&t->batch);
	bool are_all = commands.len <= NFT_ELEMENTS_BYTES_MAX &&
	               nft_elements_encode(&t->batch, t->o.name, t->o.sets, t->o.n_sets, strbuf_slice(&commands));
	strbuf_release(&commands);
	if (!are_all)
		return false;
	t->running = true;
	t->elements_work.data = t;
	CHECK(uv_queue_work(loop_uv(t->o.loop), &t->elements_work, send_elements, elements_sent) == 0);
	return true;
}

static void tell_refused(struct nft_table *t, struct entry *e)
{
	struct part *p = e->part;
	if (p->is_told || p->add != e->add)
		return;
	p->is_refused = p->is_told = true;
	log_warn("nft", "a part of the table is left out", "table=\"%s\" part=%.*s error=\"%s\"", t->o.name,
	        SLICE_FMT(p->key), e->err.msg);
	if (t->o.refused)
		t->o.refused(t->o.arg, p->key, &e->err);
}

/* The kernel has it now. */
static void keep(struct nft_table *t, struct entry *e)
{
	struct part *p = e->part;
	rcbuf_unref(p->there);
	p->there = e->is_accepted ? TAKE(e->remove) : NULL;
	if (e->is_accepted)
		p->is_refused = false;
	else if (e->add)
		tell_refused(t, e);
	if (!p->add && !p->there) {
		list_del(&p->dirty);
		map_del(&t->parts, p->key);
		p->in_turn = false;
		e->part = NULL;
		part_free(p);
	}
}

static void turn_is_written(struct nft_table *t)
{
	struct entry *entries = t->entries;
	size_t count = t->entries_count;
	t->entries = NULL;
	t->entries_count = 0;
	drop_entries(t);
	t->retry_ms = RETRY_MS;
	t->written_ms = loop_now_ms(t->o.loop);
	sm_move(&t->sm, TABLE_IDLE);
	for (size_t i = 0; i < count; i++) {
		keep(t, &entries[i]);
		if (entries[i].part)
			entries[i].part->in_turn = false;
		entry_release(&entries[i]);
	}
	free(entries);
	if (!list_empty(&t->dirty) || t->rebuild)
		poke(t);
	else if (t->o.applied)
		t->o.applied(t->o.arg);
}

/* Nothing can be written at all. */
static void turn_failed(struct nft_table *t, const struct err *err)
{
	uint64_t now = loop_now_ms(t->o.loop);
	if (!t->told_ms || now - t->told_ms >= TELL_MS) {
		log_warn("nft", "the table cannot be written", "table=\"%s\" again_ms=%llu error=\"%s\"", t->o.name,
		        (unsigned long long)t->retry_ms, err->msg);
		t->told_ms = now ? now : 1;
	}
	drop_entries(t);
	t->rebuild = true;
	sm_move(&t->sm, TABLE_PAUSED);
	uv_timer_start(&t->timer, settled, t->retry_ms, 0);
	t->retry_ms = t->retry_ms > RETRY_MS_MAX / 2 ? RETRY_MS_MAX : t->retry_ms * 2;
}

/* ---- a turn: checks ---- */

static void push_group(struct nft_table *t, size_t first, size_t count)
{
	CHECK(t->groups_count < GROUPS_MAX);
	if (count)
		t->groups[t->groups_count++] = (struct group){first, count};
}

static void check_next(struct nft_table *t)
{
	if (!t->groups_count) {
		sm_move(&t->sm, TABLE_WRITING);
		t->was_checked = true;
		run(t, (struct group){0, 0}, false);
		return;
	}
	run(t, t->groups[t->groups_count - 1], true);
}

static void begin_checks(struct nft_table *t, const struct err *err)
{
	log_debug("nft", "a transaction was refused: looking for the parts at fault",
	        "table=\"%s\" parts=%zu error=\"%s\"", t->o.name, t->adds_count, err->msg);
	t->groups = xcalloc(GROUPS_MAX, sizeof *t->groups);
	t->base_is_good = false;
	sm_move(&t->sm, TABLE_CHECKING);
	run(t, (struct group){0, 0}, true);
}

static void base_checked(struct nft_table *t, const struct err *err)
{
	if (!err->code) {
		t->base_is_good = true;
		push_group(t, 0, t->adds_count);
		check_next(t);
	} else if (t->turn_rebuilds) {
		turn_failed(t, err);
	} else { /* the kernel does not have what we believe */
		drop_entries(t);
		t->rebuild = true;
		settle(t, 0);
	}
}

static void group_checked(struct nft_table *t, const struct err *err)
{
	struct group g = t->groups[--t->groups_count];
	if (!err->code) {
		for (size_t i = g.first; i < g.first + g.count; i++) {
			strbuf_add_slice(&t->accepted, text_of(t->entries[i].add));
			t->entries[i].is_accepted = true;
		}
	} else if (g.count == 1) {
		t->entries[g.first].err = *err;
	} else {
		size_t half = g.count / 2;
		push_group(t, g.first + half, g.count - half);
		push_group(t, g.first, half);
	}
	check_next(t);
}

static void written(struct nft_table *t, const struct err *err)
{
	if (!err->code) {
		for (size_t i = 0; i < t->adds_count && !t->was_checked; i++)
			t->entries[i].is_accepted = true;
		turn_is_written(t);
	} else if (t->was_checked) {
		turn_failed(t, err);
	} else {
		begin_checks(t, err);
	}
}

static void ran(struct nft_run *r, const struct err *err)
{
	struct nft_table *t = CONTAINER_OF(r, struct nft_table, run);
	LOOP_CHECK_OWNER(t->o.loop);
	t->running = false;
	switch (sm_state(&t->sm)) {
	case TABLE_WRITING:
		written(t, err);
		break;
	case TABLE_CHECKING:
		if (t->base_is_good)
			group_checked(t, err);
		else
			base_checked(t, err);
		break;
	default:
		CHECK(sm_state(&t->sm) == TABLE_CLOSING);
		closing_part_done(&t->closing);
	}
}

/* ---- when ---- */

static void settled(uv_timer_t *timer)
{
	struct nft_table *t = timer->data;
	if (sm_state(&t->sm) == TABLE_PAUSED)
		sm_move(&t->sm, TABLE_SETTLING);
	t->turn_rebuilds = t->rebuild;
	t->rebuild = t->was_checked = false;
	take_entries(t);
	write_base(t);
	sm_move(&t->sm, TABLE_WRITING);
	if (!t->base.len && !t->adds_count)
		turn_is_written(t);
	else if (!write_elements(t))
		run(t, (struct group){0, t->adds_count}, false);
}

/* What was in the way of a refused part may have gone. */
static void try_refused(uv_timer_t *timer)
{
	struct nft_table *t = timer->data;
	MAP_FOREACH (it, &t->parts) {
		struct part *p = it->value;
		if (p->is_refused && !p->in_turn)
			mark_dirty(t, p);
	}
}

/* ---- what others do to it ---- */

static void put_back(uv_timer_t *timer)
{
	struct nft_table *t = timer->data;
	uint64_t now = loop_now_ms(t->o.loop);
	log_warn("nft", "somebody else has removed something of the table, it is put back", "table=\"%s\"", t->o.name);
	bool is_news = !t->put_back_at_ms || now - t->put_back_at_ms > 12 * PUT_BACK_MS_MAX;
	t->put_back_wait_ms = is_news ? PUT_BACK_MS : t->put_back_wait_ms * 2;
	if (t->put_back_wait_ms > PUT_BACK_MS_MAX)
		t->put_back_wait_ms = PUT_BACK_MS_MAX;
	t->put_back_at_ms = now;
	nft_table_rebuild(t);
}

static void removed(void *arg, uint32_t who)
{
	struct nft_table *t = arg;
	uint64_t now = loop_now_ms(t->o.loop), next = t->put_back_at_ms + t->put_back_wait_ms;
	for (size_t i = 0; i < OWN_RUNS; i++)
		if (who && (t->own[i] == who || (t->elements_fd >= 0 && t->elements_port == who)))
			return;
	if (sm_state(&t->sm) == TABLE_NEW || sm_state(&t->sm) == TABLE_CLOSING ||
	        uv_is_active((uv_handle_t *)&t->put_back_timer))
		return;
	uv_timer_start(&t->put_back_timer, put_back, t->put_back_at_ms && next > now ? next - now : 0, 0);
}

static void watch(struct nft_table *t)
{
	struct err err = ERR_INIT;
	struct nft_watch_options o = {.loop = t->o.loop, .table = t->o.name, .removed = removed, .arg = t};
	t->watch = nft_watch_new(&o, &err);
	if (!t->watch)
		log_warn("nft", "what others remove of the table is not noticed", "table=\"%s\" error=\"%s\"",
		        t->o.name, err.msg);
}

/* ---- life ---- */

struct nft_table *nft_table_new(const struct nft_table_options *options)
{
	struct nft_table *t = xcalloc(1, sizeof *t);
	LOOP_CHECK_OWNER(options->loop);
	CHECK(options->frame);
	t->o = *options;
	t->o.name = xstrdup(options->name);
	t->o.nft_path = options->nft_path ? xstrdup(options->nft_path) : NULL;
	t->retry_ms = RETRY_MS;
	t->elements_fd = options->n_sets ? nft_elements_open(&t->elements_port) : -1;
	list_init(&t->dirty);
	map_init(&t->parts);
	sm_init(&t->sm, &machine, TABLE_NEW, t->o.name);
	uv_timer_init(loop_uv(t->o.loop), &t->timer);
	uv_timer_init(loop_uv(t->o.loop), &t->again_timer);
	uv_timer_init(loop_uv(t->o.loop), &t->put_back_timer);
	t->timer.data = t->again_timer.data = t->put_back_timer.data = t;
	uv_timer_start(&t->again_timer, try_refused, REFUSED_AGAIN_MS, REFUSED_AGAIN_MS);
	return t;
}

void nft_table_start(struct nft_table *t)
{
	LOOP_CHECK_OWNER(t->o.loop);
	if (sm_state(&t->sm) != TABLE_NEW)
		return;
	t->rebuild = true;
	watch(t);
	settle(t, 0);
}

static void free_table(struct closing *c)
{
	struct nft_table *t = CONTAINER_OF(c, struct nft_table, closing);
	void (*closed)(void *) = t->closed;
	void *arg = t->closed_arg;
	MAP_FOREACH (it, &t->parts)
		part_free(it->value);
	map_release(&t->parts);
	strbuf_release(&t->base);
	strbuf_release(&t->accepted);
	strbuf_release(&t->batch);
	if (t->elements_fd >= 0)
		close(t->elements_fd);
	free((char *)t->o.name);
	free((char *)t->o.nft_path);
	free(t);
	if (closed)
		closed(arg);
}

static void timer_closed(uv_handle_t *h)
{
	closing_part_done(&((struct nft_table *)h->data)->closing);
}

void nft_table_close(struct nft_table *t, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(t->o.loop);
	t->closed = closed;
	t->closed_arg = arg;
	t->closing.all_closed = free_table;
	drop_entries(t);
	sm_move(&t->sm, TABLE_CLOSING);
	closing_hold(&t->closing);
	if (t->running)
		closing_hold(&t->closing);
	closing_hold(&t->closing), uv_close((uv_handle_t *)&t->timer, timer_closed);
	closing_hold(&t->closing), uv_close((uv_handle_t *)&t->again_timer, timer_closed);
	closing_hold(&t->closing), uv_close((uv_handle_t *)&t->put_back_timer, timer_closed);
	if (t->watch)
		closing_hold(&t->closing), nft_watch_close(t->watch, closing_part_done, &t->closing);
	closing_part_done(&t->closing);
}
