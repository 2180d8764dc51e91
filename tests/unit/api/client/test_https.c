/* The HTTPS transport: who asks is said by a file that is written anew, and an informer keeps what it is told to. */
#include "tests/unit/base/wire/wire_test.h"

#include "api/client/informer.h"

#include <stdio.h>

static struct http_server *server;
static struct client *client;
static char bearer[64], folder[] = "/tmp/k3x-test-XXXXXX", path[64];
static bool done, closed;
static int code;

static void handle(struct http_exchange *x, void *arg)
{
	static const char events[] =
	        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":"
	        "\"5\"}}}\n"
	        "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\","
	        "\"resourceVersion\":\"6\"},"
	        "\"x\":1}}\n"
	        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"6\",\"annotations\":{"
	        "\"k8s.io/initial-events-end\":\"true\"}}}}\n";
	struct slice h = http_header(x, "authorization");
	snprintf(bearer, sizeof bearer, "%.*s", SLICE_FMT(h));
	if (slice_starts(http_request(x)->query, "watch=1")) {
		http_on_abort(x, NULL, NULL);
		http_respond_begin(x, 200, -1);
		http_write(x, SLICE(events));
		return;
	}
	http_respond_copy(x, 200, SLICE("{}"));
}

static void write_token(const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	char url[64];
	loop_begin();
	make_identities();
	struct http_server_options so = {.loop = &loop, .handler = handle, .tls = server_tls};
	assert_int_equal(http_server_new(&so, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	snprintf(url, sizeof url, "https://127.0.0.1:%d", http_server_port(server));
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/token", folder);
	struct client_https_options o = {.server_url = url, .tls = anonymous_tls, .token_file = path};
	assert_int_equal(client_https_new(&loop, &o, &client, &err), 0);
	return 0;
}

static void is_closed(void *arg)
{
	closed = true;
}

static int teardown(void **state)
{
	closed = false;
	client_close(client, is_closed, NULL);
	WAIT_FOR(closed);
	closed = false;
	http_server_close(server, 0, is_closed, NULL);
	WAIT_FOR(closed);
	drop_identities();
	loop_finish();
	unlink(path);
	rmdir(folder);
	return 0;
}

static void on_done(struct client_request *req)
{
	code = req->err.code;
	done = true;
}

static void ask(void)
{
	struct client_request req = {.method = "GET", .path = "/x", .done = on_done};
	done = false;
	client_send(client, &req);
	WAIT_FOR(done);
	assert_int_equal(code, 0);
	client_request_release(&req);
}

static void a_token_that_is_written_anew_is_the_one_that_is_sent(void **state)
{
	write_token("first\n");
	ask();
	assert_string_equal(bearer, "Bearer first");
	write_token("second");
	ask();
	assert_string_equal(bearer, "Bearer second");
	unlink(path); /* between two: what was read last is better than nothing */
	ask();
	assert_string_equal(bearer, "Bearer second");
	write_token("evil\r\nx: y");
	ask();
	assert_string_equal(bearer, "Bearer second");
}

static struct rcbuf *length_of(struct slice object)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%zu", object.len);
	return rcbuf_copy(text, (size_t)n);
}

static size_t before_len;

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	before_len = before->len;
}

static void an_informer_keeps_a_digest_of_its_objects(void **state)
{
	struct informer_options o = {
	        .client = client, .path = "/api/v1/things", .digest = length_of, .updated = updated};
	write_token("t");
	struct informer *inf = informer_new(&o);
	WAIT_FOR(informer_is_synced(inf));
	struct informer_object *a = informer_get(inf, SLICE("n/a"));
	assert_non_null(a);
	assert_int_equal(a->json->len, 2);
	assert_memory_equal(a->json->data, "69", 2);
	assert_int_equal(before_len, 2);
	closed = false;
	informer_close(inf, is_closed, NULL);
	WAIT_FOR(closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_token_that_is_written_anew_is_the_one_that_is_sent),
	        cmocka_unit_test(an_informer_keeps_a_digest_of_its_objects),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
