/* Streams over one connection: bytes both ways, TLS inside, flow control of each by itself, ends, refusals, a
 * connection that breaks or falls silent, a peer that breaks the rules, closing at every moment. */
#include "base/limits.h"
#include "base/wire/conn_join.h"
#include "base/wire/mux.h"
#include "base/wire/mux_frame.h"
#include "tests/unit/base/wire/wire_test.h"

struct end {
	struct conn *conn;
	struct strbuf in;
	size_t bytes;
	bool opened, ended, closed, pause_always;
	int open_code, end_code;
};

static void on_open(struct conn *c, const struct err *e, void *arg)
{
	struct end *n = arg;
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
	assert_false(n->ended);
	n->ended = true;
	n->end_code = e ? e->code : 0;
}

static void on_closed(struct conn *c, void *arg)
{
	struct end *n = arg;
	n->closed = true;
	strbuf_release(&n->in);
}

static const struct conn_callbacks callbacks = {on_open, on_read, on_end, NULL, on_closed};

enum { ENDS = 300 };
static struct end far[ENDS], near[ENDS]; /* of the side that is told, and of the one that opens */
static size_t told;
static struct mux *opener, *teller;
static int opener_ended, teller_ended, closed_sessions;
static struct tls_context *inner_tls;
static const char *refusal;
static bool holds; /* streams that are told of read nothing yet */

static void on_stream(struct mux *m, struct conn *stream, void *arg)
{
	struct end *n = &far[told++];
	n->conn = stream;
	conn_start(stream, &callbacks, n);
	if (holds)
		conn_read_pause(stream);
	if (refusal)
		mux_refuse(stream, refusal);
}

static void opener_end(struct mux *m, const struct err *e, void *arg)
{
	opener_ended = e ? e->code : 1;
}

static void teller_end(struct mux *m, const struct err *e, void *arg)
{
	teller_ended = e ? e->code : 1;
}

static void session_closed(void *arg)
{
	closed_sessions++;
}

static struct conn *begin_with_raw_peer(unsigned ping_ms)
{
	struct conn *s, *c;
	struct mux_options o = {.on_end = opener_end, .ping_ms = ping_ms, .lost_ms = 3 * ping_ms};
	memset(far, 0, sizeof far);
	memset(near, 0, sizeof near);
	told = 0;
	opener_ended = teller_ended = closed_sessions = 0;
	refusal = NULL;
	holds = false;
	loop_begin();
	conn_pair(&loop, NULL, NULL, &s, &c);
	opener = mux_new(s, &o);
	return c;
}

static void begin(void)
{
	struct mux_options o = {.on_stream = on_stream, .on_end = teller_end};
	teller = mux_new(begin_with_raw_peer(0), &o);
}

static struct end *open_stream(size_t i, struct tls_context *tls)
{
	struct conn_connect_options o = {.tls = tls, .server_name = "localhost", .timeout_ms = 5000};
	near[i].conn = mux_open(opener, &loop, &o, &callbacks, &near[i]);
	return &near[i];
}

static void finish(void)
{
	mux_close(opener, session_closed, NULL);
	if (teller)
		mux_close(teller, session_closed, NULL);
	WAIT_FOR(closed_sessions == (teller ? 2 : 1));
	for (size_t i = 0; i < ENDS; i++) {
		if (near[i].conn && !near[i].closed)
			conn_close(near[i].conn, 0);
		if (far[i].conn && !far[i].closed)
			conn_close(far[i].conn, 0);
	}
	for (size_t i = 0; i < ENDS; i++)
		WAIT_FOR((!near[i].conn || near[i].closed) && (!far[i].conn || far[i].closed));
	teller = NULL;
	loop_finish();
}

static void bytes_go_both_ways_and_halves_end_by_themselves(void **state)
{
	begin();
	struct end *n = open_stream(0, NULL);
	WAIT_FOR(n->opened && told == 1);
	conn_write(n->conn, "question", 8);
	conn_shutdown(n->conn);
	WAIT_FOR(far[0].ended);
	assert_string_equal(strbuf_cstr(&far[0].in), "question");
	conn_write(far[0].conn, "answer", 6);
	conn_shutdown(far[0].conn);
	WAIT_FOR(n->ended);
	assert_int_equal(n->end_code, 0);
	assert_string_equal(strbuf_cstr(&n->in), "answer");
	assert_int_equal(mux_streams(opener), 0);
	assert_int_equal(mux_streams(teller), 0);
	finish();
}

