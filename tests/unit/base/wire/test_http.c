/* Client against server over loopback, in every combination of protocol and TLS. */
#include "base/wire/http_client.h"
#include "tests/unit/base/wire/wire_test.h"

#include "base/wire/conn.h"

#include <zlib.h>

static struct http_server *server;
static int aborts, server_closed, client_closed;
static struct http_exchange *held;

/* ---- the server's side ---- */

struct stream_state {
	int left;
};

static void on_abort(struct http_exchange *x, void *arg)
{
	(void)arg;
	aborts++;
	if (held == x)
		held = NULL;
}

static void echo_body(struct http_exchange *x, struct slice body, void *arg)
{
	(void)arg;
	http_set_content_type(x, "text/plain");
	http_respond_copy(x, 200, body);
}

static void stream_more(struct http_exchange *x, void *arg)
{
	struct stream_state *s = http_user(x);
	char block[10000];
	(void)arg;
	memset(block, 'x', sizeof block);
	while (s->left > 0) {
		s->left--;
		if (!http_write(x, (struct slice){block, sizeof block}))
			return;
	}
	http_respond_end(x);
}

static void stream(struct http_exchange *x)
{
	struct stream_state *s = ARENA_NEW(http_arena(x), struct stream_state);
	s->left = 1000;
	http_set_user(x, s);
	http_on_writable(x, stream_more, NULL);
	http_respond_begin(x, 200, -1);
	http_want_writable(x);
}

static void many_bufs(struct http_exchange *x)
{
	enum { N = 10000, SIZE = 900 };
	struct http_buf *bufs = ARENA_ARRAY(http_arena(x), struct http_buf, N);
	struct rcbuf *b = rcbuf_new(SIZE);
	memset(b->data, 'y', SIZE);
	for (int i = 0; i < N; i++)
		bufs[i] = (struct http_buf){.data = {b->data, i % 100 ? SIZE : 0}, .ref = rcbuf_ref(b)};
	rcbuf_unref(b);
	http_respond_bufs(x, 200, bufs, N);
}

/* Pieces that are made when their turn comes: few are there at a time, and each is dropped once. */
static struct {
	int made, there, most;
} pieces;

static struct rcbuf *make_piece(void *source)
{
	struct rcbuf *b = rcbuf_new(900);
	unsigned x = (unsigned)++pieces.made; /* nothing that shrinks much: many turns of the connection are needed */
	for (int i = 0; i < 900; i++)
		b->data[i] = (char)('a' + ((x = x * 1664525 + 1013904223) >> 28));
	b->data[0] = b->data[899] = *(char *)source;
	return b;
}

static void drop_piece(void *source)
{
	pieces.there--;
	free(source);
}

static void made_bufs(struct http_exchange *x)
{
	static const struct http_maker maker = {make_piece, drop_piece};
	enum { N = 2000 };
	struct http_buf *bufs = ARENA_ARRAY(http_arena(x), struct http_buf, N);
	pieces.there = N;
	pieces.made = pieces.most = 0;
	for (int i = 0; i < N; i++) {
		char *source = malloc(1);
		*source = (char)('a' + i % 26);
		bufs[i] = (struct http_buf){.data = {NULL, 900}, .maker = &maker, .source = source};
	}
	if (http_accepts_gzip(http_header(x, "accept-encoding")))
		http_compress(x);
	http_respond_bufs(x, 200, bufs, N);
	pieces.most = pieces.made; /* none before the connection asks */
}

static void who(struct http_exchange *x)
{
	const struct http_request *r = http_request(x);
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%d %.*s", r->peer->verified, SLICE_FMT(r->peer->common_name));
	for (size_t i = 0; i < r->peer->organizations_count; i++)
		strbuf_addf(&b, " %.*s", SLICE_FMT(r->peer->organizations[i]));
	http_respond_strbuf(x, 200, &b);
}

