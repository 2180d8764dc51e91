/* gRPC: framing, our client against our server, and against etcd and containerd where they are installed. */
#include "base/wire/grpc.h"
#include "tests/unit/base/wire/wire_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- framing and texts ---- */

static void frames_may_be_cut_anywhere(void **state)
{
	struct strbuf in = STRBUF_INIT;
	char head[5];
	(void)state;
	for (size_t n = 0; n < 40; n++) {
		grpc_frame_head(head, n);
		strbuf_add(&in, head, 5);
		for (size_t i = 0; i < n; i++)
			strbuf_addc(&in, (char)n);
	}
	for (size_t step = 1; step < 50; step++) {
		struct grpc_frames f;
		size_t messages = 0;
		grpc_frames_init(&f, 100);
		for (size_t at = 0; at < in.len;) {
			size_t used, n = in.len - at < step ? in.len - at : step;
			bool whole;
			assert_int_equal(grpc_frames_feed(&f, in.data + at, n, &used, &whole, &err), 0);
			at += used;
			if (whole)
				assert_int_equal(f.message.len, messages++);
		}
		assert_int_equal(messages, 40);
		assert_true(grpc_frames_clean(&f));
		grpc_frames_release(&f);
	}
	strbuf_release(&in);
}

static void bad_frames_are_refused(void **state)
{
	struct grpc_frames f;
	size_t used;
	bool whole;
	(void)state;
	grpc_frames_init(&f, 10);
	assert_int_equal(grpc_frames_feed(&f, "\1\0\0\0\1x", 6, &used, &whole, &err), ERR_UNIMPLEMENTED);
	grpc_frames_init(&f, 10);
	assert_int_equal(grpc_frames_feed(&f, "\0\0\0\0\13x", 6, &used, &whole, &err), ERR_TOO_BIG);
	grpc_frames_init(&f, 10);
	assert_int_equal(grpc_frames_feed(&f, "\7\0\0\0\1x", 6, &used, &whole, &err), ERR_PROTOCOL);
}

static void timeouts_and_messages_are_parsed(void **state)
{
	uint64_t ms = 0;
	struct strbuf b = STRBUF_INIT, d = STRBUF_INIT;
	(void)state;
	assert_true(grpc_timeout_parse(SLICE("1500m"), &ms) && ms == 1500);
	assert_true(grpc_timeout_parse(SLICE("2S"), &ms) && ms == 2000);
	assert_true(grpc_timeout_parse(SLICE("1n"), &ms) && ms == 1);
	assert_false(grpc_timeout_parse(SLICE("m"), &ms));
	assert_false(grpc_timeout_parse(SLICE("123456789m"), &ms));
	grpc_percent_encode(&b, SLICE("a%b\n\xc3\xa4"));
	assert_string_equal(b.data, "a%25b%0A%C3%A4");
	grpc_percent_decode(&d, strbuf_slice(&b));
	assert_string_equal(d.data, "a%b\n\xc3\xa4");
	strbuf_release(&b);
	strbuf_release(&d);
}

/* ---- our server ---- */

static struct http_server *server;
static int closed, stream_aborts;

struct echo {
	int left;
	struct strbuf all;
};

static void send_more(struct grpc_stream *s, void *arg)
{
	int *left = arg;
	char block[5000] = {0};
	while (*left > 0) {
		--*left;
		if (!grpc_send(s, (struct slice){block, sizeof block}))
			return;
	}
	grpc_finish(s, GRPC_OK, NULL);
}

static void on_unary(struct grpc_stream *s, struct slice message, void *arg)
{
	(void)arg;
	grpc_send(s, message);
	grpc_finish(s, GRPC_OK, NULL);
}

static void on_fail(struct grpc_stream *s, struct slice message, void *arg)
{
	(void)message, (void)arg;
	grpc_finish(s, GRPC_NOT_FOUND, "no such 100% thing");
}

static void on_list(struct grpc_stream *s, struct slice message, void *arg)
{
	(void)message, (void)arg;
	grpc_want_writable(s);
}

static void on_bidi(struct grpc_stream *s, struct slice message, void *arg)
{
	(void)arg;
	grpc_send(s, message);
}

static void on_bidi_end(struct grpc_stream *s, void *arg)
{
	(void)arg;
	grpc_finish(s, GRPC_OK, NULL);
}

static void on_hang(struct grpc_stream *s, struct slice message, void *arg)
{
	(void)s, (void)message, (void)arg;
}

static void on_stream_abort(struct grpc_stream *s, void *arg)
{
	(void)s, (void)arg;
	stream_aborts++;
}

