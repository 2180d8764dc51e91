/* Watch: many watches on one stream, each a watch of the store.
 *
 * The client creates and cancels watches by messages; events of all of them go out on the stream in WatchResponses,
 * those of one revision and watch in one (or in fragments, when the client allows them). Reading a store watch is
 * pulled by room on the stream: a client that does not read holds up its own watches and nobody else's. Progress is
 * answered for the whole stream (watch_id -1) once every watch has read up to the revision, and sent for quiet watches
 * that asked for it.
 *
 *     watch: opening --created--> live --cancel, compaction, stream end--> closing --closed--> gone */
#include "store/etcd/calls/watch.h"

#include "base/check.h"
#include "base/mem/map.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/stream.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

enum {
	FRAGMENT_BYTES = 1536 * 1024,
	WATCHES_PER_STREAM_MAX = 100000,
	WATCHES_MAX = 200000,
	MESSAGE_BYTES_MAX = 256 * 1024
};

struct stream {
	struct etcd_service *service;
	struct list_link in_service;
	struct etcd_stream *peer; /* NULL: gone */
	struct list_link watches;
	struct map by_id;         /* those that are not closing */
	struct loop_defer level;  /* looks whether all are level, once a turn */
	struct list_link blocked; /* of struct watch with something to read and no room */
	int64_t next_id;
	size_t n_watches;
	bool full; /* the last write said stop */
	bool progress_wanted;
	bool ended;
};

struct watch {
	struct stream *stream;
	struct list_link link;
	struct list_link blocked;
	struct store_watch *store;
	int64_t id;
	int64_t revision; /* everything up to here was sent */
	uint64_t last_sent_ms;
	bool progress_notify, fragment, prev_kv;
	bool closing;
};

/* ---- sending ---- */

/* Who does not take what is sent is not listened to either, until there is room. */
static void send_response(struct stream *s, const Etcdpb__WatchResponse *m)
{
	if (!s->peer || etcd_stream_send(s->peer, &m->base) || s->full)
		return;
	s->full = true;
	etcd_stream_pause(s->peer);
}

static Etcdpb__WatchResponse response(struct stream *s, struct arena *a, int64_t id, int64_t revision)
{
	Etcdpb__WatchResponse m = ETCDPB__WATCH_RESPONSE__INIT;
	m.header = etcd_header(s->service, a, revision);
	m.watch_id = id;
	return m;
}

static void send_canceled(struct stream *s, int64_t id, int64_t compact_revision, const char *reason, bool created)
{
	struct arena a = ARENA_INIT;
	/* With a compacted revision the header carries none, as in etcd. */
	Etcdpb__WatchResponse m = response(s, &a, id, compact_revision ? 0 : store_revision(s->service->store));
	m.canceled = true;
	m.created = created;
	m.compact_revision = compact_revision;
	m.cancel_reason = (char *)reason;
	send_response(s, &m);
	arena_release(&a);
}

static Etcdpb__Event *event_of(struct arena *a, const struct store_event *e)
{
	Etcdpb__Event *m = arena_alloc(a, sizeof *m);
	etcdpb__event__init(m);
	m->type = e->is_delete ? ETCDPB__EVENT__TYPE__DELETE : ETCDPB__EVENT__TYPE__PUT;
	m->kv = etcd_kv(a, &e->kv);
	if (e->prev.key.ptr)
		m->prev_kv = etcd_kv(a, &e->prev);
	return m;
}

/* Events in as few responses as the fragment size allows; without fragments in one. */
static void send_events(struct watch *w, const struct store_watch_batch *batch)
{
	struct stream *s = w->stream;
	size_t i = 0;
	while (i < batch->n_events) {
		struct arena a = ARENA_INIT;
		Etcdpb__WatchResponse m = response(s, &a, w->id, batch->revision);
		size_t bytes = 0;
		m.events = ARENA_ARRAY(&a, Etcdpb__Event *, batch->n_events - i);
		while (i < batch->n_events && (!w->fragment || bytes < FRAGMENT_BYTES)) {
			const struct store_event *e = &batch->events[i++];
			bytes += e->kv.key.len + e->kv.value.len + e->prev.value.len + 64;
			m.events[m.n_events++] = event_of(&a, e);
		}
		m.fragment = i < batch->n_events;
		send_response(s, &m);
		arena_release(&a);
	}
}

/* ---- watches ---- */

static void stream_maybe_free(struct stream *s)
{
	if (s->peer || s->n_watches)
		return;
	CHECK(s->by_id.count == 0 && list_empty(&s->watches));
	list_del(&s->in_service);
	loop_defer_cancel(&s->level);
	map_release(&s->by_id);
	s->service->counters.watch_streams--;
	free(s);
}

static void watch_closed(void *arg)
{
	struct watch *w = arg;
	struct stream *s = w->stream;
	list_del(&w->link);
	list_del(&w->blocked);
	s->n_watches--;
	s->service->counters.watches--;
	free(w);
	stream_maybe_free(s);
}

