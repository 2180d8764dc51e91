/* Defaults: what is filled in, what stays, and that a second pass changes nothing. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/defaults.h"

static struct json *defaulted(const char *group, const char *version, const char *plural, const char *text)
{
	const struct resource *r = resource_find(slice_of(group), slice_of(version), slice_of(plural));
	struct json *v = parse(text);
	assert_non_null(r);
	defaults_apply(&a, r, v);
	struct json *again = json_copy(&a, v);
	defaults_apply(&a, r, again);
	assert_true(json_equal(v, again)); /* defaults are filled in once */
	return v;
}

static void assert_str(const struct json *v, const char *want)
{
	if (!slice_is(json_str(v), want))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_FMT(json_str(v)), want);
}

static void an_autoscaler_follows_cpu_and_has_rules(void **state)
{
	struct json *spec = json_get(defaulted("autoscaling", "v2", "horizontalpodautoscalers",
	                                     "{\"apiVersion\":\"autoscaling/"
	                                     "v2\",\"spec\":{\"behavior\":{\"scaleUp\":{\"selectPolicy\":\"Min\"}}}}"),
	        "spec");
	struct json *cpu = json_get(json_at(json_get(spec, "metrics"), 0), "resource");
	assert_str(json_get(cpu, "name"), "cpu");
	assert_int_equal(json_get_int(json_get(cpu, "target"), "averageUtilization", 0), 80);
	struct json *up = json_path(spec, "behavior", "scaleUp", NULL),
	            *down = json_path(spec, "behavior", "scaleDown", NULL);
	assert_str(json_get(up, "selectPolicy"), "Min");
	assert_int_equal(json_get(up, "policies")->count, 2);
	assert_int_equal(json_get(down, "policies")->count, 1);
	assert_null(json_get(down, "stabilizationWindowSeconds"));
	spec = json_get(defaulted("autoscaling", "v1", "horizontalpodautoscalers",
	                        "{\"apiVersion\":\"autoscaling/v1\",\"spec\":{}}"),
	        "spec");
	assert_null(json_get(spec, "metrics")); /* which v1 does not have */
}

static void a_pod_gets_what_upstream_gives_it(void **state)
{
	struct json *spec =
	        json_get(defaulted("", "v1", "pods",
	                         "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"nginx\","
	                         "\"ports\":[{\"containerPort\":1}],"
	                         "\"resources\":{\"limits\":{\"cpu\":\"1\"}},\"livenessProbe\":{\"httpGet\":{\"port\":"
	                         "80}}},{\"name\":\"b\",\"image\":\"nginx:1.2\"}],"
	                         "\"volumes\":[{\"name\":\"v\",\"configMap\":{\"name\":\"c\"}},{\"name\":\"e\"}]}}"),
	                "spec");
	struct json *c = json_at(json_get(spec, "containers"), 0);
	assert_str(json_get(spec, "restartPolicy"), "Always");
	assert_str(json_get(spec, "dnsPolicy"), "ClusterFirst");
	assert_str(json_get(spec, "schedulerName"), "default-scheduler");
	assert_int_equal(json_get_int(spec, "terminationGracePeriodSeconds", 0), 30);
	assert_str(json_get(c, "imagePullPolicy"), "Always");
	assert_str(json_get(json_at(json_get(spec, "containers"), 1), "imagePullPolicy"), "IfNotPresent");
	assert_str(json_get(json_at(json_get(c, "ports"), 0), "protocol"), "TCP");
	assert_str(json_path(c, "resources", "requests", "cpu", NULL), "1");
	assert_str(json_path(c, "livenessProbe", "httpGet", "scheme", NULL), "HTTP");
	assert_int_equal(json_int(json_path(c, "livenessProbe", "periodSeconds", NULL), 0), 10);
	assert_int_equal(
	        json_int(json_path(json_at(json_get(spec, "volumes"), 0), "configMap", "defaultMode", NULL), 0), 420);
	assert_non_null(json_get(json_at(json_get(spec, "volumes"), 1), "emptyDir"));
}

static void what_is_set_stays(void **state)
{
	struct json *spec = json_get(
	        defaulted("", "v1", "pods",
	                "{\"metadata\":{},\"spec\":{\"restartPolicy\":\"Never\",\"terminationGracePeriodSeconds\":0,"
	                "\"containers\":[{\"name\":\"a\",\"image\":\"nginx\",\"imagePullPolicy\":\"Never\"}]}}"),
	        "spec");
	assert_str(json_get(spec, "restartPolicy"), "Never");
	assert_int_equal(json_get_int(spec, "terminationGracePeriodSeconds", 7), 0);
	assert_str(json_get(json_at(json_get(spec, "containers"), 0), "imagePullPolicy"), "Never");
}

static void workloads_and_services_are_filled_in(void **state)
{
	struct json *d = defaulted("apps", "v1", "deployments",
	        "{\"metadata\":{},\"spec\":{\"selector\":{},\"template\":{\"spec\":{\"containers\":[]}}}}");
	assert_int_equal(json_int(json_path(d, "spec", "replicas", NULL), 0), 1);
	assert_str(json_path(d, "spec", "strategy", "rollingUpdate", "maxSurge", NULL), "25%");
	struct json *s = defaulted("", "v1", "services", "{\"metadata\":{},\"spec\":{\"ports\":[{\"port\":80}]}}");
	assert_str(json_path(s, "spec", "type", NULL), "ClusterIP");
	assert_str(json_path(s, "spec", "sessionAffinity", NULL), "None");
	assert_int_equal(json_get_int(json_at(json_path(s, "spec", "ports", NULL), 0), "targetPort", 0), 80);
	struct json *j = defaulted(
	        "batch", "v1", "jobs", "{\"metadata\":{},\"spec\":{\"template\":{\"spec\":{\"containers\":[]}}}}");
	assert_int_equal(json_int(json_path(j, "spec", "backoffLimit", NULL), 0), 6);
	assert_int_equal(json_int(json_path(j, "spec", "completions", NULL), 0), 1);
	struct json *c = defaulted("batch", "v1", "cronjobs",
	        "{\"metadata\":{},\"spec\":{\"schedule\":\"* * * * "
	        "*\",\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"containers\":[]}}}}}}");
	assert_str(json_path(c, "spec", "concurrencyPolicy", NULL), "Allow");
	struct json *secret = defaulted("", "v1", "secrets", "{\"metadata\":{}}");
	assert_str(json_get(secret, "type"), "Opaque");
}

static void a_network_policy_is_of_egress_when_it_has_rules_of_it(void **state)
{
	static const struct {
		const char *spec;
		unsigned types;
	} rows[] = {{"{\"podSelector\":{}}", 1}, {"{\"podSelector\":{},\"egress\":[]}", 1},
	        {"{\"podSelector\":{},\"egress\":[{}]}", 2}, {"{\"podSelector\":{},\"policyTypes\":[\"Egress\"]}", 1}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json *v = defaulted("networking.k8s.io", "v1", "networkpolicies",
		        arena_printf(&a, "{\"metadata\":{},\"spec\":%s}", rows[i].spec));
		assert_int_equal(json_path(v, "spec", "policyTypes", NULL)->count, rows[i].types);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_pod_gets_what_upstream_gives_it, release),
	        cmocka_unit_test_teardown(an_autoscaler_follows_cpu_and_has_rules, release),
	        cmocka_unit_test_teardown(what_is_set_stays, release),
	        cmocka_unit_test_teardown(a_network_policy_is_of_egress_when_it_has_rules_of_it, release),
	        cmocka_unit_test_teardown(workloads_and_services_are_filled_in, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
