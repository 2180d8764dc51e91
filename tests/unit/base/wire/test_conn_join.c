/* Two connections joined: bytes and halves go through, a slow reader holds back the writer, an end takes both where
 * that is wanted, and it may be cut at every moment. */
#include "base/wire/conn_join.h"
#include "tests/unit/base/wire/wire_test.h"

struct end {
	struct conn *conn;
	size_t bytes;
	bool ended, closed, pauses;
};

/* a - (in joined to out) - b */
static struct end a, b;
static struct conn_join *join;
static bool is_done;

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct end *n = arg;
	n->bytes += len;
	if (n->pauses)
		conn_read_pause(c);
}

static void on_end(struct conn *c, const struct err *e, void *arg)
{
	((struct end *)arg)->ended = true;
}

static void on_closed(struct conn *c, void *arg)
{
	((struct end *)arg)->closed = true;
}

static void done(void *arg)
{
	is_done = true;
}

static void begin(enum conn_join_end end)
{
	static const struct conn_callbacks callbacks = {NULL, on_read, on_end, NULL, on_closed};
	struct conn *in, *out;
	a = b = (struct end){0};
	is_done = false;
	loop_begin();
	conn_pair(&loop, NULL, NULL, &in, &a.conn);
	conn_pair(&loop, NULL, NULL, &out, &b.conn);
	conn_start(a.conn, &callbacks, &a);
	conn_start(b.conn, &callbacks, &b);
	join = conn_join(in, out, end, done, NULL);
}

static void finish(void)
{
	if (!a.closed)
		conn_close(a.conn, 0);
	if (!b.closed)
		conn_close(b.conn, 0);
	WAIT_FOR(a.closed && b.closed && is_done);
	loop_finish();
}

static void halves_end_by_themselves(void **state)
{
	begin(CONN_JOIN_HALVES);
	conn_write(a.conn, "question", 8);
	conn_shutdown(a.conn);
	WAIT_FOR(b.bytes == 8 && b.ended);
	assert_false(a.ended || is_done);
	conn_write(b.conn, "answer", 6);
	conn_shutdown(b.conn);
	WAIT_FOR(a.bytes == 6 && a.ended && is_done);
	finish();
}

static void an_end_takes_both_where_that_is_wanted(void **state)
{
	begin(CONN_JOIN_WHOLE);
	conn_write(a.conn, "last", 4);
	conn_shutdown(a.conn);
	WAIT_FOR(b.bytes == 4 && b.ended && a.ended);
	finish();
}

static void a_slow_reader_holds_back_the_writer(void **state)
{
	static char block[65536];
	size_t sent = 0;
	begin(CONN_JOIN_HALVES);
	b.pauses = true;
	for (int i = 0; i < 500; i++) {
		if (conn_write_has_room(a.conn)) {
			conn_write(a.conn, block, sizeof block);
			sent += sizeof block;
		}
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	assert_true(sent < 1 << 20);
	while (b.bytes < sent) {
		conn_read_resume(b.conn);
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	assert_int_equal(b.bytes, sent);
	finish();
}

/* Also when one side has closed already, and the other still has to send what nobody reads. */
static void it_may_be_cut_at_every_turn(void **state)
{
	static char block[300000];
	for (int turns = 0; turns < 40; turns++) {
		begin(turns % 2 ? CONN_JOIN_WHOLE : CONN_JOIN_HALVES);
		b.pauses = true;
		conn_write(a.conn, block, sizeof block);
		for (int i = 0; i < turns; i++) {
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
			if (i == turns / 2)
				conn_close(a.conn, 0);
		}
		if (!is_done)
			conn_join_cut(join);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(halves_end_by_themselves),
	        cmocka_unit_test(an_end_takes_both_where_that_is_wanted),
	        cmocka_unit_test(a_slow_reader_holds_back_the_writer),
	        cmocka_unit_test(it_may_be_cut_at_every_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
