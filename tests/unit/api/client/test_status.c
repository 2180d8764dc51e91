/* Errors out of Status objects: by reason, by HTTP status, and by the one cause that is a code of its own. */
#include "tests/unit/unit.h"

#include "api/client/status.h"

static int code_of(int http_status, const char *body)
{
	struct err err;
	int code = client_status_to_err(http_status, slice_of(body), &err);
	assert_int_equal(code, err.code);
	assert_true(code == 0 || err.msg[0]);
	return code;
}

static void reasons_and_statuses_become_codes(void **state)
{
	assert_int_equal(code_of(200, "{}"), 0);
	assert_int_equal(
	        code_of(404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"gone\"}"), ERR_NOT_FOUND);
	assert_int_equal(
	        code_of(409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"x\"}"), ERR_EXISTS);
	assert_int_equal(code_of(409, "no status"), ERR_EXISTS);
	assert_int_equal(code_of(418, "tea"), ERR_INVAL);
	assert_int_equal(code_of(599, "?"), ERR_UNAVAILABLE);
}

/* Controllers tell it from other refusals by this, not by the message's text. */
static void a_namespace_that_goes_away_is_told_apart(void **state)
{
	assert_int_equal(code_of(403, "{\"reason\":\"Forbidden\",\"message\":\"because it is being terminated\"}"),
	        ERR_FORBIDDEN);
	assert_int_equal(
	        code_of(403, "{\"reason\":\"Forbidden\",\"message\":\"no\",\"details\":{\"causes\":[{\"reason\":"
	                     "\"NamespaceTerminating\",\"field\":\"metadata.namespace\"}]}}"),
	        ERR_TERMINATING);
	assert_int_equal(err_http_status(ERR_TERMINATING), 403);
	assert_string_equal(err_reason(ERR_TERMINATING), "Forbidden");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reasons_and_statuses_become_codes),
	        cmocka_unit_test(a_namespace_that_goes_away_is_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
