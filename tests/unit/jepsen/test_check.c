/* jepsen/check: which checkers a history gets, and what it is told when none can be asked. */
#include "tests/unit/jepsen/histories.h"

static int run_checks(struct check_report *report, uint32_t findings_max)
{
	struct check_options options = CHECK_OPTIONS_DEFAULT;
	struct err err = ERR_INIT;
	options.findings_max = findings_max;
	int rc = check_history(&h, &options, report, &err);
	assert_true(rc == 0 || err.msg[0]);
	return rc;
}

static void the_workload_picks_the_checkers(void **state)
{
	struct check_report report;
	begin("kube");
	assert_int_equal(run_checks(&report, 4), 0);
	assert_int_equal(report.count, 4);
	assert_string_equal(report.results[0].checker, "watch");
	assert_string_equal(report.results[1].checker, "kube");
	assert_string_equal(report.results[2].checker, "origin");
	assert_string_equal(report.results[3].checker, "revision");
	check_report_release(&report);
	history_release(&h);
}

static void a_workload_that_nobody_knows_is_an_error(void **state)
{
	struct check_report report;
	begin("juggling");
	assert_int_equal(run_checks(&report, 4), ERR_INVAL);
	history_release(&h);
	history_init(&h);
	assert_int_equal(run_checks(&report, 4), ERR_INVAL);
	history_release(&h);
}

static void a_history_that_does_not_pair_is_an_error(void **state)
{
	struct check_report report;
	begin("register");
	R(0, INVOKE, READ, o.key = "x");
	R(0, INVOKE, READ, o.key = "x");
	assert_int_equal(run_checks(&report, 4), ERR_INVAL);
	history_release(&h);
}

static void only_some_findings_are_kept_and_all_are_counted(void **state)
{
	struct check_report report;
	begin("unique");
	for (int i = 0; i < 10; i++) {
		R(0, INVOKE, GENERATE);
		R(0, OK, GENERATE, o.value = 1);
	}
	assert_int_equal(run_checks(&report, 4), 0);
	assert_int_equal(report.verdict, CHECK_INVALID);
	assert_int_equal(report.results[0].finding_count, 9);
	int kept = 0;
	for (const struct check_finding *f = report.results[0].findings; f; f = f->next)
		kept++;
	assert_int_equal(kept, 4);
	check_report_release(&report);
	history_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_workload_picks_the_checkers),
	        cmocka_unit_test(a_workload_that_nobody_knows_is_an_error),
	        cmocka_unit_test(a_history_that_does_not_pair_is_an_error),
	        cmocka_unit_test(only_some_findings_are_kept_and_all_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
