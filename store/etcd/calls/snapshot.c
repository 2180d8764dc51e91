/* Maintenance: the Snapshot stream, what `etcdctl snapshot save` asks for.
 *
 *     asked --(engine)--> opened --> a piece is read --(has room?)--> sent --> ... --> the sha256, the end
 *                                        ^______________ the next one meanwhile ____|
 *
 * Pieces are pulled from the engine's snapshot (store/snapshot/snapshot_reader.h) on a thread of a small pool, each
 * into the buffer that goes to the connection, its message's head in front. The next one is read when the one before
 * has been handed on, and waits until the client can take it: two pieces are in memory at most, however slow it is. The
 * sha256 comes last, as etcd's clients expect it.
 *
 * A snapshot holds a read transaction, and with it the store's write-ahead log. So one whose client goes away ends at
 * once (at most a piece later, when one is being read), one whose client takes nothing for `stall_ms` is cut off, and
 * no more than STORE_SNAPSHOTS_MAX are under way.
 *
 * What can go wrong: see there. Once pieces were sent the stream ends with the error, and no client takes what came for
 * a snapshot, for the sha256 is missing. */
#include "store/etcd/calls/snapshot.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/pool.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/stream.h"
#include "store/snapshot/snapshot_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 2, SHA256_BYTES = 32 };

struct snapshot {
	struct list_link link; /* of the service's, while a reader is open */
	struct etcd_service *service;
	struct etcd_stream *stream; /* NULL: gone */
	struct store_request request;
	struct arena arena;
	struct snapshot_reader *reader;
	struct pool_work work;
	struct rcbuf *piece; /* a message that waits to be sent */
	struct strbuf head;  /* what all messages begin with */
	int64_t remaining;   /* behind `piece` */
	uint64_t taken_ms;   /* when the client last took one */
	struct err err;
	bool is_asked;
	bool is_out; /* the engine or the pool has it */
	bool has_room;
};

static void snapshot_free(struct snapshot *s)
{
	if (s->is_out)
		return;
	snapshot_reader_close(s->reader);
	list_del(&s->link);
	rcbuf_unref(s->piece);
	strbuf_release(&s->head);
	store_request_release(&s->request);
	arena_release(&s->arena);
	s->service->n_snapshots--;
	s->service->calls--;
	free(s);
}

static void finish(struct snapshot *s, int status, const char *text)
{
	etcd_stream_finish(TAKE(s->stream), status, text);
	snapshot_free(s);
}

static void fail(struct snapshot *s)
{
	log_warn("store", "snapshot failed", "error=\"%s\"", s->err.msg);
	finish(s, err_grpc_status(s->err.code), s->err.msg);
}

/* ---- messages: header, remaining_bytes and version, then the blob, field 3, last, so that it can be read into place
 */

static void add_varint(struct strbuf *b, uint64_t n)
{
	for (; n >= 128; n >>= 7)
		strbuf_addc(b, (char)(0x80 | (n & 0x7f)));
	strbuf_addc(b, (char)n);
}

static void make_head(struct snapshot *s)
{
	struct arena a = ARENA_INIT;
	Etcdpb__SnapshotResponse m = ETCDPB__SNAPSHOT_RESPONSE__INIT;
	m.header = etcd_header(s->service, &a, s->request.revision);
	m.version = (char *)"3.5.16";
	size_t n = etcdpb__snapshot_response__get_packed_size(&m);
	uint8_t *bytes = arena_alloc(&a, n);
	etcdpb__snapshot_response__pack(&m, bytes);
	strbuf_add(&s->head, bytes, n);
	arena_release(&a);
}

/* A message with room for a blob of n bytes at its end, and room before it for gRPC's frame. */
static struct rcbuf *make_message(const struct snapshot *s, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_add_slice(&b, strbuf_slice(&s->head));
	strbuf_addc(&b, 2 << 3);
	add_varint(&b, (uint64_t)s->remaining);
	strbuf_addc(&b, 3 << 3 | 2);
	add_varint(&b, n);
	struct rcbuf *message = rcbuf_new(GRPC_FRAME_HEAD_BYTES + b.len + n);
	memcpy(message->data + GRPC_FRAME_HEAD_BYTES, b.data, b.len);
	strbuf_release(&b);
	return message;
}

/* ---- pieces ---- */

/* On a thread of the pool. */
static void read_piece(struct pool_work *w)
{
	struct snapshot *s = CONTAINER_OF(w, struct snapshot, work);
	size_t n = s->remaining < (int64_t)STORE_SNAPSHOT_PIECE_BYTES ? (size_t)s->remaining
	                                                              : STORE_SNAPSHOT_PIECE_BYTES,
	       got = 0;
	s->remaining -= (int64_t)n;
	s->piece = make_message(s, n);
	if (snapshot_reader_next(s->reader, s->piece->data + s->piece->len - n, n, &got, &s->err) == 0)
		CHECK(got == n);
}

static void advance(struct snapshot *s);

static void piece_read(struct pool_work *w)
{
	struct snapshot *s = CONTAINER_OF(w, struct snapshot, work);
	s->is_out = false;
	advance(s);
}

static void send_piece(struct snapshot *s)
{
	s->has_room = etcd_stream_send_message(s->stream, &etcdpb__snapshot_response__descriptor, TAKE(s->piece));
	s->taken_ms = loop_now_ms(s->service->loop);
}