static void handler(struct http_exchange *x, void *arg)
{
	const struct http_request *r = http_request(x);
	(void)arg;
	http_on_abort(x, on_abort, NULL);
	if (slice_is(r->path, "/echo"))
		http_body_collect(x, 1 << 20, echo_body, NULL);
	else if (slice_is(r->path, "/stream"))
		stream(x);
	else if (slice_is(r->path, "/bufs"))
		many_bufs(x);
	else if (slice_is(r->path, "/made"))
		made_bufs(x);
	else if (slice_is(r->path, "/who"))
		who(x);
	else if (slice_is(r->path, "/hold"))
		held = x;
	else if (slice_is(r->path, "/header"))
		http_respond_copy(x, 200, http_header(x, "x-more").len ? SLICE("injected") : http_header(x, "x-user"));
	else if (slice_is(r->path, "/none"))
		http_respond(x, 204);
	else if (slice_is(r->path, "/short")) {
		http_respond_begin(x, 200, 100);
		http_write(x, SLICE("not a hundred"));
		http_respond_end(x);
	} else if (slice_is(r->path, "/reset"))
		http_abort(x);
	else
		http_respond_arena(x, 404, SLICE("no such thing\n"));
}

/* ---- the client's side ---- */

struct result {
	bool done;
	int status;
	int code;
	size_t bytes;
	size_t datas;
	struct strbuf body;
	char msg[400];
};

static void on_done(struct http_call *call, const struct http_answer *a, const struct err *e, void *arg)
{
	struct result *r = arg;
	(void)call;
	r->done = true;
	r->status = a->status;
	r->code = e ? e->code : 0;
	if (a->body.len)
		strbuf_add_slice(&r->body, a->body);
	if (e)
		memcpy(r->msg, e->msg, sizeof r->msg);
}

static void on_data(struct http_call *call, struct slice data, void *arg)
{
	struct result *r = arg;
	r->bytes += data.len;
	if (++r->datas % 7 == 0) {
		http_call_pause(call);
		http_call_resume(call);
	}
}

static struct http_client *client_new(struct tls_context *tls, enum http_client_protocol protocol)
{
	struct http_client_options o = {
	        .loop = &loop, .host = "127.0.0.1", .port = http_server_port(server), .tls = tls, .protocol = protocol};
	return http_client_new(&o);
}

static void count_close(void *arg)
{
	++*(int *)arg;
}

static void client_close(struct http_client *c)
{
	client_closed = 0;
	http_client_close(c, count_close, &client_closed);
	WAIT_FOR(client_closed);
}

static void get(struct http_client *c, const char *target, struct result *r)
{
	struct http_call_options o = {.method = "GET", .target = target, .on_done = on_done, .arg = r};
	*r = (struct result){0};
	http_client_call(c, &o);
	WAIT_FOR(r->done);
}

/* The same bytes as without, a fraction of them on the wire; what was not taken is dropped. */
static void gets_it_compressed(struct http_client *c)
{
	struct http_header accepts = {SLICE("accept-encoding"), SLICE("br, gzip")};
	struct http_call_options o = {
	        .method = "GET", .target = "/made", .headers = &accepts, .headers_count = 1, .on_done = on_done};
	struct result r = {0};
	z_stream z = {0};
	char *plain = malloc(2000 * 900 + 1);
	o.arg = &r;
	http_client_call(c, &o);
	WAIT_FOR(r.done);
	assert_int_equal(r.status, 200);
	assert_true(r.body.len < 2000 * 900 * 3 / 4 && r.body.len > 300000);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)r.body.data;
	z.avail_in = (unsigned)r.body.len;
	z.next_out = (unsigned char *)plain;
	z.avail_out = 2000 * 900 + 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, 2000 * 900);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(plain[i * 900 + 899], 'a' + i % 26);
	assert_int_equal(pieces.made, 2000);
	assert_int_equal(pieces.there, 0);
	inflateEnd(&z);
	free(plain);
	strbuf_release(&r.body);
}

static void gzip_is_taken_by_name_alone(void **state)
{
	assert_true(http_accepts_gzip(SLICE("gzip")));
	assert_true(http_accepts_gzip(SLICE("deflate, gzip , br")));
	assert_false(http_accepts_gzip(SLICE("")));
	assert_false(http_accepts_gzip(SLICE("gzip;q=0, identity")));
	assert_false(http_accepts_gzip(SLICE("xgzip")));
}

