/* Jobs and cron jobs: what is wrong, in upstream's words; that each field is looked at at all is test_validate's. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define TEMPLATE_OF(meta, spec) \
	"\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}" meta "},\"spec\":{" spec \
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
#define TEMPLATE TEMPLATE_OF("", "\"restartPolicy\":\"Never\",")
#define MANUAL "\"manualSelector\":true,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"
#define JOB_WITH(rest, template) "\"spec\":{" rest MANUAL template "}"
#define JOB(rest) JOB_WITH(rest, TEMPLATE)
#define INDEXED(rest) JOB("\"completionMode\":\"Indexed\",\"completions\":3,\"parallelism\":3," rest)
#define FAILURE(rule) JOB("\"podFailurePolicy\":{\"rules\":[{" rule "}]},")
#define CODES(rest) FAILURE("\"action\":\"Count\",\"onExitCodes\":{" rest "}")
#define AT_RULE(rest) "spec.podFailurePolicy.rules[0]" rest
#define SUCCESS(rule) INDEXED("\"successPolicy\":{\"rules\":[" rule "]},")
#define SELECTOR(labels) "v1.LabelSelector{MatchLabels:" labels ", MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"

static void a_job_says_what_is_wrong(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", JOB(""), NULL, NULL},
	        {"jobs", JOB("\"completionMode\":\"Sorted\","), NULL,
	                "spec.completionMode: Unsupported value: \"Sorted\": supported values: \"NonIndexed\", "
	                "\"Indexed\""},
	        {"jobs", JOB("\"managedBy\":\"a.b/c\","), NULL, NULL},
	        {"jobs", JOB("\"managedBy\":\"\","), NULL, "spec.managedBy: Required value"},
	        {"jobs", JOB("\"managedBy\":\"me\","), NULL,
	                "spec.managedBy: Invalid value: \"me\": must be a domain-prefixed path (such as "
	                "\"acme.io/foo\")"},
	        {"jobs", JOB_WITH("", TEMPLATE_OF("", "")), NULL,
	                "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""},
	        {"jobs", INDEXED("\"backoffLimitPerIndex\":1,\"maxFailedIndexes\":4,"), NULL,
	                "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions"},
	        {"jobs", JOB("\"podReplacementPolicy\":\"Always\","), NULL,
	                "spec.podReplacementPolicy: Unsupported value: \"Always\": supported values: \"Failed\", "
	                "\"TerminatingOrFailed\""},
	        {"jobs", "\"spec\":{\"manualSelector\":true,\"selector\":{\"matchLabels\":{\"a\":\"c\"}}," TEMPLATE "}",
	                NULL,
	                "spec.template.metadata.labels: Invalid value: map[string]string{\"a\":\"b\"}: `selector` does "
	                "not match template `labels`"},
	        {"jobs", "\"spec\":{\"manualSelector\":true," TEMPLATE "}", NULL,
	                "spec.selector: Required value; spec.template.metadata.labels: Invalid value: "
	                "map[string]string{\"a\":\"b\"}: `selector` does not match template `labels`"},
	};
	RUN_GROUP_CASES("batch", cases);
}

static void rules_of_policies_say_what_is_wrong(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", CODES("\"operator\":\"In\",\"values\":[1,2]"), NULL, NULL},
	        {"jobs", CODES("\"operator\":\"NotIn\",\"values\":[0]"), NULL, NULL},
	        {"jobs", CODES("\"operator\":\"In\""), NULL,
	                AT_RULE(".onExitCodes.values: Invalid value: []int32(nil): at least one value is required")},
	        {"jobs", CODES("\"operator\":\"In\",\"values\":[1,2,1]"), NULL,
	                AT_RULE(".onExitCodes.values[2]: Duplicate value: 1; ")
	                        AT_RULE(".onExitCodes.values: Invalid value: []int32{1, 2, 1}: must be ordered")},
	        {"jobs", CODES("\"values\":[1],\"containerName\":\"x\""), NULL,
	                AT_RULE(".onExitCodes.operator: Required value: valid values: [\"In\" \"NotIn\"]; ") AT_RULE(
	                        ".onExitCodes.containerName: Invalid value: \"x\": must be one of the container "
	                        "or initContainer names in the pod template")},
	        {"jobs", FAILURE("\"action\":\"Count\""), NULL,
	                AT_RULE(": Invalid value: specifying one of OnExitCodes and OnPodConditions is required")},
	        {"jobs", FAILURE("\"onPodConditions\":[{\"type\":\"A\"}]"), NULL,
	                AT_RULE(".action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" "
	                        "\"Ignore\"]")},
	        {"jobs", SUCCESS("{\"succeededIndexes\":\"0-1\",\"succeededCount\":2}"), NULL, NULL},
	        {"jobs", SUCCESS("{\"succeededIndexes\":\"0,1-2-3\"}"), NULL,
	                "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0,1-2-3\": error parsing "
	                "succeededIndexes: the fragment \"1-2-3\" violates the requirement that an index interval can "
	                "have at most two parts separated by '-'"},
	        {"jobs", SUCCESS("{\"succeededIndexes\":\"0-3\",\"succeededCount\":4}"), NULL,
	                "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0-3\": error parsing "
	                "succeededIndexes: too large index: \"3\"; spec.successPolicy.rules[0].succeededCount: Invalid "
	                "value: 4: must be less than or equal to 3 (the number of specified completions); "
	                "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to 0 "
	                "(the number of indexes in the specified succeededIndexes field)"},
	        {"jobs", SUCCESS(""), NULL,
	                "spec.successPolicy.rules: Required value: at least one rules must be specified when the "
	                "successPolicy is specified"},
	};
	RUN_GROUP_CASES("batch", cases);
}

#define WAITING(spec, rest) JOB_WITH("\"suspend\":true,", TEMPLATE_OF(rest, "\"restartPolicy\":\"Never\"," spec))
#define NODES "\"nodeAffinity\":{}"
#define APART "\"podAntiAffinity\":{}"

/* The rest of what is refused begins with the template, whose end is not told here. */
static bool is_refused(const char *now, const char *old, const char *field)
{
	const struct resource *r = resource_find(SLICE("batch"), SLICE("v1"), SLICE("jobs"));
	const char *got = group_errors(r, group_object(r, now), group_object(r, old), "");
	return strncmp(got, field, strlen(field)) == 0 && strstr(got, "field is immutable");
}

