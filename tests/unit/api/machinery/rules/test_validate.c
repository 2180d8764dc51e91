/* Validation: the field that is wrong is the field that is named. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/defaults.h"
#include "api/machinery/rules/validate.h"
#include "base/check.h"

#include <time.h>

/* The first error's field, NULL when there is none. */
static const char *first_field(const char *group, const char *version, const char *plural, const char *text)
{
	const struct resource *r = resource_find(slice_of(group), slice_of(version), slice_of(plural));
	struct json *v = parse(text);
	struct field_errors *errors = ARENA_NEW(&a, struct field_errors);
	defaults_apply(&a, r, v);
	field_errors_init(errors, &a);
	validate_object(errors, r, v, NULL, "");
	for (size_t i = 0; i < errors->count; i++)
		assert_true(errors->items[i].message[0] && errors->items[i].reason[0]);
	return errors->count ? errors->items[0].field : NULL;
}

static void assert_field(const char *got, const char *want, const char *text)
{
	if (!got || strcmp(got, want) != 0)
		fail_msg("%s: field %s, want %s", text, got ? got : "(no error)", want);
}

static void names_and_labels_follow_their_rules(void **state)
{
	static const char *const cases[][2] = {
	        {"{\"metadata\":{\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"A\",\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"a_b\",\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"-a\",\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"labels\":{\"a b\":\"x\"}}}", "metadata.labels"},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"labels\":{\"a\":\"-x\"}}}", "metadata.labels"},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"annotations\":{\"a b\":\"x\"}}}",
	                "metadata.annotations"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("", "v1", "configmaps", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("", "v1", "configmaps",
	        "{\"metadata\":{\"name\":\"a.b-c\",\"namespace\":\"d\",\"labels\":{\"x.y/z_1\":\"A.b\"}}}"));
	assert_null(validate_dns1123_label(SLICE("a-1")));
	assert_non_null(validate_dns1123_label(SLICE("a.b")));
	assert_null(validate_dns1123_subdomain(SLICE("a.b")));
	assert_non_null(validate_dns1123_subdomain(SLICE("a..b")));
}

#define RBAC(text) "{\"metadata\":{\"name\":\"r\",\"namespace\":\"d\"}," text "}"
#define REF(kind) "\"roleRef\":{\"kind\":\"" kind "\",\"name\":\"x\"}"