static void handler(struct http_exchange *x, void *arg)
{
	struct slice path = http_request(x)->path;
	struct grpc_stream_callbacks cb = {.on_abort = on_stream_abort};
	(void)arg;
	assert_true(grpc_is_request(x));
	int *left = ARENA_NEW(http_arena(x), int);
	*left = 500;
	cb.on_writable = send_more;
	cb.on_message = slice_is(path, "/t/Unary")  ? on_unary
	                : slice_is(path, "/t/Fail") ? on_fail
	                : slice_is(path, "/t/List") ? on_list
	                : slice_is(path, "/t/Bidi") ? on_bidi
	                : slice_is(path, "/t/Hang") ? on_hang
	                                            : NULL;
	if (slice_is(path, "/t/Bidi")) {
		cb.on_end = on_bidi_end;
		cb.on_writable = NULL;
	}
	if (cb.on_message)
		grpc_accept(x, 100000, &cb, left);
	else
		grpc_refuse(x, GRPC_UNIMPLEMENTED, "unknown method");
}

struct result {
	bool done;
	int status;
	struct err err;
	int messages;
	size_t bytes;
	struct strbuf last;
	struct grpc_call *call;
};

static void on_message(struct grpc_call *call, struct slice message, void *arg)
{
	struct result *r = arg;
	(void)call;
	r->messages++;
	r->bytes += message.len;
	strbuf_reset(&r->last);
	strbuf_add_slice(&r->last, message);
}

static void on_done(struct grpc_call *call, int status, const struct err *e, void *arg)
{
	struct result *r = arg;
	(void)call;
	r->done = true;
	r->status = status;
	if (e)
		r->err = *e;
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void call(struct http_client *c, const char *method, struct slice request, struct result *r)
{
	struct grpc_call_options o = {.method = method,
	        .request = request,
	        .timeout_ms = 3000,
	        .on_message = on_message,
	        .on_done = on_done,
	        .arg = r};
	*r = (struct result){0};
	r->call = grpc_client_call(c, &o);
	WAIT_FOR(r->done);
}

static void exercise(struct http_client *c)
{
	struct result r;
	char big[200000] = {0};
	call(c, "/t/Unary", SLICE("hello"), &r);
	assert_int_equal(r.status, GRPC_OK);
	assert_string_equal(r.last.data, "hello");
	strbuf_release(&r.last);
	call(c, "/t/Fail", SLICE("x"), &r);
	assert_int_equal(r.status, GRPC_NOT_FOUND);
	assert_int_equal(r.err.code, ERR_NOT_FOUND);
	assert_string_equal(r.err.msg, "no such 100% thing");
	call(c, "/t/What", SLICE("x"), &r);
	assert_int_equal(r.status, GRPC_UNIMPLEMENTED);
	call(c, "/t/List", SLICE("x"), &r);
	assert_int_equal(r.status, GRPC_OK);
	assert_int_equal(r.messages, 500);
	assert_int_equal(r.bytes, 500 * 5000);
	strbuf_release(&r.last);
	call(c, "/t/Unary", (struct slice){big, sizeof big}, &r);
	assert_int_equal(r.status, GRPC_RESOURCE_EXHAUSTED);

	struct grpc_call_options o = {
	        .method = "/t/Bidi", .stream = true, .on_message = on_message, .on_done = on_done, .arg = &r};
	r = (struct result){0};
	r.call = grpc_client_call(c, &o);
	for (int i = 1; i <= 20; i++) {
		grpc_call_send(r.call, SLICE("ping"));
		WAIT_FOR(r.messages == i);
	}
	grpc_call_send_end(r.call);
	WAIT_FOR(r.done);
	assert_int_equal(r.status, GRPC_OK);
	strbuf_release(&r.last);

	o.method = "/t/Hang";
	o.timeout_ms = 300;
	o.stream = false;
	o.request = SLICE("x");
	stream_aborts = 0;
	r = (struct result){0};
	grpc_client_call(c, &o);
	WAIT_FOR(r.done && stream_aborts == 1);
	assert_int_equal(r.status, GRPC_DEADLINE_EXCEEDED);
}

static struct http_client *client_for(const char *unix_path, int port, struct tls_context *tls)
{
	struct http_client_options o = {.loop = &loop,
	        .host = unix_path ? NULL : "127.0.0.1",
	        .port = port,
	        .unix_path = unix_path,
	        .tls = tls,
	        .protocol = HTTP_CLIENT_H2};
	return http_client_new(&o);
}

static void close_client(struct http_client *c)
{
	closed = 0;
	http_client_close(c, count, &closed);
	WAIT_FOR(closed);
}

static void calls_work_against_our_server(void **state)
{
	char path[64];
	(void)state;
	snprintf(path, sizeof path, "/tmp/k3x-grpc-%d.sock", (int)getpid());
	loop_begin();
	struct http_server_options o = {.loop = &loop, .handler = handler};
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_unix(server, path, 0600, &err), 0);
	struct http_client *c = client_for(path, 0, NULL);
	exercise(c);
	close_client(c);
	closed = 0;
	http_server_close(server, 1000, count, &closed);
	WAIT_FOR(closed);
	loop_finish();
}

