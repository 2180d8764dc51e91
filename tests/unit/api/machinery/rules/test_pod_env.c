/* Environment variables and names of pods: refused in upstream's words. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "base/check.h"

static const char *text_of(const struct field_errors *e)
{
	return e->count ? arena_printf(&a, "%s: %s", e->items[0].field, e->items[0].message) : "";
}

static const char *env_error(const char *container)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	field_errors_init(e, &a);
	validate_env(e, "c", parse(arena_printf(&a, "{%s}", container)));
	return text_of(e);
}

/* Of a whole pod, with its defaults. */
static const char *pod_error(const char *spec)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	struct json *pod = parse(arena_printf(&a, "{\"metadata\":{\"name\":\"p\"},\"spec\":{%s}}", spec));
	field_errors_init(e, &a);
	pod_defaults(&a, pod);
	validate_pod(e, pod, NULL);
	return text_of(e);
}

struct env_case {
	const char *text, *error;
};

static void run(const char *(*error_of)(const char *), const struct env_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(error_of(cases[i].text), cases[i].error) != 0)
			fail_msg("%s: %s, want %s", cases[i].text, error_of(cases[i].text), cases[i].error);
}

#define FROM(text) "\"env\":[{\"name\":\"E\",\"valueFrom\":{" text "}}]"

static void a_variable_has_one_source(void **state)
{
	static const struct env_case cases[] = {
	        {FROM("\"fieldRef\":{\"fieldPath\":\"status.podIP\"}"), ""},
	        {FROM("\"fieldRef\":{\"fieldPath\":\"metadata.labels['k']\"}"), ""},
	        {FROM("\"fieldRef\":{\"fieldPath\":\"spec.replicas\"}"),
	                "c.env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.replicas\": error converting "
	                "fieldPath: field label not supported: spec.replicas"},
	        {FROM("\"resourceFieldRef\":{\"resource\":\"limits.cpu\"}"), ""},
	        {FROM("\"configMapKeyRef\":{\"name\":\"m\"}"),
	                "c.env[0].valueFrom.configMapKeyRef.key: Required value"},
	        {FROM(""),
	                "c.env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, "
	                "`configMapKeyRef` or `secretKeyRef`"},
	        {FROM("\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\"},\"configMapKeyRef\":{\"name\":\"m\",\"key\":"
	              "\"k\"}"),
	                "c.env[0].valueFrom: Invalid value: \"\": may not have more than one field specified at a "
	                "time"},
	        {"\"env\":[{\"name\":\"E\",\"value\":\"v\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":"
	         "\"k\"}}}]",
	                "c.env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"},
	        {"\"env\":[{\"name\":\"A=B\"}]",
	                "c.env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist only of "
	                "printable ASCII characters other than '='"},
	        {"\"envFrom\":[{\"prefix\":\"P\",\"secretRef\":{\"name\":\"s\"}}]", ""},
	        {"\"envFrom\":[{\"secretRef\":{}}]", "c.envFrom[0].secretRef.name: Required value"},
	        {"\"envFrom\":[{}]",
	                "c.envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"},
	};
	run(env_error, cases, COUNT_OF(cases));
}

#define ONE(rest) "{\"name\":\"a\",\"image\":\"i\"" rest "}"
#define PORT ",\"ports\":[{\"containerPort\":80,\"hostPort\":80}]"
#define WITH(rest) rest ",\"containers\":[" ONE("") "]"

static void ports_of_the_host_are_taken_once(void **state)
{
	static const struct env_case cases[] = {
	        {"\"containers\":[" ONE(PORT) "]", ""},
	        {"\"containers\":[" ONE(PORT) "],\"initContainers\":[{\"name\":\"b\",\"image\":\"i\"" PORT "}]", ""},
	        {"\"containers\":[" ONE(PORT) ",{\"name\":\"b\",\"image\":\"i\"" PORT "}]",
	                "spec.containers[1].ports[0].hostPort: Duplicate value: \"TCP//80\""},
	};
	run(pod_error, cases, COUNT_OF(cases));
}

static void names_of_a_pod_are_names(void **state)
{
	static const struct env_case cases[] = {
	        {WITH("\"hostname\":\"h\",\"subdomain\":\"s\",\"priorityClassName\":\"p.q\",\"runtimeClassName\":"
	              "\"r\""),
	                ""},
	        {WITH("\"hostAliases\":[{\"ip\":\"fd00::1\",\"hostnames\":[\"a.b\"]}]"), ""},
	        {WITH("\"hostAliases\":[{\"ip\":\"1.2.3\"}]"), "spec.hostAliases[0].ip: Invalid value: \"1.2.3\": must "
	                                                       "be a valid IP address, (e.g. 10.9.8.7 or "
	                                                       "2001:db8::ffff)"},
	        {WITH("\"activeDeadlineSeconds\":2147483648"),
	                "spec.activeDeadlineSeconds: Invalid value: 2147483648: must be between 1 and 2147483647, "
	                "inclusive"},
	        {WITH("\"nodeName\":\"n\",\"schedulingGates\":[{\"name\":\"g\"}]"),
	                "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"},
	};
	run(pod_error, cases, COUNT_OF(cases));
	assert_non_null(
	        strstr(pod_error(WITH("\"subdomain\":\"S\"")), "spec.subdomain: Invalid value: \"S\": a lower"));
	assert_non_null(strstr(pod_error(WITH("\"nodeName\":\"N\"")), "spec.nodeName: Invalid value: \"N\": a lower"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_variable_has_one_source, release),
	        cmocka_unit_test_teardown(ports_of_the_host_are_taken_once, release),
	        cmocka_unit_test_teardown(names_of_a_pod_are_names, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
