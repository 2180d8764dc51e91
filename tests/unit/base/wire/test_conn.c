/* Connections: pairs in memory with and without TLS, back-pressure, pausing, closing at every moment. */
#include "base/limits.h"
#include "base/wire/conn.h"
#include "tests/unit/base/wire/wire_test.h"

struct end {
	struct conn *conn;
	struct strbuf in;
	size_t bytes, drained;
	bool opened, ended, closed, pause_always;
	int open_code, end_code;
};

static void on_open(struct conn *c, const struct err *e, void *arg)
{
	struct end *n = arg;
	(void)c;
	n->opened = true;
	n->open_code = e ? e->code : 0;
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct end *n = arg;
	n->bytes += len;
	if (n->in.len < 1000)
		strbuf_add(&n->in, data, len);
	if (n->pause_always)
		conn_read_pause(c);
}

static void on_end(struct conn *c, const struct err *e, void *arg)
{
	struct end *n = arg;
	(void)c;
	assert_false(n->ended);
	n->ended = true;
	n->end_code = e ? e->code : 0;
}

static void on_drained(struct conn *c, void *arg)
{
	(void)c;
	((struct end *)arg)->drained++;
}

static void on_closed(struct conn *c, void *arg)
{
	(void)c;
	((struct end *)arg)->closed = true;
}

static const struct conn_callbacks callbacks = {on_open, on_read, on_end, on_drained, on_closed};
static struct end a, b;

static void open_pair(bool tls)
{
	a = b = (struct end){0};
	conn_pair(&loop, tls ? server_tls : NULL, tls ? client_tls : NULL, &a.conn, &b.conn);
	conn_start(a.conn, &callbacks, &a);
	conn_start(b.conn, &callbacks, &b);
	if (tls)
		WAIT_FOR(a.opened && b.opened);
}

static void close_pair(void)
{
	conn_close(a.conn, 0);
	conn_close(b.conn, 0);
	WAIT_FOR(a.closed && b.closed);
	strbuf_release(&a.in);
	strbuf_release(&b.in);
}

static void bytes_go_both_ways_and_ends_are_told(void **state)
{
	(void)state;
	loop_begin();
	for (int tls = 0; tls < 2; tls++) {
		open_pair(tls);
		conn_write(a.conn, "hello ", 6);
		conn_write(a.conn, "you", 3);
		conn_write(b.conn, "me", 2);
		WAIT_FOR(b.bytes == 9 && a.bytes == 2);
		assert_string_equal(b.in.data, "hello you");
		if (tls)
			assert_string_equal(conn_peer(a.conn)->common_name.ptr, "admin");
		conn_shutdown(a.conn);
		WAIT_FOR(b.ended);
		assert_int_equal(b.end_code, 0);
		conn_write(b.conn, "late", 4); /* half-closed: this way still works */
		WAIT_FOR(a.bytes == 6);
		close_pair();
	}
	loop_finish();
}

static void a_slow_reader_stops_its_writer(void **state)
{
	char block[8192] = {0};
	size_t sent = 0;
	(void)state;
	loop_begin();
	for (int tls = 0; tls < 2; tls++) {
		open_pair(tls);
		b.pause_always = true;
		sent = 0;
		while (conn_write(a.conn, block, sizeof block) && sent < 100 << 20) {
			sent += sizeof block;
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
		}
		sent += sizeof block;
		assert_true(sent < 1 << 20);
		for (int i = 0; i < 20; i++)
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
		assert_int_equal(a.drained, 0);
		while (b.bytes < sent) {
			conn_read_resume(b.conn);
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
		}
		WAIT_FOR(a.drained == 1);
		assert_int_equal(b.bytes, sent);
		close_pair();
	}
	loop_finish();
}

static void a_writer_that_does_not_listen_is_cut_off(void **state)
{
	char block[65536] = {0};
	(void)state;
	loop_begin();
	open_pair(false);
	b.pause_always = true;
	for (size_t n = 0; n < 2 * CONN_WRITE_QUEUE_BYTES_MAX; n += sizeof block)
		conn_write(a.conn, block, sizeof block);
	WAIT_FOR(a.ended);
	assert_int_equal(a.end_code, ERR_BUSY);
	close_pair();
	loop_finish();
}

