/* Any bytes as what the other side of a session of streams sends: first as frames alone, cut by the first byte, where
 * what is understood is made and understood again, the same; then to a session that has two streams open, one of which
 * does not read. */
#include "base/check.h"
#include "base/limits.h"
#include "base/wire/mux.h"
#include "base/wire/mux_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frames(struct slice all, size_t step)
{
	struct mux_decoder d = {0}, again = {0};
	struct err err = ERR_INIT;
	for (size_t at = 0; at < all.len && !err.code; at += step) {
		struct slice in = {all.ptr + at, all.len - at < step ? all.len - at : step};
		struct mux_frame f, g;
		while (mux_decode(&d, &in, &f, &err) == 1) {
			struct strbuf out = STRBUF_INIT;
			mux_encode(&out, f.type, f.stream, f.payload);
			struct slice made = strbuf_slice(&out);
			CHECK(mux_decode(&again, &made, &g, &err) == 1 && made.len == 0);
			CHECK(g.type == f.type && g.stream == f.stream && slice_eq(g.payload, f.payload));
			strbuf_release(&out);
		}
	}
	mux_decoder_release(&d);
	mux_decoder_release(&again);
}

struct world {
	struct mux *mux;
	struct conn *raw, *stream[64];
	size_t n;
	unsigned open;
};

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct world *w = arg;
	if (c == w->stream[0])
		conn_read_pause(c);
	else if (c != w->raw)
		conn_write(c, data, len < 100 ? len : 100);
}

static void on_end(struct conn *c, const struct err *err, void *arg)
{
}

static void on_closed(struct conn *c, void *arg)
{
	((struct world *)arg)->open--;
}

static const struct conn_callbacks callbacks = {NULL, on_read, on_end, NULL, on_closed};

static void on_stream(struct mux *m, struct conn *c, void *arg)
{
	struct world *w = arg;
	w->open++;
	conn_start(c, &callbacks, w);
	if (w->n == COUNT_OF(w->stream))
		conn_close(c, 0);
	else
		w->stream[w->n++] = c;
}

static void mux_ended(struct mux *m, const struct err *err, void *arg)
{
}

static void mux_closed(void *arg)
{
	((struct world *)arg)->open--;
}

static void session(struct slice all, size_t step)
{
	struct loop loop;
	struct world w = {.open = 2};
	struct conn *other;
	struct mux_options o = {.on_stream = on_stream, .on_end = mux_ended, .arg = &w};
	loop_init(&loop, "fuzz");
	loop_own(&loop);
	conn_pair(&loop, NULL, NULL, &w.raw, &other);
	conn_start(w.raw, &callbacks, &w);
	w.mux = mux_new(other, &o);
	for (size_t at = 0; at < all.len; at += step) {
		conn_write(w.raw, all.ptr + at, all.len - at < step ? all.len - at : step);
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 3; i++)
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	for (size_t i = 0; i < w.n; i += 2)
		conn_close(w.stream[i], 0);
	mux_close(w.mux, mux_closed, &w);
	for (size_t i = 1; i < w.n; i += 2)
		conn_close(w.stream[i], 0);
	conn_close(w.raw, 0);
	while (w.open)
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct slice all = {(const char *)data + 1, size - 1};
	frames(all, data[0] + 1u);
	session(all, data[0] * 16u + 1u);
	return 0;
}
