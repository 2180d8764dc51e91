/* Tokens that a webhook knows: who asks the same waits for one answer, answers and refusals are remembered, failures
 * are not, and audiences count. The webhook is a server of our own. */
#include "api/server/auth/identity/token_webhook.h"
#include "base/wire/outgoing.h"
#include "tests/unit/base/wire/wire_test.h"

#include "base/check.h"

#include <signal.h>
#include <stdio.h>

static struct http_server *server;
static struct outgoing_pool *pool;
static struct token_webhook *hook;
static struct api_token_webhook_arguments args;
static int closed, asked, status;
static const char *answer;
static struct arena arena;
static char kubeconfig[] = "/tmp/k3x-test-hook-XXXXXX";

#define REVIEW(status) "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"status\":" status "}"

static void count_close(void *arg)
{
	closed++;
}

static void reply(struct http_exchange *x, struct slice body, void *arg)
{
	asked++;
	http_respond_copy(x, status, slice_of(answer));
}

static void handler(struct http_exchange *x, void *arg)
{
	http_body_collect(x, 65536, reply, NULL);
}

static int setup(void **state)
{
	struct http_server_options o = {.loop = &loop, .handler = handler, .tls = server_tls};
	loop_begin();
	closed = asked = 0;
	status = 200;
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	pool = outgoing_pool_new(&loop);
	int fd = mkstemp(kubeconfig);
	assert_true(fd >= 0);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b,
	        "{clusters: [{name: c, cluster: {server: 'https://localhost:%d/', insecure-skip-tls-verify: true}}]}",
	        http_server_port(server));
	assert_int_equal(write(fd, b.data, b.len), b.len);
	close(fd);
	args = (struct api_token_webhook_arguments){kubeconfig, "v1", 60000};
	assert_int_equal(token_webhook_new(&loop, pool, &args, &hook, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	outgoing_pool_close(pool, count_close, NULL);
	WAIT_FOR(closed == 1);
	token_webhook_free(hook);
	http_server_close(server, 0, count_close, NULL);
	WAIT_FOR(closed == 2);
	loop_finish();
	unlink(kubeconfig);
	memset(kubeconfig + sizeof kubeconfig - 7, 'X', 6);
	arena_release(&arena);
	return 0;
}

struct question {
	struct token_question q;
	struct err err;
	int answers, rc;
};

static void told(struct token_question *q, const struct err *why)
{
	struct question *x = q->arg;
	x->err = *why;
	x->answers++;
}

static void ask(struct question *x, const char *token, const struct slice *audiences, size_t n)
{
	*x = (struct question){.q = {.arena = &arena,
	                               .token = slice_of(token),
	                               .audiences = audiences,
	                               .n_audiences = n,
	                               .step = told}};
	x->q.arg = x;
	x->rc = token_webhook_ask(hook, &x->q, &x->err);
}

static const struct slice api_audience[] = {SLICE("api")};

static void who_asks_the_same_waits_for_one_answer(void **state)
{
	struct question a, b, c, other;
	answer = REVIEW("{\"authenticated\":true,\"user\":{\"username\":\"ann\",\"groups\":[\"g\"]}}");
	ask(&a, "t", api_audience, 1);
	ask(&b, "t", api_audience, 1);
	ask(&other, "u", api_audience, 1);
	assert_true(a.rc == AUTHN_LATER && b.rc == AUTHN_LATER && other.rc == AUTHN_LATER);
	WAIT_FOR(a.answers && b.answers && other.answers);
	assert_int_equal(asked, 2);
	assert_true(slice_is(a.q.user->name, "ann") && a.q.user == b.q.user &&
	            user_is_in(a.q.user, "system:authenticated"));
	ask(&c, "t", api_audience, 1); /* remembered */
	assert_true(c.rc == 0 && slice_is(c.q.user->name, "ann"));
	assert_int_equal(asked, 2);
	user_unref(a.q.user);
	user_unref(b.q.user);
	user_unref(c.q.user);
	user_unref(other.q.user);
}

static void a_refusal_is_remembered_and_a_failure_is_not(void **state)
{
	struct question x;
	answer = REVIEW("{\"authenticated\":false,\"error\":\"stale\"}");
	ask(&x, "no", api_audience, 1);
	WAIT_FOR(x.answers);
	assert_int_equal(x.err.code, ERR_UNAUTHENTICATED);
	assert_string_equal(x.err.msg, "invalid bearer token: webhook: stale");
	ask(&x, "no", api_audience, 1);
	assert_int_equal(x.rc, ERR_UNAUTHENTICATED);
	assert_int_equal(asked, 1);
	status = 404;
	ask(&x, "broken", api_audience, 1);
	WAIT_FOR(x.answers);
	assert_int_equal(x.err.code, ERR_UNAUTHENTICATED);
	status = 200;
	answer = "[]";
	ask(&x, "broken", api_audience, 1);
	assert_int_equal(x.rc, AUTHN_LATER);
	WAIT_FOR(x.answers);
	assert_non_null(strstr(x.err.msg, "it is no TokenReview"));
}

static void audiences_that_it_names_count(void **state)
{
	static const struct slice two[] = {SLICE("vault"), SLICE("api")};
	struct question x;
	answer = REVIEW("{\"authenticated\":true,\"user\":{\"username\":\"ann\"},\"audiences\":[\"api\",\"x\"]}");
	ask(&x, "t", two, 2);
	WAIT_FOR(x.answers);
	assert_int_equal(x.err.code, 0);
	assert_true(x.q.n_good_for == 1 && slice_is(x.q.good_for[0], "api"));
	user_unref(x.q.user);
	ask(&x, "t", two, 1); /* of "vault" alone: another question */
	WAIT_FOR(x.answers);
	assert_int_equal(x.err.code, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(x.err.msg, "another audience"));
}

static int begin(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	make_identities();
	return 0;
}

static int finish(void **state)
{
	drop_identities();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(who_asks_the_same_waits_for_one_answer, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_refusal_is_remembered_and_a_failure_is_not, setup, teardown),
	        cmocka_unit_test_setup_teardown(audiences_that_it_names_count, setup, teardown),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