static struct slice id_key(const int64_t *id)
{
	return (struct slice){(const char *)id, sizeof *id};
}

static void watch_close(struct watch *w)
{
	if (w->closing)
		return;
	w->closing = true;
	CHECK(map_del(&w->stream->by_id, id_key(&w->id)) == w);
	list_del(&w->blocked);
	store_watch_close(w->stream->service->store, w->store, watch_closed, w);
}

/* Reads what there is, as long as the stream has room. */
static void pump(struct watch *w)
{
	LOOP_CHECK_OWNER(w->stream->service->loop);
	struct stream *s = w->stream;
	while (!w->closing && !s->full && s->peer) {
		struct store_watch_batch batch;
		struct err err = ERR_INIT;
		if (store_watch_read(s->service->store, w->store, &batch, &err) != 0) {
			send_canceled(s, w->id, batch.compacted_revision, "", false); /* the revision says why */
			watch_close(w);
			return;
		}
		bool moved = batch.revision > w->revision;
		w->revision = batch.revision;
		if (batch.n_events) {
			send_events(w, &batch);
			s->service->counters.events += batch.n_events;
			w->last_sent_ms = loop_now_ms(s->service->loop);
		}
		if (!batch.n_events && !moved)
			break;
	}
	if (s->full && !w->closing && !list_linked(&w->blocked))
		list_push_back(&s->blocked, &w->blocked);
	if (s->progress_wanted)
		loop_defer(s->service->loop, &s->level);
}

static void on_ready(void *arg)
{
	pump(arg);
}

static void on_writable(struct etcd_stream *x, void *arg)
{
	struct stream *s = arg;
	struct list_link *l;
	s->full = false;
	while (!s->full && (l = list_pop_front(&s->blocked)))
		pump(CONTAINER_OF(l, struct watch, blocked));
	if (!s->full && s->peer)
		etcd_stream_resume(s->peer);
}

/* ---- progress ---- */

static void send_progress(struct stream *s, int64_t id, int64_t revision)
{
	struct arena a = ARENA_INIT;
	Etcdpb__WatchResponse m = response(s, &a, id, revision);
	send_response(s, &m);
	arena_release(&a);
}

/* Answers a progress request once every watch of the stream has sent everything up to one revision. */
static void send_progress_if_level(struct stream *s)
{
	int64_t now = store_revision(s->service->store), level = now;
	if (!s->progress_wanted || !s->peer)
		return;
	LIST_FOREACH (it, &s->watches) {
		struct watch *w = CONTAINER_OF(it, struct watch, link);
		if (!w->closing && w->revision < level)
			level = w->revision;
	}
	if (level < now)
		return;
	s->progress_wanted = false;
	send_progress(s, -1, level);
}

static void look_whether_level(struct loop_defer *d)
{
	send_progress_if_level(CONTAINER_OF(d, struct stream, level));
}

static void read_all(struct stream *s)
{
	LOOP_CHECK_OWNER(s->service->loop);
	LIST_FOREACH (it, &s->watches) {
		struct watch *w = CONTAINER_OF(it, struct watch, link);
		if (!w->closing)
			pump(w);
	}
}

void etcd_watch_tick(struct etcd_service *service)
{
	uint64_t now = loop_now_ms(service->loop);
	LIST_FOREACH (st, &service->watch_streams) {
		struct stream *s = CONTAINER_OF(st, struct stream, in_service);
		if (s->progress_wanted)
			read_all(s);
		LIST_FOREACH (it, &s->watches) {
			struct watch *w = CONTAINER_OF(it, struct watch, link);
			if (!w->progress_notify || w->closing || s->full ||
			        now - w->last_sent_ms < service->options.progress_ms)
				continue;
			pump(w);
			w->last_sent_ms = now;
			if (!w->closing && s->peer)
				send_progress(s, w->id, w->revision);
		}
	}
}

/* ---- requests ---- */

static struct watch *find(struct stream *s, int64_t id)
{
	return map_get(&s->by_id, id_key(&id));
}

static bool choose_id(struct stream *s, int64_t wanted, int64_t *id)
{
	if (wanted && find(s, wanted))
		return false;
	if (wanted) {
		*id = wanted;
		return true;
	}
	while (find(s, s->next_id))
		s->next_id++;
	*id = s->next_id++;
	return true;
}

/* Judged once, when the watch is made, as in etcd: taking a permission away later does not end it. */
static bool is_permitted(struct stream *s, const struct store_key_range *keys)
{
	struct etcd_identity who;
	int status;
	enum etcd_auth_error error = etcd_stream_identify(s->peer, &who);
	if (!error)
		error = etcd_auth_check_range(s->service->system.auth, &who, keys, false);
	if (!error)
		return true;
	const char *text = etcd_auth_error_text(error, &status);
	struct arena a = ARENA_INIT;
	/* etcd's reasons for a cancelled watch are printed errors. */
	const char *reason = arena_printf(&a, "rpc error: code = %s desc = %s", grpc_status_name(status), text);
	send_canceled(s, -1, 0, reason, true);
	arena_release(&a);
	return false;
}