static void a_suspended_job_may_be_placed_anew(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", WAITING("\"nodeSelector\":{\"x\":\"y\"},", ",\"annotations\":{\"a\":\"b\"}"), WAITING("", ""),
	                NULL},
	        {"jobs", WAITING("\"affinity\":{" NODES "},", ""), WAITING("", ""), NULL},
	        {"jobs", WAITING("", ""), WAITING("\"affinity\":{" NODES "},", ""), NULL},
	};
	RUN_GROUP_CASES("batch", cases);
	assert_true(is_refused(WAITING("\"affinity\":{" APART "},", ""), WAITING("", ""), "spec.template: "));
	assert_true(is_refused(WAITING("\"hostNetwork\":true,", ""), WAITING("", ""), "spec.template: "));
	assert_true(
	        is_refused(JOB_WITH("", TEMPLATE_OF("", "\"restartPolicy\":\"Never\",\"nodeSelector\":{\"x\":\"y\"},")),
	                JOB(""), "spec.template: "));
}

static void what_of_a_job_stays(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", JOB("\"suspend\":true,\"parallelism\":2,\"backoffLimit\":1,\"completions\":1,"),
	                JOB("\"completions\":1,"), NULL},
	        {"jobs", JOB("\"completions\":2,"), JOB("\"completions\":1,"),
	                "spec.completions: Invalid value: 2: field is immutable"},
	        {"jobs", JOB("\"parallelism\":1,"), JOB("\"parallelism\":1,\"completions\":1,"),
	                "spec.completions: Invalid value: \"null\": field is immutable"},
	        {"jobs", JOB("\"completionMode\":\"Indexed\",\"completions\":5,\"parallelism\":5,"), INDEXED(""), NULL},
	        {"jobs", JOB("\"completionMode\":\"Indexed\",\"completions\":5,\"parallelism\":3,"), INDEXED(""),
	                "spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"},
	        {"jobs", JOB("\"managedBy\":\"a.b/c\","), JOB(""),
	                "spec.managedBy: Invalid value: \"a.b/c\": field is immutable"},
	        {"jobs", INDEXED("\"backoffLimitPerIndex\":1,\"backoffLimit\":6,"), INDEXED("\"backoffLimit\":6,"),
	                "spec.backoffLimitPerIndex: Invalid value: 1: field is immutable"},
	        {"jobs",
	                "\"spec\":{\"manualSelector\":true,\"selector\":{\"matchExpressions\":[{\"key\":\"a\","
	                "\"operator\":\"In\",\"values\":[\"b\"]}]}," TEMPLATE "}",
	                JOB(""),
	                "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), "
	                "MatchExpressions:[]v1.LabelSelectorRequirement{v1.LabelSelectorRequirement{Key:\"a\", "
	                "Operator:\"In\", Values:[]string{\"b\"}}}}: field is immutable"},
	};
	RUN_GROUP_CASES("batch", cases);
}

