/* The watch hub: one ring of shared event blocks, a cursor per watcher.
 *
 * The writer publishes one block per commit. Blocks are kept until their memory passes a limit; `floor` is the revision
 * before the oldest. A watch is nothing but the next revision it wants, `next`:
 *
 *     next <= floor      it is behind the ring: a reader thread reads a batch from the log on disk (FETCHING)
 *     next <= revision   something may be there for it (NOTIFY: `ready` will be called; TOLD: it has been)
 *     next >  revision   it waits (IDLE)
 *
 * Waking: every loop with watches has one task in the hub; a publish posts it unless it is on its way already. On the
 * loop the idle watches are held against the new events; those with a match are moved to the list of those to be told,
 * the others just move on. So a commit costs one message per loop, and a watcher that is told costs a callback.
 *
 * Reading takes references to blocks and an array of the matching events; the bytes are shared. A whole block is taken
 * or none, and a block has whole revisions only, so the events of a revision always come together. A watch that wants
 * previous pairs and meets a block made when nobody did reads that block from disk, where they can be found.
 *
 * What can go wrong: the log below `next` was compacted (ERR_COMPACTED, the watch is over); a slow watcher is overtaken
 * by the ring (it goes on from disk, nothing is lost); the disk does not read (the watch ends with that error). Each
 * watch belongs to its loop's thread; only the hub's ring and the list of loops are shared, under the lock. */
#include "store/watch/watch_hub.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>

enum watch_state { WATCH_IDLE, WATCH_NOTIFY, WATCH_TOLD, WATCH_FETCHING };

enum { READ_BLOCKS_MAX = 128, CATCH_UP_ROWS_MAX = 20000 };

/* What the hub keeps per loop. Freed on the loop when its last watch is gone and its task is not on its way. */
struct hub_loop {
	struct list_link in_hub;
	struct watch_hub *hub;
	struct loop *loop;
	struct loop_task task;
	bool posted;  /* under the hub's lock */
	int64_t seen; /* revision up to which idle watches have been looked at; under the hub's lock */
	struct list_link idle;
	struct list_link notify;
	size_t watches;
};

