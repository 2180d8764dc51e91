/* See work_queue.h. The life of a key's item:
 *
 *     (none) --add--> ready --worker free--> running --finished--> (none)
 *        |              ^                       |   \--added meanwhile--> ready
 *        \--add_after--> delayed --timer--------+    \--failed or again--> delayed
 *
 * An item may be delayed and ready or running at once: when its time comes it is simply added. Delayed items are in a
 * binary heap by time with one timer for the earliest. */
#include "api/client/work_queue.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/heap.h"
#include "base/mem/map.h"

#include <stdlib.h>

enum { WORKERS = 8, BACKOFF_MIN_MS = 5, BACKOFF_MAX_MS = 1000 * 1000, RUN_BURST = 64, LOUD_AFTER = 4 };

struct work_item {
	struct list_link link; /* in ready */
	struct slice key;
	uint64_t due_ms;
	struct heap_link delayed;
	unsigned failures;
	bool running, dirty;
};

struct work_queue {
	struct work_queue_options options;
	struct map items;
	struct list_link ready;
	struct list_link works;
	struct heap delayed; /* by due_ms */
	unsigned running;
	bool started, closing, timer_closed;
	uv_timer_t timer;
	struct loop_defer defer;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void finish(struct work *w);

/* ---- items ---- */

static struct work_item *item_need(struct work_queue *q, struct slice key)
{
	struct work_item *it = map_get(&q->items, key);
	if (it)
		return it;
	it = MAP_ENTRY_NEW(struct work_item, key, key);
	list_init(&it->link);
	map_put(&q->items, it->key, it);
	return it;
}

static void item_maybe_free(struct work_queue *q, struct work_item *it)
{
	if (it->running || heap_linked(&it->delayed) || list_linked(&it->link) || it->failures)
		return;
	map_del(&q->items, it->key);
	free(it);
}

static void item_ready(struct work_queue *q, struct work_item *it)
{
	if (it->running) {
		it->dirty = true;
		return;
	}
	if (list_linked(&it->link))
		return;
	list_push_back(&q->ready, &it->link);
	if (q->started && !q->closing)
		loop_defer(q->options.client->loop, &q->defer);
}

/* ---- delayed items ---- */

static struct work_item *item_at(const struct heap_link *l)
{
	return l ? CONTAINER_OF(l, struct work_item, delayed) : NULL;
}

static bool earlier(const struct heap_link *a, const struct heap_link *b)
{
	return item_at(a)->due_ms < item_at(b)->due_ms;
}

static void arm(struct work_queue *q);

static void on_timer(uv_timer_t *t)
{
	struct work_queue *q = t->data;
	uint64_t now = loop_now_ms(q->options.client->loop);
	for (struct work_item *it; (it = item_at(heap_first(&q->delayed))) && it->due_ms <= now;) {
		heap_remove(&q->delayed, &it->delayed);
		item_ready(q, it);
	}
	arm(q);
}

static void arm(struct work_queue *q)
{
	if (q->closing)
		return;
	struct work_item *first = item_at(heap_first(&q->delayed));
	if (!first) {
		uv_timer_stop(&q->timer);
		return;
	}
	uint64_t now = loop_now_ms(q->options.client->loop), due = first->due_ms;
	uv_timer_start(&q->timer, on_timer, due > now ? due - now : 0, 0);
}

/* ---- adding ---- */

void work_queue_add(struct work_queue *q, struct slice key)
{
	if (!q->closing && key.len)
		item_ready(q, item_need(q, key));
}

void work_queue_add_after(struct work_queue *q, struct slice key, uint64_t ms)
{
	if (q->closing || !key.len)
		return;
	struct work_item *it = item_need(q, key);
	uint64_t due = loop_now_ms(q->options.client->loop) + ms;
	bool is_delayed = heap_linked(&it->delayed);
	if (is_delayed && it->due_ms <= due)
		return;
	if (is_delayed)
		heap_remove(&q->delayed, &it->delayed);
	it->due_ms = due;
	heap_add(&q->delayed, &it->delayed);
	arm(q);
}

size_t work_queue_len(const struct work_queue *q)
{
	return q->items.count;
}

/* ---- working ---- */

static void run_item(struct work_queue *q, struct work_item *it)
{
	struct work *w = xcalloc(1, sizeof *w);
	w->queue = q;
	w->arg = q->options.arg;
	w->item = it;
	w->key = it->key;
	w->name = it->key;
	w->again_ms = -1;
	list_init(&w->calls);
	if (memchr(it->key.ptr, '/', it->key.len))
		w->ns = slice_cut(&w->name, '/');
	it->running = true;
	it->dirty = false;
	q->running++;
	list_push_back(&q->works, &w->link);
	w->outstanding = 1; /* so that nothing finishes it while it runs */
	q->options.run(w);
	if (--w->outstanding == 0)
		finish(w);
}

static void run_ready(struct loop_defer *d)
{
	struct work_queue *q = CONTAINER_OF(d, struct work_queue, defer);
	for (int i = 0; i < RUN_BURST && q->running < q->options.workers && !q->closing; i++) {
		struct list_link *l = list_pop_front(&q->ready);
		if (!l)
			return;
		run_item(q, CONTAINER_OF(l, struct work_item, link));
	}
	if (q->running < q->options.workers && !list_empty(&q->ready) && !q->closing)
		loop_defer(q->options.client->loop, &q->defer);
}

static void maybe_closed(struct work_queue *q)
{
	if (!q->closing || !q->timer_closed || q->running)
		return;
	MAP_FOREACH (slot, &q->items)
		free(slot->value);
	map_release(&q->items);
	heap_release(&q->delayed);
	void (*closed)(void *) = q->closed;
	void *arg = q->closed_arg;
	free(q);
	if (closed)
		closed(arg);
}

static void tell_failure(struct work_queue *q, const struct work *w, const struct work_item *it)
{
	bool loud = !q->options.quiet && it->failures >= LOUD_AFTER && w->err.code != ERR_CONFLICT;
	log_event(loud ? LOG_WARN : LOG_DEBUG, q->options.name, "cannot bring about what is wanted; trying again",
	        "key=%.*s failures=%u error=\"%s\"", SLICE_FMT(w->key), it->failures, w->err.msg);
}

static void settle(struct work_queue *q, struct work *w, struct work_item *it)
{
	it->failures = w->failed ? it->failures + 1 : 0;
	if (w->failed) {
		unsigned shift = it->failures - 1 < 18 ? it->failures - 1 : 18;
		uint64_t wait = (uint64_t)BACKOFF_MIN_MS << shift;
		tell_failure(q, w, it);
		work_queue_add_after(q, it->key, wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
	} else if (w->again_ms >= 0) {
		work_queue_add_after(q, it->key, (uint64_t)w->again_ms);
	}
	if (it->dirty)
		item_ready(q, it);
}

static void finish(struct work *w)
{
	struct work_queue *q = w->queue;
	struct work_item *it = w->item;
	it->running = false;
	q->running--;
	if (!q->closing) {
		settle(q, w, it);
		item_maybe_free(q, it);
		if (!list_empty(&q->ready))
			loop_defer(q->options.client->loop, &q->defer);
	}
	list_del(&w->link);
	arena_release(&w->arena);
	free(w);
	maybe_closed(q);
}

/* ---- calls ---- */

static void call_done(struct client_request *req)
{
	struct work_call *c = CONTAINER_OF(req, struct work_call, request);
	struct work *w = c->work;
	list_del(&c->link);
	if (!w->queue->closing) {
		if (c->done)
			c->done(c);
		else if (req->err.code)
			work_fail(w, &req->err);
	}
	client_request_release(req);
	if (--w->outstanding == 0)
		finish(w);
}

struct slice work_text(struct work *w, const struct json *body)
{
	struct strbuf text = STRBUF_INIT;
	json_write(&text, body);
	struct slice copy = {arena_memdup(&w->arena, text.data, text.len), text.len};
	strbuf_release(&text);
	return copy;
}

static struct work_call *send_call(struct work *w, const char *method, const char *path, const char *content_type,
        struct slice body, void (*done)(struct work_call *call))
{
	struct work_call *c = ARENA_NEW(&w->arena, struct work_call);
	c->work = w;
	c->done = done;
	c->request.method = method;
	c->request.path = path;
	c->request.done = call_done;
	c->request.body = body;
	c->request.content_type = content_type;
	w->outstanding++;
	list_push_back(&w->calls, &c->link);
	client_send(w->queue->options.client, &c->request);
	return c;
}

struct work_call *work_send_text(
        struct work *w, const char *method, const char *path, struct slice body, void (*done)(struct work_call *call))
{
	return send_call(w, method, path, NULL, body, done);
}

struct work_call *work_send(struct work *w, const char *method, const char *path, const struct json *body,
        void (*done)(struct work_call *call))
{
	return send_call(w, method, path, NULL, body ? work_text(w, body) : SLICE_NULL, done);
}

struct work_call *work_patch(struct work *w, const char *path, const char *content_type, const struct json *body,
        void (*done)(struct work_call *call))
{
	return send_call(w, "PATCH", path, content_type, work_text(w, body), done);
}

void work_done_ignore_missing(struct work_call *call)
{
	int code = call->request.err.code;
	if (code && code != ERR_NOT_FOUND)
		work_fail(call->work, &call->request.err);
}

void work_hold(struct work *w)
{
	LOOP_CHECK_OWNER(w->queue->options.client->loop);
	w->outstanding++;
}

void work_let_go(struct work *w)
{
	LOOP_CHECK_OWNER(w->queue->options.client->loop);
	CHECK(w->outstanding > 0);
	if (--w->outstanding == 0)
		finish(w);
}

bool work_is_closing(const struct work *w)
{
	return w->queue->closing;
}

void work_fail(struct work *w, const struct err *err)
{
	if (!w->failed)
		w->err = *err;
	w->failed = true;
}

void work_again(struct work *w, int64_t ms)
{
	if (w->again_ms < 0 || ms < w->again_ms)
		w->again_ms = ms;
}

/* ---- life ---- */

struct work_queue *work_queue_new(const struct work_queue_options *options)
{
	struct work_queue *q = xcalloc(1, sizeof *q);
	q->options = *options;
	if (!q->options.workers)
		q->options.workers = WORKERS;
	heap_init(&q->delayed, earlier);
	list_init(&q->ready);
	list_init(&q->works);
	loop_defer_init(&q->defer, run_ready);
	CHECK(uv_timer_init(loop_uv(options->client->loop), &q->timer) == 0);
	q->timer.data = q;
	return q;
}

void work_queue_start(struct work_queue *q)
{
	q->started = true;
	if (!list_empty(&q->ready))
		loop_defer(q->options.client->loop, &q->defer);
}

static void on_timer_closed(uv_handle_t *h)
{
	struct work_queue *q = h->data;
	q->timer_closed = true;
	maybe_closed(q);
}

void work_queue_close(struct work_queue *q, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(q->options.client->loop);
	q->closing = true;
	q->closed = closed;
	q->closed_arg = arg;
	loop_defer_cancel(&q->defer);
	LIST_FOREACH (it, &q->works) {
		struct work *w = CONTAINER_OF(it, struct work, link);
		LIST_FOREACH (c, &w->calls)
			client_cancel(q->options.client, &CONTAINER_OF(c, struct work_call, link)->request);
	}
	uv_close((uv_handle_t *)&q->timer, on_timer_closed);
}
