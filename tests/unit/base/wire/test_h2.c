/* HTTP/2 at the level of frames, made by hand: floods and limits. */
#include "base/wire/http_int.h"
#include "tests/unit/base/wire/wire_test.h"

static struct http_server *server;
static int server_closed, handled;
static struct http_exchange *held;

static void on_abort(struct http_exchange *x, void *arg)
{
	(void)arg;
	if (held == x)
		held = NULL;
}

static void on_data(struct http_exchange *x, struct slice data, bool is_end, void *arg)
{
	(void)x, (void)data, (void)is_end, (void)arg;
}

static void on_whole(struct http_exchange *x, struct slice body, void *arg)
{
	http_respond(x, 200);
}

static void handler(struct http_exchange *x, void *arg)
{
	(void)arg;
	handled++;
	http_on_abort(x, on_abort, NULL);
	if (slice_is(http_request(x)->path, "/c")) { /* answers with more than any window */
		http_respond_begin(x, 200, -1);
		http_write(x, SLICE("some answer"));
		http_respond_end(x);
	}
	if (slice_is(http_request(x)->path, "/b")) /* wants the body */
		http_body_collect(x, 1000, on_whole, NULL);
	if (slice_is(http_request(x)->path, "/p")) { /* takes nothing */
		held = x;
		http_body_pause(x);
		http_body_stream(x, on_data, NULL);
	}
}

struct peer {
	struct conn *conn;
	struct strbuf in;
	bool ended, closed;
};

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	(void)c;
	strbuf_add(&((struct peer *)arg)->in, data, len);
}

static void on_end(struct conn *c, const struct err *e, void *arg)
{
	(void)c, (void)e;
	((struct peer *)arg)->ended = true;
}

static void on_closed(struct conn *c, void *arg)
{
	(void)c;
	((struct peer *)arg)->closed = true;
}

static const struct conn_callbacks callbacks = {NULL, on_read, on_end, NULL, on_closed};

static void count(void *arg)
{
	++*(int *)arg;
}

static void begin_with(struct peer *p, struct http_server_options o)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	o.loop = &loop;
	o.handler = handler;
	struct conn *s;
	loop_begin();
	handled = server_closed = 0;
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	*p = (struct peer){0};
	conn_pair(&loop, NULL, NULL, &s, &p->conn);
	http_server_take(server, s);
	conn_start(p->conn, &callbacks, p);
	conn_write(p->conn, preface, sizeof preface - 1);
}

static void begin(struct peer *p)
{
	begin_with(p, (struct http_server_options){.read_stall_ms = 300});
}

static void finish(struct peer *p)
{
	conn_close(p->conn, 0);
	WAIT_FOR(p->closed);
	strbuf_release(&p->in);
	http_server_close(server, 0, count, &server_closed);
	WAIT_FOR(server_closed);
	assert_null(held);
	loop_finish();
}

static void add_frame(struct strbuf *b, char type, char flags, unsigned stream, struct slice payload)
{
	char h[9] = {(char)(payload.len >> 16), (char)(payload.len >> 8), (char)payload.len, type, flags, 0,
	        (char)(stream >> 16), (char)(stream >> 8), (char)stream};
	strbuf_add(b, h, sizeof h);
	strbuf_add_slice(b, payload);
}

/* GET or POST of a two-character path, host "a". */
#define GET_X \
	SLICE("\x82\x86\x04\x02/x\x41\x01" \
	      "a")
#define POST_P \
	SLICE("\x83\x86\x04\x02/p\x41\x01" \
	      "a")

/* Types of the frames that came, each once. */
static bool got(const struct peer *p, int type, const char *payload, size_t len)
{
	for (size_t at = 0; at + 9 <= p->in.len;) {
		const unsigned char *h = (const unsigned char *)p->in.data + at;
		size_t n = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
		if (h[3] == type && at + 9 + n <= p->in.len && (!len || memmem(h + 9, n, payload, len)))
			return true;
		at += 9 + n;
	}
	return false;
}

