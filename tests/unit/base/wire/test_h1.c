/* HTTP/1.1 at the level of bytes: what is refused, what is limited, what is kept apart. */
#include "base/wire/conn.h"
#include "base/limits.h"
#include "tests/unit/base/wire/wire_test.h"

#include <sys/resource.h>

static struct http_server *server;
static int server_closed, handled;
static struct slice last_body;
static char last_path[200];
static struct http_exchange *held;

static void on_body(struct http_exchange *x, struct slice body, void *arg)
{
	(void)arg;
	last_body = body;
	http_respond_copy(x, 200, body);
}

static void handler(struct http_exchange *x, void *arg)
{
	const struct http_request *r = http_request(x);
	(void)arg;
	handled++;
	snprintf(last_path, sizeof last_path, "%.*s", SLICE_FMT(r->path));
	if (slice_is(r->path, "/early"))
		http_respond_arena(x, 403, SLICE("no\n"));
	else if (slice_is(r->path, "/later"))
		held = x; /* the body stays undecided */
	else
		http_body_collect(x, 1000, on_body, NULL);
}

struct peer {
	struct conn *conn;
	struct strbuf in;
	bool opened, ended, closed;
};

static void on_open(struct conn *c, const struct err *e, void *arg)
{
	(void)c;
	assert_null(e);
	((struct peer *)arg)->opened = true;
}

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

static const struct conn_callbacks callbacks = {on_open, on_read, on_end, NULL, on_closed};

static void count(void *arg)
{
	++*(int *)arg;
}

static void serve(unsigned stall_ms, struct tls_context *tls)
{
	struct http_server_options o = {.loop = &loop, .handler = handler, .tls = tls, .read_stall_ms = stall_ms};
	loop_begin();
	handled = server_closed = 0;
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
}

static void stop(void)
{
	http_server_close(server, 0, count, &server_closed);
	WAIT_FOR(server_closed);
	loop_finish();
}

static void open_peer(struct peer *p)
{
	*p = (struct peer){0};
	p->conn = conn_connect_tcp(&loop, "127.0.0.1", http_server_port(server), NULL, &callbacks, p);
	WAIT_FOR(p->opened);
}

static void close_peer(struct peer *p)
{
	conn_close(p->conn, 0);
	WAIT_FOR(p->closed);
	strbuf_release(&p->in);
}

static unsigned answers(const struct peer *p)
{
	unsigned n = 0;
	for (const char *at = strbuf_cstr(&p->in); (at = strstr(at, "HTTP/1.1 ")) != NULL; at++)
		n++;
	return n;
}