/* ---- others' servers ---- */

static pid_t start(char *const argv[])
{
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void stop(pid_t pid, const char *dir)
{
	CLEANUP(cleanup_free) char *rm = xprintf("rm -rf %s", dir);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	assert_int_equal(system(rm), 0);
}

/* Until the server is up its address refuses connections. */
static void call_when_up(struct http_client *c, const char *method, struct slice request, struct result *r)
{
	for (int i = 0; i < 100; i++) {
		call(c, method, request, r);
		if (r->status != GRPC_UNAVAILABLE)
			return;
		usleep(100000);
	}
}

static void etcd_answers(void **state)
{
	char dir[] = "/tmp/k3x-etcd-XXXXXX";
	struct result r;
	(void)state;
	if (access("/usr/bin/etcd", X_OK) != 0) {
		print_message("SKIP: etcd is not installed\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	char *argv[] = {"/usr/bin/etcd", "--data-dir", dir, "--listen-client-urls", "http://127.0.0.1:23790",
	        "--advertise-client-urls", "http://127.0.0.1:23790", "--listen-peer-urls", "http://127.0.0.1:23800",
	        "--initial-advertise-peer-urls", "http://127.0.0.1:23800", "--initial-cluster",
	        "default=http://127.0.0.1:23800", NULL};
	pid_t pid = start(argv);
	loop_begin();
	struct http_client *c = client_for(NULL, 23790, NULL);
	/* PutRequest{key: "a", value: "bc"}, RangeRequest{key: "a"} */
	call_when_up(c, "/etcdserverpb.KV/Put",
	        SLICE("\x0a\x01"
	              "a"
	              "\x12\x02"
	              "bc"),
	        &r);
	assert_int_equal(r.status, GRPC_OK);
	strbuf_release(&r.last);
	call(c, "/etcdserverpb.KV/Range",
	        SLICE("\x0a\x01"
	              "a"),
	        &r);
	assert_int_equal(r.status, GRPC_OK);
	assert_non_null(memmem(r.last.data, r.last.len, "bc", 2));
	strbuf_release(&r.last);
	call(c, "/etcdserverpb.KV/Nothing", SLICE(""), &r);
	assert_int_equal(r.status, GRPC_UNIMPLEMENTED);
	close_client(c);
	loop_finish();
	stop(pid, dir);
}

static void containerd_answers(void **state)
{
	char dir[] = "/tmp/k3x-ctrd-XXXXXX";
	struct result r;
	(void)state;
	if (access("/usr/bin/containerd", X_OK) != 0 || geteuid() != 0) {
		print_message("SKIP: containerd is not installed, or not root\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	CLEANUP(cleanup_free) char *root = xprintf("%s/root", dir);
	CLEANUP(cleanup_free) char *run = xprintf("%s/run", dir);
	CLEANUP(cleanup_free) char *sock = xprintf("%s/c.sock", dir);
	CLEANUP(cleanup_free) char *config = xprintf("%s/config.toml", dir);
	FILE *f = fopen(config, "w");
	fputs("version = 2\n", f);
	fclose(f);
	char *argv[] = {
	        "/usr/bin/containerd", "--config", config, "--root", root, "--state", run, "--address", sock, NULL};
	pid_t pid = start(argv);
	loop_begin();
	struct http_client *c = client_for(sock, 0, NULL);
	call_when_up(c, "/containerd.services.version.v1.Version/Version", (struct slice){"", 0}, &r);
	assert_int_equal(r.status, GRPC_OK);
	assert_true(r.last.len > 5);
	strbuf_release(&r.last);
	call(c, "/runtime.v1.RuntimeService/Version", (struct slice){"", 0}, &r);
	if (r.status == GRPC_OK)
		assert_non_null(memmem(r.last.data, r.last.len, "containerd", 10));
	else
		print_message("CRI: status %d: %s\n", r.status, r.err.msg);
	strbuf_release(&r.last);
	close_client(c);
	loop_finish();
	stop(pid, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(frames_may_be_cut_anywhere),
	        cmocka_unit_test(bad_frames_are_refused),
	        cmocka_unit_test(timeouts_and_messages_are_parsed),
	        cmocka_unit_test(calls_work_against_our_server),
	        cmocka_unit_test(etcd_answers),
	        cmocka_unit_test(containerd_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
