/* WebSocket: the codec, and sessions of our client with our server. */
#include "base/wire/ws.h"
#include "tests/unit/base/wire/wire_test.h"

/* ---- codec ---- */

static const unsigned char mask[4] = {0x11, 0x22, 0x33, 0x44};

static void the_accept_key_is_that_of_the_rfc(void **state)
{
	char key[29];
	(void)state;
	ws_accept_key(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), key);
	assert_string_equal(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void messages_survive_any_cut(void **state)
{
	struct strbuf in = STRBUF_INIT, big = STRBUF_INIT;
	(void)state;
	for (int i = 0; i < 70000; i++)
		strbuf_addc(&big, (char)('a' + i % 26));
	ws_frame_write(&in, WS_TEXT, false, SLICE("hal"), mask);
	ws_frame_write(&in, WS_PING, true, SLICE("p"), mask);
	ws_frame_write(&in, 0, true, SLICE("lo"), mask);
	ws_frame_write(&in, WS_BINARY, true, (struct slice){big.data, 300}, mask);
	ws_frame_write(&in, WS_BINARY, true, strbuf_slice(&big), mask);
	ws_frame_write(&in, WS_TEXT, true, SLICE(""), mask);
	ws_frame_write(&in, WS_CLOSE, true,
	        SLICE("\x03\xe8"
	              "bye"),
	        mask);
	const enum ws_kind want[] = {WS_PING, WS_TEXT, WS_BINARY, WS_BINARY, WS_TEXT, WS_CLOSE};
	const size_t lens[] = {1, 5, 300, 70000, 0, 5};
	for (size_t step = 1; step < 200; step = step * 2 + 1) {
		struct ws_codec c;
		size_t seen = 0;
		ws_codec_init(&c, true, 1 << 20);
		for (size_t at = 0; at < in.len && !c.closed;) {
			size_t used, n = in.len - at < step ? in.len - at : step;
			enum ws_kind kind;
			struct slice m;
			unsigned code;
			assert_int_equal(ws_codec_feed(&c, in.data + at, n, &used, &kind, &m, &code, &err), 0);
			at += used;
			if (!kind)
				continue;
			assert_true(seen < 6);
			assert_int_equal(kind, want[seen]);
			assert_int_equal(m.len, lens[seen]);
			seen++;
		}
		assert_int_equal(seen, 6);
		ws_codec_release(&c);
	}
	strbuf_release(&in);
	strbuf_release(&big);
}

static void refused(const char *bytes, size_t len, int rc, unsigned want_code)
{
	struct ws_codec c;
	size_t used, at = 0;
	enum ws_kind kind;
	struct slice m;
	unsigned code = 0;
	int got = 0;
	ws_codec_init(&c, true, 100);
	while (at < len && got == 0) {
		got = ws_codec_feed(&c, bytes + at, len - at, &used, &kind, &m, &code, &err);
		at += used;
	}
	assert_int_equal(got, rc);
	assert_int_equal(code, want_code);
	ws_codec_release(&c);
}

static void broken_frames_are_refused_with_a_code(void **state)
{
	(void)state;
	refused("\x81\x01x", 3, ERR_PROTOCOL, WS_CLOSE_PROTOCOL);              /* not masked */
	refused("\xc1\x81\0\0\0\0x", 7, ERR_PROTOCOL, WS_CLOSE_PROTOCOL);      /* reserved bit */
	refused("\x83\x81\0\0\0\0x", 7, ERR_PROTOCOL, WS_CLOSE_PROTOCOL);      /* opcode */
	refused("\x80\x81\0\0\0\0x", 7, ERR_PROTOCOL, WS_CLOSE_PROTOCOL);      /* continuation */
	refused("\x09\x81\0\0\0\0x", 7, ERR_PROTOCOL, WS_CLOSE_PROTOCOL);      /* fragmented ping */
	refused("\x82\xfe\0\x05\0\0\0\0", 8, ERR_PROTOCOL, WS_CLOSE_PROTOCOL); /* long form */
	refused("\x82\xfe\0\x7f\0\0\0\0", 8, ERR_TOO_BIG, WS_CLOSE_TOO_BIG);
	refused("\x81\x81\0\0\0\0\xff", 7, ERR_PROTOCOL, WS_CLOSE_BAD_DATA);     /* UTF-8 */
	refused("\x88\x81\0\0\0\0x", 7, ERR_PROTOCOL, WS_CLOSE_PROTOCOL);        /* short close */
	refused("\x88\x82\0\0\0\0\x03\xed", 8, ERR_PROTOCOL, WS_CLOSE_PROTOCOL); /* code 1005 */
}

/* ---- sessions ---- */

struct peer {
	struct ws *ws;
	int opened, messages, closed, drained;
	size_t bytes;
	unsigned code;
	char reason[64], protocol[64];
	int open_code;
};

static struct peer at_server, at_client;
static struct http_server *server;
static int closed;
static const char *const protocols[] = {"v5.channel.k8s.io", "v4.channel.k8s.io"};

static void on_message(struct ws *w, bool is_text, struct slice data, void *arg)
{
	struct peer *p = arg;
	p->messages++;
	p->bytes += data.len;
	if (p == &at_server)
		ws_send_prefixed(w, is_text, SLICE(">"), data);
}

static void on_closed(struct ws *w, unsigned code, struct slice reason, void *arg)
{
	struct peer *p = arg;
	(void)w;
	p->closed++;
	p->code = code;
	snprintf(p->reason, sizeof p->reason, "%.*s", SLICE_FMT(reason));
}

static void on_open(struct ws *w, struct slice protocol, const struct err *e, void *arg)
{
	struct peer *p = arg;
	(void)w;
	p->opened++;
	p->open_code = e ? e->code : 0;
	snprintf(p->protocol, sizeof p->protocol, "%.*s", SLICE_FMT(protocol));
}

static const struct ws_callbacks callbacks = {on_open, on_message, NULL, on_closed};

static void handler(struct http_exchange *x, void *arg)
{
	struct err e = ERR_INIT;
	(void)arg;
	at_server = (struct peer){0};
	if (ws_accept(x, protocols, 2, 1 << 20, &callbacks, &at_server, &at_server.ws, NULL, &e) != 0)
		http_respond_copy(x, 400, slice_of(e.msg));
}

static struct http_client *begin(void)
{
	struct http_server_options o = {.loop = &loop, .handler = handler, .tls = server_tls};
	loop_begin();
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	struct http_client_options co = {.loop = &loop,
	        .host = "127.0.0.1",
	        .port = http_server_port(server),
	        .tls = client_tls,
	        .protocol = HTTP_CLIENT_H1};
	return http_client_new(&co);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void finish(struct http_client *c)
{
	closed = 0;
	http_client_close(c, count, &closed);
	http_server_close(server, 1000, count, &closed);
	WAIT_FOR(closed == 2);
	loop_finish();
}

static struct ws *connect_to(struct http_client *c, const char *const *list, size_t n)
{
	at_client = (struct peer){0};
	struct ws *w = ws_connect(c, "/exec", NULL, 0, list, n, 1 << 20, &callbacks, &at_client);
	WAIT_FOR(at_client.opened);
	return w;
}

static void sessions_carry_messages_and_close_from_either_side(void **state)
{
	char big[100000];
	(void)state;
	memset(big, 'q', sizeof big);
	struct http_client *c = begin();
	for (int side = 0; side < 2; side++) {
		struct ws *w = connect_to(c, protocols, 2);
		assert_int_equal(at_client.open_code, 0);
		assert_string_equal(at_client.protocol, "v5.channel.k8s.io");
		ws_send(w, true, SLICE("hello"));
		ws_ping(w);
		ws_send(w, false, (struct slice){big, sizeof big});
		ws_send(w, false, SLICE(""));
		WAIT_FOR(at_client.messages == 3);
		assert_int_equal(at_client.bytes, 5 + sizeof big + 3);
		ws_close(side ? w : at_server.ws, WS_CLOSE_NORMAL, "done");
		WAIT_FOR(at_client.closed && at_server.closed);
		assert_int_equal(at_client.code, WS_CLOSE_NORMAL);
		assert_int_equal(at_server.code, WS_CLOSE_NORMAL);
		assert_string_equal(at_client.reason, "done");
	}
	finish(c);
}

static void a_subprotocol_we_do_not_speak_is_refused(void **state)
{
	const char *const other[] = {"v1.other"};
	(void)state;
	struct http_client *c = begin();
	connect_to(c, other, 1);
	assert_int_equal(at_client.open_code, ERR_PROTOCOL);
	finish(c);
}

static void broken_text_closes_the_session_with_its_code(void **state)
{
	(void)state;
	struct http_client *c = begin();
	struct ws *w = connect_to(c, protocols, 1);
	ws_send(w, true, SLICE("\xff\xfe")); /* our own side does not check: the server must */
	WAIT_FOR(at_client.closed && at_server.closed);
	assert_int_equal(at_server.code, WS_CLOSE_BAD_DATA);
	assert_int_equal(at_client.code, WS_CLOSE_BAD_DATA);
	finish(c);
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
	        cmocka_unit_test(the_accept_key_is_that_of_the_rfc),
	        cmocka_unit_test(messages_survive_any_cut),
	        cmocka_unit_test(broken_frames_are_refused_with_a_code),
	        cmocka_unit_test(sessions_carry_messages_and_close_from_either_side),
	        cmocka_unit_test(a_subprotocol_we_do_not_speak_is_refused),
	        cmocka_unit_test(broken_text_closes_the_session_with_its_code),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
