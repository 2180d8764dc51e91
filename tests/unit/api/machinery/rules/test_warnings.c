/* Warnings: what is accepted and yet worth a word, in upstream's. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#include "api/machinery/rules/warnings.h"

struct warning_case {
	const char *group, *version, *plural;
	const char *body; /* the object's members but metadata */
	const char *want; /* "" : none; several with "; " between */
};

static const char *all(const struct warnings *w)
{
	const char *text = "";
	for (size_t i = 0; i < w->count; i++)
		text = arena_printf(&a, "%s%s%s", text, *text ? "; " : "", w->items[i]);
	return text;
}

static const char *warnings_of(const struct resource *r, const struct json *object, const struct json *old)
{
	struct warnings w;
	warnings_init(&w, &a);
	object_warnings(&w, r, object, old, "");
	return all(&w);
}

static void run(const struct warning_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct warning_case *c = &cases[i];
		const struct resource *r = resource_find(slice_of(c->group), slice_of(c->version), slice_of(c->plural));
		assert_non_null(r);
		const char *got = warnings_of(r, group_object(r, c->body), NULL);
		if (strcmp(got, c->want) != 0)
			fail_msg("%s {%s}:\n got  %s\n want %s", c->plural, c->body, got, c->want);
	}
}

#define RUN(cases) run(cases, COUNT_OF(cases))
#define POD(rest) \
	{ \
		"", "v1", "pods", "\"spec\":{" rest "}"
#define CONTAINER(rest) POD("\"containers\":[{\"name\":\"c\"," rest "}]")

static void a_pod_runs_by_labels_that_are_old(void **state){
        static const struct warning_case cases[] = {POD("\"nodeSelector\":{\"kubernetes.io/os\":\"linux\"}"), ""},
        POD("\"nodeSelector\":{\"beta.kubernetes.io/os\":\"linux\"}"),
        "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead"},
        POD("\"affinity\":{\"nodeAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"preference\":{"
            "\"matchExpressions\":[{\"key\":\"failure-domain.beta.kubernetes.io/zone\"}]}}]}}"),
        "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference."
        "matchExpressions[0].key: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "
        "\"topology.kubernetes.io/zone\" instead"
}
, POD("\"topologySpreadConstraints\":[{\"topologyKey\":\"beta.kubernetes.io/arch\"}]"),
        "spec.topologySpreadConstraints[0].topologyKey: beta.kubernetes.io/arch is deprecated since v1.14; "
        "use \"kubernetes.io/arch\" instead; spec.topologySpreadConstraints[0].labelSelector: a null "
        "labelSelector results in matching no pod"
}
,
        POD("\"affinity\":{\"podAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{}]},"
            "\"podAntiAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"podAffinityTerm\":{}}]}}"),
        "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null "
        "labelSelector results in matching no pod; "
        "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm."
        "labelSelector: a null labelSelector results in matching no pod"
}
,
}
;
RUN(cases);
}

static void a_pod_says_things_twice(void **state){
        static const struct warning_case cases[] =
                {CONTAINER("\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\",\"value\":\"$(A):2\"}]"), ""},
        CONTAINER("\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\"},{\"name\":\"A\",\"value\":\"2\"}]"),
        "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when using "
        "apply"},
        CONTAINER("\"env\":[{\"name\":\"A\"},{\"name\":\"A\",\"value\":\"$(A)\"}]"),
        "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using "
        "apply"
}
, CONTAINER("\"ports\":[{\"containerPort\":80},{\"containerPort\":80,\"protocol\":\"UDP\"}]"), ""
}
,
        POD("\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":80}]},{\"name\":\"d\",\"ports\":[{"
            "\"containerPort\":80}]}]"),
        "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]"
}
, CONTAINER("\"ports\":[{\"containerPort\":80},{\"containerPort\":80,\"hostPort\":8080}]"),
        "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]"
}
,
        CONTAINER("\"ports\":[{\"containerPort\":80,\"hostPort\":1},{\"containerPort\":80,\"hostPort\":1,"
                  "\"hostIP\":\"1.2.3.4\"},{\"containerPort\":80,\"hostPort\":2}]"),
        "spec.containers[0].ports[1]: dangerously ambiguous port definition with "
        "spec.containers[0].ports[0]"
}
, CONTAINER("\"ports\":[{\"name\":\"x\",\"containerPort\":80,\"hostIP\":\"1.2.3.4\"}]"),
        "spec.containers[0].ports[0]: hostIP set without hostPort: {Name:x HostPort:0 ContainerPort:80 "
        "Protocol:TCP HostIP:1.2.3.4}"
}
,
        POD("\"hostAliases\":[{\"ip\":\"1.2.3.4\"},{\"ip\":\"1.2.3.4\"}],\"imagePullSecrets\":[{\"name\":\"a\"},{"
            "\"name\":\"a\"},{}]"),
        "spec.hostAliases[1].ip: duplicate ip \"1.2.3.4\"; spec.imagePullSecrets[1].name: duplicate name "
        "\"a\"; spec.imagePullSecrets[2].name: invalid empty name \"\""
}
,
}
;
RUN(cases);
}

