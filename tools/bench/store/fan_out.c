/* Watch fan-out: many watches over one prefix, ten to a stream as a client library would, on all three servers.
 *
 * First one put at a time: the clock runs from its sending until it is answered and every watcher has its event. Then
 * 16 clients write as fast as they can, and events are counted until the last one is there; a server that merges or
 * drops watchers' events shows as lost ones. Answers are only walked through, not unpacked. */
#include "tools/bench/store/store.h"

#include "base/wire/grpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WATCHES_PER_STREAM = 10, WRITERS = 16, VALUE_BYTES = 256, WAIT_MS = 20000, KEYS = 10000 };

struct fan {
	struct fan_out *out;
	struct grpc_call **streams;
	unsigned n_streams, open_streams;
	unsigned created;
	unsigned puts_left;
	bool is_answered, is_bulk;
	uint64_t began_ns, last_ns;
	int64_t left; /* events of this put still to come */
	atomic_ullong events;
	char buffer[VALUE_BYTES + 128];
	uv_sem_t step;
};

struct answer_seen {
	bool is_created, is_canceled;
	unsigned events;
};

static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;
	for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
		uint8_t byte = *(*p)++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

/* The fields of a WatchResponse that we count: created 3, canceled 4, events 11. */
static bool look_at(struct slice message, struct answer_seen *ret)
{
	const uint8_t *p = (const uint8_t *)message.ptr, *end = p + message.len;
	uint64_t tag, value;
	*ret = (struct answer_seen){0};
	while (p < end) {
		if (!read_varint(&p, end, &tag) || !read_varint(&p, end, &value))
			return false;
		if ((tag & 7) == 2) {
			if (value > (uint64_t)(end - p))
				return false;
			p += value;
		} else if ((tag & 7) != 0) {
			return false;
		}
		ret->events += tag >> 3 == 11;
		ret->is_created |= tag >> 3 == 3 && value;
		ret->is_canceled |= tag >> 3 == 4 && value;
	}
	return true;
}

static void put_next(struct fan *f);

static void fail(struct fan *f, const char *text)
{
	if (!f->out->first_failure[0])
		snprintf(f->out->first_failure, sizeof f->out->first_failure, "%.190s", text);
}

static void maybe_next(struct fan *f)
{
	if (f->is_bulk || f->left > 0 || !f->is_answered)
		return;
	histogram_add(&f->out->ns, load_now_ns() - f->began_ns);
	if (--f->puts_left)
		put_next(f);
	else
		uv_sem_post(&f->step);
}

static void on_event(struct grpc_call *call, struct slice message, void *arg)
{
	struct fan *f = arg;
	struct answer_seen seen;
	if (!look_at(message, &seen) || seen.is_canceled)
		fail(f, "a watch was cancelled or its answer does not read");
	if (seen.is_created && ++f->created == f->out->watchers)
		uv_sem_post(&f->step);
	if (!seen.events)
		return;
	f->last_ns = load_now_ns();
	atomic_fetch_add_explicit(&f->events, seen.events, memory_order_relaxed);
	f->left -= seen.events;
	maybe_next(f);
}

static void on_stream_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct fan *f = arg;
	if (err)
		fail(f, err->msg);
	for (unsigned i = 0; i < f->n_streams; i++)
		if (f->streams[i] == call)
			f->streams[i] = NULL;
}

static void on_put_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct fan *f = arg;
	if (err)
		fail(f, err->msg);
	f->is_answered = true;
	maybe_next(f);
}

static void put_next(struct fan *f)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	struct lines *l = f->out->lines;
	r.key = (ProtobufCBinaryData){27, (uint8_t *)"/registry/pods-256/fan-outs"};
	r.value = (ProtobufCBinaryData){VALUE_BYTES, (uint8_t *)load_value()};
	struct slice m = {f->buffer, protobuf_c_message_pack(&r.base, (uint8_t *)f->buffer)};
	f->left += f->out->watchers;
	f->is_answered = false;
	f->began_ns = load_now_ns();
	grpc_client_call(l->list[f->puts_left % l->count], &(struct grpc_call_options){.method = "/etcdserverpb.KV/Put",
	                                                           .timeout_ms = WAIT_MS,
	                                                           .request = m,
	                                                           .on_done = on_put_done,
	                                                           .arg = f});
}