static void references_are_dropped_whether_sent_or_not(void **state)
{
	(void)state;
	loop_begin();
	for (int sent = 0; sent < 2; sent++) {
		struct rcbuf *r = rcbuf_new(5000);
		memset(r->data, 'r', 5000);
		open_pair(true);
		for (int i = 0; i < 10; i++)
			conn_write_ref(a.conn, rcbuf_ref(r), (struct slice){r->data, r->len});
		if (sent)
			WAIT_FOR(b.bytes == 50000);
		close_pair();
		assert_int_equal(atomic_load(&r->refs), 1);
		rcbuf_unref(r);
	}
	loop_finish();
}

static void a_lingering_close_sends_what_is_queued(void **state)
{
	char block[10000] = {0};
	(void)state;
	loop_begin();
	for (int tls = 0; tls < 2; tls++) {
		open_pair(tls);
		for (int i = 0; i < 20; i++)
			conn_write(a.conn, block, sizeof block);
		conn_close(a.conn, 5000);
		WAIT_FOR(b.ended);
		assert_int_equal(b.bytes, 200000);
		conn_close(b.conn, 0);
		WAIT_FOR(a.closed && b.closed);
		strbuf_release(&b.in);
	}
	loop_finish();
}

static void pairs_may_close_at_every_turn(void **state)
{
	(void)state;
	loop_begin();
	for (int turns = 0; turns < 25; turns++)
		for (int tls = 0; tls < 2; tls++)
			for (int linger = 0; linger < 2; linger++) {
				a = b = (struct end){0};
				conn_pair(&loop, tls ? server_tls : NULL, tls ? client_tls : NULL, &a.conn, &b.conn);
				conn_start(a.conn, &callbacks, &a);
				conn_start(b.conn, &callbacks, &b);
				conn_write(b.conn, "early", 5);
				for (int i = 0; i < turns; i++) {
					conn_write(a.conn, "xyz", 3);
					uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
				}
				conn_close(a.conn, linger ? 1000 : 0);
				uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
				conn_close(b.conn, linger ? 1000 : 0);
				WAIT_FOR(a.closed && b.closed);
				strbuf_release(&a.in);
				strbuf_release(&b.in);
			}
	loop_finish();
}

static void connecting_to_nobody_fails_and_may_be_given_up(void **state)
{
	struct conn_connect_options o = {.timeout_ms = 200};
	(void)state;
	loop_begin();
	a = (struct end){0};
	a.conn = conn_connect_tcp(&loop, "127.0.0.1", 1, NULL, &callbacks, &a);
	WAIT_FOR(a.opened);
	assert_int_equal(a.open_code, ERR_UNAVAILABLE);
	conn_close(a.conn, 0);
	WAIT_FOR(a.closed);
	a = (struct end){0};
	a.conn = conn_connect_unix(&loop, "/nonexistent/socket", NULL, &callbacks, &a);
	WAIT_FOR(a.opened);
	assert_int_not_equal(a.open_code, 0);
	conn_close(a.conn, 0);
	WAIT_FOR(a.closed);
	for (int turns = 0; turns < 4; turns++) {
		a = (struct end){0};
		a.conn = conn_connect_tcp(&loop, "localhost", 1, &o, &callbacks, &a);
		for (int i = 0; i < turns; i++)
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
		conn_close(a.conn, 0);
		WAIT_FOR(a.closed);
	}
	loop_finish();
}

static int set_up(void **state)
{
	(void)state;
	make_identities();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	drop_identities();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bytes_go_both_ways_and_ends_are_told),
	        cmocka_unit_test(a_slow_reader_stops_its_writer),
	        cmocka_unit_test(a_writer_that_does_not_listen_is_cut_off),
	        cmocka_unit_test(references_are_dropped_whether_sent_or_not),
	        cmocka_unit_test(a_lingering_close_sends_what_is_queued),
	        cmocka_unit_test(pairs_may_close_at_every_turn),
	        cmocka_unit_test(connecting_to_nobody_fails_and_may_be_given_up),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