static void a_pod_has_fractions_and_what_is_gone(void **state){
        static const struct warning_case cases[] =
                {CONTAINER("\"resources\":{\"limits\":{\"memory\":\"1Gi\",\"cpu\":\"1500m\"}}"), ""},
        CONTAINER("\"resources\":{\"limits\":{\"memory\":\"500m\"},\"requests\":{\"memory\":1,"
                  "\"ephemeral-storage\":\"0.5\"}}"),
        "spec.containers[0].resources.limits[memory]: fractional byte value \"500m\" is invalid, must be an "
        "integer; spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value \"500m\" "
        "is invalid, must be an integer"},
        POD("\"volumes\":[{\"name\":\"a\",\"gitRepo\":{}},{\"name\":\"b\",\"storageos\":{}},{\"name\":\"c\","
            "\"ephemeral\":{\"volumeClaimTemplate\":{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"1500m\"}}"
            "}}}}]"),
        "spec.volumes[0].gitRepo: deprecated in v1.11; spec.volumes[1].storageOS: deprecated in v1.22, "
        "non-functional in v1.25+; "
        "spec.volumes[2].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: fractional byte "
        "value \"1500m\" is invalid, must be an integer"
}
, POD("\"terminationGracePeriodSeconds\":-1"),
        "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated "
        "as 1"
}
,
}
;
RUN(cases);
}

#define ANNOTATED(annotations, rest) \
	"{\"metadata\":{\"name\":\"n\",\"annotations\":{" annotations \
	"}},\"spec\":{\"containers\":[{\"name\":\"c\"" rest "}]}}"
#define SECCOMP "container.seccomp.security.alpha.kubernetes.io/c"

static const char *pod_warnings(const char *text)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("pods"));
	return warnings_of(r, parse(text), NULL);
}

static void annotations_have_become_fields(void **state)
{
	assert_string_equal(pod_warnings(ANNOTATED(
	                            "\"scheduler.alpha.kubernetes.io/critical-pod\":\"\",\"" SECCOMP "\":\"x\"", "")),
	        "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "
	        "\"priorityClassName\" field instead; metadata.annotations[" SECCOMP
	        "]: non-functional in v1.27+; use the \"seccompProfile\" field instead");
	assert_string_equal(
	        pod_warnings(ANNOTATED("\"" SECCOMP "\":\"x\"", ",\"securityContext\":{\"seccompProfile\":{}}")), "");
	assert_string_equal(
	        pod_warnings(ANNOTATED("\"container.apparmor.security.beta.kubernetes.io/c\":\"x\"", "")), "");
}

#define TEMPLATE "\"template\":{\"spec\":{\"nodeSelector\":{\"beta.kubernetes.io/os\":\"linux\"}}}"
#define OLD_OS(base) \
	base "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead"