struct store_watch {
	struct watch_hub *hub;
	struct hub_loop *at;
	struct list_link link; /* in idle or notify */
	enum watch_state state;
	struct store_watch_options options;
	struct arena arena; /* the options' keys */
	int64_t next;
	void (*ready)(void *arg);
	void *arg;
	struct err err;    /* it is over */
	int64_t compacted; /* with ERR_COMPACTED */
	/* what the last read gave out */
	struct store_event *events;
	size_t n_events, cap_events;
	size_t event_bytes;
	struct event_block *held[READ_BLOCKS_MAX];
	size_t n_held;
	/* from disk: what came back, and, while the job is out, what the reader thread writes */
	struct event_block *fetched;
	struct event_block *job_block;
	struct err job_err;
	int64_t job_compacted;
	struct store_request job;
	struct loop_task task;
	bool is_job_out;
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

void watch_hub_init(struct watch_hub *h, const struct meta *meta, size_t bytes_max,
        void (*catch_up)(void *arg, struct store_request *job), void *arg)
{
	*h = (struct watch_hub){.bytes_max = bytes_max,
	        .floor = meta->revision,
	        .revision = meta->revision,
	        .compacted = meta->compacted,
	        .catch_up = catch_up,
	        .arg = arg};
	pthread_mutex_init(&h->lock, NULL);
	list_init(&h->loops);
}

/* ---- the ring ---- */

static struct event_block *ring_at(const struct watch_hub *h, size_t i)
{
	return h->ring[(h->first + i) & (h->cap - 1)];
}

static void ring_drop_oldest(struct watch_hub *h)
{
	struct event_block *b = ring_at(h, 0);
	CHECK(h->n > 0 && h->bytes >= event_block_bytes(b) && b->last_revision > h->floor);
	h->floor = b->last_revision;
	h->bytes -= event_block_bytes(b);
	h->first = (h->first + 1) & (h->cap - 1);
	h->n--;
	event_block_unref(b);
}

static void ring_grow(struct watch_hub *h)
{
	size_t cap = h->cap ? h->cap * 2 : 64;
	struct event_block **ring = xmalloc(cap * sizeof *ring);
	for (size_t i = 0; i < h->n; i++)
		ring[i] = ring_at(h, i);
	free(h->ring);
	h->ring = ring;
	h->cap = cap;
	h->first = 0;
}

static void ring_add(struct watch_hub *h, struct event_block *b)
{
	CHECK(h->n == 0 || ring_at(h, h->n - 1)->last_revision < b->last_revision); /* whole revisions, in order */
	if (h->n == h->cap)
		ring_grow(h);
	h->ring[(h->first + h->n++) & (h->cap - 1)] = b;
	h->bytes += event_block_bytes(b);
	while (h->bytes > h->bytes_max)
		ring_drop_oldest(h);
}

/* The first block that has something at or after `revision`; h->n when there is none. */
static size_t ring_find(const struct watch_hub *h, int64_t revision)
{
	size_t low = 0, high = h->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (ring_at(h, mid)->last_revision < revision)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void watch_hub_release(struct watch_hub *h)
{
	CHECK(list_empty(&h->loops)); /* all watches were closed */
	while (h->n)
		ring_drop_oldest(h);
	free(h->ring);
	pthread_mutex_destroy(&h->lock);
}

/* ---- waking ---- */

static void post_locked(struct hub_loop *l)
{
	if (l->posted)
		return;
	l->posted = true;
	loop_post(l->loop, &l->task);
}

void watch_hub_publish(struct watch_hub *h, struct event_block *block, const struct meta *meta)
{
	pthread_mutex_lock(&h->lock);
	CHECK(meta->revision >= h->revision && meta->compacted >= h->compacted);
	h->compacted = meta->compacted;
	h->revision = meta->revision;
	if (block && breakage_is(BREAK_DROP_EVENT) && meta->revision % 32 == 0) {
		event_block_unref(block);
		block = NULL;
	}
	if (block) {
		ring_add(h, block);
		LIST_FOREACH (it, &h->loops) {
			post_locked(CONTAINER_OF(it, struct hub_loop, in_hub));
		}
	}
	pthread_mutex_unlock(&h->lock);
}

void watch_hub_reset(struct watch_hub *h, const struct meta *meta)
{
	pthread_mutex_lock(&h->lock);
	while (h->n)
		ring_drop_oldest(h);
	h->floor = h->revision = meta->revision;
	h->compacted = meta->compacted;
	LIST_FOREACH (it, &h->loops) {
		post_locked(CONTAINER_OF(it, struct hub_loop, in_hub));
	}
	pthread_mutex_unlock(&h->lock);
}

/* ---- states of watches ---- */

static void set_state(struct store_watch *w, enum watch_state state)
{
	LOOP_CHECK_OWNER(w->at->loop);
	CHECK(!w->is_job_out || state == WATCH_FETCHING); /* nothing else while a reader is at it */
	list_del(&w->link);
	w->state = state;
	if (state == WATCH_IDLE)
		list_push_back(&w->at->idle, &w->link);
	else if (state == WATCH_NOTIFY)
		list_push_back(&w->at->notify, &w->link);
}

static void notify_soon(struct store_watch *w)
{
	set_state(w, WATCH_NOTIFY);
	pthread_mutex_lock(&w->hub->lock);
	post_locked(w->at);
	pthread_mutex_unlock(&w->hub->lock);
}

static bool wants(const struct store_watch_options *o, const struct store_event *e)
{
	return !(e->is_delete ? o->no_delete : o->no_put) && store_range_has(&o->keys, e->kv.key);
}

static bool block_has_match(const struct event_block *b, const struct store_watch *w)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->events[i].kv.mod_revision >= w->next && wants(&w->options, &b->events[i]))
			return true;
	return false;
}