static void exercise(struct http_client *c)
{
	struct result r;
	get(c, "/nothing", &r);
	assert_int_equal(r.status, 404);
	assert_string_equal(r.body.data, "no such thing\n");
	strbuf_release(&r.body);
	get(c, "/none", &r);
	assert_int_equal(r.status, 204);
	assert_int_equal(r.body.len, 0);
	get(c, "/bufs", &r);
	assert_int_equal(r.body.len, 9900 * 900);
	strbuf_release(&r.body);
	get(c, "/made", &r);
	assert_int_equal(r.body.len, 2000 * 900);
	assert_int_equal(r.body.data[0], 'a');
	assert_int_equal(r.body.data[27 * 900], 'b');
	assert_int_equal(pieces.made, 2000);
	assert_int_equal(pieces.most, 0);
	assert_int_equal(pieces.there, 0);
	strbuf_release(&r.body);
	gets_it_compressed(c);

	char *big = malloc(2 << 20);
	memset(big, 'b', 2 << 20);
	struct http_call_options o = {
	        .method = "POST", .target = "/echo", .body = {big, 1 << 20}, .on_done = on_done, .arg = &r};
	r = (struct result){0};
	http_client_call(c, &o);
	WAIT_FOR(r.done);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body.len, 1 << 20);
	strbuf_release(&r.body);
	o.body.len = 2 << 20;
	r = (struct result){0};
	http_client_call(c, &o);
	WAIT_FOR(r.done);
	assert_true(r.status == 413 || r.code != 0);
	strbuf_release(&r.body);
	free(big);

	o = (struct http_call_options){
	        .method = "GET", .target = "/stream", .on_data = on_data, .on_done = on_done, .arg = &r};
	r = (struct result){0};
	http_client_call(c, &o);
	WAIT_FOR(r.done);
	assert_int_equal(r.code, 0);
	assert_int_equal(r.bytes, 10000 * 1000);

	get(c, "/short", &r);
	assert_int_not_equal(r.code, 0);
	strbuf_release(&r.body);
	get(c, "/reset", &r);
	assert_int_not_equal(r.code, 0);
	strbuf_release(&r.body);
}

static void send_header(struct http_client *c, struct slice value, const char *want)
{
	struct result r = {0};
	const struct http_header header = {SLICE("x-user"), value};
	struct http_call_options o = {.method = "GET",
	        .target = "/header",
	        .headers = &header,
	        .headers_count = 1,
	        .on_done = on_done,
	        .arg = &r};
	http_client_call(c, &o);
	WAIT_FOR(r.done);
	assert_string_equal(strbuf_cstr(&r.body), want);
	strbuf_release(&r.body);
}

static void parallel(struct http_client *c)
{
	enum { N = 50 };
	struct result rs[N] = {0};
	for (int i = 0; i < N; i++) {
		struct http_call_options o = {.method = "GET", .target = "/who", .on_done = on_done, .arg = &rs[i]};
		http_client_call(c, &o);
	}
	for (int i = 0; i < N; i++) {
		WAIT_FOR(rs[i].done);
		assert_int_equal(rs[i].status, 200);
		strbuf_release(&rs[i].body);
	}
}

static void run(struct tls_context *tls, enum http_client_protocol protocol)
{
	struct http_client *c = client_new(tls, protocol);
	exercise(c);
	send_header(c, SLICE("eve"), "eve");
	send_header(c, SLICE("eve\r\nx-more: root"), "eve  x-more: root");
	parallel(c);
	client_close(c);
}

static void serve(struct tls_context *tls)
{
	struct http_server_options o = {.loop = &loop, .handler = handler, .tls = tls};
	loop_begin();
	aborts = server_closed = 0;
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
}

static void stop_serving(void)
{
	http_server_close(server, 2000, count_close, &server_closed);
	WAIT_FOR(server_closed);
	loop_finish();
}

/* ---- tests ---- */

static void calls_work_over_plain_connections(void **state)
{
	(void)state;
	serve(NULL);
	run(NULL, HTTP_CLIENT_H1);
	run(NULL, HTTP_CLIENT_H2);
	stop_serving();
}

static void calls_work_over_tls(void **state)
{
	struct tls_context *h1_only;
	struct tls_options o = {.ca_pem = ca.certificate_pem, .http1_only = true};
	(void)state;
	assert_int_equal(tls_context_new(&o, &h1_only, &err), 0);
	serve(server_tls);
	run(h1_only, HTTP_CLIENT_AUTO);
	run(client_tls, HTTP_CLIENT_AUTO);
	stop_serving();
	tls_context_unref(h1_only);
}

