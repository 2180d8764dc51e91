/* jepsen/report: pages for any history, and a summary over folders. */
#include "tests/unit/jepsen/histories.h"

#include "base/json_lib.h"
#include "jepsen/report.h"

#include <unistd.h>

static void check(struct check_report *report)
{
	struct check_options options = CHECK_OPTIONS_DEFAULT;
	struct err err = ERR_INIT;
	assert_int_equal(check_history(&h, &options, report, &err), 0);
}

/* Every element that is opened is closed, in order. */
static void assert_well_formed(const char *page)
{
	static const char *const empty[] = {"meta", "rect", "line", "circle", "path", "br"};
	char open[64][16];
	int depth = 0;
	for (const char *p = strchr(page + 1, '<'); p; p = strchr(p + 1, '<')) {
		bool closes = p[1] == '/';
		char name[16] = "";
		size_t len = strspn(p + 1 + closes, "abcdefghijklmnopqrstuvwxyz0123456789");
		assert_in_range(len, 1, 15);
		memcpy(name, p + 1 + closes, len);
		bool is_empty = false;
		for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++)
			is_empty |= strcmp(empty[i], name) == 0;
		if (closes) {
			assert_true(depth > 0);
			assert_string_equal(open[--depth], name);
		} else if (!is_empty) {
			assert_true(depth < 64);
			memcpy(open[depth++], name, sizeof name);
		}
		if (strcmp(name, "style") == 0 && !closes)
			p = strstr(p, "</style>") - 1;
		if (strcmp(name, "script") == 0 && !closes)
			p = strstr(p, "</script>") - 1;
	}
	assert_int_equal(depth, 0);
}

static char *page_of(const struct report_notes *notes)
{
	struct check_report report;
	struct strbuf out = STRBUF_INIT;
	check(&report);
	report_write_html(&h, &report, notes, &out);
	check_report_release(&report);
	history_release(&h);
	char *page = strbuf_detach(&out);
	assert_well_formed(page);
	return page;
}

static void a_violation_is_shown_with_its_proof(void **state)
{
	begin("register");
	history_set(&h, "target", "<b>&");
	history_set(&h, "seed", "42");
	size_t fault = history_fault_begin(&h, 1000000000, "kill-<all>", 5, "\"quoted\"");
	history_fault_end(&h, fault, 9000000000);
	R(0, INVOKE, WRITE, o.key = "<i>", o.value = 1, o.node = 0);
	R(0, OK, WRITE, o.node = 0);
	R(0, INVOKE, WRITE, o.key = "<i>", o.value = 2);
	R(0, OK, WRITE);
	R(1, INVOKE, READ, o.key = "<i>");
	R(1, OK, READ, o.value = 1);
	R(2, INVOKE, WRITE, o.key = "<i>", o.value = 3);
	R(2, INFO, WRITE, o.error = "<script>");
	CLEANUP(cleanup_free) char *page = page_of(NULL);
	assert_non_null(strstr(page, "not linearizable"));
	assert_non_null(strstr(page, "proof ok culprit"));
	assert_non_null(strstr(page, "Broken at the time: kill-&lt;all&gt;"));
	assert_null(strstr(page, "<i>"));
	assert_null(strstr(page, "<script>;"));
}

static void a_history_without_operations_has_a_page(void **state)
{
	begin("set");
	CLEANUP(cleanup_free) char *page = page_of(NULL);
	assert_non_null(strstr(page, "badge valid"));
}

static void what_the_harness_saw_makes_a_run_invalid(void **state)
{
	const char *texts[] = {"n1 crashed with signal 11"};
	struct report_notes notes = {texts, 1};
	begin("set");
	CLEANUP(cleanup_free) char *page = page_of(&notes);
	assert_non_null(strstr(page, "badge invalid"));
	assert_non_null(strstr(page, "n1 crashed with signal 11"));
}

static void many_operations_are_drawn_as_cells(void **state)
{
	begin("set");
	for (int64_t i = 0; i < 5000; i++) {
		R((int32_t)(i % 100), INVOKE, ADD, o.key = "s", o.value = i);
		R((int32_t)(i % 100), OK, ADD);
	}
	CLEANUP(cleanup_free) char *page = page_of(NULL);
	assert_true(strlen(page) < 3000000);
	assert_non_null(strstr(page, "lane 0, "));
}

