/* The webhook backend against a server of our own: batches, second tries, what is lost, and the end. */
#include "api/server/audit/audit_webhook.h"
#include "tests/unit/base/wire/wire_test.h"

#include "base/check.h"

#include <unistd.h>

static struct http_server *server;
static struct outgoing_pool *pool;
static struct audit_webhook *webhook;
static struct audit_options options;
static int closed, calls, answers[8], n_answers;
static struct strbuf bodies;

static void count_close(void *arg)
{
	closed++;
}

static void take(struct http_exchange *x, struct slice body, void *arg)
{
	int status = calls < n_answers ? answers[calls] : 200;
	calls++;
	if (status == 200) {
		strbuf_add_slice(&bodies, body);
		strbuf_addc(&bodies, '\n');
	}
	http_respond(x, status);
}

static void handler(struct http_exchange *x, void *arg)
{
	http_body_collect(x, 65536, take, NULL);
}

static int setup(void **state)
{
	static char path[64];
	struct http_server_options o = {.loop = &loop, .handler = handler};
	struct strbuf text = STRBUF_INIT;
	loop_begin();
	closed = calls = n_answers = 0;
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	snprintf(path, sizeof path, "/tmp/k3x-webhook-XXXXXX");
	close(mkstemp(path));
	strbuf_addf(&text,
	        "kind: Config\napiVersion: v1\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d/audit'}}]\n",
	        http_server_port(server));
	assert_int_equal(pki_file_write(path, strbuf_slice(&text), 0600, &err), 0);
	strbuf_release(&text);
	options = (struct audit_options)AUDIT_OPTIONS_INIT;
	options.webhook_config_file = path;
	options.webhook_max_size = 2;
	options.webhook_max_wait_ms = 3600 * 1000;
	options.webhook_backoff_ms = 1;
	pool = outgoing_pool_new(&loop);
	return 0;
}

static void open_webhook(void)
{
	err = ERR_INIT;
	if (audit_webhook_new(&loop, pool, &options, &webhook, &err) != 0)
		fail_msg("%s", err.msg);
}

static void close_webhook(void)
{
	int before = closed;
	audit_webhook_close(webhook, count_close, NULL);
	WAIT_FOR(closed == before + 1);
	audit_webhook_free(TAKE(webhook));
}

static int teardown(void **state)
{
	int before = closed;
	unlink(options.webhook_config_file);
	outgoing_pool_close(pool, count_close, NULL);
	WAIT_FOR(closed == before + 1);
	http_server_close(server, 0, count_close, NULL);
	WAIT_FOR(closed == before + 2);
	strbuf_release(&bodies);
	loop_finish();
	return 0;
}

#define LIST(items) \
	"{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"metadata\":{},\"items\":[" items "]}\n"

static void a_full_batch_goes_and_the_rest_at_the_end(void **state)
{
	open_webhook();
	audit_webhook_add(webhook, SLICE("1"));
	audit_webhook_add(webhook, SLICE("2"));
	audit_webhook_add(webhook, SLICE("3"));
	WAIT_FOR(calls == 1);
	assert_string_equal(strbuf_cstr(&bodies), LIST("1,2"));
	close_webhook();
	assert_string_equal(strbuf_cstr(&bodies), LIST("1,2") LIST("3"));
}

static void a_batch_that_waited_goes(void **state)
{
	options.webhook_max_wait_ms = 5;
	open_webhook();
	audit_webhook_add(webhook, SLICE("1"));
	WAIT_FOR(calls == 1);
	assert_string_equal(strbuf_cstr(&bodies), LIST("1"));
	close_webhook();
}

static void what_failed_is_sent_again(void **state)
{
	memcpy(answers, (int[]){503, 429, 500}, 3 * sizeof(int));
	n_answers = 3;
	open_webhook();
	audit_webhook_add(webhook, SLICE("1"));
	audit_webhook_add(webhook, SLICE("2"));
	WAIT_FOR(calls == 4);
	close_webhook();
	assert_string_equal(strbuf_cstr(&bodies), LIST("1,2"));
}

static void what_is_refused_or_failed_five_times_is_lost(void **state)
{
	memcpy(answers, (int[]){400, 500, 500, 500, 500, 500}, 6 * sizeof(int));
	n_answers = 6;
	open_webhook();
	audit_webhook_add(webhook, SLICE("1"));
	audit_webhook_add(webhook, SLICE("2"));
	WAIT_FOR(audit_webhook_lost(webhook) == 2);
	assert_int_equal(calls, 1);
	audit_webhook_add(webhook, SLICE("3"));
	audit_webhook_add(webhook, SLICE("4"));
	WAIT_FOR(audit_webhook_lost(webhook) == 4);
	assert_int_equal(calls, 6);
	close_webhook();
}

static void what_does_not_fit_is_lost(void **state)
{
	options.webhook_buffer_size = 3;
	options.webhook_max_size = 3;
	open_webhook();
	for (int i = 0; i < 5; i++)
		audit_webhook_add(webhook, SLICE("1")); /* nothing is sent before the loop turns */
	assert_int_equal(audit_webhook_lost(webhook), 2);
	close_webhook();
	assert_string_equal(strbuf_cstr(&bodies), LIST("1,1,1"));
}

static void the_throttle_holds_batches_back(void **state)
{
	options.webhook_max_size = 1;
	options.webhook_throttle_burst = 2;
	options.webhook_throttle_qps = 1;
	open_webhook();
	for (int i = 0; i < 4; i++)
		audit_webhook_add(webhook, SLICE("1"));
	WAIT_FOR(calls == 2);
	close_webhook(); /* the end waits for no turn */
	assert_int_equal(calls, 4);
}

static void settings_that_make_no_sense_are_refused(void **state)
{
	options.webhook_max_size = options.webhook_buffer_size + 1;
	assert_int_equal(audit_webhook_new(&loop, pool, &options, &webhook, &err), ERR_INVAL);
	options.webhook_max_size = 1;
	options.webhook_throttle_qps = 0;
	assert_int_equal(audit_webhook_new(&loop, pool, &options, &webhook, &err), ERR_INVAL);
	err = ERR_INIT;
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(a_full_batch_goes_and_the_rest_at_the_end), T(a_batch_that_waited_goes),
	        T(what_failed_is_sent_again), T(what_is_refused_or_failed_five_times_is_lost),
	        T(what_does_not_fit_is_lost), T(the_throttle_holds_batches_back),
	        T(settings_that_make_no_sense_are_refused)};
	make_identities();
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	drop_identities();
	return rc;
}