static void begin_puts(void *arg)
{
	put_next(arg);
}

static struct slice creation(char *buffer)
{
	Etcdpb__WatchRequest r = ETCDPB__WATCH_REQUEST__INIT;
	Etcdpb__WatchCreateRequest create = ETCDPB__WATCH_CREATE_REQUEST__INIT;
	create.key = (ProtobufCBinaryData){19, (uint8_t *)"/registry/pods-256/"};
	create.range_end = (ProtobufCBinaryData){19, (uint8_t *)"/registry/pods-2560"};
	r.request_case = ETCDPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
	r.create_request = &create;
	return (struct slice){buffer, protobuf_c_message_pack(&r.base, (uint8_t *)buffer)};
}

static void open_watches(void *arg)
{
	struct fan *f = arg;
	struct lines *l = f->out->lines;
	char buffer[128];
	struct slice m = creation(buffer);
	for (unsigned i = 0; i < f->n_streams; i++) {
		f->streams[i] = grpc_client_call(
		        l->list[i % l->count], &(struct grpc_call_options){.method = "/etcdserverpb.Watch/Watch",
		                                       .stream = true,
		                                       .request = m,
		                                       .on_message = on_event,
		                                       .on_done = on_stream_done,
		                                       .arg = f});
		for (unsigned k = 1; k < WATCHES_PER_STREAM; k++)
			grpc_call_send(f->streams[i], m);
	}
}

static void close_watches(void *arg)
{
	struct fan *f = arg;
	for (unsigned i = 0; i < f->n_streams; i++)
		if (f->streams[i])
			grpc_call_cancel(f->streams[i]);
}

static bool wait_step(struct fan *f)
{
	for (double began = bench_now_ms(); bench_now_ms() - began < 3 * WAIT_MS;) {
		if (uv_sem_trywait(&f->step) == 0)
			return true;
		usleep(1000);
	}
	fail(f, "watchers do not get what they should");
	return false;
}

/* Many writers; then until all events are there, or none came for a second. */
static void run_bulk(struct fan *f)
{
	struct fan_out *out = f->out;
	struct load l = {.kind = &load_put,
	        .lines = out->lines,
	        .clients = WRITERS,
	        .value_bytes = VALUE_BYTES,
	        .keys = KEYS,
	        .seconds = out->seconds};
	f->is_bulk = true;
	unsigned long long before = atomic_load(&f->events), seen = before, now;
	uint64_t began = load_now_ns();
	load_run(&l);
	uint64_t wanted = before + (l.started - l.failed) * out->watchers;
	for (uint64_t since = load_now_ns(); (now = atomic_load(&f->events)) < wanted;) {
		if (now != seen)
			seen = now, since = load_now_ns();
		else if (load_now_ns() - since > 1000000000u)
			break;
		usleep(1000);
	}
	double seconds = (double)(load_now_ns() - began) / 1e9;
	out->lost = wanted > now ? wanted - now : 0;
	out->events_per_s = (double)(now - before) / seconds;
	out->puts_per_s = (double)(l.started - l.failed) / seconds;
	out->generator_cpu_s = l.generator_cpu_s / l.elapsed_s;
	if (l.failed)
		fail(f, l.first_failure);
}

void fan_out_run(struct fan_out *out)
{
	struct fan f = {.out = out, .n_streams = out->watchers / WATCHES_PER_STREAM, .puts_left = out->puts};
	CHECK(out->watchers % WATCHES_PER_STREAM == 0);
	f.streams = xcalloc(f.n_streams, sizeof *f.streams);
	uv_sem_init(&f.step, 0);
	loop_call(&out->lines->loop, open_watches, &f);
	if (wait_step(&f)) {
		loop_call(&out->lines->loop, begin_puts, &f);
		if (wait_step(&f))
			run_bulk(&f);
	}
	loop_call(&out->lines->loop, close_watches, &f);
	uv_sem_destroy(&f.step);
	free(f.streams);
}