/* Holds the idle watches against blocks; those without a match have then seen everything up to `seen`. */
static void match_idle(struct hub_loop *l, struct event_block **blocks, size_t n, int64_t seen)
{
	LIST_FOREACH (it, &l->idle) {
		struct store_watch *w = CONTAINER_OF(it, struct store_watch, link);
		size_t i = 0;
		while (i < n && !block_has_match(blocks[i], w))
			i++;
		if (i < n)
			set_state(w, WATCH_NOTIFY);
		else if (w->next <= seen)
			w->next = seen + 1;
	}
}

static void look_at_new(struct hub_loop *l)
{
	struct watch_hub *h = l->hub;
	struct event_block *blocks[READ_BLOCKS_MAX];
	bool more = true;
	while (more) {
		pthread_mutex_lock(&h->lock);
		bool overrun = l->seen < h->floor;
		size_t n = 0, at = ring_find(h, l->seen + 1);
		while (at < h->n && n < READ_BLOCKS_MAX)
			blocks[n++] = event_block_ref(ring_at(h, at++));
		more = at < h->n && !overrun;
		l->seen = more ? blocks[n - 1]->last_revision : h->revision;
		int64_t seen = l->seen;
		if (!more)
			l->posted = false;
		pthread_mutex_unlock(&h->lock);
		if (overrun) /* the loop was held up for long: let every watch look for itself */
			LIST_FOREACH (it, &l->idle) {
				set_state(CONTAINER_OF(it, struct store_watch, link), WATCH_NOTIFY);
			}
		else
			match_idle(l, blocks, n, seen);
		for (size_t i = 0; i < n; i++)
			event_block_unref(blocks[i]);
	}
}

static void hub_loop_free_if_unused(struct hub_loop *l)
{
	pthread_mutex_lock(&l->hub->lock);
	bool unused = l->watches == 0 && !l->posted;
	if (unused)
		list_del(&l->in_hub);
	pthread_mutex_unlock(&l->hub->lock);
	if (unused)
		free(l);
}

static void hub_loop_run(struct loop_task *t)
{
	struct hub_loop *l = CONTAINER_OF(t, struct hub_loop, task);
	struct list_link todo, *it;
	look_at_new(l);
	/* A callback may read, open or close any watch: take them one by one from a list of our own. */
	list_init(&todo);
	while ((it = list_pop_front(&l->notify)))
		list_push_back(&todo, it);
	while ((it = list_pop_front(&todo))) {
		struct store_watch *w = CONTAINER_OF(it, struct store_watch, link);
		CHECK(w->state == WATCH_NOTIFY);
		w->state = WATCH_TOLD;
		w->ready(w->arg);
	}
	hub_loop_free_if_unused(l);
}

static struct hub_loop *hub_loop_get(struct watch_hub *h, struct loop *loop)
{
	struct hub_loop *l = NULL;
	pthread_mutex_lock(&h->lock);
	LIST_FOREACH (it, &h->loops) {
		struct hub_loop *have = CONTAINER_OF(it, struct hub_loop, in_hub);
		if (have->loop == loop)
			l = have;
	}
	if (!l) {
		l = xcalloc(1, sizeof *l);
		l->hub = h;
		l->loop = loop;
		l->task.run = hub_loop_run;
		l->seen = h->revision;
		list_init(&l->idle);
		list_init(&l->notify);
		list_push_back(&h->loops, &l->in_hub);
	}
	l->watches++;
	pthread_mutex_unlock(&h->lock);
	return l;
}

/* ---- a watch ---- */

static void fetch(struct store_watch *w)
{
	CHECK(!w->is_job_out && !w->fetched);
	set_state(w, WATCH_FETCHING);
	w->is_job_out = true;
	w->job.type = (enum store_request_type)STORE_REQUEST_WATCH_CATCH_UP_;
	w->job.next = NULL;
	w->hub->catch_up(w->hub->arg, &w->job);
}

