/* Maintenance: Hash, HashKV and the Snapshot stream.
 *
 * A snapshot is written by the engine to a file in the scratch folder (see store/snapshot/snapshot.h), unlinked once it
 * is open, and streamed from there in pieces as fast as the client takes them, its sha256 last: what `etcdctl snapshot
 * save` expects, and all it looks at. One client that reads slowly holds disk space, no lock and no memory. */
#include "store/etcd/calls/backup.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/log.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/stream.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024 };

static void hash_done(struct etcd_call *c)
{
	Etcdpb__HashKVResponse m = ETCDPB__HASH_KVRESPONSE__INIT;
	if (c->request.err.code) {
		etcd_reply_store_err(c, &c->request);
		return;
	}
	m.header = etcd_header(c->service, &c->arena, c->request.revision);
	m.hash = c->request.hash;
	if (!c->request.hash_leases) { /* Hash answers with these two fields alone */
		m.compact_revision = c->request.compacted_revision;
		m.hash_revision = c->request.revision_arg ? c->request.revision_arg : c->request.revision;
	}
	etcd_reply(c, &m.base);
}

void etcd_hash_kv(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__HashKVRequest *r = etcd_unpack(c, &etcdpb__hash_kvrequest__descriptor, message);
	if (!r)
		return;
	c->request.type = STORE_REQUEST_HASH;
	c->request.revision_arg = r->revision;
	etcd_submit(c, hash_done);
}

void etcd_hash(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->request.type = STORE_REQUEST_HASH;
	c->request.hash_leases = true;
	etcd_submit(c, hash_done);
}

/* ---- snapshots ---- */

struct snapshot {
	struct etcd_service *service;
	struct etcd_stream *stream; /* NULL: gone */
	struct store_request request;
	struct arena arena;
	int fd;
	int64_t remaining;
	bool is_out, is_asked;
};

static void snapshot_free(struct snapshot *s)
{
	if (s->is_out)
		return;
	if (s->fd >= 0)
		close(s->fd);
	store_request_release(&s->request);
	arena_release(&s->arena);
	s->service->calls--;
	free(s);
}

static bool send_piece(struct snapshot *s, const void *bytes, size_t n)
{
	struct arena a = ARENA_INIT;
	Etcdpb__SnapshotResponse m = ETCDPB__SNAPSHOT_RESPONSE__INIT;
	m.header = etcd_header(s->service, &a, s->request.revision);
	m.remaining_bytes = (uint64_t)s->remaining;
	m.blob = (ProtobufCBinaryData){n, (uint8_t *)bytes};
	m.version = (char *)"3.5.16";
	bool room = etcd_stream_send(s->stream, &m.base);
	arena_release(&a);
	return room;
}

static void fail(struct snapshot *s, const char *text)
{
	etcd_stream_finish(TAKE(s->stream), GRPC_INTERNAL, text);
	snapshot_free(s);
}

static void pump(struct snapshot *s)
{
	char buffer[PIECE_BYTES];
	bool room = true;
	while (room && s->remaining > 0) {
		ssize_t n = read(s->fd, buffer, sizeof buffer);
		if (n <= 0) {
			fail(s, "the snapshot's copy does not read");
			return;
		}
		s->remaining -= n;
		room = send_piece(s, buffer, (size_t)n);
	}
	if (s->remaining > 0)
		return;
	send_piece(s, s->request.sha256, sizeof s->request.sha256);
	etcd_stream_finish(TAKE(s->stream), GRPC_OK, NULL);
	snapshot_free(s);
}

static void written(struct store_request *req)
{
	struct snapshot *s = CONTAINER_OF(req, struct snapshot, request);
	struct stat st;
	s->is_out = false;
	if (req->err.code == 0) {
		s->fd = open(req->path, O_RDONLY | O_CLOEXEC);
		unlink(req->path);
		if (s->fd < 0 || fstat(s->fd, &st) != 0)
			err_set(&req->err, ERR_IO, "the snapshot's copy does not open");
	}
	if (!s->stream) {
		snapshot_free(s);
	} else if (req->err.code) {
		log_warn("store", "snapshot failed", "error=\"%s\"", req->err.msg);
		fail(s, req->err.msg);
	} else {
		s->remaining = st.st_size;
		log_info("store", "sending a snapshot", "bytes=%lld revision=%lld", (long long)s->remaining,
		        (long long)req->revision);
		pump(s);
	}
}

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
	if (s->is_asked)
		return;
	s->is_asked = s->is_out = true;
	s->request.type = STORE_REQUEST_BACKUP;
	s->request.path = arena_printf(
	        &s->arena, "%s/.snapshot-%ld-%p.tmp", s->service->options.scratch_dir, (long)getpid(), (void *)s);
	s->request.note = note(s);
	s->request.loop = s->service->loop;
	s->request.done = written;
	store_submit(s->service->store, &s->request);
}

static void on_end(struct etcd_stream *x, void *arg)
{
	struct snapshot *s = arg;
	if (!s->is_asked)
		fail(s, "no request came");
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
	if (s->fd >= 0)
		pump(s);
}

void etcd_snapshot_forget_old(const char *folder)
{
	DIR *d = opendir(folder);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		size_t n = strlen(e->d_name);
		if (strncmp(e->d_name, ".snapshot-", 10) == 0 && n > 4 && strcmp(e->d_name + n - 4, ".tmp") == 0)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
}

void etcd_snapshot_open(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(etcd_stream_service(x)->loop);
	static const struct etcd_stream_callbacks callbacks = {
	        .on_message = on_message, .on_end = on_end, .on_abort = on_abort, .on_writable = on_writable};
	struct snapshot *s = xcalloc(1, sizeof *s);
	s->service = etcd_stream_service(x);
	s->fd = -1;
	s->service->calls++;
	s->stream = x;
	etcd_stream_start(x, 1024, &callbacks, s);
}