static void create(struct stream *s, const Etcdpb__WatchCreateRequest *r)
{
	LOOP_CHECK_OWNER(s->service->loop);
	struct store_watch_options o = {.keys = {etcd_slice(r->key), etcd_slice(r->range_end)},
	        .start_revision = r->start_revision,
	        .prev_kv = r->prev_kv};
	struct arena a = ARENA_INIT;
	int64_t id;
	if (!o.keys.key.len)
		o.keys.key = SLICE("\0"); /* the empty key stands for the smallest one */
	if (!is_permitted(s, &o.keys))
		return;
	if (o.keys.end.len && !store_range_is_open(&o.keys) && slice_cmp(o.keys.key, o.keys.end) >= 0) {
		send_canceled(s, -1, 0, "mvcc: watcher range is empty", true);
		return;
	}
	for (size_t i = 0; i < r->n_filters; i++) {
		o.no_put = o.no_put || r->filters[i] == 0;
		o.no_delete = o.no_delete || r->filters[i] == 1;
	}
	const char *refusal = NULL;
	if (s->service->counters.watches >= WATCHES_MAX)
		refusal = "etcdserver: too many watches on this server";
	else if (s->n_watches >= WATCHES_PER_STREAM_MAX)
		refusal = "etcdserver: too many watches on one stream";
	else if (!choose_id(s, r->watch_id, &id))
		refusal = "mvcc: duplicate watch ID provided on the WatchStream";
	if (refusal) {
		send_canceled(s, -1, 0, refusal, true);
		return;
	}
	struct watch *w = xcalloc(1, sizeof *w);
	w->stream = s;
	w->id = id;
	w->progress_notify = r->progress_notify;
	w->fragment = r->fragment;
	w->last_sent_ms = loop_now_ms(s->service->loop);
	list_init(&w->blocked);
	list_push_back(&s->watches, &w->link);
	CHECK(map_put(&s->by_id, id_key(&w->id), w) == NULL);
	s->n_watches++;
	s->service->counters.watches++;
	Etcdpb__WatchResponse m = response(s, &a, id, store_revision(s->service->store));
	m.created = true;
	send_response(s, &m);
	arena_release(&a);
	w->store = store_watch_open(s->service->store, &o, s->service->loop, on_ready, w);
}

static void cancel(struct stream *s, int64_t id)
{
	LOOP_CHECK_OWNER(s->service->loop);
	struct watch *w = find(s, id);
	if (!w)
		return;
	watch_close(w);
	send_canceled(s, id, 0, "", false);
}

static void on_message(struct etcd_stream *x, struct slice message, void *arg)
{
	struct stream *s = arg;
	struct arena a = ARENA_INIT;
	Etcdpb__WatchRequest *m = etcd_message_unpack(&a, &etcdpb__watch_request__descriptor, message);
	switch (m ? m->request_case : ETCDPB__WATCH_REQUEST__REQUEST__NOT_SET) {
	case ETCDPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST:
		create(s, m->create_request);
		break;
	case ETCDPB__WATCH_REQUEST__REQUEST_CANCEL_REQUEST:
		cancel(s, m->cancel_request->watch_id);
		break;
	case ETCDPB__WATCH_REQUEST__REQUEST_PROGRESS_REQUEST:
		if (!s->progress_wanted)
			read_all(s);
		s->progress_wanted = true;
		loop_defer(s->service->loop, &s->level);
		break;
	default:
		break;
	}
	arena_release(&a);
}

static void end_all(struct stream *s)
{
	LIST_FOREACH (it, &s->watches)
		watch_close(CONTAINER_OF(it, struct watch, link));
	stream_maybe_free(s);
}

static void on_abort(struct etcd_stream *x, void *arg)
{
	struct stream *s = arg;
	s->peer = NULL;
	end_all(s);
}

/* A client that sends no more still wants its events: only its going away ends the stream. */
void etcd_watch_open(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(etcd_stream_service(x)->loop);
	static const struct etcd_stream_callbacks callbacks = {
	        .on_message = on_message, .on_abort = on_abort, .on_writable = on_writable};
	struct stream *s = xcalloc(1, sizeof *s);
	s->service = etcd_stream_service(x);
	s->peer = x;
	list_init(&s->watches);
	list_init(&s->blocked);
	map_init(&s->by_id);
	loop_defer_init(&s->level, look_whether_level);
	list_push_back(&s->service->watch_streams, &s->in_service);
	s->service->counters.watch_streams++;
	etcd_stream_start(x, MESSAGE_BYTES_MAX, &callbacks, s);
}
