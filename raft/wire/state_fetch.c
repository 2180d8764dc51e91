/* Fetches states. See state_stream.h.
 *
 *     IDLE --want--> CONNECTING --> RECEIVING --> CHECKING --> IDLE (fetched)
 *                         ^------ connection lost: next tick, from where it was, if the sender still has the copy
 *
 * The file grows as PATH.part; whole, it is checked against the sender's checksum, synced and renamed. What can go
 * wrong: the disk is full (it begins anew later), the sender goes away or is no longer the leader (whoever is asks us
 * anew), what came does not fit its checksum (begun anew, logged). */
#include "raft/wire/state_stream.h"

#include "raft/wire/conn_frame.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/rt/sm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum fetch_state { FETCH_IDLE, FETCH_CONNECTING, FETCH_RECEIVING, FETCH_CHECKING };
enum { RETRY_MS = 500 };

struct state_fetcher {
	struct loop *loop;
	struct pool *pool;
	struct transport *transport;
	char *path, *part, *address;
	void (*fetched)(void *arg, uint64_t index);
	void *arg;
	struct sm sm; /* enum fetch_state */
	bool wanted;
	uint64_t from, min_index;
	struct conn *conn;
	struct wire_frame_reader reader;
	struct caller greeting;
	struct state_head head; /* export_id 0: nothing begun */
	uint64_t offset;        /* bytes written */
	uint64_t retry_at_ms;
	int fd;
	struct pool_work work;
	bool working;
	struct state_chunk chunk;
	struct strbuf packed;
	int error; /* of the work; -1: the bytes are wrong */
	unsigned conns;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- its states ---- */

static const struct sm_state states[] = {
        [FETCH_IDLE] = {"idle", SM_TO(FETCH_CONNECTING) | SM_TO(FETCH_CHECKING)},
        [FETCH_CONNECTING] = {"connecting", SM_TO(FETCH_RECEIVING) | SM_TO(FETCH_IDLE)},
        [FETCH_RECEIVING] = {"receiving", SM_TO(FETCH_CHECKING) | SM_TO(FETCH_IDLE)},
        [FETCH_CHECKING] = {"checking", SM_TO(FETCH_IDLE)},
};

/* From idle to checking: the connection was lost while the last chunk was being written. */
static bool holds(const struct sm *m, int before)
{
	const struct state_fetcher *f = CONTAINER_OF(m, struct state_fetcher, sm);
	switch ((enum fetch_state)m->state) {
	case FETCH_IDLE:
		return !f->conn;
	case FETCH_CONNECTING:
		return f->conn && f->wanted && !f->working;
	case FETCH_RECEIVING:
		return f->conn && f->fd >= 0 && f->head.export_id && f->offset <= f->head.size;
	case FETCH_CHECKING:
		return f->fd >= 0 && f->head.export_id && f->offset == f->head.size;
	}
	return false;
}

static const struct sm_kind machine = SM_KIND("state-fetch", states, holds);

static void finish_close(struct state_fetcher *f)
{
	if (!f->closing || f->working || f->conns)
		return;
	CHECK(!f->conn);
	void (*closed)(void *) = f->closed;
	void *arg = f->closed_arg;
	if (f->fd >= 0)
		close(f->fd);
	wire_frame_reader_release(&f->reader);
	caller_release(&f->greeting);
	strbuf_release(&f->packed);
	free(f->path);
	free(f->part);
	free(f->address);
	free(f);
	closed(arg);
}

static void drop_connection(struct state_fetcher *f)
{
	LOOP_CHECK_OWNER(f->loop);
	if (f->conn)
		conn_close(f->conn, 0);
	f->conn = NULL;
	wire_frame_reader_release(&f->reader);
	caller_release(&f->greeting);
	f->retry_at_ms = loop_now_ms(f->loop) + RETRY_MS;
}

/* What is being checked is whole: it needs no connection. */
static void disconnect(struct state_fetcher *f)
{
	drop_connection(f);
	if (sm_state(&f->sm) != FETCH_CHECKING && sm_state(&f->sm) != FETCH_IDLE)
		sm_move(&f->sm, FETCH_IDLE);
}

static void become_idle(struct state_fetcher *f)
{
	drop_connection(f);
	if (sm_state(&f->sm) != FETCH_IDLE)
		sm_move(&f->sm, FETCH_IDLE);
}

static void begin_anew(struct state_fetcher *f)
{
	LOOP_CHECK_OWNER(f->loop);
	CHECK(!f->working); /* on the pool, with the file */
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->head.export_id = 0;
	f->offset = 0;
	unlink(f->part);
}

/* ---- on the pool ---- */

static void write_work(struct pool_work *w)
{
	struct state_fetcher *f = CONTAINER_OF(w, struct state_fetcher, work);
	size_t len = f->chunk.raw_len;
	char *raw = xmalloc(len);
	const char *p = raw;
	f->error = 0;
	if (!state_chunk_unpack(&f->chunk, strbuf_slice(&f->packed), raw))
		f->error = -1;
	while (len && !f->error) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)(f->offset + f->chunk.raw_len - len));
		if (n < 0)
			f->error = errno;
		else
			p += n, len -= (size_t)n;
	}
	free(raw);
}

