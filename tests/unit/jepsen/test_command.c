/* jepsen/command: input, output, failures with their words. */
#include "tests/unit/unit.h"

#include "jepsen/command.h"

static void input_goes_in_and_output_comes_out(void **state)
{
	const char *const argv[] = {"tr", "a-z", "A-Z", NULL};
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(command_run(NAMESPACE_OURS, argv, "quiet", &out, &err), 0);
	assert_string_equal(strbuf_cstr(&out), "QUIET");
	strbuf_release(&out);
}

static void a_failure_carries_its_words(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(command_line(NAMESPACE_OURS, &err, "ls /no/such/%s", "place"), ERR_IO);
	assert_non_null(strstr(err.msg, "/no/such/place"));
	err = ERR_INIT;
	assert_int_not_equal(command_line(NAMESPACE_OURS, &err, "no-such-program-at-all x"), 0);
	assert_non_null(strstr(err.msg, "no-such-program-at-all"));
	err = ERR_INIT;
	assert_int_equal(command_line(NAMESPACE_OURS, &err, "false"), ERR_IO);
	assert_int_equal(command_line(NAMESPACE_OURS, &err, "true"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(input_goes_in_and_output_comes_out), cmocka_unit_test(a_failure_carries_its_words)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