/* Decides what a watch that is up to `next` does now. */
static void settle(struct store_watch *w)
{
	pthread_mutex_lock(&w->hub->lock);
	bool is_behind = w->next <= w->hub->floor;
	bool has_news = w->next <= w->hub->revision;
	pthread_mutex_unlock(&w->hub->lock);
	if (is_behind)
		fetch(w);
	else if (has_news)
		notify_soon(w);
	else
		set_state(w, WATCH_IDLE);
}

struct store_watch *watch_open(struct watch_hub *h, const struct store_watch_options *options, struct loop *loop,
        void (*ready)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(loop);
	struct store_watch *w = xcalloc(1, sizeof *w);
	w->hub = h;
	w->options = *options;
	w->options.keys.key.ptr = arena_memdup(&w->arena, options->keys.key.ptr, options->keys.key.len);
	w->options.keys.end.ptr = arena_memdup(&w->arena, options->keys.end.ptr, options->keys.end.len);
	w->ready = ready;
	w->arg = arg;
	list_init(&w->link);
	w->at = hub_loop_get(h, loop);
	atomic_fetch_add(&h->watches, 1);
	if (options->prev_kv)
		atomic_fetch_add(&h->prev_watches, 1);
	pthread_mutex_lock(&h->lock);
	w->next = options->start_revision > 0 ? options->start_revision : h->revision + 1;
	w->compacted = h->compacted;
	pthread_mutex_unlock(&h->lock);
	if (w->next < w->compacted) {
		err_set(&w->err, ERR_COMPACTED, "watch from revision %lld: it has been compacted, the oldest is %lld",
		        (long long)w->next, (long long)w->compacted);
		notify_soon(w);
	} else {
		settle(w);
	}
	return w;
}

static void give_back(struct store_watch *w)
{
	for (size_t i = 0; i < w->n_held; i++)
		event_block_unref(w->held[i]);
	w->n_held = 0;
	w->n_events = 0;
	w->event_bytes = 0;
}

static void take_matching(struct store_watch *w, const struct event_block *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct store_event *e = &b->events[i];
		if (e->kv.mod_revision < w->next || !wants(&w->options, e))
			continue;
		if (w->n_events == w->cap_events) {
			w->cap_events = w->cap_events ? w->cap_events * 2 : 4;
			w->events = xrealloc(w->events, w->cap_events * sizeof *w->events);
		}
		w->events[w->n_events++] = *e;
		if (!w->options.prev_kv)
			w->events[w->n_events - 1].prev = (struct store_kv){0};
		w->event_bytes += e->kv.key.len + e->kv.value.len;
	}
}

static bool read_is_full(const struct store_watch *w)
{
	return w->n_held == READ_BLOCKS_MAX || w->n_events >= STORE_WATCH_READ_EVENTS_MAX ||
	       w->event_bytes >= STORE_WATCH_READ_BYTES_MAX;
}

/* Takes references to the next blocks of the ring. False when the watch must go to the disk first. *ret_revision: where
 * it stands with them. */
static bool take_blocks(struct store_watch *w, struct event_block **blocks, size_t *n, int64_t *ret_revision)
{
	struct watch_hub *h = w->hub;
	bool ok = true;
	size_t max = READ_BLOCKS_MAX - w->n_held;
	*n = 0;
	pthread_mutex_lock(&h->lock);
	*ret_revision = h->revision;
	if (w->next <= h->floor) {
		ok = false;
	} else {
		for (size_t at = ring_find(h, w->next); at < h->n; at++) {
			struct event_block *b = ring_at(h, at);
			bool lacks_prev = w->options.prev_kv && !b->has_prev;
			if (lacks_prev && *n == 0)
				ok = false;
			if (lacks_prev || *n == max) {
				*ret_revision = *n ? blocks[*n - 1]->last_revision : w->next - 1;
				break;
			}
			blocks[(*n)++] = event_block_ref(b);
		}
	}
	pthread_mutex_unlock(&h->lock);
	return ok;
}