static void a_slow_reader_holds_up_its_own_writer_alone(void **state)
{
	static char block[65536];
	size_t sent = 0;
	begin();
	struct end *slow = open_stream(0, NULL), *quick = open_stream(1, NULL);
	WAIT_FOR(told == 2);
	far[0].pause_always = true;
	for (int i = 0; i < 1000; i++) {
		if (conn_write_has_room(slow->conn)) {
			conn_write(slow->conn, block, sizeof block);
			sent += sizeof block;
		}
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	assert_true(sent < MUX_WINDOW_BYTES + 512 * 1024);
	size_t quick_sent = 0;
	while (quick_sent < 8u << 20) {
		if (conn_write_has_room(quick->conn)) {
			conn_write(quick->conn, block, sizeof block);
			quick_sent += sizeof block;
		}
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	WAIT_FOR(far[1].bytes == quick_sent);
	assert_true(far[0].bytes <= MUX_WINDOW_BYTES);
	while (far[0].bytes < sent) {
		conn_read_resume(far[0].conn);
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	assert_int_equal(far[0].bytes, sent);
	finish();
}

/* Both ends carry TLS: the far one is a server's, through a listener that the stream is joined to. */
static struct end inner;
static int joined;

static void join_done(void *arg)
{
	joined++;
}

static void on_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	inner = (struct end){.conn = c};
	conn_start(c, &callbacks, &inner);
}

static void dialed(struct conn *c, const struct err *e, void *arg)
{
	assert_null(e);
	far[0].conn = NULL;
	conn_join(arg, c, CONN_JOIN_HALVES, join_done, NULL);
}

static void tls_runs_inside(void **state)
{
	static const struct conn_callbacks dialing = {dialed, on_read, on_end, NULL, NULL};
	struct conn_listener *l;
	struct conn_listen_options lo = {.tls = server_tls, .on_accept = on_accept};
	joined = 0;
	begin();
	holds = true;
	assert_int_equal(conn_listen_tcp(&loop, "127.0.0.1", 0, &lo, &l, &err), 0);
	struct end *n = open_stream(0, inner_tls);
	WAIT_FOR(told == 1);
	conn_connect_tcp(&loop, "127.0.0.1", conn_listener_port(l), NULL, &dialing, far[0].conn);
	WAIT_FOR(n->opened && inner.opened);
	assert_int_equal(n->open_code, 0);
	conn_write(n->conn, "sealed", 6);
	WAIT_FOR(inner.bytes == 6);
	conn_shutdown(n->conn);
	WAIT_FOR(inner.ended);
	conn_write(inner.conn, "still here", 10); /* this half works on */
	conn_shutdown(inner.conn);
	WAIT_FOR(n->ended);
	assert_string_equal(strbuf_cstr(&n->in), "still here");
	conn_close(inner.conn, 0);
	conn_close(n->conn, 0);
	WAIT_FOR(joined == 1 && inner.closed && n->closed);
	conn_listener_close(l, NULL, NULL);
	finish();
}

static void a_tls_handshake_that_is_cut_off_fails(void **state)
{
	begin();
	struct end *n = open_stream(0, inner_tls);
	WAIT_FOR(told == 1 && far[0].bytes > 100); /* its hello has come through */
	assert_int_equal((unsigned char)far[0].in.data[0], 0x16);
	conn_close(far[0].conn, 0);
	WAIT_FOR(n->opened);
	assert_int_not_equal(n->open_code, 0);
	finish();
}

static void what_is_refused_says_why(void **state)
{
	begin();
	refusal = "nobody listens there";
	struct end *n = open_stream(0, NULL);
	WAIT_FOR(n->ended || n->open_code);
	assert_int_equal(n->ended ? n->end_code : n->open_code, ERR_UNAVAILABLE);
	finish();
}

static void no_more_streams_than_the_limit(void **state)
{
	begin();
	for (size_t i = 0; i < MUX_STREAMS_MAX; i++)
		open_stream(i, NULL);
	WAIT_FOR(told == MUX_STREAMS_MAX);
	struct end *n = open_stream(MUX_STREAMS_MAX, NULL);
	WAIT_FOR(n->opened);
	assert_int_equal(n->open_code, ERR_BUSY);
	conn_close(near[0].conn, 0);
	WAIT_FOR(far[0].ended);
	assert_int_equal(far[0].end_code, ERR_UNAVAILABLE);
	assert_int_equal(mux_streams(teller), MUX_STREAMS_MAX - 1);
	n = open_stream(MUX_STREAMS_MAX + 1, NULL);
	WAIT_FOR(n->opened && told == MUX_STREAMS_MAX + 1);
	assert_int_equal(n->open_code, 0);
	finish();
}

static void an_end_of_the_connection_is_an_end_of_all_streams(void **state)
{
	begin();
	open_stream(0, NULL);
	open_stream(1, NULL);
	WAIT_FOR(told == 2);
	conn_write(far[1].conn, "last", 4);
	WAIT_FOR(near[1].bytes == 4);
	mux_close(teller, session_closed, NULL);
	teller = NULL;
	WAIT_FOR(near[0].ended && near[1].ended && far[0].ended && far[1].ended && opener_ended == 1);
	assert_int_equal(near[0].end_code, ERR_CLOSED);
	struct end *n = open_stream(2, NULL);
	WAIT_FOR(n->opened);
	assert_int_equal(n->open_code, ERR_UNAVAILABLE);
	closed_sessions = 0;
	finish();
}

static void without_a_session_a_stream_fails(void **state)
{
	begin();
	struct conn_connect_options o = {.timeout_ms = 1000};
	near[0].conn = mux_open(NULL, &loop, &o, &callbacks, &near[0]);
	WAIT_FOR(near[0].opened);
	assert_int_equal(near[0].open_code, ERR_UNAVAILABLE);
	finish();
}

static struct end raw;

static void a_peer_that_is_silent_is_given_up(void **state)
{
	raw = (struct end){.conn = begin_with_raw_peer(40)};
	conn_start(raw.conn, &callbacks, &raw);
	WAIT_FOR(raw.bytes >= MUX_HEAD_BYTES + MUX_PING_BYTES);
	assert_int_equal(raw.in.data[0], MUX_PING);
	WAIT_FOR(opener_ended == ERR_TIMEOUT);
	conn_close(raw.conn, 0);
	WAIT_FOR(raw.closed);
	finish();
}

/* What breaks the rules ends the session, whichever rule it is. */
static void a_peer_that_breaks_the_rules_is_cut_off(void **state)
{
	static const struct {
		enum mux_type type;
		uint32_t stream;
		size_t len;
		unsigned times;
	} rows[] = {{MUX_OPEN, 5, 0, 1}, {MUX_DATA, 9, 3, 1}, {MUX_ROOM, 1, 4, 1}, {0, 1, 0, 1}, {MUX_DATA, 0, 3, 1},
	        {MUX_DATA, 1, MUX_FRAME_BYTES_MAX, MUX_WINDOW_BYTES / MUX_FRAME_BYTES_MAX + 1}};
	static char bytes[MUX_FRAME_BYTES_MAX] = {1};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct strbuf out = STRBUF_INIT;
		raw = (struct end){.conn = begin_with_raw_peer(0)};
		conn_start(raw.conn, &callbacks, &raw);
		open_stream(0, NULL)->pause_always = true;
		WAIT_FOR(raw.bytes >= MUX_HEAD_BYTES);
		for (unsigned t = 0; t < rows[i].times; t++)
			mux_encode(&out, rows[i].type, rows[i].stream, (struct slice){bytes, rows[i].len});
		conn_write(raw.conn, out.data, out.len);
		strbuf_release(&out);
		WAIT_FOR(opener_ended == ERR_PROTOCOL);
		conn_close(raw.conn, 0);
		WAIT_FOR(raw.closed);
		finish();
	}
}

static void sessions_may_close_at_every_turn(void **state)
{
	for (int turns = 0; turns < 20; turns++) {
		begin();
		for (size_t i = 0; i < 3; i++)
			conn_write(open_stream(i, i == 2 ? inner_tls : NULL)->conn, "xyz", 3);
		for (int i = 0; i < turns; i++) {
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
			if (told && !far[0].closed && turns % 3 == 0 && i == turns / 2)
				conn_close(far[0].conn, 100);
			if (i == turns / 3)
				conn_close(near[1].conn, turns % 2 ? 100 : 0);
		}
		finish();
	}
}

static int setup(void **state)
{
	make_identities();
	inner_tls = client_tls;
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
	        cmocka_unit_test(bytes_go_both_ways_and_halves_end_by_themselves),
	        cmocka_unit_test(a_slow_reader_holds_up_its_own_writer_alone),
	        cmocka_unit_test(tls_runs_inside),
	        cmocka_unit_test(a_tls_handshake_that_is_cut_off_fails),
	        cmocka_unit_test(what_is_refused_says_why),
	        cmocka_unit_test(no_more_streams_than_the_limit),
	        cmocka_unit_test(an_end_of_the_connection_is_an_end_of_all_streams),
	        cmocka_unit_test(without_a_session_a_stream_fails),
	        cmocka_unit_test(a_peer_that_is_silent_is_given_up),
	        cmocka_unit_test(a_peer_that_breaks_the_rules_is_cut_off),
	        cmocka_unit_test(sessions_may_close_at_every_turn),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