static void roles_and_bindings_name_the_field_that_is_wrong(void **state)
{
	static const char *const cases[][3] = {
	        {"roles", RBAC("\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]"), "rules[0].verbs"},
	        {"roles", RBAC("\"rules\":[{\"verbs\":[\"get\"],\"resources\":[\"pods\"]}]"), "rules[0].apiGroups"},
	        {"roles", RBAC("\"rules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/x\"]}]"),
	                "rules[0].nonResourceURLs"},
	        {"clusterroles",
	                RBAC("\"rules\":[{\"verbs\":[\"get\"],\"resources\":[\"x\"],\"nonResourceURLs\":[\"/x\"]}]"),
	                "rules[0].nonResourceURLs"},
	        {"clusterroles", RBAC("\"aggregationRule\":{}"), "aggregationRule.clusterRoleSelectors"},
	        {"clusterrolebindings", RBAC(REF("Role")), "roleRef.kind"},
	        {"rolebindings", RBAC(REF("Group")), "roleRef.kind"},
	        {"rolebindings", RBAC(REF("Role") ",\"subjects\":[{\"kind\":\"User\"}]"), "subjects[0].name"},
	        {"rolebindings", RBAC(REF("Role") ",\"subjects\":[{\"kind\":\"Robot\",\"name\":\"x\"}]"),
	                "subjects[0].kind"},
	        {"clusterrolebindings",
	                RBAC(REF("ClusterRole") ",\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"x\"}]"),
	                "subjects[0].namespace"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("rbac.authorization.k8s.io", "v1", cases[i][0], cases[i][1]), cases[i][2],
		        cases[i][1]);
	assert_null(first_field("rbac.authorization.k8s.io", "v1", "clusterroles",
	        RBAC("\"rules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/x\"]}]")));
	assert_null(first_field("rbac.authorization.k8s.io", "v1", "rolebindings",
	        RBAC(REF("Role") ",\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"x\"}]")));
}

#define POD(spec) "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\"},\"spec\":{" spec "}}"

static void pods_name_the_field_that_is_wrong(void **state)
{
	static const char *const cases[][2] = {
	        {POD("\"containers\":[]"), "spec.containers"},
	        {POD("\"dnsConfig\":{\"nameservers\":[\"1.1.1.1\",\"2.2.2.2\",\"3.3.3.3\",\"4.4.4.4\"]},\"containers\":"
	             "[{\"name\":\"c\","
	             "\"image\":\"i\"}]"),
	                "spec.dnsConfig.nameservers"},
	        {POD("\"volumes\":[{\"name\":\"v\"}],\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":["
	             "{\"name\":"
	             "\"v\",\"mountPath\":\"/v\",\"recursiveReadOnly\":\"Enabled\"}]}]"),
	                "spec.containers[0].volumeMounts[0].recursiveReadOnly"},
	        {POD("\"containers\":[{\"image\":\"i\"}]"), "spec.containers[0].name"},
	        {POD("\"containers\":[{\"name\":\"c\"}]"), "spec.containers[0].image"},
	        {POD("\"containers\":[{\"name\":\"C\",\"image\":\"i\"}]"), "spec.containers[0].name"},
	        {POD("\"restartPolicy\":\"No\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"),
	                "spec.restartPolicy"},
	        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{\"containerPort\":70000}]}]"),
	                "spec.containers[0].ports[0].containerPort"},
	        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":"
	             "\"/x\"}]}]"),
	                "spec.containers[0].volumeMounts[0].name"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("", "v1", "pods", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("", "v1", "pods", POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]")));
}

static void a_selector_must_match_its_template(void **state)
{
	static const char text[] = "{\"metadata\":{\"name\":\"d\",\"namespace\":\"d\"},\"spec\":{\"selector\":{"
	                           "\"matchLabels\":{\"a\":\"b\"}},"
	                           "\"template\":{\"metadata\":{\"labels\":{\"a\":\"c\"}},\"spec\":{\"containers\":[{"
	                           "\"name\":\"c\",\"image\":\"i\"}]}}}}";
	assert_field(first_field("apps", "v1", "deployments", text), "spec.template.metadata.labels", text);
}

/* The field of the first error of an update, "" when there is none. */
static const char *update_field(
        const char *group, const char *version, const char *plural, const char *old, const char *now)
{
	const struct resource *r = resource_find(slice_of(group), slice_of(version), slice_of(plural));
	struct json *before = parse(old), *v = parse(now);
	struct field_errors *errors = ARENA_NEW(&a, struct field_errors);
	defaults_apply(&a, r, before);
	defaults_apply(&a, r, v);
	field_errors_init(errors, &a);
	validate_object(errors, r, v, before, "");
	return errors->count ? errors->items[0].field : "";
}

#define POD_OF(policy) \
	"\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"" policy \
	"\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
#define JOB_OF(spec, policy) \
	"{\"metadata\":{\"name\":\"j\",\"namespace\":\"d\"},\"spec\":{\"manualSelector\":true,\"selector\":{" \
	"\"matchLabels\":{" \
	"\"a\":\"b\"}}," spec \
	POD_OF(policy) "}}"
#define INDEXED(rest) "\"completionMode\":\"Indexed\",\"completions\":3," rest
#define FAILURE(rule) "\"podFailurePolicy\":{\"rules\":[{" rule "}]},"
#define SUCCESS(rule) INDEXED("\"successPolicy\":{\"rules\":[{" rule "}]},")

static void jobs_name_the_field_that_is_wrong(void **state)
{
	static const char *const cases[][2] = {
	        {JOB_OF("", "Always"), "spec.template.spec.restartPolicy"},
	        {JOB_OF("\"ttlSecondsAfterFinished\":-1,", "Never"), "spec.ttlSecondsAfterFinished"},
	        {JOB_OF("\"managedBy\":\"me\",", "Never"), "spec.managedBy"},
	        {JOB_OF("\"completionMode\":\"Indexed\",\"parallelism\":1,", "Never"), "spec.completions"},
	        {JOB_OF("\"completionMode\":\"Sorted\",", "Never"), "spec.completionMode"},
	        {JOB_OF(INDEXED("\"parallelism\":100001,"), "Never"), "spec.parallelism"},
	        {JOB_OF(INDEXED("\"maxFailedIndexes\":1,"), "Never"), "spec.backoffLimitPerIndex"},
	        {JOB_OF(INDEXED("\"backoffLimitPerIndex\":1,\"maxFailedIndexes\":4,"), "Never"),
	                "spec.maxFailedIndexes"},
	        {JOB_OF("\"completionMode\":\"Indexed\",\"completions\":100001,\"backoffLimitPerIndex\":1,", "Never"),
	                "spec.maxFailedIndexes"},
	        {JOB_OF("\"backoffLimitPerIndex\":1,", "Never"), "spec.backoffLimitPerIndex"},
	        {JOB_OF("\"successPolicy\":{\"rules\":[{\"succeededCount\":1}]},", "Never"), "spec.successPolicy"},
	        {JOB_OF(FAILURE("\"action\":\"Count\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[1]}"),
	                 "OnFailure"),
	                "spec.template.spec.restartPolicy"},
	        {JOB_OF(FAILURE("\"action\":\"Count\""), "Never"), "spec.podFailurePolicy.rules[0]"},
	        {JOB_OF(FAILURE("\"action\":\"Stop\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[1]}"), "Never"),
	                "spec.podFailurePolicy.rules[0].action"},
	        {JOB_OF(FAILURE("\"action\":\"FailIndex\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[1]}"),
	                 "Never"),
	                "spec.podFailurePolicy.rules[0].action"},
	        {JOB_OF(FAILURE("\"action\":\"Count\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[0]}"), "Never"),
	                "spec.podFailurePolicy.rules[0].onExitCodes.values[0]"},
	        {JOB_OF(FAILURE("\"action\":\"Count\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[2,1]}"),
	                 "Never"),
	                "spec.podFailurePolicy.rules[0].onExitCodes.values"},
	        {JOB_OF(FAILURE("\"action\":\"Count\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[1,1]}"),
	                 "Never"),
	                "spec.podFailurePolicy.rules[0].onExitCodes.values[1]"},
	        {JOB_OF(FAILURE("\"action\":\"Count\",\"onExitCodes\":{\"operator\":\"In\"}"), "Never"),
	                "spec.podFailurePolicy.rules[0].onExitCodes.values"},
	        {JOB_OF(FAILURE("\"action\":\"Count\",\"onExitCodes\":{\"containerName\":\"x\",\"operator\":\"In\","
	                        "\"values\":[1]}"),
	                 "Never"),
	                "spec.podFailurePolicy.rules[0].onExitCodes.containerName"},
	        {JOB_OF(FAILURE("\"action\":\"Count\",\"onPodConditions\":[{\"type\":\"A B\"}]"), "Never"),
	                "spec.podFailurePolicy.rules[0].onPodConditions[0].type"},
	        {JOB_OF("\"podReplacementPolicy\":\"TerminatingOrFailed\"," FAILURE(
	                        "\"action\":\"Count\","
	                        "\"onPodConditions\":[{\"type\":\"A\"}]"),
	                 "Never"),
	                "spec.podReplacementPolicy"},
	        {JOB_OF(SUCCESS(""), "Never"), "spec.successPolicy.rules[0]"},
	        {JOB_OF(SUCCESS("\"succeededIndexes\":\"0-3\""), "Never"),
	                "spec.successPolicy.rules[0].succeededIndexes"},
	        {JOB_OF(SUCCESS("\"succeededIndexes\":\"0-1\",\"succeededCount\":3"), "Never"),
	                "spec.successPolicy.rules[0].succeededCount"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("batch", "v1", "jobs", cases[i][0]), cases[i][1], cases[i][0]);
	static const char *const fine[] = {JOB_OF("", "OnFailure"), JOB_OF("\"managedBy\":\"a.b/c\",", "Never"),
	        JOB_OF(SUCCESS("\"succeededIndexes\":\"0-1\",\"succeededCount\":2"), "Never"),
	        JOB_OF(FAILURE("\"action\":\"Ignore\",\"onPodConditions\":[{\"type\":\"DisruptionTarget\"}]"),
	                "Never")};
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
		assert_null(first_field("batch", "v1", "jobs", fine[i]));
}

#define CRON_OF(spec, job) \
	"{\"metadata\":{\"name\":\"c\",\"namespace\":\"d\"},\"spec\":{" spec \
	"\"jobTemplate\":{\"spec\":{" job POD_OF("Never") "}}}}"
#define HOURLY "\"schedule\":\"@hourly\","

static void cron_jobs_name_the_field_that_is_wrong(void **state)
{
	static const char *const cases[][2] = {
	        {CRON_OF("", ""), "spec.schedule"},
	        {CRON_OF("\"schedule\":\"0 25 * * *\",", ""), "spec.schedule"},
	        {CRON_OF("\"schedule\":\"CRON_TZ=UTC 0 5 * * *\",", ""), "spec.schedule"},
	        {CRON_OF(HOURLY "\"timeZone\":\"\",", ""), "spec.timeZone"},
	        {CRON_OF(HOURLY "\"timeZone\":\"local\",", ""), "spec.timeZone"},
	        {CRON_OF(HOURLY "\"timeZone\":\"Mars/Olympus\",", ""), "spec.timeZone"},
	        {CRON_OF(HOURLY "\"concurrencyPolicy\":\"Never\",", ""), "spec.concurrencyPolicy"},
	        {CRON_OF(HOURLY "\"startingDeadlineSeconds\":-1,", ""), "spec.startingDeadlineSeconds"},
	        {CRON_OF(HOURLY, "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"), "spec.jobTemplate.spec.selector"},
	        {CRON_OF(HOURLY, "\"manualSelector\":true,"), "spec.jobTemplate.spec.manualSelector"},
	        {CRON_OF(HOURLY, "\"backoffLimit\":-1,"), "spec.jobTemplate.spec.backoffLimit"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("batch", "v1", "cronjobs", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("batch", "v1", "cronjobs", CRON_OF(HOURLY "\"timeZone\":\"Europe/Berlin\",", "")));
}

#define HEAD "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\",\"uid\":\"u\"},"
#define PODSPEC(rest) "{" rest "\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"
#define SET(rest, image) \
	HEAD "\"spec\":{" rest \
	     "\"manualSelector\":true,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{" \
	     "\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\"," \
	     "\"image\":\"" image "\"}]}}}}"

static void what_may_not_change_is_named(void **state)
{
	static const char *const cases[][6] = {
	        {"batch", "v1", "jobs", SET("", "i"), SET("", "other"), "spec.template"},
	        {"batch", "v1", "jobs", SET("\"suspend\":true,", "i"), SET("\"suspend\":true,", "other"),
	                "spec.template"},
	        {"batch", "v1", "jobs", SET("", "i"), SET("\"completionMode\":\"Indexed\",", "i"),
	                "spec.completionMode"},
	        {"batch", "v1", "jobs", SET("\"completions\":2,", "i"), SET("\"completions\":3,", "i"),
	                "spec.completions"},
	        {"batch", "v1", "jobs", SET("", "i"),
	                SET("\"parallelism\":1,\"backoffLimit\":9,\"completions\":1,", "i"), ""},
	        {"", "v1", "pods", HEAD "\"spec\":" PODSPEC("\"terminationGracePeriodSeconds\":30,") "}",
	                HEAD "\"spec\":" PODSPEC("\"terminationGracePeriodSeconds\":1,") "}", "spec"},
	        {"", "v1", "pods", HEAD "\"spec\":" PODSPEC("\"activeDeadlineSeconds\":30,") "}",
	                HEAD "\"spec\":" PODSPEC("\"activeDeadlineSeconds\":31,") "}", "spec.activeDeadlineSeconds"},
	        {"", "v1", "pods", HEAD "\"spec\":" PODSPEC("") "}",
	                HEAD "\"spec\":" PODSPEC("\"schedulingGates\":[{\"name\":\"g\"}],") "}",
	                "spec.schedulingGates"},
	        {"storage.k8s.io", "v1", "storageclasses", HEAD "\"provisioner\":\"a\"}", HEAD "\"provisioner\":\"b\"}",
	                "provisioner"},
	        {"node.k8s.io", "v1", "runtimeclasses", HEAD "\"handler\":\"a\"}", HEAD "\"handler\":\"b\"}",
	                "handler"},
	        {"apps", "v1", "controllerrevisions", HEAD "\"data\":{\"a\":1}}", HEAD "\"data\":{\"a\":2}}", "data"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const *c = cases[i];
		const char *got = update_field(c[0], c[1], c[2], c[3], c[4]);
		if (strcmp(got, c[5]) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", c[4], got, c[5]);
	}
}

/* Of this thread: however busy the machine is. */
static uint64_t cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* 30,000 ports took 100 s when each was compared with all before it. */
static void long_lists_take_linear_time(void **state)
{
	struct strbuf b = STRBUF_INIT;
	uint64_t began = cpu_ms();
	strbuf_adds(&b, "{\"metadata\":{\"name\":\"s\",\"namespace\":\"d\"},\"spec\":{\"ports\":[");
	for (int i = 0; i < 60000; i++)
		strbuf_addf(&b, "%s{\"name\":\"p%d\",\"port\":%d,\"protocol\":\"TCP\"}", i ? "," : "", i, i + 1);
	strbuf_adds(&b, "]}}");
	assert_null(first_field("", "v1", "services", strbuf_cstr(&b)));
	strbuf_reset(&b);
	strbuf_adds(&b, "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\"},\"spec\":{\"volumes\":[");
	for (int i = 0; i < 30000; i++)
		strbuf_addf(&b, "%s{\"name\":\"v%d\"}", i ? "," : "", i);
	strbuf_adds(&b, "],\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":[");
	for (int i = 0; i < 30000; i++)
		strbuf_addf(&b, "%s{\"name\":\"v%d\",\"mountPath\":\"/m%d\"}", i ? "," : "", 29999 - i, i);
	strbuf_adds(&b, "],\"resources\":{\"limits\":{");
	for (int i = 0; i < 30000; i++)
		strbuf_addf(&b, "%s\"x.io/r%d\":\"1\"", i ? "," : "", i);
	strbuf_adds(&b, "}}}]}}");
	assert_null(first_field("", "v1", "pods", strbuf_cstr(&b)));
	strbuf_reset(&b);
	strbuf_adds(&b, "{\"metadata\":{\"name\":\"d\",\"namespace\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{");
	for (int i = 0; i < 30000; i++)
		strbuf_addf(&b, "%s\"l%d\":\"v\"", i ? "," : "", i);
	strbuf_adds(&b, "}},\"template\":{\"metadata\":{\"labels\":{");
	for (int i = 29999; i >= 0; i--)
		strbuf_addf(&b, "\"l%d\":\"v\"%s", i, i ? "," : "");
	strbuf_adds(&b, "}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}");
	assert_null(first_field("apps", "v1", "deployments", strbuf_cstr(&b)));
	assert_true(cpu_ms() - began < 10000);
	strbuf_release(&b);
}

#define WORKLOAD(spec) \
	"{\"metadata\":{\"name\":\"s\",\"namespace\":\"d\"},\"spec\":{" spec \
	",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}," \
	"\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

static void daemon_sets_update_by_one_of_two_ways(void **state)
{
	static const char *const cases[][2] = {
	        {WORKLOAD("\"updateStrategy\":{\"type\":\"Sometimes\"}"), "spec.updateStrategy"},
	        {WORKLOAD("\"updateStrategy\":{\"rollingUpdate\":{\"maxUnavailable\":\"x\"}}"),
	                "spec.updateStrategy.rollingUpdate.maxUnavailable"},
	        {WORKLOAD("\"updateStrategy\":{\"rollingUpdate\":{\"maxUnavailable\":\"101%\"}}"),
	                "spec.updateStrategy.rollingUpdate.maxUnavailable"},
	        {WORKLOAD("\"updateStrategy\":{\"rollingUpdate\":{\"maxUnavailable\":0}}"),
	                "spec.updateStrategy.rollingUpdate.maxUnavailable"},
	        {WORKLOAD("\"updateStrategy\":{\"rollingUpdate\":{\"maxSurge\":1}}"),
	                "spec.updateStrategy.rollingUpdate.maxSurge"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("apps", "v1", "daemonsets", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("apps", "v1", "daemonsets", WORKLOAD("\"minReadySeconds\":1")));
	assert_null(first_field("apps", "v1", "daemonsets",
	        WORKLOAD("\"updateStrategy\":{\"rollingUpdate\":{\"maxSurge\":\"10%\",\"maxUnavailable\":0}}")));
}

static void stateful_sets_are_ordered_or_parallel(void **state)
{
	static const char *const cases[][2] = {
	        {WORKLOAD("\"podManagementPolicy\":\"Random\""), "spec.podManagementPolicy"},
	        {WORKLOAD("\"updateStrategy\":{\"type\":\"Recreate\"}"), "spec.updateStrategy"},
	        {WORKLOAD("\"updateStrategy\":{\"type\":\"OnDelete\",\"rollingUpdate\":{}}"),
	                "spec.updateStrategy.rollingUpdate"},
	        {WORKLOAD("\"updateStrategy\":{\"rollingUpdate\":{\"partition\":-1}}"),
	                "spec.updateStrategy.rollingUpdate.partition"},
	        {WORKLOAD("\"ordinals\":{\"start\":-1}"), "spec.ordinals.start"},
	        {WORKLOAD("\"persistentVolumeClaimRetentionPolicy\":{\"whenScaled\":\"Keep\"}"),
	                "spec.persistentVolumeClaimRetentionPolicy.whenScaled"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("apps", "v1", "statefulsets", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("apps", "v1", "statefulsets", WORKLOAD("\"ordinals\":{\"start\":3}")));
}

static void replication_controllers_select_by_a_map(void **state)
{
	static const char bad[] =
	        "{\"metadata\":{\"name\":\"r\",\"namespace\":\"d\"},\"spec\":{\"selector\":{\"a\":\"x\"},\"template\":{"
	        "\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}"
	        "}";
	static const char none[] =
	        "{\"metadata\":{\"name\":\"r\",\"namespace\":\"d\"},\"spec\":{\"selector\":{\"a\":\"x\"}}}";
	assert_field(
	        first_field("", "v1", "replicationcontrollers", bad), "spec.template.metadata.labels", "other labels");
	assert_field(first_field("", "v1", "replicationcontrollers", none), "spec.template", "no template");
}

#define BUDGET(spec) "{\"metadata\":{\"name\":\"b\",\"namespace\":\"d\"},\"spec\":{" spec "}}"

#define HPA(spec) \
	"{\"apiVersion\":\"autoscaling/v2\",\"metadata\":{\"name\":\"h\",\"namespace\":\"d\"},\"spec\":{" spec "}}"
#define TO "\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"x\"},\"maxReplicas\":3"

static void autoscalers_name_the_field_that_is_wrong(void **state)
{
	static const char *const cases[][2] = {
	        {HPA("\"maxReplicas\":3,\"scaleTargetRef\":{\"name\":\"x\"}"), "spec.scaleTargetRef.kind"},
	        {HPA("\"scaleTargetRef\":{\"kind\":\"A\",\"name\":\"x\"}"), "spec.maxReplicas"},
	        {HPA(TO ",\"minReplicas\":0"), "spec.minReplicas"},
	        {HPA(TO ",\"minReplicas\":4"), "spec.maxReplicas"},
	        {HPA(TO ",\"metrics\":[{\"type\":\"Odd\"}]"), "spec.metrics[0].type"},
	        {HPA(TO ",\"metrics\":[{\"type\":\"Pods\"}]"), "spec.metrics[0].pods"},
	        {HPA(TO ",\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
	                "\"Utilization\"}}}]"),
	                "spec.metrics[0].resource.target.averageUtilization"},
	        {HPA(TO ",\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
	                "\"AverageValue\",\"averageValue\":\"0\"}}}]"),
	                "spec.metrics[0].resource.target.averageValue"},
	        {HPA(TO ",\"behavior\":{\"scaleUp\":{\"stabilizationWindowSeconds\":3601}}"),
	                "spec.behavior.scaleUp.stabilizationWindowSeconds"},
	        {HPA(TO ",\"behavior\":{\"scaleDown\":{\"policies\":[]}}"), "spec.behavior.scaleDown.policies"},
	        {HPA(TO ",\"behavior\":{\"scaleDown\":{\"policies\":[{\"type\":\"Pods\",\"value\":1,\"periodSeconds\":"
	                "1801}]}}"),
	                "spec.behavior.scaleDown.policies[0].periodSeconds"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("autoscaling", "v2", "horizontalpodautoscalers", cases[i][0]), cases[i][1],
		        cases[i][0]);
	assert_null(first_field("autoscaling", "v2", "horizontalpodautoscalers", HPA(TO ",\"behavior\":{}")));
}

static void budgets_have_one_amount(void **state)
{
	static const char *const cases[][2] = {
	        {BUDGET("\"minAvailable\":1,\"maxUnavailable\":1"), "spec"},
	        {BUDGET("\"minAvailable\":-1"), "spec.minAvailable"},
	        {BUDGET("\"minAvailable\":\"x\""), "spec.minAvailable"},
	        {BUDGET("\"maxUnavailable\":\"101%\""), "spec.maxUnavailable"},
	        {BUDGET("\"unhealthyPodEvictionPolicy\":\"Never\""), "spec.unhealthyPodEvictionPolicy"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(
		        first_field("policy", "v1", "poddisruptionbudgets", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("policy", "v1", "poddisruptionbudgets", BUDGET("\"maxUnavailable\":\"100%\"")));
}

static void errors_beyond_the_limit_are_counted_only(void **state)
{
	struct field_errors *errors = ARENA_NEW(&a, struct field_errors);
	field_errors_init(errors, &a);
	for (int i = 0; i < FIELD_ERRORS_MAX + 5; i++)
		field_error_add(errors, "FieldValueInvalid", "f", "Invalid value: %d", i);
	assert_int_equal(errors->count, FIELD_ERRORS_MAX);
	assert_int_equal(errors->dropped, 5);
}

#define C(rest) "\"containers\":[{\"name\":\"c\",\"image\":\"i\"" rest "}]"
#define INIT(rest) "\"initContainers\":[{\"name\":\"i\",\"image\":\"i\"" rest "}]," C("")

/* What would be stored and never done. */
static void probes_and_hooks_that_nobody_would_run_are_refused(void **state)
{
#define EXEC "\"exec\":{\"command\":[\"true\"]}"
	static const char *const cases[][2] = {
	        {POD(C(",\"livenessProbe\":{" EXEC "}")), NULL},
	        {POD(C(",\"livenessProbe\":{" EXEC ",\"terminationGracePeriodSeconds\":0}")),
	                "spec.containers[0].livenessProbe.terminationGracePeriodSeconds"},
	        {POD(C(",\"readinessProbe\":{" EXEC ",\"terminationGracePeriodSeconds\":5}")),
	                "spec.containers[0].readinessProbe.terminationGracePeriodSeconds"},
	        {POD(C(",\"livenessProbe\":{\"sleep\":{\"seconds\":1}}")), "spec.containers[0].livenessProbe"},
	        {POD(C(",\"livenessProbe\":{\"exec\":{}}")), "spec.containers[0].livenessProbe.exec.command"},
	        {POD(C(",\"livenessProbe\":{\"httpGet\":{\"path\":\"/\"}}")),
	                "spec.containers[0].livenessProbe.httpGet.port"},
	        {POD(C(",\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":30}}}")), NULL},
	        {POD(C(",\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":31}}}")),
	                "spec.containers[0].lifecycle.preStop.sleep"},
	        {POD(C(",\"lifecycle\":{\"postStart\":{\"grpc\":{\"port\":1}}}")),
	                "spec.containers[0].lifecycle.postStart"},
	        {POD(C(",\"restartPolicy\":\"Always\"")), "spec.containers[0].restartPolicy"},
	        {POD(INIT(",\"restartPolicy\":\"Always\",\"startupProbe\":{" EXEC "}")), NULL},
	        {POD(INIT(",\"restartPolicy\":\"Never\"")), "spec.initContainers[0].restartPolicy"},
	        {POD(INIT(",\"startupProbe\":{" EXEC "}")), "spec.initContainers[0].startupProbe"},
	        {POD(INIT(",\"lifecycle\":{\"preStop\":{" EXEC "}}")), "spec.initContainers[0].lifecycle"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *got = first_field("", "v1", "pods", cases[i][0]);
		if (cases[i][1] || got)
			assert_field(got, cases[i][1] ? cases[i][1] : "(none)", cases[i][0]);
	}
}

static void contexts_that_contradict_themselves_are_refused(void **state)
{
#define CONTEXT(rest) C(",\"securityContext\":{" rest "}")
	static const char *const cases[][2] = {
	        {POD(CONTEXT("\"runAsUser\":-1")), "spec.containers[0].securityContext.runAsUser"},
	        {POD(CONTEXT("\"privileged\":true,\"allowPrivilegeEscalation\":false")),
	                "spec.containers[0].securityContext"},
	        {POD(CONTEXT("\"seccompProfile\":{\"type\":\"Localhost\"}")),
	                "spec.containers[0].securityContext.seccompProfile.localhostProfile"},
	        {POD(CONTEXT("\"seccompProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"../x\"}")),
	                "spec.containers[0].securityContext.seccompProfile.localhostProfile"},
	        {POD("\"securityContext\":{\"fsGroupChangePolicy\":\"Never\"}," C("")),
	                "spec.securityContext.fsGroupChangePolicy"},
	        {POD("\"hostPID\":true,\"shareProcessNamespace\":true," C("")),
	                "spec.securityContext.shareProcessNamespace"},
	        {POD("\"hostNetwork\":true," C(",\"ports\":[{\"containerPort\":80,\"hostPort\":81}]")),
	                "spec.containers[0].ports[0].containerPort"},
	        {POD("\"volumes\":[{\"name\":\"v\"}]," C(",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/"
	                                                 "v\",\"mountPropagation\":\"Bidirectional\"}]")),
	                "spec.containers[0].volumeMounts.mountPropagation"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_field(first_field("", "v1", "pods", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("", "v1", "pods", POD(CONTEXT("\"runAsUser\":0,\"privileged\":true"))));
}

/* What a write of ephemeralcontainers meets, after the first container was there. */
static void ephemeral_containers_are_added_and_never_changed(void **state)
{
#define WITH(list) \
	POD("\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]," \
	    "\"ephemeralContainers\":[" list "]")
#define E1 "{\"name\":\"e\",\"image\":\"i\"}"
	static const char *const cases[][2] = {
	        {WITH(E1), NULL},
	        {WITH(E1 ",{\"name\":\"f\",\"image\":\"i\",\"targetContainerName\":\"c\"}"), NULL},
	        {WITH(E1 ",{\"name\":\"c\",\"image\":\"i\"}"), "spec.ephemeralContainers[1].name"},
	        {WITH(E1 ",{\"name\":\"e\",\"image\":\"i\"}"), "spec.ephemeralContainers[1].name"},
	        {WITH(E1 ",{\"name\":\"f\"}"), "spec.ephemeralContainers[1].image"},
	        {WITH(E1 ",{\"name\":\"f\",\"image\":\"i\",\"targetContainerName\":\"e\"}"),
	                "spec.ephemeralContainers[1].targetContainerName"},
	        {WITH(E1 ",{\"name\":\"f\",\"image\":\"i\",\"ports\":[{\"containerPort\":1,\"protocol\":\"TCP\"}]}"),
	                "spec.ephemeralContainers[1].ports"},
	        {WITH(E1 ",{\"name\":\"f\",\"image\":\"i\",\"resources\":{\"limits\":{\"cpu\":\"1\"}}}"),
	                "spec.ephemeralContainers[1].resources"},
	        {WITH(E1 ",{\"name\":\"f\",\"image\":\"i\",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\","
	                 "\"subPath\":\"s\"}]}"),
	                "spec.ephemeralContainers[1].volumeMounts[0].subPath"},
	        {WITH("{\"name\":\"e\",\"image\":\"other\"}"), "spec.ephemeralContainers"},
	        {WITH("{\"name\":\"f\",\"image\":\"i\"}"), "spec.ephemeralContainers"},
	        {WITH(""), "spec.ephemeralContainers"},
	};
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("pods"));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct field_errors *errors = ARENA_NEW(&a, struct field_errors);
		struct json *object = parse(cases[i][0]), *old = parse(WITH(E1));
		defaults_apply(&a, r, object);
		defaults_apply(&a, r, old);
		field_errors_init(errors, &a);
		validate_object(errors, r, object, old, "ephemeralcontainers");
		if (cases[i][1])
			assert_field(errors->count ? errors->items[0].field : NULL, cases[i][1], cases[i][0]);
		else
			assert_int_equal(errors->count, 0);
	}
	assert_field(first_field("", "v1", "pods",
	                     POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"}],\"ephemeralContainers\":[" E1 "]")),
	        "spec.ephemeralContainers", "on create");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(jobs_name_the_field_that_is_wrong, release),
	        cmocka_unit_test_teardown(cron_jobs_name_the_field_that_is_wrong, release),
	        cmocka_unit_test_teardown(names_and_labels_follow_their_rules, release),
	        cmocka_unit_test_teardown(roles_and_bindings_name_the_field_that_is_wrong, release),
	        cmocka_unit_test_teardown(pods_name_the_field_that_is_wrong, release),
	        cmocka_unit_test_teardown(a_selector_must_match_its_template, release),
	        cmocka_unit_test_teardown(what_may_not_change_is_named, release),
	        cmocka_unit_test_teardown(daemon_sets_update_by_one_of_two_ways, release),
	        cmocka_unit_test_teardown(stateful_sets_are_ordered_or_parallel, release),
	        cmocka_unit_test_teardown(replication_controllers_select_by_a_map, release),
	        cmocka_unit_test_teardown(autoscalers_name_the_field_that_is_wrong, release),
	        cmocka_unit_test_teardown(budgets_have_one_amount, release),
	        cmocka_unit_test_teardown(long_lists_take_linear_time, release),
	        cmocka_unit_test_teardown(errors_beyond_the_limit_are_counted_only, release),
	        cmocka_unit_test_teardown(probes_and_hooks_that_nobody_would_run_are_refused, release),
	        cmocka_unit_test_teardown(contexts_that_contradict_themselves_are_refused, release),
	        cmocka_unit_test_teardown(ephemeral_containers_are_added_and_never_changed, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