static int check_sum(struct state_fetcher *f)
{
	char *buffer = xmalloc(STATE_CHUNK_BYTES);
	uint32_t crc = 0;
	uint64_t at = 0;
	ssize_t n;
	while ((n = pread(f->fd, buffer, STATE_CHUNK_BYTES, (off_t)at)) > 0) {
		crc = crc32c(crc, buffer, (size_t)n);
		at += (uint64_t)n;
	}
	free(buffer);
	return n < 0 ? errno : crc == f->head.crc && at == f->head.size ? 0 : -1;
}

static void check_work(struct pool_work *w)
{
	struct state_fetcher *f = CONTAINER_OF(w, struct state_fetcher, work);
	f->error = check_sum(f);
	if (!f->error && (fsync(f->fd) != 0 || rename(f->part, f->path) != 0))
		f->error = errno;
}

/* ---- what came ---- */

static void failed(struct state_fetcher *f)
{
	log_warn("raft", "state not received", "from=%016" PRIx64 " at=%" PRIu64 " error=\"%s\"", f->from, f->offset,
	        f->error < 0 ? "it does not fit its checksum" : strerror(f->error));
	become_idle(f);
	begin_anew(f);
}

static void check_done(struct pool_work *w)
{
	struct state_fetcher *f = CONTAINER_OF(w, struct state_fetcher, work);
	uint64_t index = f->head.index;
	CHECK(f->working && sm_state(&f->sm) == FETCH_CHECKING);
	f->working = false;
	if (f->closing) {
		finish_close(f);
		return;
	}
	if (f->error) {
		failed(f);
		return;
	}
	log_info("raft", "state received", "from=%016" PRIx64 " index=%" PRIu64 " bytes=%" PRIu64, f->from, index,
	        f->head.size);
	f->wanted = false;
	become_idle(f);
	begin_anew(f);
	f->fetched(f->arg, index);
}

static void check(struct state_fetcher *f)
{
	sm_move(&f->sm, FETCH_CHECKING);
	f->working = pool_submit(f->pool, &f->work, f->loop, check_work, check_done);
	if (f->working)
		return;
	f->error = EAGAIN;
	failed(f);
}

static void write_done(struct pool_work *w)
{
	struct state_fetcher *f = CONTAINER_OF(w, struct state_fetcher, work);
	CHECK(f->working && f->offset + f->chunk.raw_len <= f->head.size);
	f->working = false;
	if (f->closing) {
		finish_close(f);
	} else if (f->error) {
		failed(f);
	} else {
		f->offset += f->chunk.raw_len;
		if (f->offset == f->head.size)
			check(f);
		else if (f->conn)
			conn_read_resume(f->conn);
	}
}

static bool got_chunk(struct state_fetcher *f, struct slice payload)
{
	LOOP_CHECK_OWNER(f->loop);
	struct slice packed;
	if (sm_state(&f->sm) != FETCH_RECEIVING || f->working ||
	        !state_chunk_decode(payload, f->offset, f->head.size, &f->chunk, &packed))
		return false;
	strbuf_reset(&f->packed);
	strbuf_add_slice(&f->packed, packed);
	f->working = pool_submit(f->pool, &f->work, f->loop, write_work, write_done);
	if (f->working)
		conn_read_pause(f->conn);
	return f->working;
}

