/* See watcher.h. */
#include "jepsen/watcher.h"

enum { CREATED_MS_MAX = 2000, WAIT_MS = 200, LEAVE_PERMILLE = 4, SLOW_PERCENT = 20 };

void watcher_stop(struct watcher *v)
{
	client_stream_close(v->stream);
	v->stream = NULL;
}

/* Sometimes another server: what one has sent must fit what the next one sends. */
static void move_on(struct worker *w)
{
	struct cluster *c = &w->run->cluster;
	if (c->count < 2 || rng_chance(&w->rng, 50))
		return;
	client_free(w->client);
	w->node = (w->node + 1) % c->count;
	w->client = client_new(c->net.nodes[w->node].address, CLUSTER_CLIENT_PORT, CREATED_MS_MAX);
}

static void leave(struct worker *w, struct watcher *v)
{
	watcher_stop(v);
	move_on(w);
}

static void record_cancel(struct worker *w, struct watcher *v, int64_t compact_revision, const char *why)
{
	struct history_record r = HISTORY_RECORD_INIT;
	r.f = HISTORY_WATCH_CANCEL;
	r.key = v->prefix;
	r.error = why;
	r.revision = compact_revision ? compact_revision : HISTORY_NIL;
	run_observe(w, &r);
	if (compact_revision > v->next) {
		v->next = compact_revision;
		v->is_compacted = true;
	}
	leave(w, v);
}

static void open_stream(struct worker *w, struct watcher *v)
{
	Etcdpb__WatchRequest r = ETCDPB__WATCH_REQUEST__INIT;
	Etcdpb__WatchCreateRequest create = ETCDPB__WATCH_CREATE_REQUEST__INIT;
	create.key = client_bytes(v->prefix);
	char *end = arena_strdup(&w->arena, v->prefix);
	end[strlen(end) - 1]++;
	create.range_end = client_bytes(end);
	create.start_revision = v->next;
	create.prev_kv = true;
	create.progress_notify = true;
	r.request_case = ETCDPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
	r.create_request = &create;
	v->stream = client_stream_open(w->client, "Watch/Watch", &r.base);
}

static void ask(struct worker *w, struct watcher *v)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct client_answer a = {.outcome = CLIENT_FAIL};
	bool ended;
	r.f = HISTORY_WATCH;
	r.key = v->prefix;
	r.revision = v->next;
	run_invoke(w, &r);
	open_stream(w, v);
	const Etcdpb__WatchResponse *got =
	        client_stream_next(v->stream, &etcdpb__watch_response__descriptor, CREATED_MS_MAX, &w->arena, &ended);
	if (got && got->created && !got->canceled) {
		a.outcome = CLIENT_OK;
		r.revision = got->header->revision;
		v->is_slow = rng_chance(&w->rng, SLOW_PERCENT);
		run_complete(w, &r, &a);
		return;
	}
	err_set(&a.err, ERR_UNAVAILABLE, "%s", got ? got->cancel_reason : client_stream_error(v->stream)->msg);
	if (!a.err.msg[0])
		err_set(&a.err, ERR_TIMEOUT, "no answer in %d ms", CREATED_MS_MAX);
	run_complete(w, &r, &a);
	leave(w, v);
}

static struct history_item *items_of(struct worker *w, const Etcdpb__WatchResponse *m)
{
	struct history_item *items = ARENA_ARRAY(&w->arena, struct history_item, m->n_events + 1);
	for (size_t i = 0; i < m->n_events; i++) {
		const Etcdpb__Event *e = m->events[i];
		bool is_put = e->type == ETCDPB__EVENT__TYPE__PUT;
		items[i] = HISTORY_ITEM_INIT(is_put ? HISTORY_PUT : HISTORY_DELETE, workload_key_text(&w->arena, e->kv),
		        is_put ? workload_value(e->kv) : HISTORY_NIL);
		items[i].prev = workload_value(e->prev_kv);
		items[i].mod_revision = e->kv->mod_revision;
		if (is_put) {
			items[i].create_revision = e->kv->create_revision;
			items[i].version = e->kv->version;
		}
	}
	return items;
}

static void take(struct worker *w, struct watcher *v, const Etcdpb__WatchResponse *m)
{
	struct history_record r = HISTORY_RECORD_INIT;
	if (m->canceled) {
		record_cancel(w, v, m->compact_revision,
		        m->cancel_reason && *m->cancel_reason ? m->cancel_reason : "canceled");
		return;
	}
	r.f = HISTORY_WATCH_EVENT;
	r.key = v->prefix;
	r.revision = m->header->revision;
	r.items = items_of(w, m);
	r.item_count = (uint32_t)m->n_events;
	run_observe(w, &r);
	if (m->n_events)
		v->next = m->events[m->n_events - 1]->kv->mod_revision + 1;
	else if (m->header->revision + 1 > v->next)
		v->next = m->header->revision + 1; /* progress: everything up to there was sent */
	if (m->n_events && v->on_events)
		v->on_events(w, m);
}

static void follow(struct worker *w, struct watcher *v)
{
	bool ended;
	const Etcdpb__WatchResponse *m =
	        client_stream_next(v->stream, &etcdpb__watch_response__descriptor, WAIT_MS, &w->arena, &ended);
	if (m)
		take(w, v, m);
	else if (ended)
		record_cancel(w, v, 0,
		        client_stream_error(v->stream)->msg[0] ? client_stream_error(v->stream)->msg : "ended");
	if (v->stream && !run_is_final(w->run) && rng_below(&w->rng, 1000) < LEAVE_PERMILLE)
		record_cancel(w, v, 0, "left");
}

void watcher_step(struct worker *w, struct watcher *v)
{
	if (v->stream)
		follow(w, v);
	else
		ask(w, v);
	w->goes_on = watcher_goes_on(v, run_is_final(w->run));
}

bool watcher_goes_on(const struct watcher *v, bool is_final)
{
	return v->stream && (is_final || !v->is_slow);
}
