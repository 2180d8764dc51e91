/* Health, readiness and metrics: where the Corefile puts them, and nowhere else; and how they move. */
#include "tests/unit/unit.h"

#include "base/wire/http_client.h"
#include "net/dns/serve/web.h"

static struct loop loop;
static struct web *web;
static bool healthy, ready, closed, done;
static int status;

static bool is_healthy(void *arg)
{
	return healthy;
}

static bool is_ready(void *arg)
{
	return ready;
}

static void write_metrics(void *arg, struct strbuf *out)
{
	strbuf_adds(out, "x 1\n");
}

static void is_closed(void *arg)
{
	closed = true;
}

static void on_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	status = answer->status;
	done = true;
}

/* 0: nobody is there. */
static int get(int port, const char *path)
{
	struct http_client_options o = {.loop = &loop, .host = "127.0.0.1", .port = port};
	struct http_client *c = http_client_new(&o);
	struct http_call_options call = {.method = "GET", .target = path, .on_done = on_done};
	done = closed = false;
	http_client_call(c, &call);
	while (!done)
		loop_turn(&loop);
	http_client_close(c, is_closed, NULL);
	while (!closed)
		loop_turn(&loop);
	return status;
}

static void nobody(struct http_exchange *x, void *arg)
{
	http_respond(x, 404);
}

/* Ports that are free, as far as one can know. */
static int free_port(void)
{
	struct http_server_options o = {.loop = &loop, .handler = nobody};
	struct http_server *s;
	struct err err = ERR_INIT;
	assert_int_equal(http_server_new(&o, &s, &err), 0);
	assert_int_equal(http_server_listen_tcp(s, "127.0.0.1", 0, &err), 0);
	int port = http_server_port(s);
	closed = false;
	http_server_close(s, 0, is_closed, NULL);
	while (!closed)
		loop_turn(&loop);
	return port;
}

static int setup(void **state)
{
	struct web_sources sources = {is_healthy, is_ready, write_metrics, NULL};
	loop_init(&loop, "test");
	loop_own(&loop);
	web = web_new(&loop, &sources);
	return 0;
}

static int teardown(void **state)
{
	closed = false;
	web_close(web, is_closed, NULL);
	while (!closed)
		loop_turn(&loop);
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
	return 0;
}

static void pages_are_where_they_are_wanted(void **state)
{
	struct err err = ERR_INIT;
	int a = free_port(), b = free_port();
	struct conf conf = {.health = {"127.0.0.1", a}, .ready = {"127.0.0.1", b}, .metrics = {"127.0.0.1", b}};
	healthy = true;
	ready = false;
	assert_int_equal(web_follow(web, &conf, &err), 0);
	assert_int_equal(get(a, "/health"), 200);
	assert_int_equal(get(b, "/ready"), 503);
	ready = true;
	assert_int_equal(get(b, "/ready"), 200);
	assert_int_equal(get(b, "/metrics"), 200);
	assert_int_equal(get(a, "/metrics"), 404);
	healthy = false;
	assert_int_equal(get(a, "/health"), 503);
	/* health goes, readiness stays, metrics move */
	int c = free_port();
	conf.health.port = 0;
	conf.metrics.port = c;
	assert_int_equal(web_follow(web, &conf, &err), 0);
	assert_int_equal(get(a, "/health"), 0);
	assert_int_equal(get(b, "/ready"), 200);
	assert_int_equal(get(b, "/metrics"), 404);
	assert_int_equal(get(c, "/metrics"), 200);
}

static void what_can_not_be_had_changes_nothing(void **state)
{
	struct err err = ERR_INIT;
	struct http_server_options o = {.loop = &loop, .handler = nobody};
	struct http_server *other;
	assert_int_equal(http_server_new(&o, &other, &err), 0);
	assert_int_equal(http_server_listen_tcp(other, "127.0.0.1", 0, &err), 0);
	int a = free_port(), b = free_port();
	struct conf conf = {.health = {"127.0.0.1", a}};
	healthy = true;
	assert_int_equal(web_follow(web, &conf, &err), 0);
	conf.health.port = b;
	conf.metrics = (struct conf_listen){"127.0.0.1", http_server_port(other)};
	assert_true(web_follow(web, &conf, &err) != 0);
	assert_non_null(strstr(err.msg, "port"));
	assert_int_equal(get(a, "/health"), 200);
	assert_int_equal(get(b, "/health"), 0);
	closed = false;
	http_server_close(other, 0, is_closed, NULL);
	while (!closed)
		loop_turn(&loop);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(pages_are_where_they_are_wanted),
	        TEST(what_can_not_be_had_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