static void certificates_say_who_calls(void **state)
{
	struct result r;
	(void)state;
	serve(server_tls);
	struct http_client *c = client_new(client_tls, HTTP_CLIENT_AUTO);
	get(c, "/who", &r);
	assert_string_equal(r.body.data, "1 admin system:masters devs");
	strbuf_release(&r.body);
	client_close(c);
	c = client_new(anonymous_tls, HTTP_CLIENT_AUTO);
	get(c, "/who", &r);
	assert_string_equal(r.body.data, "0 ");
	strbuf_release(&r.body);
	client_close(c);
	c = client_new(stranger_tls, HTTP_CLIENT_AUTO);
	get(c, "/who", &r);
	assert_int_equal(r.status, 0);
	assert_int_not_equal(r.code, 0);
	client_close(c);
	stop_serving();
}

static void a_server_with_the_wrong_name_is_refused(void **state)
{
	struct result r;
	(void)state;
	serve(server_tls);
	struct http_client_options o = {.loop = &loop,
	        .host = "127.0.0.1",
	        .port = http_server_port(server),
	        .tls = client_tls,
	        .server_name = "elsewhere.example"};
	struct http_client *c = http_client_new(&o);
	get(c, "/who", &r);
	assert_int_equal(r.code, ERR_UNAUTHENTICATED);
	client_close(c);
	stop_serving();
}

static void a_client_that_leaves_aborts_its_exchange(void **state)
{
	(void)state;
	serve(server_tls);
	for (int h1 = 0; h1 < 2; h1++) {
		struct result r = {0};
		struct http_client *c = client_new(client_tls, HTTP_CLIENT_AUTO);
		struct http_call_options o = {.method = "GET", .target = "/hold", .on_done = on_done, .arg = &r};
		struct http_call *call = http_client_call(c, &o);
		aborts = 0;
		WAIT_FOR(held);
		http_call_cancel(call);
		WAIT_FOR(aborts == 1);
		assert_false(r.done);
		client_close(c);
	}
	stop_serving();
}

static void calls_time_out(void **state)
{
	struct result r = {0};
	(void)state;
	serve(NULL);
	struct http_client *c = client_new(NULL, HTTP_CLIENT_H1);
	struct http_call_options o = {
	        .method = "GET", .target = "/hold", .on_done = on_done, .arg = &r, .timeout_ms = 100};
	http_client_call(c, &o);
	WAIT_FOR(r.done);
	assert_int_equal(r.code, ERR_TIMEOUT);
	WAIT_FOR(!held);
	client_close(c);
	stop_serving();
}

static void a_closing_server_lets_open_exchanges_finish(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct result r = {0};
		serve(server_tls);
		struct http_client *c = client_new(client_tls, HTTP_CLIENT_AUTO);
		struct http_call_options o = {.method = "GET", .target = "/hold", .on_done = on_done, .arg = &r};
		http_client_call(c, &o);
		WAIT_FOR(held);
		http_server_close(server, i ? 0 : 5000, count_close, &server_closed);
		if (i == 0) {
			struct http_exchange *x = held;
			held = NULL;
			http_respond(x, 201);
		}
		WAIT_FOR(r.done && server_closed);
		assert_int_equal(r.status, i ? 0 : 201);
		client_close(c);
		loop_finish();
	}
}

