/* Outgoing calls against a server of our own, over TLS. */
#include "base/wire/outgoing.h"
#include "tests/unit/base/wire/wire_test.h"

#include "base/check.h"
#include "base/limits.h"

#include <signal.h>

static struct http_server *server;
static struct outgoing_pool *pool;
static struct http_exchange *held;
static int closed, served, failures_left;

static void count_close(void *arg)
{
	closed++;
}

static void echo(struct http_exchange *x, struct slice body, void *arg)
{
	const struct http_request *r = http_request(x);
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%.*s %.*s %.*s auth=%.*s cert=%.*s", SLICE_FMT(r->method), SLICE_FMT(r->path), SLICE_FMT(body),
	        SLICE_FMT(http_header(x, "authorization")), SLICE_FMT(r->peer->common_name));
	http_respond_strbuf(x, 200, &b);
}

static void handler(struct http_exchange *x, void *arg)
{
	static char large[OUTGOING_ANSWER_BYTES_MAX + 1];
	served++;
	if (slice_is(http_request(x)->path, "/hold")) {
		held = x;
	} else if (slice_is(http_request(x)->path, "/large")) {
		http_respond_copy(x, 200, (struct slice){large, sizeof large});
	} else if (slice_is(http_request(x)->path, "/busy") && failures_left > 0) {
		failures_left--;
		http_respond(x, 503);
	} else {
		http_body_collect(x, 65536, echo, NULL);
	}
}

static int setup(void **state)
{
	struct http_server_options o = {.loop = &loop, .handler = handler, .tls = server_tls};
	loop_begin();
	closed = served = failures_left = 0;
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	pool = outgoing_pool_new(&loop);
	return 0;
}

static int teardown(void **state)
{
	if (pool)
		outgoing_pool_close(pool, count_close, NULL);
	pool = NULL;
	WAIT_FOR(closed == 1);
	http_server_close(server, 0, count_close, NULL);
	WAIT_FOR(closed == 2);
	loop_finish();
	return 0;
}

struct result {
	struct outgoing_call call;
	int done;
	char text[300];
};

static void done(struct outgoing_call *c)
{
	struct result *r = c->arg;
	r->done++;
	snprintf(r->text, sizeof r->text, "%.*s", SLICE_FMT(c->answer));
}

static struct outgoing *target(const char *path, struct outgoing_target t)
{
	static char url[100];
	struct outgoing *o;
	snprintf(url, sizeof url, "https://localhost:%d%s", http_server_port(server), path);
	t.url = url;
	err = ERR_INIT;
	assert_int_equal(outgoing_get(pool, &t, &o, &err), 0);
	return o;
}

static struct result send_and_wait(struct outgoing *o, const char *body)
{
	struct result r = {.call = {.body = slice_of(body), .done = done, .timeout_ms = 5000}};
	r.call.arg = &r;
	outgoing_send(o, &r.call);
	assert_int_equal(r.done, 0);
	WAIT_FOR(r.done);
	return r;
}

static void a_call_brings_body_path_token_and_certificate(void **state)
{
	struct outgoing *o = target("/hook?x=1", (struct outgoing_target){.ca_pem = ca.certificate_pem,
	                                                 .bearer = "t0ken",
	                                                 .certificate_pem = client_pair.certificate_pem,
	                                                 .key_pem = client_pair.key_pem});
	struct result r = send_and_wait(o, "{}");
	assert_int_equal(r.call.err.code, 0);
	assert_int_equal(r.call.status, 200);
	assert_string_equal(r.text, "POST /hook {} auth=Bearer t0ken cert=admin");
	outgoing_unref(o);
}

static void the_same_target_is_shared_and_another_is_not(void **state)
{
	struct outgoing_target t = {.ca_pem = ca.certificate_pem};
	struct outgoing *a = target("/", t), *b = target("/", t), *c = target("/other", t);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	outgoing_unref(a);
	outgoing_unref(b);
	outgoing_unref(c);
}

static void a_stranger_is_not_believed(void **state)
{
	struct pki_pair other;
	assert_int_equal(pki_ca_new("other", &other, &err), 0);
	struct outgoing *o = target("/", (struct outgoing_target){.ca_pem = other.certificate_pem});
	struct result r = send_and_wait(o, "{}");
	assert_int_not_equal(r.call.err.code, 0);
	assert_non_null(strstr(r.call.err.msg, "https://localhost"));
	assert_int_equal(served, 0);
	outgoing_unref(o);
	o = target("/", (struct outgoing_target){.ca_pem = ca.certificate_pem, .server_name = "elsewhere.example"});
	r = send_and_wait(o, "{}");
	assert_int_not_equal(r.call.err.code, 0);
	assert_int_equal(served, 0);
	outgoing_unref(o);
	pki_pair_release(&other);
}

static void the_address_may_be_another_than_the_name(void **state)
{
	struct outgoing *o;
	struct outgoing_target t = {.url = "https://localhost/x",
	        .connect_host = "127.0.0.1",
	        .connect_port = http_server_port(server),
	        .ca_pem = ca.certificate_pem};
	assert_int_equal(outgoing_get(pool, &t, &o, &err), 0);
	struct result r = send_and_wait(o, "{}");
	assert_string_equal(r.text, "POST /x {} auth= cert=");
	outgoing_unref(o);
}