/* ---- selectors that the server makes ---- */

#define OLD_LABELS "\"controller-uid\":\"u\",\"job-name\":\"n\""
#define ALL_LABELS OLD_LABELS ",\"batch.kubernetes.io/controller-uid\":\"u\",\"batch.kubernetes.io/job-name\":\"n\""
#define MADE(selected, labels) \
	"{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\",\"uid\":\"u\"},\"spec\":{\"selector\":{\"matchLabels\":{" \
	"\"" selected "\":\"u\"}},\"template\":{\"metadata\":{\"labels\":{" labels \
	"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

static const char *made_errors(const char *now, const char *old)
{
	const struct resource *r = resource_find(SLICE("batch"), SLICE("v1"), SLICE("jobs"));
	struct json *v = parse(now), *before = old ? parse(old) : NULL;
	defaults_apply(&a, r, v);
	if (before)
		defaults_apply(&a, r, before);
	return group_errors(r, v, before, "");
}

static void a_selector_is_generated(void **state)
{
	static const char today[] = MADE("batch.kubernetes.io/controller-uid", ALL_LABELS),
	                  before[] = MADE("controller-uid", OLD_LABELS);
	assert_string_equal(made_errors(today, NULL), "");
	assert_string_equal(made_errors(before, before), "");
	assert_string_equal(made_errors(before, NULL),
	        "spec.template.metadata.labels[batch.kubernetes.io/controller-uid]: Required value: must be 'u'; "
	        "spec.template.metadata.labels[batch.kubernetes.io/job-name]: Required value: must be 'n'");
	struct json *other = parse(today);
	json_set_cstr(&a, json_path(other, "spec", "selector", "matchLabels", NULL), "x", "y");
	const struct resource *r = resource_find(SLICE("batch"), SLICE("v1"), SLICE("jobs"));
	defaults_apply(&a, r, other);
	assert_non_null(strstr(group_errors(r, other, NULL, ""),
	        "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"
	        "\"batch.kubernetes.io/controller-uid\":\"u\", \"x\":\"y\"}, MatchExpressions:"
	        "[]v1.LabelSelectorRequirement(nil)}: `selector` not auto-generated"));
}

/* ---- cron jobs ---- */

#define CRON(rest) "\"spec\":{" rest ",\"jobTemplate\":{\"spec\":{" TEMPLATE "}}}"
#define HOURLY "\"schedule\":\"@hourly\""
#define IN_ZONE "\"schedule\":\"TZ=UTC 0 5 * * *\""