static bool got_head(struct state_fetcher *f, struct slice payload)
{
	LOOP_CHECK_OWNER(f->loop);
	struct state_head head;
	if (sm_state(&f->sm) != FETCH_CONNECTING || !state_head_decode(payload, &head) || head.index < f->min_index)
		return false;
	bool is_same = head.export_id == f->head.export_id && head.size == f->head.size && head.crc == f->head.crc;
	if (!is_same || f->fd < 0) {
		begin_anew(f);
		f->fd = open(f->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (f->fd < 0)
			return false;
	}
	f->head = head;
	sm_move(&f->sm, FETCH_RECEIVING);
	return true;
}

static void ask_for_it(struct state_fetcher *f)
{
	LOOP_CHECK_OWNER(f->loop);
	struct state_want want = {STATE_WANT, 0, f->min_index, f->head.export_id, f->offset};
	conn_write_frame(f->conn, (struct slice){(const char *)&want, sizeof want});
}

static bool greeting_goes_on(struct state_fetcher *f, struct slice payload)
{
	struct err err = ERR_INIT;
	if (transport_greeting(&f->greeting, f->conn, payload, &err) != 0) {
		log_warn("raft", "state not received", "from=%016" PRIx64 " error=\"%s\"", f->from, err.msg);
		return false;
	}
	if (caller_is_done(&f->greeting))
		ask_for_it(f);
	return true;
}

static bool got_frame(void *arg, struct slice payload)
{
	struct state_fetcher *f = arg;
	bool ok = false;
	if (!caller_is_done(&f->greeting)) {
		ok = greeting_goes_on(f, payload);
		if (!ok)
			disconnect(f);
		return ok;
	}
	uint32_t kind = state_frame_kind(payload);
	if (kind == STATE_HEAD)
		ok = got_head(f, payload);
	else if (kind == STATE_CHUNK)
		ok = got_chunk(f, payload);
	if (!ok)
		disconnect(f);
	return ok && !f->working;
}

/* ---- the connection ---- */

static void on_open(struct conn *c, const struct err *err, void *arg)
{
	struct state_fetcher *f = arg;
	if (f->conn != c)
		return;
	if (err) {
		disconnect(f);
		return;
	}
	transport_greet(f->transport, c, f->from, WIRE_STATE, &f->greeting);
	if (caller_is_done(&f->greeting))
		ask_for_it(f);
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct state_fetcher *f = arg;
	struct err err = ERR_INIT;
	size_t used;
	if (f->conn != c)
		return;
	if (wire_frame_feed(&f->reader, data, len, got_frame, f, &used, &err) != 0)
		disconnect(f);
	else if (f->conn == c && used < len)
		conn_unread(c, data + used, len - used); /* until the chunk at hand is written */
}

static void on_end(struct conn *c, const struct err *err, void *arg)
{
	struct state_fetcher *f = arg;
	if (f->conn == c)
		disconnect(f);
}

static void on_closed(struct conn *c, void *arg)
{
	struct state_fetcher *f = arg;
	CHECK(f->conns > 0 && f->conn != c);
	f->conns--;
	finish_close(f);
}

void state_fetcher_tick(struct state_fetcher *f)
{
	LOOP_CHECK_OWNER(f->loop);
	static const struct conn_callbacks callbacks = {
	        .on_open = on_open, .on_read = on_read, .on_end = on_end, .on_closed = on_closed};
	struct err err = ERR_INIT;
	if (!f->wanted || sm_state(&f->sm) != FETCH_IDLE || f->working || f->closing ||
	        loop_now_ms(f->loop) < f->retry_at_ms)
		return;
	f->reader.bytes_max = STATE_CHUNK_BYTES + 1024;
	f->conn = transport_connect(f->transport, f->address, f->from, WIRE_STATE, &callbacks, f, &err);
	f->retry_at_ms = loop_now_ms(f->loop) + RETRY_MS;
	if (!f->conn)
		return;
	f->conns++;
	sm_move(&f->sm, FETCH_CONNECTING);
}

void state_fetcher_want(struct state_fetcher *f, uint64_t from, const char *address, uint64_t min_index)
{
	LOOP_CHECK_OWNER(f->loop);
	bool same = f->wanted && f->from == from && strcmp(f->address, address) == 0;
	if (!same && sm_state(&f->sm) != FETCH_CHECKING) {
		disconnect(f);
		f->from = from;
		f->min_index = min_index;
		free(f->address);
		f->address = xstrdup(address);
		f->wanted = true;
		f->retry_at_ms = 0;
	}
	state_fetcher_tick(f);
}

bool state_fetcher_progress(const struct state_fetcher *f, uint64_t *ret_got, uint64_t *ret_size)
{
	*ret_got = f->offset;
	*ret_size = f->head.size;
	return f->wanted;
}

struct state_fetcher *state_fetcher_new(struct loop *loop, struct pool *pool, struct transport *t, const char *path,
        void (*fetched)(void *arg, uint64_t index), void *arg)
{
	struct state_fetcher *f = xcalloc(1, sizeof *f);
	*f = (struct state_fetcher){.loop = loop,
	        .pool = pool,
	        .transport = t,
	        .path = xstrdup(path),
	        .part = xprintf("%s.part", path),
	        .address = xstrdup(""),
	        .fetched = fetched,
	        .arg = arg,
	        .fd = -1};
	sm_init(&f->sm, &machine, FETCH_IDLE, f->path);
	unlink(f->part);
	return f;
}

void state_fetcher_close(struct state_fetcher *f, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(f->loop);
	CHECK(!f->closing);
	f->closing = true;
	f->closed = closed;
	f->closed_arg = arg;
	disconnect(f);
	finish_close(f);
}
