/* Election/Observe: a stream of what the leaders of an election proclaim, the present leader's value first.
 *
 *     asking --leader--> sent, watching its key --deleted--> asking
 *        \--none--> watching the prefix --first put--> sent, watching that key
 *
 * One request or one watch is out at a time. Not every value is seen (those of a leader who came and went between two
 * questions are not), but the newest always is. The right to read the election's keys is looked at with every question.
 */
#include "store/etcd/calls/turn_int.h"

#include "base/check.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/calls/recipes.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/stream.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

struct observer {
	struct etcd_service *service;
	struct etcd_stream *peer; /* NULL: gone */
	struct arena arena;
	struct slice name;
	struct arena keys; /* of what is asked, or watched next: dropped when the watch is open */
	struct store_request request;
	struct store_watch *watch;
	bool is_out, is_asked, is_full;
	bool wants_leader;               /* the watch is on the prefix, for the first put */
	struct store_watch_options next; /* what to watch when the present watch is closed; key.ptr NULL: ask */
};

static void ask(struct observer *o);

static void observer_free(struct observer *o)
{
	if (o->is_out || o->watch)
		return;
	store_request_release(&o->request);
	arena_release(&o->arena);
	arena_release(&o->keys);
	o->service->calls--;
	free(o);
}

static void finish(struct observer *o, int status, const char *text)
{
	LOOP_CHECK_OWNER(o->service->loop);
	etcd_stream_finish(TAKE(o->peer), status, text);
	observer_free(o);
}

static void send_kv(struct observer *o, int64_t revision, const struct store_kv *kv)
{
	struct arena a = ARENA_INIT;
	Etcdpb__LeaderResponse m = ETCDPB__LEADER_RESPONSE__INIT;
	m.header = etcd_header(o->service, &a, revision);
	m.kv = etcd_kv(&a, kv);
	o->is_full = !etcd_stream_send(o->peer, &m.base);
	arena_release(&a);
}

/* ---- watching ---- */

static void watch(struct observer *o, const struct store_watch_options *options);

static void watch_closed(void *arg)
{
	struct observer *o = arg;
	struct store_watch_options next = o->next;
	o->watch = NULL;
	o->next = (struct store_watch_options){0};
	if (!o->peer)
		observer_free(o);
	else if (next.keys.key.ptr)
		watch(o, &next);
	else
		ask(o);
}

static bool is_closing(const struct observer *o)
{
	return o->is_out;
}

static void closing_done(void *arg)
{
	struct observer *o = arg;
	o->is_out = false;
	watch_closed(o);
}

static void close_watch(struct observer *o)
{
	LOOP_CHECK_OWNER(o->service->loop);
	o->is_out = true;
	store_watch_close(o->service->store, o->watch, closing_done, o);
}

static struct slice kept(struct observer *o, struct slice s)
{
	return (struct slice){arena_memdup(&o->keys, s.ptr, s.len), s.len};
}

/* True: this watch is over. */
static bool take_event(struct observer *o, const struct store_event *e, int64_t revision)
{
	if (o->wants_leader && e->is_delete)
		return false;
	if (!e->is_delete)
		send_kv(o, o->wants_leader ? e->kv.mod_revision : revision, &e->kv);
	if (o->wants_leader)
		o->next = (struct store_watch_options){
		        .keys.key = kept(o, e->kv.key), .start_revision = e->kv.mod_revision + 1};
	return o->wants_leader || e->is_delete;
}

static void pump(void *arg)
{
	struct observer *o = arg;
	struct store_watch_batch batch = {0};
	struct err err = ERR_INIT;
	while (o->watch && !is_closing(o) && o->peer && !o->is_full) {
		int64_t before = batch.revision;
		bool over = store_watch_read(o->service->store, o->watch, &batch, &err) != 0;
		for (size_t i = 0; i < batch.n_events && !over && o->peer; i++)
			over = take_event(o, &batch.events[i], batch.revision);
		if (over)
			close_watch(o);
		else if (!batch.n_events && batch.revision == before)
			return;
	}
}

static void watch(struct observer *o, const struct store_watch_options *options)
{
	o->wants_leader = options->keys.end.len > 0;
	o->watch = store_watch_open(o->service->store, options, o->service->loop, pump, o);
	store_request_release(&o->request);
	arena_reset(&o->keys); /* the watch has copies */
	pump(o);
}

/* ---- asking ---- */

static void answered(struct store_request *req)
{
	struct observer *o = CONTAINER_OF(req, struct observer, request);
	struct store_watch_options next = {.start_revision = req->revision + 1};
	o->is_out = false;
	if (!o->peer) {
		observer_free(o);
		return;
	}
	if (req->err.code) {
		finish(o, GRPC_UNKNOWN, req->err.msg);
		return;
	}
	if (req->result.n_kvs) {
		next.keys.key = kept(o, req->result.kvs[0].key);
		send_kv(o, req->revision, &req->result.kvs[0]);
	} else {
		next.keys = req->op.range.keys;
	}
	watch(o, &next);
}

static void ask(struct observer *o)
{
	LOOP_CHECK_OWNER(o->service->loop);
	struct etcd_identity who;
	struct store_range range = etcd_election_first(&o->keys, o->name);
	enum etcd_auth_error error = etcd_stream_identify(o->peer, &who);
	if (!error)
		error = etcd_auth_check_range(o->service->system.auth, &who, &range.keys, false);
	if (error) {
		int status;
		const char *text = etcd_auth_error_text(error, &status);
		finish(o, GRPC_UNKNOWN, text);
		return;
	}
	store_request_release(&o->request);
	o->request = (struct store_request){
	        .op = {.type = STORE_OP_RANGE, .range = range}, .loop = o->service->loop, .done = answered};
	o->is_out = true;
	store_submit(o->service->store, &o->request);
}

/* ---- the stream ---- */

static void on_message(struct etcd_stream *x, struct slice message, void *arg)
{
	struct observer *o = arg;
	if (o->is_asked)
		return;
	o->is_asked = true;
	Etcdpb__LeaderRequest *r = etcd_message_unpack(&o->arena, &etcdpb__leader_request__descriptor, message);
	if (!r) {
		finish(o, GRPC_INVALID_ARGUMENT, "the request is not a valid protobuf message");
		return;
	}
	o->name = etcd_slice(r->name);
	ask(o);
}

static void on_abort(struct etcd_stream *x, void *arg)
{
	struct observer *o = arg;
	o->peer = NULL;
	if (o->watch && !is_closing(o))
		close_watch(o);
	else
		observer_free(o);
}

static void on_writable(struct etcd_stream *x, void *arg)
{
	struct observer *o = arg;
	o->is_full = false;
	pump(o);
}

void etcd_observe_open(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(etcd_stream_service(x)->loop);
	static const struct etcd_stream_callbacks callbacks = {
	        .on_message = on_message, .on_abort = on_abort, .on_writable = on_writable};
	struct observer *o = xcalloc(1, sizeof *o);
	o->service = etcd_stream_service(x);
	o->service->calls++;
	o->peer = x;
	etcd_stream_start(x, 64 * 1024, &callbacks, o);
}