/* Reads on from the ring until something was found and the read is full, or the ring is at its end. */
static void read_ring(struct store_watch *w)
{
	struct event_block *blocks[READ_BLOCKS_MAX];
	int64_t revision;
	size_t n;
	for (;;) {
		if (!take_blocks(w, blocks, &n, &revision)) {
			if (w->n_events == 0)
				fetch(w);
			else
				notify_soon(w);
			return;
		}
		size_t i = 0;
		for (; i < n && !read_is_full(w); i++) {
			size_t before = w->n_events;
			take_matching(w, blocks[i]);
			w->next = blocks[i]->last_revision + 1;
			if (w->n_events > before)
				w->held[w->n_held++] = blocks[i];
			else
				event_block_unref(blocks[i]);
		}
		bool is_all = i == n;
		for (; i < n; i++)
			event_block_unref(blocks[i]);
		if (!is_all || read_is_full(w)) {
			notify_soon(w);
			return;
		}
		if (w->next <= revision)
			w->next = revision + 1;
		if (n == 0) {
			settle(w);
			return;
		}
	}
}

static void read_fetched(struct store_watch *w)
{
	struct event_block *b = w->fetched;
	w->fetched = NULL;
	CHECK(w->n_held < READ_BLOCKS_MAX && b->last_revision + 1 >= w->next);
	take_matching(w, b);
	w->next = b->last_revision + 1;
	w->held[w->n_held++] = b;
	settle(w);
}

int watch_read(struct store_watch *w, struct store_watch_batch *out, struct err *err)
{
	LOOP_CHECK_OWNER(w->at->loop);
	*out = (struct store_watch_batch){0};
	if (w->err.code) {
		give_back(w);
		if (w->err.code == ERR_COMPACTED)
			out->compacted_revision = w->compacted;
		return err_set(err, w->err.code, "%s", w->err.msg);
	}
	give_back(w);
	if (w->fetched)
		read_fetched(w);
	else if (w->state != WATCH_FETCHING)
		read_ring(w);
	pthread_mutex_lock(&w->hub->lock);
	out->revision = w->next - 1 < w->hub->revision ? w->next - 1 : w->hub->revision;
	pthread_mutex_unlock(&w->hub->lock);
	out->events = w->events;
	out->n_events = w->n_events;
	return 0;
}

/* `closed` comes last: whoever waits for it may close the engine. */
static void watch_free(struct store_watch *w)
{
	struct hub_loop *l = w->at;
	struct watch_hub *h = w->hub;
	void (*closed)(void *arg) = w->closed;
	void *closed_arg = w->closed_arg;
	event_block_unref(w->fetched);
	event_block_unref(w->job_block);
	arena_release(&w->arena);
	free(w->events);
	free(w);
	atomic_fetch_sub(&h->watches, 1);
	l->watches--;
	hub_loop_free_if_unused(l);
	if (closed)
		closed(closed_arg);
}

static void closed_run(struct loop_task *t)
{
	struct store_watch *w = CONTAINER_OF(t, struct store_watch, task);
	struct hub_loop *l = w->at;
	pthread_mutex_lock(&l->hub->lock);
	bool must_wait =
	        l->watches == 1 && l->posted; /* the last one takes the loop's task with it: let that run first */
	pthread_mutex_unlock(&l->hub->lock);
	if (must_wait)
		loop_post(l->loop, &w->task);
	else
		watch_free(w);
}

void watch_close(struct store_watch *w, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(w->at->loop);
	CHECK(!w->is_closing);
	w->is_closing = true;
	w->closed = closed;
	w->closed_arg = arg;
	list_del(&w->link);
	give_back(w);
	if (w->options.prev_kv)
		atomic_fetch_sub(&w->hub->prev_watches, 1);
	if (w->is_job_out)
		return; /* it comes back to fetched_run */
	w->task.run = closed_run;
	loop_post(w->at->loop, &w->task);
}

