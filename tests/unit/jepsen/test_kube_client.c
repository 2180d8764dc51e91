/* jepsen/kube_client: what an answer of Kubernetes' API says about a request, and what objects say about themselves. */
#include "tests/unit/unit.h"

#include "jepsen/kube_client.h"

static void refusals_did_not_happen(void **state)
{
	assert_int_equal(kube_outcome_of(200, ""), CLIENT_OK);
	assert_int_equal(kube_outcome_of(201, ""), CLIENT_OK);
	assert_int_equal(kube_outcome_of(404, ""), CLIENT_FAIL);
	assert_int_equal(kube_outcome_of(409, ""), CLIENT_FAIL);
	assert_int_equal(kube_outcome_of(429, ""), CLIENT_FAIL);
	assert_int_equal(kube_outcome_of(0, "connect to 10.77.0.10: connection refused"), CLIENT_FAIL);
}

static void what_was_under_way_is_unknown(void **state)
{
	assert_int_equal(kube_outcome_of(408, ""), CLIENT_INFO);
	assert_int_equal(kube_outcome_of(500, ""), CLIENT_INFO);
	assert_int_equal(kube_outcome_of(503, ""), CLIENT_INFO);
	assert_int_equal(kube_outcome_of(504, ""), CLIENT_INFO);
	assert_int_equal(kube_outcome_of(0, "PUT /api: no answer in 2000 ms"), CLIENT_INFO);
	assert_int_equal(kube_outcome_of(0, "server closed the connection"), CLIENT_INFO);
}

static void objects_say_their_revision(void **state)
{
	struct err err = ERR_INIT;
	json_auto_t *good = json_lib_parse(SLICE("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"17\"}}"), &err);
	json_auto_t *bad = json_lib_parse(SLICE("{\"metadata\":{\"resourceVersion\":\"x\"}}"), &err);
	assert_int_equal(kube_revision(good), 17);
	assert_true(slice_is(kube_meta(good, "name"), "a"));
	assert_int_equal(kube_revision(bad), -1);
	assert_null(kube_meta(bad, "name").ptr);
	assert_int_equal(kube_revision(NULL), -1);
}

/* Nobody listens there: a call ends, and says that nothing happened. */
static void a_server_that_is_not_there_heard_nothing(void **state)
{
	struct kube_client *c = kube_client_new(NULL, "127.0.0.1", 1, 2000);
	json_auto_t *body = json_object();
	assert_int_equal(kube_client_call(c, "POST", "/api/v1/namespaces", body).base.outcome, CLIENT_FAIL);
	struct kube_watch *w = kube_watch_open(c, "/api/v1/namespaces?watch=1");
	bool ended = false;
	for (int i = 0; i < 20 && !ended; i++)
		assert_null(kube_watch_next(w, 500, &ended));
	assert_true(ended);
	assert_true(kube_watch_error(w)->msg[0] != 0);
	kube_watch_close(w);
	kube_client_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(refusals_did_not_happen),
	        cmocka_unit_test(what_was_under_way_is_unknown), cmocka_unit_test(objects_say_their_revision),
	        cmocka_unit_test(a_server_that_is_not_there_heard_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
