/* Verdicts of probes, and the requests they send. */
#include "tests/unit/unit.h"

#include "node/probe/probe_rules_int.h"

static struct arena arena;

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	assert_non_null(v);
	return v;
}

static void thresholds_count_runs_in_a_row(void **state)
{
	const struct json *spec = parse("{\"successThreshold\":2,\"failureThreshold\":3}");
	struct probe_count c = {0};
	assert_int_equal(probe_count_run(&c, spec, true), PROBE_UNDECIDED);
	assert_int_equal(probe_count_run(&c, spec, false), PROBE_UNDECIDED);
	assert_int_equal(probe_count_run(&c, spec, true), PROBE_UNDECIDED);
	assert_int_equal(probe_count_run(&c, spec, true), PROBE_PASSED);
	assert_int_equal(probe_count_run(&c, spec, false), PROBE_UNDECIDED);
	assert_int_equal(probe_count_run(&c, spec, false), PROBE_UNDECIDED);
	assert_int_equal(probe_count_run(&c, spec, false), PROBE_FAILED);
	assert_int_equal(probe_count_run(&c, spec, false), PROBE_UNDECIDED); /* counted anew */
	spec = parse("{}");
	c = (struct probe_count){0};
	assert_int_equal(probe_count_run(&c, spec, true), PROBE_PASSED);
}

static void times_have_defaults_and_bounds(void **state)
{
	const struct json *spec = parse("{\"initialDelaySeconds\":5,\"periodSeconds\":2,\"timeoutSeconds\":3}"),
	                  *odd = parse(
	                          "{\"initialDelaySeconds\":-5,\"periodSeconds\":-1,\"timeoutSeconds\":99999999999}");
	assert_int_equal(probe_first_ms(spec, 0), 5000);
	assert_int_equal(probe_first_ms(spec, 4000), 1000);
	assert_int_equal(probe_first_ms(spec, 60000), 50);
	assert_int_equal(probe_period_ms(spec), 2000);
	assert_int_equal(probe_timeout_ms(spec), 3000);
	assert_int_equal(probe_first_ms(odd, 0), 50);
	assert_int_equal(probe_period_ms(odd), 10000);
	assert_int_equal(probe_timeout_ms(odd), 1000000000);
	assert_int_equal(probe_timeout_ms(parse("{}")), 1000);
}

static struct probe_request request(const char *get)
{
	return probe_http_request(&arena, parse(get));
}

static unsigned agents(const struct probe_request *r, struct slice *ret)
{
	unsigned n = 0;
	for (size_t i = 0; i < r->headers_count; i++)
		if (slice_is(r->headers[i].name, "user-agent")) {
			*ret = r->headers[i].value;
			n++;
		}
	return n;
}

static void a_path_goes_out_escaped(void **state)
{
	assert_string_equal(request("{\"path\":\"/a b?x=\\\"1\\\"&y=%20\"}").target, "/a%20b?x=%221%22&y=%20");
	assert_string_equal(request("{\"path\":\"live\\r\\nX: y\"}").target, "/live%0D%0AX:%20y");
	assert_string_equal(request("{\"path\":\"/50%\"}").target, "/50%25");
	assert_string_equal(request("{\"path\":\"/\\u00e9\"}").target, "/%C3%A9");
	assert_string_equal(request("{}").target, "/");
}

static void a_given_host_is_the_one_sent(void **state)
{
	struct probe_request r = request("{\"httpHeaders\":[{\"name\":\"Host\",\"value\":\"web.test\"}]}");
	assert_string_equal(r.host, "web.test");
	assert_int_equal(r.headers_count, 1); /* the agent */
	assert_null(request("{}").host);
}

static void there_is_one_user_agent_at_most(void **state)
{
	struct slice agent = SLICE_NULL;
	struct probe_request r = request("{\"httpHeaders\":[{\"name\":\"user-Agent\",\"value\":\"mine\"}]}");
	assert_int_equal(agents(&r, &agent), 1);
	assert_true(slice_is(agent, "mine"));
	r = request("{\"httpHeaders\":[{\"name\":\"User-Agent\",\"value\":\"\"}]}");
	assert_int_equal(agents(&r, &agent), 0);
	r = request("{}");
	assert_int_equal(agents(&r, &agent), 1);
	assert_true(slice_starts(agent, "kube-probe/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(thresholds_count_runs_in_a_row, teardown),
	        cmocka_unit_test_teardown(times_have_defaults_and_bounds, teardown),
	        cmocka_unit_test_teardown(a_path_goes_out_escaped, teardown),
	        cmocka_unit_test_teardown(a_given_host_is_the_one_sent, teardown),
	        cmocka_unit_test_teardown(there_is_one_user_agent_at_most, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