enum { FRAME_GOAWAY = 7, FRAME_PING = 6 };

static void who_pings_too_often_is_told_to_calm_down(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	begin_with(&p, (struct http_server_options){.ping_min_ms = 60000});
	for (int i = 0; i < 4; i++)
		add_frame(&b, FRAME_PING, 0, 0, SLICE("12345678"));
	conn_write(p.conn, b.data, b.len);
	WAIT_FOR(p.ended);
	assert_true(got(&p, FRAME_GOAWAY, "\0\0\0\x0btoo_many_pings", 18));
	strbuf_release(&b);
	finish(&p);
}

static void pings_are_answered_where_nobody_counts_them(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	begin_with(&p, (struct http_server_options){0});
	for (int i = 0; i < 20; i++)
		add_frame(&b, FRAME_PING, 0, 0, SLICE("1234567x"));
	conn_write(p.conn, b.data, b.len);
	WAIT_FOR(got(&p, FRAME_PING, "1234567x", 8));
	assert_false(p.ended || got(&p, FRAME_GOAWAY, NULL, 0));
	strbuf_release(&b);
	finish(&p);
}

static void who_says_nothing_is_asked_and_closed(void **state)
{
	struct peer p;
	begin_with(&p, (struct http_server_options){.ping_ms = 1, .ping_wait_ms = 1});
	WAIT_FOR(got(&p, FRAME_PING, NULL, 0));
	WAIT_FOR(p.ended);
	finish(&p);
}

static void rapid_resets_end_the_connection(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	(void)state;
	begin(&p);
	for (unsigned i = 0; i < 5000; i++) {
		add_frame(&b, 1, 5, 2 * i + 1, GET_X);
		add_frame(&b, 3, 0, 2 * i + 1, SLICE("\0\0\0\x08"));
	}
	conn_write(p.conn, b.data, b.len);
	WAIT_FOR(p.ended);
	assert_true(got(&p, 7, "", 0));
	assert_true(handled < 4500); /* the limit, and what came in the same read */
	strbuf_release(&b);
	finish(&p);
}

static void ping_floods_end_the_connection(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	(void)state;
	begin(&p);
	for (unsigned i = 0; i < 20000; i++)
		add_frame(&b, 6, 0, 0, SLICE("12345678"));
	conn_write(p.conn, b.data, b.len);
	for (int i = 0; i < 200 && !p.ended; i++)
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	/* Answered as they come, or cut off: never queued without end. */
	assert_true(p.ended || p.in.len <= 20100 * 17);
	strbuf_release(&b);
	finish(&p);
}

static void a_large_head_is_answered_with_431(void **state)
{
	struct peer p;
	struct strbuf block = STRBUF_INIT, b = STRBUF_INIT;
	(void)state;
	begin(&p);
	strbuf_add_slice(&block, GET_X);
	for (int i = 0; i < 200; i++)
		strbuf_adds(&block, "\x40\x02xx\x03yyy");
	add_frame(&b, 1, 5, 1, strbuf_slice(&block));
	conn_write(p.conn, b.data, b.len);
	WAIT_FOR(got(&p, 1, "431", 3) || got(&p, 0, "too large", 9));
	assert_int_equal(handled, 0);
	strbuf_release(&block);
	strbuf_release(&b);
	finish(&p);
}

static void broken_frames_get_goaway(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	(void)state;
	begin(&p);
	add_frame(&b, 0, 0, 0, SLICE("data on stream 0"));
	conn_write(p.conn, b.data, b.len);
	WAIT_FOR(p.ended);
	assert_true(got(&p, 7, "", 0));
	strbuf_release(&b);
	finish(&p);
}

static void a_paused_body_is_bounded_by_its_window(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	char block[16000] = {0};
	(void)state;
	begin(&p);
	add_frame(&b, 1, 4, 1, POST_P);
	for (int i = 0; i < 20; i++) /* 320,000 > HTTP2_STREAM_WINDOW_BYTES */
		add_frame(&b, 0, 0, 1, (struct slice){block, sizeof block});
	conn_write(p.conn, b.data, b.len);
	WAIT_FOR(got(&p, 3, "\0\0\0\x03", 4) || got(&p, 7, "\0\0\0\x03", 4)); /* FLOW_CONTROL_ERROR */
	strbuf_release(&b);
	finish(&p);
}