static void a_cron_job_has_a_schedule_and_a_zone(void **state)
{
	static const struct group_case cases[] = {
	        {"cronjobs", CRON(HOURLY ",\"timeZone\":\"Etc/UTC\""), NULL, NULL},
	        {"cronjobs", CRON("\"suspend\":true"), NULL, "spec.schedule: Required value"},
	        {"cronjobs", CRON(IN_ZONE), NULL,
	                "spec.schedule: Invalid value: \"TZ=UTC 0 5 * * *\": cannot use TZ or CRON_TZ in schedule, use "
	                "timeZone field instead"},
	        {"cronjobs", CRON(IN_ZONE), CRON(IN_ZONE), NULL},
	        {"cronjobs", CRON(IN_ZONE ",\"timeZone\":\"Etc/UTC\""), CRON(IN_ZONE),
	                "spec.schedule: Invalid value: \"TZ=UTC 0 5 * * *\": cannot use both timeZone field and TZ or "
	                "CRON_TZ in schedule"},
	        {"cronjobs", CRON(HOURLY ",\"timeZone\":\"\""), NULL,
	                "spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string"},
	        {"cronjobs", CRON(HOURLY ",\"timeZone\":\"local\""), NULL,
	                "spec.timeZone: Invalid value: \"local\": timeZone must be an explicit time zone as defined in "
	                "https://www.iana.org/time-zones"},
	        {"cronjobs", CRON(HOURLY ",\"timeZone\":\"../etc/passwd\""), NULL,
	                "spec.timeZone: Invalid value: \"../etc/passwd\": unknown time zone ../etc/passwd"},
	        {"cronjobs", CRON(HOURLY ",\"timeZone\":\"Mars/Olympus\""), NULL,
	                "spec.timeZone: Invalid value: \"Mars/Olympus\": unknown time zone Mars/Olympus"},
	        {"cronjobs", CRON(HOURLY ",\"timeZone\":\"Mars/Olympus\""),
	                CRON(HOURLY ",\"timeZone\":\"Mars/Olympus\""), NULL},
	        {"cronjobs", CRON(HOURLY ",\"concurrencyPolicy\":\"Never\""), NULL,
	                "spec.concurrencyPolicy: Unsupported value: \"Never\": supported values: \"Allow\", "
	                "\"Forbid\", "
	                "\"Replace\""},
	};
	RUN_GROUP_CASES("batch", cases);
}

static void a_template_of_jobs_has_no_selector(void **state)
{
	static const struct group_case cases[] = {
	        {"cronjobs", "\"spec\":{" HOURLY ",\"jobTemplate\":{\"spec\":{" MANUAL TEMPLATE "}}}", NULL,
	                "spec.jobTemplate.spec.selector: Invalid value: " SELECTOR(
	                        "map[string]string{\"a\":\"b\"}") ": `selector` will be auto-generated; "
	                                                          "spec.jobTemplate.spec.manualSelector: Unsupported "
	                                                          "value: true: supported values: \"nil\", "
	                                                          "\"false\""},
	};
	RUN_GROUP_CASES("batch", cases);
}

static void names_leave_room_for_what_is_made_of_them(void **state)
{
	const struct resource *cron = resource_find(SLICE("batch"), SLICE("v1"), SLICE("cronjobs")),
	                      *job = resource_find(SLICE("batch"), SLICE("v1"), SLICE("jobs"));
	struct json *c = group_object(cron, CRON(HOURLY)), *j = group_object(job, INDEXED(""));
	char name[64] = {0};
	memset(name, 'a', 52);
	json_set_cstr(&a, json_get(c, "metadata"), "name", name);
	assert_string_equal(group_errors(cron, c, NULL, ""), "");
	name[52] = 'a';
	json_set_cstr(&a, json_get(c, "metadata"), "name", name);
	assert_string_equal(group_errors(cron, c, NULL, ""),
	        arena_printf(&a, "metadata.name: Invalid value: \"%s\": must be no more than 52 characters", name));
	assert_string_equal(group_errors(cron, c, c, ""), ""); /* who is there already may be written */
	memset(name, 'a', 62);
	json_set_cstr(&a, json_get(j, "metadata"), "name", name);
	assert_string_equal(group_errors(job, j, NULL, ""), arena_printf(&a,
	                                                            "metadata.name: Invalid value: \"%s\": will not "
	                                                            "able to create pod with invalid DNS label: %s-2",
	                                                            name, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_job_says_what_is_wrong, release),
	        cmocka_unit_test_teardown(rules_of_policies_say_what_is_wrong, release),
	        cmocka_unit_test_teardown(a_suspended_job_may_be_placed_anew, release),
	        cmocka_unit_test_teardown(what_of_a_job_stays, release),
	        cmocka_unit_test_teardown(a_selector_is_generated, release),
	        cmocka_unit_test_teardown(a_cron_job_has_a_schedule_and_a_zone, release),
	        cmocka_unit_test_teardown(a_template_of_jobs_has_no_selector, release),
	        cmocka_unit_test_teardown(names_leave_room_for_what_is_made_of_them, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
