/* A node's end of a tunnel: it comes up, carries streams to the kubelet's port and nowhere else, says when nobody
 * listens there, comes again when it was refused or has ended, and may be closed at any moment. */
#include "net/tunnel/tunnel.h"

#include "base/wire/conn.h"
#include "base/wire/mux.h"
#include "tests/unit/base/wire/wire_test.h"

struct end {
	struct conn *conn;
	struct strbuf in;
	bool opened, ended, closed;
	int code;
};

static struct http_server *server;
static struct mux *mux;
static struct conn_listener *kubelet;
static struct end at_kubelet, stream;
static struct tunnel *t;
static bool refuses, mux_ended, is_closed, server_closed;
static unsigned asked;
static char asked_as[64];

static void on_open(struct conn *c, const struct err *e, void *arg)
{
	struct end *n = arg;
	n->opened = true;
	n->code = e ? e->code : 0;
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	strbuf_add(&((struct end *)arg)->in, data, len);
}

static void on_end(struct conn *c, const struct err *e, void *arg)
{
	struct end *n = arg;
	n->ended = true;
	n->code = e ? e->code : 0;
}

static void on_closed(struct conn *c, void *arg)
{
	struct end *n = arg;
	n->closed = true;
	strbuf_release(&n->in);
}

static const struct conn_callbacks callbacks = {on_open, on_read, on_end, NULL, on_closed};

static void on_mux_end(struct mux *m, const struct err *e, void *arg)
{
	mux_ended = true;
}

static void handle(struct http_exchange *x, void *arg)
{
	const struct http_request *r = http_request(x);
	struct mux_options o = {.on_end = on_mux_end};
	struct conn *c;
	asked++;
	snprintf(asked_as, sizeof asked_as, "%.*s %.*s", SLICE_FMT(r->path), SLICE_FMT(r->peer->common_name));
	if (refuses || !http_wants_upgrade(x, "k3x-tunnel")) {
		http_respond_copy(x, 403, SLICE("not you"));
		return;
	}
	assert_int_equal(http_upgrade(x, "k3x-tunnel", &c, &err), 0);
	mux = mux_new(c, &o);
}

static void on_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	at_kubelet = (struct end){.conn = c};
	conn_start(c, &callbacks, &at_kubelet);
}

static void begin(void)
{
	struct http_server_options o = {.loop = &loop, .handler = handle, .tls = server_tls};
	struct conn_listen_options ko = {.on_accept = on_accept};
	loop_begin();
	mux = NULL;
	refuses = mux_ended = is_closed = server_closed = false;
	asked = 0;
	at_kubelet = stream = (struct end){0};
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	assert_int_equal(conn_listen_tcp(&loop, "127.0.0.1", 0, &ko, &kubelet, &err), 0);
	struct tunnel_options to = {.loop = &loop,
	        .host = "127.0.0.1",
	        .port = http_server_port(server),
	        .tls = client_tls,
	        .kubelet_port = conn_listener_port(kubelet)};
	t = tunnel_new(&to);
}

static void it_is_closed(void *arg)
{
	*(bool *)arg = true;
}

static void close_mux(void)
{
	bool done = false;
	mux_close(TAKE(mux), it_is_closed, &done);
	WAIT_FOR(done);
}

static void finish(void)
{
	if (t) {
		tunnel_close(TAKE(t), it_is_closed, &is_closed);
		WAIT_FOR(is_closed);
	}
	if (mux)
		close_mux();
	struct end *ends[] = {&at_kubelet, &stream};
	for (int i = 0; i < 2; i++)
		if (ends[i]->conn && !ends[i]->closed) {
			conn_close(ends[i]->conn, 0);
			WAIT_FOR(ends[i]->closed);
		}
	if (kubelet)
		conn_listener_close(TAKE(kubelet), NULL, NULL);
	http_server_close(server, 0, it_is_closed, &server_closed);
	WAIT_FOR(server_closed);
	loop_finish();
}

static void open_stream(void)
{
	struct conn_connect_options o = {.timeout_ms = 5000};
	stream = (struct end){0};
	stream.conn = mux_open(mux, &loop, &o, &callbacks, &stream);
}

static void streams_reach_the_kubelet(void **state)
{
	begin();
	WAIT_FOR(mux && tunnel_is_up(t));
	assert_string_equal(asked_as, "/v1-k3x/connect admin"); /* the identity that it was given */
	open_stream();
	conn_write(stream.conn, "logs?", 5);
	WAIT_FOR(at_kubelet.in.len == 5);
	conn_shutdown(stream.conn);
	WAIT_FOR(at_kubelet.ended);
	conn_write(at_kubelet.conn, "lines", 5);
	conn_shutdown(at_kubelet.conn);
	WAIT_FOR(stream.ended);
	assert_string_equal(strbuf_cstr(&stream.in), "lines");
	finish();
}

static void nobody_there_is_told(void **state)
{
	begin();
	WAIT_FOR(mux);
	conn_listener_close(TAKE(kubelet), NULL, NULL);
	WAIT_FOR(tunnel_is_up(t));
	open_stream();
	WAIT_FOR(stream.ended || stream.code);
	assert_int_equal(stream.code, ERR_UNAVAILABLE);
	assert_true(tunnel_is_up(t)); /* for the next */
	finish();
}

static void it_comes_again(void **state)
{
	begin();
	refuses = true;
	WAIT_FOR(asked >= 2);
	assert_false(tunnel_is_up(t));
	refuses = false;
	WAIT_FOR(mux && tunnel_is_up(t));
	open_stream();
	WAIT_FOR(at_kubelet.conn);
	close_mux();
	WAIT_FOR(at_kubelet.ended); /* what ran through it is over */
	WAIT_FOR(mux && tunnel_is_up(t));
	finish();
}

static void it_may_close_at_every_turn(void **state)
{
	for (int turns = 0; turns < 40; turns++) {
		begin();
		for (int i = 0; i < turns; i++) {
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
			if (mux && !stream.conn) {
				open_stream();
				conn_write(stream.conn, "x", 1);
			}
		}
		finish();
	}
}

static int setup(void **state)
{
	make_identities();
	return 0;
}

static int teardown(void **state)
{
	drop_identities();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(streams_reach_the_kubelet),
	        cmocka_unit_test(nobody_there_is_told),
	        cmocka_unit_test(it_comes_again),
	        cmocka_unit_test(it_may_close_at_every_turn),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