#define POST_B \
	SLICE("\x83\x86\x04\x02/b\x41\x01" \
	      "a")

/* Literals are put into the table once and named afterwards: a few bytes each that are kilobytes here. */
static void add_bomb(struct strbuf *b, unsigned stream, bool is_first)
{
	enum { VALUE = 3900, NAMES = 15 };
	struct strbuf head = STRBUF_INIT;
	strbuf_add(&head,
	        "\x82\x86\x04\x02/c\x01\x01"
	        "a",
	        9);
	if (is_first) {
		strbuf_add(&head, "\x40\x01x\x7f\xbd\x1d", 6); /* x: a value of 127 + 0x3d + (0x1d << 7) = 3900 bytes */
		for (int i = 0; i < VALUE; i++)
			strbuf_addc(&head, 'v');
	}
	for (int i = 0; i < NAMES; i++)
		strbuf_addc(&head, (char)0xbe); /* index 62: the newest entry */
	add_frame(b, 1, 5, stream, strbuf_slice(&head));
	strbuf_release(&head);
}

static void heads_of_answered_requests_are_not_held_while_nobody_reads(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	begin(&p);
	add_frame(&b, 4, 0, 0, SLICE("\0\4\0\0\0\0")); /* SETTINGS_INITIAL_WINDOW_SIZE = 0 */
	for (unsigned i = 0; i < 200; i++)
		add_bomb(&b, 2 * i + 1, i == 0);
	conn_write(p.conn, b.data, b.len);
	strbuf_release(&b);
	WAIT_FOR(handled == 200);
	struct http_connection *c = CONTAINER_OF(server->connections.next, struct http_connection, link);
	assert_int_equal(c->exchanges_count, 200);
	assert_int_equal(c->held_bytes, 0);
	assert_int_equal(server->strangers_held_bytes, 0);
	LIST_FOREACH (it, &c->exchanges)
		assert_null(CONTAINER_OF(it, struct http_exchange, link)->head_arena.chunk);
	finish(&p);
}

static void a_head_that_never_ends_ends_the_connection(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	begin(&p);
	add_frame(&b, 1, 0, 1, GET_X); /* no END_HEADERS */
	conn_write(p.conn, b.data, b.len);
	strbuf_release(&b);
	WAIT_FOR(p.ended);
	finish(&p);
}

static void a_body_that_stops_ends_its_stream_and_no_other(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	begin(&p);
	add_frame(&b, 1, 4, 1, POST_B);
	add_frame(&b, 0, 0, 1, SLICE("half"));
	add_frame(&b, 1, 4, 3, POST_P); /* streamed: it may rest */
	conn_write(p.conn, b.data, b.len);
	strbuf_release(&b);
	WAIT_FOR(got(&p, 3, NULL, 0)); /* RST_STREAM */
	assert_false(p.ended);
	assert_non_null(held);
	finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(who_pings_too_often_is_told_to_calm_down),
	        cmocka_unit_test(pings_are_answered_where_nobody_counts_them),
	        cmocka_unit_test(who_says_nothing_is_asked_and_closed),
	        cmocka_unit_test(rapid_resets_end_the_connection),
	        cmocka_unit_test(ping_floods_end_the_connection),
	        cmocka_unit_test(a_large_head_is_answered_with_431),
	        cmocka_unit_test(broken_frames_get_goaway),
	        cmocka_unit_test(a_paused_body_is_bounded_by_its_window),
	        cmocka_unit_test(heads_of_answered_requests_are_not_held_while_nobody_reads),
	        cmocka_unit_test(a_head_that_never_ends_ends_the_connection),
	        cmocka_unit_test(a_body_that_stops_ends_its_stream_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