/* ---- from disk ---- */

static void fetched_run(struct loop_task *t)
{
	struct store_watch *w = CONTAINER_OF(t, struct store_watch, task);
	w->is_job_out = false;
	if (w->is_closing) {
		w->task.run = closed_run;
		closed_run(t);
		return;
	}
	w->err = w->job_err;
	w->compacted = w->job_compacted;
	w->fetched = w->job_block;
	w->job_block = NULL;
	if (!w->err.code && w->fetched->n == 0) { /* nothing for this watch in there */
		w->next = w->fetched->last_revision + 1;
		event_block_unref(w->fetched);
		w->fetched = NULL;
		settle(w);
		return;
	}
	notify_soon(w);
}

static int add_logged(struct store_watch *w, struct store_view *v, const struct version_row *row, struct event_block *b,
        struct err *err)
{
	struct store_event e = {.is_delete = row->version == 0};
	e.kv = (struct store_kv){.key = row->key, .version = row->version};
	if (!wants(&w->options, &e))
		return 0;
	e.kv.mod_revision = ROW_REVISION(row->id);
	e.kv.create_revision = row->created;
	e.kv.lease = row->lease;
	e.kv.value = e.is_delete ? SLICE_NULL : row->value;
	struct arena a = ARENA_INIT;
	struct row prev;
	int rc = w->options.prev_kv && row->prev ? row_by_id(v, row->key, row->prev, &prev, err) : 0;
	if (rc == 1)
		rc = row_pair(v, &prev, row->key, &a, &e.prev, err);
	if (rc >= 0)
		event_block_add(b, e.is_delete, &e.kv, rc == 1 ? &e.prev : NULL);
	arena_release(&a);
	return rc < 0 ? rc : 0;
}

/* Reads whole revisions from w->next on until a limit or the end of the log. */
static int read_log(struct store_watch *w, struct store_view *v, struct event_block *b, struct err *err)
{
	struct version_cursor c;
	struct version_row row;
	int64_t at = w->next - 1;
	int rows = 0;
	int rc = versions_open(&c, v, ROW_ID(w->next), err);
	if (rc != 0)
		return rc;
	while ((rc = versions_next(&c, &row, err)) == 1) {
		int64_t revision = ROW_REVISION(row.id);
		bool full = rows >= CATCH_UP_ROWS_MAX || b->n >= STORE_WATCH_READ_EVENTS_MAX ||
		            b->bytes >= STORE_WATCH_READ_BYTES_MAX;
		if (full && revision != at)
			break;
		at = revision;
		rows++;
		rc = add_logged(w, v, &row, b, err);
		if (rc < 0)
			break;
	}
	versions_close(&c);
	b->last_revision = rc == 0 ? v->meta.revision : at;
	return rc < 0 ? rc : 0;
}

void watch_catch_up(struct store_request *job, struct store_view *v, const struct err *failed)
{
	struct store_watch *w = CONTAINER_OF(job, struct store_watch, job);
	if (!v) {
		w->job_err = *failed;
	} else if (v->meta.revision + 1 < w->next) { /* who is behind the ring wants what was published */
		err_set(&w->job_err, ERR_UNAVAILABLE,
		        "the state of this server was not what the others have, and is replaced: watch again");
	} else if (w->next < v->meta.compacted) {
		w->job_compacted = v->meta.compacted;
		err_set(&w->job_err, ERR_COMPACTED,
		        "watch from revision %lld: it has been compacted, the oldest is %lld", (long long)w->next,
		        (long long)v->meta.compacted);
	} else {
		struct event_block *b = event_block_new(w->options.prev_kv);
		if (read_log(w, v, b, &w->job_err) == 0) {
			int64_t last = b->last_revision;
			event_block_seal(b);
			b->last_revision = last;
			w->job_block = b;
		} else {
			event_block_unref(b);
		}
	}
	w->task.run = fetched_run;
	loop_post(w->at->loop, &w->task);
}