static void what_fails_is_tried_again_as_often_as_was_said(void **state)
{
	struct outgoing *o = target("/busy", (struct outgoing_target){.ca_pem = ca.certificate_pem});
	failures_left = 1;
	struct result r = {.call = {.done = done, .tries = 2}};
	r.call.arg = &r;
	outgoing_send(o, &r.call);
	WAIT_FOR(r.done);
	assert_int_equal(r.call.status, 200);
	assert_int_equal(served, 2);
	failures_left = 1;
	r = send_and_wait(o, "");
	assert_int_equal(r.call.status, 503);
	assert_int_equal(served, 3);
	outgoing_unref(o);
}

static void a_call_ends_at_its_time_and_when_it_is_canceled(void **state)
{
	struct outgoing *o = target("/hold", (struct outgoing_target){.ca_pem = ca.certificate_pem});
	struct result r = {.call = {.done = done, .timeout_ms = 300, .tries = 5}};
	r.call.arg = &r;
	outgoing_send(o, &r.call);
	WAIT_FOR(r.done);
	assert_int_equal(r.call.err.code, ERR_TIMEOUT);
	r = (struct result){.call = {.done = done}};
	r.call.arg = &r;
	outgoing_send(o, &r.call);
	outgoing_cancel(&r.call);
	assert_int_equal(r.done, 0);
	outgoing_cancel(&r.call);
	WAIT_FOR(r.done);
	assert_int_equal(r.done, 1);
	assert_int_equal(r.call.err.code, ERR_CANCELED);
	outgoing_unref(o);
}

static void an_answer_without_an_end_is_an_error(void **state)
{
	struct outgoing *o = target("/large", (struct outgoing_target){.ca_pem = ca.certificate_pem});
	struct result r = send_and_wait(o, "");
	assert_int_equal(r.call.err.code, ERR_TOO_BIG);
	outgoing_unref(o);
}

static void a_closed_pool_ends_its_calls_and_targets_may_outlive_it(void **state)
{
	struct outgoing *o = target("/hold", (struct outgoing_target){.ca_pem = ca.certificate_pem});
	struct result r = {.call = {.done = done}};
	r.call.arg = &r;
	held = NULL;
	outgoing_send(o, &r.call);
	WAIT_FOR(held);
	outgoing_pool_close(TAKE(pool), count_close, NULL);
	WAIT_FOR(r.done && closed == 1);
	assert_int_equal(r.call.err.code, ERR_CANCELED);
	outgoing_unref(o);
}

static void the_last_reference_may_go_while_a_call_is_open(void **state)
{
	struct outgoing *o = target("/x", (struct outgoing_target){.ca_pem = ca.certificate_pem});
	struct result r = {.call = {.done = done}};
	r.call.arg = &r;
	outgoing_send(o, &r.call);
	outgoing_unref(o);
	WAIT_FOR(r.done);
	assert_int_equal(r.call.status, 200);
}

static void too_many_calls_to_one_are_no_calls_too_many_to_another(void **state)
{
	struct outgoing_target t = {.ca_pem = ca.certificate_pem};
	struct outgoing *busy = target("/hold", t), *other = target("/x", t);
	struct result *many = xcalloc(OUTGOING_CALLS_MAX + 1, sizeof *many);
	for (size_t i = 0; i <= OUTGOING_CALLS_MAX; i++) {
		many[i].call = (struct outgoing_call){.done = done, .arg = &many[i]};
		outgoing_send(busy, &many[i].call);
	}
	WAIT_FOR(many[OUTGOING_CALLS_MAX].done);
	assert_int_equal(many[OUTGOING_CALLS_MAX].call.err.code, ERR_BUSY);
	assert_int_equal(many[0].done, 0);
	struct result r = send_and_wait(other, "");
	assert_int_equal(r.call.status, 200);
	for (size_t i = 0; i < OUTGOING_CALLS_MAX; i++)
		outgoing_cancel(&many[i].call);
	for (size_t i = 0; i < OUTGOING_CALLS_MAX; i++)
		WAIT_FOR(many[i].done);
	outgoing_unref(busy);
	outgoing_unref(other);
	free(many);
}

static void an_odd_url_is_refused(void **state)
{
	static const char *const bad[] = {"", "ftp://a", "https://", "https://a b", "https://u@h/", "https://h/#x",
	        "https://h:70000/", "https:///x", "localhost:1"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct outgoing *o;
		struct outgoing_target t = {.url = bad[i], .ca_pem = ca.certificate_pem};
		err = ERR_INIT;
		if (outgoing_get(pool, &t, &o, &err) != ERR_INVAL)
			fail_msg("%s is taken: %s", bad[i], err.msg);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_call_brings_body_path_token_and_certificate),
	        TEST(the_same_target_is_shared_and_another_is_not),
	        TEST(a_stranger_is_not_believed),
	        TEST(the_address_may_be_another_than_the_name),
	        TEST(what_fails_is_tried_again_as_often_as_was_said),
	        TEST(a_call_ends_at_its_time_and_when_it_is_canceled),
	        TEST(an_answer_without_an_end_is_an_error),
	        TEST(a_closed_pool_ends_its_calls_and_targets_may_outlive_it),
	        TEST(the_last_reference_may_go_while_a_call_is_open),
	        TEST(too_many_calls_to_one_are_no_calls_too_many_to_another),
	        TEST(an_odd_url_is_refused),
	};
	signal(SIGPIPE, SIG_IGN); /* as the server has it: its other end may be gone when it writes */
	make_identities();
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	drop_identities();
	return rc;
}