static void send_end(struct snapshot *s)
{
	unsigned char sha256[SHA256_BYTES];
	snapshot_reader_sha256(s->reader, sha256);
	struct rcbuf *message = make_message(s, sizeof sha256);
	memcpy(message->data + message->len - sizeof sha256, sha256, sizeof sha256);
	etcd_stream_send_message(s->stream, &etcdpb__snapshot_response__descriptor, message);
	finish(s, GRPC_OK, NULL);
}

static void advance(struct snapshot *s)
{
	if (s->is_out)
		return;
	if (!s->stream) {
		snapshot_free(s);
		return;
	}
	if (s->err.code) {
		fail(s);
		return;
	}
	if (s->piece && s->has_room)
		send_piece(s);
	if (!s->piece && s->remaining == 0) {
		send_end(s);
	} else if (!s->piece) {
		s->is_out = pool_submit(s->service->snapshot_pool, &s->work, s->service->loop, read_piece, piece_read);
		CHECK(s->is_out); /* the queue has room for all there can be */
	}
}

static void opened(struct store_request *req)
{
	struct snapshot *s = CONTAINER_OF(req, struct snapshot, request);
	s->is_out = false;
	s->err = req->err;
	s->reader = req->snapshot;
	if (s->stream && s->reader) {
		list_push_back(&s->service->snapshots, &s->link);
		s->remaining = snapshot_reader_bytes(s->reader);
		s->has_room = true;
		s->taken_ms = loop_now_ms(s->service->loop);
		make_head(s);
		log_info("store", "sending a snapshot", "bytes=%" PRId64 " revision=%" PRId64, s->remaining,
		        req->revision);
	}
	advance(s);
}

/* ---- the stream ---- */

static const char *note(struct snapshot *s)
{
	struct strbuf b = STRBUF_INIT;
	const struct etcd_service_options *o = &s->service->options;
	json_auto_t *v = json_object();
	json_lib_set_fmt(v, "cluster_id", "%016llx", (unsigned long long)o->cluster_id);
	json_lib_set_fmt(v, "member_id", "%016llx", (unsigned long long)o->member_id);
	json_lib_set_int(v, "created_s", time(NULL));
	json_lib_set_cstr(v, "name", o->name);
	json_lib_write(&b, v);
	const char *text = arena_printf(&s->arena, "%.*s", (int)b.len, b.data);
	strbuf_release(&b);
	return text;
}

static void on_message(struct etcd_stream *x, struct slice message, void *arg)
{
	struct snapshot *s = arg;
	struct etcd_service *service = s->service;
	if (s->is_asked)
		return;
	s->is_asked = true;
	if (service->n_snapshots > STORE_SNAPSHOTS_MAX) {
		err_set(&s->err, ERR_BUSY, "%d snapshots are being sent, and no more at a time: try again later",
		        STORE_SNAPSHOTS_MAX);
		fail(s);
		return;
	}
	if (!service->snapshot_pool)
		service->snapshot_pool = pool_new("etcd-snapshot", THREADS, STORE_SNAPSHOTS_MAX);
	s->is_out = true;
	s->request.type = STORE_REQUEST_BACKUP;
	s->request.note = note(s);
	s->request.loop = service->loop;
	s->request.done = opened;
	store_submit(service->store, &s->request);
}

static void on_end(struct etcd_stream *x, void *arg)
{
	struct snapshot *s = arg;
	if (s->is_asked)
		return;
	err_set(&s->err, ERR_INVAL, "no request came");
	fail(s);
}

static void on_abort(struct etcd_stream *x, void *arg)
{
	struct snapshot *s = arg;
	s->stream = NULL;
	snapshot_free(s);
}

static void on_writable(struct etcd_stream *x, void *arg)
{
	struct snapshot *s = arg;
	if (!s->reader)
		return;
	s->has_room = true;
	advance(s);
}

void etcd_snapshots_tick(struct etcd_service *service)
{
	uint64_t now = loop_now_ms(service->loop);
	uint64_t stall_ms =
	        service->options.snapshot_stall_ms ? service->options.snapshot_stall_ms : STORE_SNAPSHOT_STALL_MS_MAX;
	LIST_FOREACH (l, &service->snapshots) {
		struct snapshot *s = CONTAINER_OF(l, struct snapshot, link);
		if (s->is_out || !s->stream || s->has_room || now - s->taken_ms < stall_ms)
			continue;
		err_set(&s->err, ERR_TIMEOUT,
		        "the client took nothing of the snapshot for %" PRIu64
		        " ms and is cut off: a snapshot under way keeps the write-ahead log from being shortened",
		        now - s->taken_ms);
		fail(s);
	}
}

void etcd_snapshots_release(struct etcd_service *s)
{
	CHECK(s->n_snapshots == 0);
	if (s->snapshot_pool)
		pool_free(s->snapshot_pool);
}

void etcd_snapshot_open(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(etcd_stream_service(x)->loop);
	static const struct etcd_stream_callbacks callbacks = {
	        .on_message = on_message, .on_end = on_end, .on_abort = on_abort, .on_writable = on_writable};
	struct snapshot *s = xcalloc(1, sizeof *s);
	s->service = etcd_stream_service(x);
	list_init(&s->link);
	s->service->calls++;
	s->service->n_snapshots++;
	s->stream = x;
	etcd_stream_start(x, 1024, &callbacks, s);
}