static void templates_are_looked_at_where_they_are(void **state)
{
	static const struct warning_case cases[] = {
	        {"apps", "v1", "deployments", "\"spec\":{" TEMPLATE "}", OLD_OS("spec.template.")},
	        {"apps", "v1", "replicasets", "\"spec\":{" TEMPLATE "}", OLD_OS("spec.template.")},
	        {"apps", "v1", "daemonsets", "\"spec\":{" TEMPLATE "}", OLD_OS("spec.template.")},
	        {"", "v1", "replicationcontrollers", "\"spec\":{" TEMPLATE "}", OLD_OS("spec.template.")},
	        {"", "v1", "podtemplates", TEMPLATE, OLD_OS("template.")},
	        {"batch", "v1", "jobs", "\"spec\":{" TEMPLATE "}", OLD_OS("spec.template.")},
	        {"batch", "v1", "cronjobs", "\"spec\":{\"jobTemplate\":{\"spec\":{" TEMPLATE "}}}",
	                OLD_OS("spec.jobTemplate.spec.template.")},
	        {"apps", "v1", "statefulsets",
	                "\"spec\":{" TEMPLATE ",\"revisionHistoryLimit\":-1,\"volumeClaimTemplates\":[{\"spec\":{"
	                "\"resources\":{\"requests\":{\"storage\":\"1m\"}}}}]}",
	                OLD_OS("spec.template.") "; spec.volumeClaimTemplates[0].resources.requests[storage]: "
	                                         "fractional "
	                                         "byte value \"1m\" is invalid, must be an integer; "
	                                         "spec.revisionHistoryLimit: a negative value retains all historical "
	                                         "revisions; a value >= 0 is recommended"},
	        {"batch", "v1", "jobs",
	                "\"spec\":{\"completionMode\":\"Indexed\",\"completions\":100001,\"parallelism\":10001}",
	                "spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher "
	                "than "
	                "10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes "
	                "fail"},
	        {"batch", "v1", "cronjobs", "\"spec\":{\"schedule\":\"TZ=UTC @daily\"}",
	                "CRON_TZ or TZ used in spec.spec.schedule is not officially supported, see "
	                "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"},
	};
	RUN(cases);
}

static void a_template_that_is_as_it_was_is_not_told_again(void **state)
{
	const struct resource *r = resource_find(SLICE("apps"), SLICE("v1"), SLICE("deployments")),
	                      *pods = resource_find(SLICE(""), SLICE("v1"), SLICE("pods"));
	struct json *v = group_object(r, "\"spec\":{" TEMPLATE "}"), *old = json_copy(&a, v);
	struct warnings w;
	assert_string_equal(warnings_of(r, v, old), "");
	json_set_int(&a, json_get(v, "metadata"), "generation", 2);
	assert_string_equal(warnings_of(r, v, old), OLD_OS("spec.template."));
	warnings_init(&w, &a);
	object_warnings(&w, r, v, old, "status");
	assert_int_equal(w.count, 0);
	v = group_object(pods, "\"spec\":{\"nodeSelector\":{\"beta.kubernetes.io/os\":\"linux\"}}");
	assert_string_equal(warnings_of(pods, v, v), "");
}

static void names_of_pods_are_hosts(void **state)
{
	const struct resource *r = resource_find(SLICE("apps"), SLICE("v1"), SLICE("deployments")),
	                      *sets = resource_find(SLICE("apps"), SLICE("v1"), SLICE("daemonsets"));
	struct json *v = group_object(r, "\"spec\":{}");
	json_set_cstr(&a, json_get(v, "metadata"), "name", "a.b");
	const char *got = warnings_of(r, v, NULL);
	const char *want =
	        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
	        "a DNS label is recommended: [a lowercase RFC 1123 label must consist of";
	assert_int_equal(strncmp(got, want, strlen(want)), 0);
	assert_string_equal(warnings_of(r, v, v), "");
	assert_string_equal(warnings_of(sets, v, NULL), "");
}