/* New connections get the new certificate, open ones go on; a broken file changes nothing. */
static void certificates_can_be_renewed_while_serving(void **state)
{
	char dir[] = "/tmp/k3x-tls-XXXXXX";
	const char *names[] = {"127.0.0.1"};
	struct pki_request request = {.common_name = "renewed", .names = names, .names_count = 1, .is_server = true};
	struct pki_pair fresh;
	struct tls_context *tls;
	struct result r;
	(void)state;
	assert_non_null(mkdtemp(dir));
	CLEANUP(cleanup_free) char *crt = xprintf("%s/crt", dir), *key = xprintf("%s/key", dir);
	assert_int_equal(pki_pair_save(&server_pair, crt, key, &err), 0);
	struct tls_options o = {
	        .is_server = true, .certificate_file = crt, .key_file = key, .ca_pem = ca.certificate_pem};
	assert_int_equal(tls_context_new(&o, &tls, &err), 0);
	serve(tls);
	struct http_client *old = client_new(client_tls, HTTP_CLIENT_AUTO);
	get(old, "/none", &r);
	assert_int_equal(r.status, 204);
	assert_int_equal(pki_file_write(crt, SLICE("broken"), 0644, &err), 0);
	assert_int_not_equal(tls_context_reload(tls, &err), 0);
	assert_int_equal(pki_issue(&ca, &request, &fresh, &err), 0);
	assert_int_equal(pki_pair_save(&fresh, crt, key, &err), 0);
	assert_int_equal(tls_context_reload(tls, &err), 0);
	struct http_client *c = client_new(client_tls, HTTP_CLIENT_AUTO);
	get(c, "/none", &r);
	assert_int_equal(r.status, 204);
	get(old, "/none", &r);
	assert_int_equal(r.status, 204);
	client_close(old);
	client_close(c);
	stop_serving();
	tls_context_unref(tls);
	pki_pair_release(&fresh);
	unlink(crt);
	unlink(key);
	rmdir(dir);
}

struct side {
	struct loop loop;
	struct http_server *server;
	int port, closed;
};

static void who_only(struct http_exchange *x, void *arg)
{
	(void)arg;
	who(x);
}

static void side_start(void *arg)
{
	struct side *s = arg;
	struct http_server_options o = {.loop = &s->loop, .handler = who_only, .tls = server_tls, .reuse_port = true};
	struct err e = ERR_INIT;
	assert_int_equal(http_server_new(&o, &s->server, &e), 0);
	assert_int_equal(http_server_listen_tcp(s->server, "127.0.0.1", s->port, &e), 0);
	s->port = http_server_port(s->server);
}

static void side_stop(void *arg)
{
	struct side *s = arg;
	http_server_close(s->server, 1000, count_close, &s->closed);
	loop_stop(&s->loop);
}

static void two_loops_share_a_port_and_a_tls_context(void **state)
{
	static struct side sides[2];
	struct result r;
	(void)state;
	loop_begin();
	for (int i = 0; i < 2; i++) {
		loop_init(&sides[i].loop, "side");
		loop_start_thread(&sides[i].loop);
		sides[i].port = i ? sides[0].port : 0;
		loop_call(&sides[i].loop, side_start, &sides[i]);
	}
	for (int i = 0; i < 20; i++) {
		struct http_client_options o = {
		        .loop = &loop, .host = "127.0.0.1", .port = sides[0].port, .tls = client_tls};
		struct http_client *c = http_client_new(&o);
		get(c, "/who", &r);
		assert_int_equal(r.status, 200);
		strbuf_release(&r.body);
		client_close(c);
	}
	for (int i = 0; i < 2; i++) {
		loop_call(&sides[i].loop, side_stop, &sides[i]);
		loop_join(&sides[i].loop);
		loop_release(&sides[i].loop);
		assert_int_equal(sides[i].closed, 1);
	}
	loop_finish();
}

static void a_dead_server_is_an_error(void **state)
{
	struct result r;
	(void)state;
	serve(NULL);
	struct http_client *c = client_new(NULL, HTTP_CLIENT_H1);
	get(c, "/none", &r);
	int port = http_server_port(server);
	http_server_close(server, 0, count_close, &server_closed);
	WAIT_FOR(server_closed);
	get(c, "/none", &r);
	assert_int_equal(r.code, ERR_UNAVAILABLE);
	assert_true(port > 0);
	client_close(c);
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
	        cmocka_unit_test(gzip_is_taken_by_name_alone),
	        cmocka_unit_test(calls_work_over_plain_connections),
	        cmocka_unit_test(calls_work_over_tls),
	        cmocka_unit_test(certificates_say_who_calls),
	        cmocka_unit_test(a_server_with_the_wrong_name_is_refused),
	        cmocka_unit_test(a_client_that_leaves_aborts_its_exchange),
	        cmocka_unit_test(calls_time_out),
	        cmocka_unit_test(a_closing_server_lets_open_exchanges_finish),
	        cmocka_unit_test(certificates_can_be_renewed_while_serving),
	        cmocka_unit_test(two_loops_share_a_port_and_a_tls_context),
	        cmocka_unit_test(a_dead_server_is_an_error),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