static void long_proofs_are_cut(void **state)
{
	begin("bank");
	history_set(&h, "total", "5");
	struct check_report report;
	for (int i = 0; i < 100; i++)
		R(i, INVOKE, READ);
	for (int i = 0; i < 100; i++)
		R(i, OK, READ, ITEMS(HISTORY_ITEM_INIT(HISTORY_READ, "a", 5)));
	check(&report);
	uint32_t all[200];
	for (uint32_t i = 0; i < 200; i++)
		all[i] = 199 - i;
	struct check_finding f = {
	        .anomaly = "x", .text = "y", .records = all, .record_count = 200, .culprit = HISTORY_NONE};
	report.results[0].findings = &f;
	report.results[0].finding_count = 1;
	struct strbuf out = STRBUF_INIT;
	report_write_html(&h, &report, NULL, &out);
	assert_well_formed(strbuf_cstr(&out));
	strbuf_release(&out);
	check_report_release(&report);
	history_release(&h);
}

/* ---- folders ---- */

static char folder[64];

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-report-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static char *slurp(const char *name)
{
	char path[200];
	struct strbuf text = STRBUF_INIT;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	for (int c; (c = fgetc(f)) != EOF;)
		strbuf_addc(&text, (char)c);
	fclose(f);
	return strbuf_detach(&text);
}

static void save_run(const char *name, int64_t read, const struct report_notes *notes)
{
	char path[200];
	struct check_report report;
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/%s/", folder, name);
	char command[256];
	snprintf(command, sizeof command, "mkdir -p %s", path);
	assert_int_equal(system(command), 0);
	begin("unique");
	history_set(&h, "target", "etcd|k3x");
	history_set(&h, "seed", "7");
	R(0, INVOKE, GENERATE);
	R(0, OK, GENERATE, o.value = 1);
	R(0, INVOKE, GENERATE);
	R(0, OK, GENERATE, o.value = read);
	check(&report);
	assert_int_equal(report_save(&h, &report, notes, path, &err), 0);
	check_report_release(&report);
	history_release(&h);
}

static void a_summary_counts_all_runs_below_its_folders(void **state)
{
	const char *texts[] = {"crash"};
	struct report_notes notes = {texts, 1};
	struct err err = ERR_INIT;
	char to[100];
	save_run("deep/good", 2, NULL);
	save_run("bad", 1, NULL);
	save_run("crashed", 2, &notes);
	snprintf(to, sizeof to, "%s/", folder);
	char *folders[] = {folder};
	assert_int_equal(report_summary(folders, 1, to, &err), 0);
	CLEANUP(cleanup_free) char *md = slurp("summary.md");
	CLEANUP(cleanup_free) char *page = slurp("summary.html");
	assert_non_null(strstr(md, "3 runs, 6 operations, 0 faults, 2 violations."));
	assert_non_null(strstr(md, "| unique | etcd\\|k3x |  | 7 | 2 | 0 | 1 | invalid | duplicate id |"));
	assert_non_null(strstr(md, "| invalid | seen by the harness |"));
	assert_non_null(strstr(page, "bad/report.html"));
	assert_well_formed(page);
}

static void a_summary_of_nothing_is_an_error(void **state)
{
	struct err err = ERR_INIT;
	char *folders[] = {folder};
	assert_int_equal(report_summary(folders, 1, "", &err), ERR_NOT_FOUND);
}

static void a_result_says_all_in_json(void **state)
{
	struct err err = ERR_INIT;
	save_run("bad", 1, NULL);
	CLEANUP(cleanup_free) char *text = slurp("bad/result.json");
	json_auto_t *root = json_lib_parse(slice_of(text), &err);
	assert_non_null(root);
	json_t *verdict = json_object_get(root, "check");
	assert_true(slice_is(json_lib_get_str(verdict, "verdict"), "invalid"));
	json_t *checker = json_array_get(json_object_get(verdict, "checkers"), 0);
	json_t *finding = json_array_get(json_object_get(checker, "findings"), 0);
	assert_true(slice_is(json_lib_get_str(finding, "anomaly"), "duplicate id"));
	assert_int_equal(json_array_size(json_object_get(finding, "records")), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_violation_is_shown_with_its_proof),
	        cmocka_unit_test(a_history_without_operations_has_a_page),
	        cmocka_unit_test(what_the_harness_saw_makes_a_run_invalid),
	        cmocka_unit_test(many_operations_are_drawn_as_cells),
	        cmocka_unit_test(long_proofs_are_cut),
	        cmocka_unit_test_setup_teardown(a_summary_counts_all_runs_below_its_folders, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_summary_of_nothing_is_an_error, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_result_says_all_in_json, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