static void addresses_and_storage_that_are_old(void **state)
{
	static const struct warning_case cases[] = {
	        {"", "v1", "services",
	                "\"spec\":{\"clusterIPs\":[\"None\"],\"clusterIP\":\"None\",\"externalIPs\":[\"1.2.3.4\"]}",
	                ""},
	        {"", "v1", "services",
	                "\"spec\":{\"clusterIP\":\"fd00:0::1\",\"clusterIPs\":[\"fd00:0::1\"],\"externalIPs\":[\"010.0."
	                "0.1\"],"
	                "\"loadBalancerSourceRanges\":[\"10.0.0.0/8\",\"fd00:0::/64\",\"010.0.0.0/8\"]}",
	                "spec.clusterIPs[0]: IPv6 address \"fd00:0::1\" is not in RFC 5952 canonical format "
	                "(\"fd00::1\"), "
	                "which may cause controller apply-loops; spec.externalIPs[0]: IP address was accepted, but "
	                "will be "
	                "invalid in a future Kubernetes release: ParseAddr(\"010.0.0.1\"): IPv4 field has octet with "
	                "leading "
	                "zero; spec.loadBalancerSourceRanges[1]: IPv6 prefix \"fd00:0::/64\" is not in RFC 5952 "
	                "canonical "
	                "format (\"fd00::/64\"), which may cause controller apply-loops; "
	                "spec.loadBalancerSourceRanges[2]: IP "
	                "prefix was accepted, but will be invalid in a future Kubernetes release: "
	                "netip.ParsePrefix(\"010.0.0.0/8\"): ParseAddr(\"010.0.0.0\"): IPv4 field has octet with "
	                "leading "
	                "zero"},
	        {"", "v1", "persistentvolumes",
	                "\"spec\":{\"rbd\":{},\"persistentVolumeReclaimPolicy\":\"Recycle\",\"nodeAffinity\":{"
	                "\"required\":{"
	                "\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"beta.kubernetes.io/arch\"}]}]}}}",
	                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the "
	                "recommended approach is to use dynamic provisioning.; "
	                "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: "
	                "beta.kubernetes.io/arch is "
	                "deprecated since v1.14; use \"kubernetes.io/arch\" instead; spec.rbd: deprecated in v1.28, "
	                "non-functional in v1.31+"},
	        {"", "v1", "persistentvolumeclaims", "\"spec\":{\"resources\":{\"requests\":{\"storage\":\"1500m\"}}}",
	                "spec.resources.requests[storage]: fractional byte value \"1500m\" is invalid, must be an "
	                "integer"},
	        {"storage.k8s.io", "v1", "storageclasses",
	                "\"allowedTopologies\":[{\"matchLabelExpressions\":[{\"key\":\"failure-domain.beta.kubernetes."
	                "io/"
	                "zone\"}]}]",
	                "allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "
	                "\"topology.kubernetes.io/zone\" instead"},
	        {"node.k8s.io", "v1", "runtimeclasses",
	                "\"scheduling\":{\"nodeSelector\":{\"beta.kubernetes.io/os\":\"linux\"}}",
	                "scheduling.nodeSelector: deprecated since v1.14; use \"kubernetes.io/os\" instead"},
	};
	RUN(cases);
}

static void annotations_of_other_kinds(void **state)
{
	static const struct {
		const char *group, *plural, *key, *spec, *want;
	} cases[] = {
	        {"", "services", "service.kubernetes.io/topology-aware-hints", "{}",
	                "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use "
	                "service.kubernetes.io/topology-mode instead"},
	        {"", "persistentvolumeclaims", "volume.beta.kubernetes.io/storage-class", "{}",
	                "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "
	                "\"storageClassName\" attribute instead"},
	        {"networking.k8s.io", "ingresses", "kubernetes.io/ingress.class", "{}",
	                "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' "
	                "instead"},
	        {"networking.k8s.io", "ingresses", "kubernetes.io/ingress.class", "{\"ingressClassName\":\"x\"}", ""},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct resource *r =
		        resource_find(slice_of(cases[i].group), SLICE("v1"), slice_of(cases[i].plural));
		struct json *v = parse(
		        arena_printf(&a, "{\"metadata\":{\"name\":\"n\",\"annotations\":{\"%s\":\"x\"}},\"spec\":%s}",
		                cases[i].key, cases[i].spec));
		assert_string_equal(warnings_of(r, v, NULL), cases[i].want);
	}
}

static void the_same_is_told_once_and_there_is_an_end(void **state)
{
	struct warnings w;
	warnings_init(&w, &a);
	warning_add(&w, "a");
	warning_add(&w, "a");
	assert_int_equal(w.count, 1);
	for (int i = 0; i < 2 * KIND_WARNINGS_MAX; i++)
		warning_add(&w, "%d", i);
	assert_int_equal(w.count, KIND_WARNINGS_MAX);
	assert_true(warnings_are_full(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_pod_runs_by_labels_that_are_old, release),
	        cmocka_unit_test_teardown(a_pod_says_things_twice, release),
	        cmocka_unit_test_teardown(a_pod_has_fractions_and_what_is_gone, release),
	        cmocka_unit_test_teardown(annotations_have_become_fields, release),
	        cmocka_unit_test_teardown(templates_are_looked_at_where_they_are, release),
	        cmocka_unit_test_teardown(a_template_that_is_as_it_was_is_not_told_again, release),
	        cmocka_unit_test_teardown(names_of_pods_are_hosts, release),
	        cmocka_unit_test_teardown(addresses_and_storage_that_are_old, release),
	        cmocka_unit_test_teardown(annotations_of_other_kinds, release),
	        cmocka_unit_test_teardown(the_same_is_told_once_and_there_is_an_end, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