/* Sends bytes in pieces and waits for the connection's end: everything here is refused and closed. */
static void expect_refusal(struct slice bytes, const char *status, size_t step)
{
	struct peer p;
	open_peer(&p);
	for (size_t i = 0; i < bytes.len; i += step) {
		conn_write(p.conn, bytes.ptr + i, bytes.len - i < step ? bytes.len - i : step);
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	WAIT_FOR(p.ended);
	if (!strstr(strbuf_cstr(&p.in), status))
		print_message("for: %.60s\ngot: %s\n", bytes.ptr, strbuf_cstr(&p.in));
	assert_non_null(strstr(strbuf_cstr(&p.in), status));
	close_peer(&p);
}

static void ambiguous_requests_are_refused(void **state)
{
	static const struct {
		const char *text, *status;
	} cases[] = {
	        {"GET / HTTP/1.1\r\n\r\n", "400"},
	        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	                "400"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
	                "400"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 "},
	        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "HTTP/1.1 "},
	        {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "501"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", "400"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
	        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "400"},
	        {"GET / HTTP/1.1\nHost: a\n\n", "400"},
	        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
	        {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", "400"},
	        {"GET / HTTP/2.1\r\nHost: a\r\n\r\n", "HTTP/1.1 "},
	        {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
	        {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
	        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},
	};
	(void)state;
	serve(0, NULL);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int before = handled;
		expect_refusal(slice_of(cases[i].text), cases[i].status, 1000);
		expect_refusal(slice_of(cases[i].text), cases[i].status, 1);
		(void)before;
	}
	stop();
}

static void large_heads_and_bodies_are_refused(void **state)
{
	struct strbuf b = STRBUF_INIT;
	(void)state;
	serve(0, NULL);
	strbuf_adds(&b, "GET /");
	for (int i = 0; i < 70000; i++)
		strbuf_addc(&b, 'a');
	strbuf_adds(&b, " HTTP/1.1\r\nHost: a\r\n\r\n");
	expect_refusal(strbuf_slice(&b), "431", 7000);
	strbuf_reset(&b);
	strbuf_adds(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 200; i++)
		strbuf_addf(&b, "X-%d: y\r\n", i);
	strbuf_adds(&b, "\r\n");
	expect_refusal(strbuf_slice(&b), "431", 7000);
	assert_int_equal(handled, 0);
	expect_refusal(SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc"), "413", 1000);
	strbuf_reset(&b);
	strbuf_adds(&b, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n");
	for (int i = 0; i < 2000; i++)
		strbuf_addc(&b, 'a');
	expect_refusal(strbuf_slice(&b), "413", 700);
	strbuf_release(&b);
	stop();
}

static void chunk_extensions_end_somewhere(void **state)
{
	struct strbuf b = STRBUF_INIT;
	serve(0, NULL);
	strbuf_adds(&b, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	for (int i = 0; i < 5000; i++)
		strbuf_addc(&b, 'e');
	expect_refusal(strbuf_slice(&b), "400", 700);
	strbuf_release(&b);
	stop();
}

static void stalled_requests_time_out(void **state)
{
	(void)state;
	serve(300, NULL);
	expect_refusal(SLICE("GET / HTTP/1.1\r\nHost:"), "408", 1000);
	expect_refusal(SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"), "408", 1000);
	stop();
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct peer p;
	struct strbuf b = STRBUF_INIT;
	(void)state;
	serve(0, NULL);
	open_peer(&p);
	for (int i = 0; i < 20; i++)
		strbuf_addf(&b, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n<%c>", i, 'a' + i);
	for (size_t i = 0; i < b.len; i += 17) {
		conn_write(p.conn, b.data + i, b.len - i < 17 ? b.len - i : 17);
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	WAIT_FOR(answers(&p) == 20 && strstr(p.in.data, "<t>"));
	const char *at = p.in.data;
	for (int i = 0; i < 20; i++) {
		char want[4] = {'<', (char)('a' + i), '>', 0};
		at = strstr(at, want);
		assert_non_null(at);
	}
	strbuf_release(&b);
	close_peer(&p);
	stop();
}

static void chunked_bodies_continue_and_http_1_0_work(void **state)
{
	struct peer p;
	static const char chunked[] = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: "
	                              "100-continue\r\n\r\n";
	static const char body[] = "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";
	static const char old[] = "GET /old HTTP/1.0\r\n\r\n";
	(void)state;
	serve(0, NULL);
	open_peer(&p);
	conn_write(p.conn, chunked, sizeof chunked - 1);
	WAIT_FOR(p.in.len && strstr(p.in.data, "100 Continue\r\n\r\n"));
	conn_write(p.conn, body, sizeof body - 1);
	WAIT_FOR(strstr(p.in.data, "abcde"));
	assert_non_null(strstr(p.in.data, "Content-Length: 5\r\n"));
	assert_null(strstr(p.in.data, "Connection: close"));
	conn_write(p.conn, old, sizeof old - 1);
	WAIT_FOR(p.ended);
	assert_non_null(strstr(p.in.data, "Connection: close"));
	assert_string_equal(last_path, "/old");
	close_peer(&p);
	stop();
}

static void an_early_answer_does_not_read_a_long_body(void **state)
{
	(void)state;
	serve(0, NULL);
	expect_refusal(SLICE("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nabc"), "403", 1000);
	stop();
}

static void a_late_answer_that_ignores_the_body_keeps_the_connection(void **state)
{
	struct peer p;
	static const char text[] = "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /next "
	                           "HTTP/1.1\r\nHost: a\r\n\r\n";
	(void)state;
	serve(0, NULL);
	open_peer(&p);
	for (int whole = 0; whole < 2; whole++) {
		size_t first = whole ? sizeof text - 1 : 60;
		strbuf_reset(&p.in);
		held = NULL;
		conn_write(p.conn, text, first);
		WAIT_FOR(held);
		http_respond(held, 202);
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
		conn_write(p.conn, text + first, sizeof text - 1 - first);
		WAIT_FOR(answers(&p) == 2);
		assert_string_equal(last_path, "/next");
	}
	close_peer(&p);
	stop();
}

static void connections_may_close_at_every_byte(void **state)
{
	static const char text[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
	(void)state;
	serve(0, NULL);
	for (size_t n = 0; n < sizeof text; n++)
		for (int turns = 0; turns < 3; turns++) {
			struct peer p;
			open_peer(&p);
			conn_write(p.conn, text, n);
			for (int i = 0; i < turns; i++)
				uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
			close_peer(&p);
		}
	WAIT_FOR(http_server_connections(server) == 0);
	stop();
}

static size_t resident_kib(void)
{
	size_t kib = 0;
	char line[200];
	FILE *f = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "VmRSS: %zu kB", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static void two_thousand_idle_tls_connections_stay_small(void **state)
{
	enum { N = 2000 };
	struct peer *peers = calloc(N, sizeof *peers);
	struct conn_connect_options o = {.tls = client_tls};
	struct rlimit files = {8192, 8192};
	(void)state;
	setrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 2 * N + 100) {
		free(peers);
		print_message("SKIP: only %lu descriptors\n", (unsigned long)files.rlim_cur);
		skip();
	}
	serve(0, server_tls);
	size_t before = resident_kib();
	uint64_t t0 = uv_hrtime();
	for (int i = 0; i < N; i++) {
		peers[i].conn =
		        conn_connect_tcp(&loop, "127.0.0.1", http_server_port(server), &o, &callbacks, &peers[i]);
		if (i % 50 == 49)
			WAIT_FOR(peers[i].opened);
	}
	for (int i = 0; i < N; i++)
		WAIT_FOR(peers[i].opened);
	double ms = (double)(uv_hrtime() - t0) / 1e6;
	WAIT_FOR(http_server_connections(server) == N);
	print_message(
	        "%d TLS handshakes, both sides: %.0f ms, %zu KiB per pair\n", N, ms, (resident_kib() - before) / N);
	for (int i = 0; i < N; i++)
		conn_close(peers[i].conn, 0);
	for (int i = 0; i < N; i++) {
		WAIT_FOR(peers[i].closed);
		strbuf_release(&peers[i].in);
	}
	stop();
	free(peers);
}

static void who_has_waited_longest_makes_room_for_a_new_stranger(void **state)
{
	enum { MORE = 50, N = HTTP_STRANGERS_MAX + MORE };
	struct peer *peers = calloc(N, sizeof *peers), known;
	serve(0, NULL);
	open_peer(&known);
	conn_write(known.conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
	WAIT_FOR(handled == 1);
	for (int i = 0; i < N; i++)
		open_peer(&peers[i]);
	WAIT_FOR(peers[MORE - 1].ended);
	WAIT_FOR(http_server_connections(server) == HTTP_STRANGERS_MAX + 1);
	for (int i = 0; i < N; i++)
		assert_int_equal(peers[i].ended, i < MORE);
	assert_false(known.ended);
	for (int i = 0; i < N; i++)
		close_peer(&peers[i]);
	close_peer(&known);
	stop();
	free(peers);
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
	        cmocka_unit_test(ambiguous_requests_are_refused),
	        cmocka_unit_test(large_heads_and_bodies_are_refused),
	        cmocka_unit_test(chunk_extensions_end_somewhere),
	        cmocka_unit_test(stalled_requests_time_out),
	        cmocka_unit_test(pipelined_requests_are_answered_in_order),
	        cmocka_unit_test(chunked_bodies_continue_and_http_1_0_work),
	        cmocka_unit_test(an_early_answer_does_not_read_a_long_body),
	        cmocka_unit_test(a_late_answer_that_ignores_the_body_keeps_the_connection),
	        cmocka_unit_test(connections_may_close_at_every_byte),
	        cmocka_unit_test(who_has_waited_longest_makes_room_for_a_new_stranger),
	        cmocka_unit_test(two_thousand_idle_tls_connections_stay_small),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
