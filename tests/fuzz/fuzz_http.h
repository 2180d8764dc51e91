/* One server, and one connection in memory per input: what fuzz_h1 and fuzz_h2 share. */
#ifndef K3X_TESTS_FUZZ_HTTP_H
#define K3X_TESTS_FUZZ_HTTP_H

#include "base/check.h"
#include "base/log.h"
#include "base/wire/http_int.h"

static struct loop fuzz_loop;
static struct http_server *fuzz_server;

static void fuzz_body(struct http_exchange *x, struct slice body, void *arg)
{
	(void)arg;
	http_respond_copy(x, 200, body);
}

static void fuzz_data(struct http_exchange *x, struct slice data, bool is_end, void *arg)
{
	(void)data, (void)arg;
	if (is_end)
		http_respond(x, 204);
}

/* Different ways to answer, chosen by the path, so that inputs reach them. */
static void fuzz_handler(struct http_exchange *x, void *arg)
{
	struct slice path = http_request(x)->path;
	char way = path.len > 1 ? path.ptr[1] : 'c';
	struct slice rest = http_request(x)->query, name, value;
	(void)arg;
	while (http_query_next(http_arena(x), &rest, &name, &value))
		;
	if (way == 's') {
		http_body_stream(x, fuzz_data, NULL);
	} else if (way == 'e') {
		http_respond_begin(x, 200, -1);
		http_write(x, SLICE("some"));
		http_set_trailer(x, "t", SLICE("v"));
		http_respond_end(x);
	} else if (way == 'a') {
		http_abort(x);
	} else {
		http_body_collect(x, 1000, fuzz_body, NULL);
	}
}

static void fuzz_on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	(void)c, (void)data, (void)len, (void)arg;
}

static void fuzz_on_end(struct conn *c, const struct err *err, void *arg)
{
	(void)c, (void)err, (void)arg;
}

static void fuzz_on_closed(struct conn *c, void *arg)
{
	(void)c;
	*(bool *)arg = true;
}

static void fuzz_start(void)
{
	struct http_server_options o = {.loop = &fuzz_loop, .handler = fuzz_handler};
	struct err err = ERR_INIT;
	loop_init(&fuzz_loop, "fuzz");
	fuzz_loop.owner = pthread_self();
	atomic_store(&fuzz_loop.owned, true);
	CHECK(http_server_new(&o, &fuzz_server, &err) == 0);
}

/* The first byte of the input says how it is cut. */
static int fuzz_feed(const char *prefix, size_t prefix_len, const uint8_t *data, size_t size)
{
	static const struct conn_callbacks callbacks = {NULL, fuzz_on_read, fuzz_on_end, NULL, fuzz_on_closed};
	struct conn *server_side, *client_side;
	bool closed = false;
	if (!fuzz_server)
		fuzz_start();
	if (size == 0)
		return 0;
	size_t step = data[0] + 1u;
	data++;
	size--;
	conn_pair(&fuzz_loop, NULL, NULL, &server_side, &client_side);
	http_server_take(fuzz_server, server_side);
	conn_start(client_side, &callbacks, &closed);
	if (prefix_len)
		conn_write(client_side, prefix, prefix_len);
	for (size_t i = 0; i < size; i += step) {
		conn_write(client_side, data + i, size - i < step ? size - i : step);
		uv_run(loop_uv(&fuzz_loop), UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 8; i++)
		uv_run(loop_uv(&fuzz_loop), UV_RUN_NOWAIT);
	conn_close(client_side, 0);
	while (!closed || fuzz_server->connections_count || fuzz_server->exchanges_live)
		uv_run(loop_uv(&fuzz_loop), UV_RUN_NOWAIT);
	return 0;
}

#endif
