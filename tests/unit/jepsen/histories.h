/* For tests of checkers: writing histories down in short, and asking for a verdict.
 *
 *     R(0, INVOKE, WRITE, o.key = "x", o.value = 1);
 *     R(0, OK, WRITE);
 *     assert_invalid("G1a");
 *
 * Time goes on by a second per record. */
#ifndef K3X_TESTS_JEPSEN_HISTORIES_H
#define K3X_TESTS_JEPSEN_HISTORIES_H

#include "tests/unit/unit.h"

#include "jepsen/check.h"

static struct history h;
static int64_t now_s;

#define R(process_, type_, f_, ...) \
	({ \
		struct history_record o = HISTORY_RECORD_INIT; \
		o.time_ns = ++now_s * 1000000000; \
		o.process = (process_); \
		o.type = HISTORY_##type_; \
		o.f = HISTORY_##f_; \
		__VA_ARGS__; \
		history_append(&h, &o); \
	})

#define ITEMS(...) \
	(o.items = (struct history_item[]){__VA_ARGS__}, \
	        o.item_count = sizeof((struct history_item[]){__VA_ARGS__}) / sizeof(struct history_item))
#define VALUES(...) \
	(o.values = (int64_t[]){__VA_ARGS__}, o.value_count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static inline void begin(const char *workload)
{
	now_s = 0;
	history_init(&h);
	history_set(&h, "workload", workload);
}

/* Ends the history: the checker must say this, and if invalid name the anomaly first. */
static inline void expect_verdict(const char *checker, enum check_verdict verdict, const char *anomaly)
{
	struct check_report report;
	struct check_options options = CHECK_OPTIONS_DEFAULT;
	struct err err = ERR_INIT;
	if (check_history(&h, &options, &report, &err) != 0)
		fail_msg("%s", err.msg);
	bool found = false;
	for (size_t i = 0; i < report.count; i++) {
		const struct check_result *r = &report.results[i];
		if (strcmp(r->checker, checker) != 0)
			continue;
		found = true;
		if (r->verdict != verdict)
			fail_msg("%s is %s: %s", checker, check_verdict_name(r->verdict),
			        r->findings ? r->findings->text : r->reason);
		if (anomaly) {
			assert_non_null(r->findings);
			assert_string_equal(r->findings->anomaly, anomaly);
			assert_true(r->findings->record_count > 0);
		}
	}
	assert_true(found);
	check_report_release(&report);
	history_release(&h);
}

#define expect_valid(checker) expect_verdict(checker, CHECK_VALID, NULL)
#define expect_invalid(checker, anomaly) expect_verdict(checker, CHECK_INVALID, anomaly)

#endif
