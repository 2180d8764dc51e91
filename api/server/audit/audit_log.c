/* See audit_log.h.
 *
 * Two buffers: `pending` grows on the loop, `writing` is the pool's while a write is out. The end of a turn swaps them,
 * so that all events of the turn, and all that came while the disk was slow, are one write. Putting old files in order
 * is a work of its own, because compressing takes seconds. */
#include "api/server/audit/audit_log.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { WARN_MS = 5000 };

struct audit_log {
	struct loop *loop;
	struct pool *pool;
	struct log_file file; /* the pool's while is_writing */
	bool was_put_away;    /* as well */
	struct strbuf pending, writing;
	struct loop_defer flush;
	struct pool_work write_work, tidy_work;
	struct err write_err, tidy_err; /* the pool's while the work is out */
	bool is_writing, is_tidying, wants_tidying;
	uint64_t lost;
	uint64_t warned_ms;
	bool is_closing;
	struct loop_task last;
	void (*closed)(void *arg);
	void *closed_arg;
};

static uint64_t count_lines(struct slice text)
{
	uint64_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	return n;
}

static void lose(struct audit_log *l, struct slice lines, const char *why)
{
	uint64_t now = loop_now_ms(l->loop);
	l->lost += count_lines(lines);
	if (l->warned_ms && now - l->warned_ms < WARN_MS)
		return;
	l->warned_ms = now;
	log_error("audit", "events are lost", "path=%s lost=%llu why=\"%s\"", l->file.options.path,
	        (unsigned long long)l->lost, why);
}

static void flush(struct loop_defer *d);

static void end(struct loop_task *t)
{
	struct audit_log *l = CONTAINER_OF(t, struct audit_log, last);
	void (*closed)(void *) = l->closed;
	void *arg = l->closed_arg;
	log_file_close(&l->file);
	strbuf_release(&l->pending);
	strbuf_release(&l->writing);
	free(l);
	closed(arg);
}

static void close_on(struct audit_log *l)
{
	if (!l->is_closing || l->is_writing || l->is_tidying)
		return;
	if (l->pending.len) {
		flush(&l->flush);
		return;
	}
	l->last.run = end;
	loop_post(l->loop, &l->last);
}

/* ---- old files ---- */

static void tidy(struct pool_work *w)
{
	struct audit_log *l = CONTAINER_OF(w, struct audit_log, tidy_work);
	log_file_tidy(&l->file.options, clock_wall_s(), &l->tidy_err);
}

static void start_tidying(struct audit_log *l);

static void tidied(struct pool_work *w)
{
	struct audit_log *l = CONTAINER_OF(w, struct audit_log, tidy_work);
	l->is_tidying = false;
	if (l->tidy_err.code)
		log_warn("audit", "old logs cannot be put in order", "error=\"%s\"", l->tidy_err.msg);
	if (l->wants_tidying && !l->is_closing)
		start_tidying(l);
	close_on(l);
}

static void start_tidying(struct audit_log *l)
{
	l->wants_tidying = l->is_tidying;
	if (l->is_tidying)
		return;
	l->tidy_err = ERR_INIT;
	l->is_tidying = pool_submit(l->pool, &l->tidy_work, l->loop, tidy, tidied);
}

/* ---- writing ---- */

static void write_lines(struct pool_work *w)
{
	struct audit_log *l = CONTAINER_OF(w, struct audit_log, write_work);
	log_file_write(&l->file, strbuf_slice(&l->writing), &l->was_put_away, &l->write_err);
}

static void written(struct pool_work *w)
{
	struct audit_log *l = CONTAINER_OF(w, struct audit_log, write_work);
	CHECK(l->is_writing);
	l->is_writing = false;
	if (l->write_err.code)
		lose(l, strbuf_slice(&l->writing), l->write_err.msg);
	strbuf_reset(&l->writing);
	if (l->was_put_away)
		start_tidying(l);
	if (l->pending.len)
		flush(&l->flush);
	close_on(l);
}

static void flush(struct loop_defer *d)
{
	struct audit_log *l = CONTAINER_OF(d, struct audit_log, flush);
	if (l->is_writing || !l->pending.len)
		return;
	struct strbuf full = l->pending;
	l->pending = l->writing;
	l->writing = full;
	l->write_err = ERR_INIT;
	l->is_writing = pool_submit(l->pool, &l->write_work, l->loop, write_lines, written);
	if (l->is_writing)
		return;
	lose(l, strbuf_slice(&l->writing), "no thread takes it");
	strbuf_reset(&l->writing);
}

void audit_log_add(struct audit_log *l, struct slice line)
{
	LOOP_CHECK_OWNER(l->loop);
	CHECK(line.len && line.ptr[line.len - 1] == '\n' && !l->is_closing);
	if (l->pending.len + line.len > AUDIT_PENDING_BYTES_MAX) {
		lose(l, line, "the disk does not keep up");
		return;
	}
	strbuf_add_slice(&l->pending, line);
	if (!l->is_writing)
		loop_defer(l->loop, &l->flush);
}

uint64_t audit_log_lost(const struct audit_log *l)
{
	return l->lost;
}

int audit_log_new(struct loop *loop, struct pool *pool, const struct log_file_options *options, struct audit_log **ret,
        struct err *err)
{
	struct audit_log *l = xcalloc(1, sizeof *l);
	l->loop = loop;
	l->pool = pool;
	loop_defer_init(&l->flush, flush);
	if (log_file_open(&l->file, options, err) != 0) {
		free(l);
		return err->code;
	}
	start_tidying(l);
	*ret = l;
	return 0;
}

void audit_log_close(struct audit_log *l, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(l->loop);
	CHECK(!l->is_closing);
	l->is_closing = true;
	l->closed = closed;
	l->closed_arg = arg;
	loop_defer_cancel(&l->flush);
	close_on(l);
}
