/* What is demanded of pods beyond their containers' first needs: each rule refused in upstream's words, and met. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/field_errors.h"
#include "base/check.h"

struct rule_case {
	const char *text, *error;
};

/* All that is wrong, a line each. */
static const char *text_of(const struct field_errors *e)
{
	const char *all = "";
	for (size_t i = 0; i < e->count; i++)
		all = arena_printf(&a, "%s%s%s: %s", all, i ? "\n" : "", e->items[i].field, e->items[i].message);
	return all;
}

static struct json *pod_of(const char *spec)
{
	struct json *pod = parse(arena_printf(&a, "{\"metadata\":{\"name\":\"p\"},\"spec\":{%s}}", spec));
	pod_defaults(&a, pod);
	return pod;
}

static const char *error_of(const char *spec)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	field_errors_init(e, &a);
	validate_pod(e, pod_of(spec), NULL);
	return text_of(e);
}

static const char *update_error(const char *before, const char *now)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	field_errors_init(e, &a);
	validate_pod(e, pod_of(now), pod_of(before));
	return text_of(e);
}

#define C(more) "\"containers\":[{\"name\":\"c\",\"image\":\"i\"" more "}]"
#define RUN(cases) run(cases, COUNT_OF(cases))

static void run(const struct rule_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(error_of(cases[i].text), cases[i].error) != 0)
			fail_msg("%s:\n%s\nwant\n%s", cases[i].text, error_of(cases[i].text), cases[i].error);
}

#define RES(limits, requests) C(",\"resources\":{\"limits\":{" limits "},\"requests\":{" requests "}}")

static void resources_have_names(void **state)
{
	static const struct rule_case cases[] = {
	        {RES("\"cpu\":\"1\",\"memory\":\"1Gi\",\"ephemeral-storage\":\"1Gi\"", "\"cpu\":\"500m\""), ""},
	        {RES("\"x.io/gpu\":\"2\"", ""), ""},
	        {RES("\"foo\":\"2\"", "\"foo\":\"2\""), "spec.containers[0].resources.limits[foo]: Invalid value: "
	                                                "\"foo\": must be a standard resource type "
	                                                "or fully qualified\n"
	                                                "spec.containers[0].resources.limits[foo]: Invalid value: "
	                                                "\"foo\": must be a standard resource for "
	                                                "containers\n"
	                                                "spec.containers[0].resources.requests[foo]: Invalid value: "
	                                                "\"foo\": must be a standard resource "
	                                                "type or fully qualified\n"
	                                                "spec.containers[0].resources.requests[foo]: Invalid value: "
	                                                "\"foo\": must be a standard resource "
	                                                "for containers"},
	        {RES("\"pods\":\"2\"", ""), "spec.containers[0].resources.limits[pods]: Invalid value: \"pods\": must "
	                                    "be a standard resource "
	                                    "for containers\n"
	                                    "spec.containers[0].resources.requests[pods]: Invalid value: \"pods\": "
	                                    "must be a standard resource "
	                                    "for containers"},
	        {RES("\"requests.x/y\":\"1\"", ""),
	                "spec.containers[0].resources.limits[requests.x/y]: Invalid value: \"requests.x/y\": doesn't "
	                "follow "
	                "extended resource name standard\n"
	                "spec.containers[0].resources.requests[requests.x/y]: Invalid value: \"requests.x/y\": doesn't "
	                "follow extended resource name standard"},
	        {RES("\"x.io/gpu\":\"2\"", "\"x.io/gpu\":\"1\""), "spec.containers[0].resources.requests: Invalid "
	                                                          "value: \"1\": must be equal to x.io/gpu limit of 2"},
	        {RES("", "\"x.io/gpu\":\"1\""),
	                "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable "
	                "resources"},
	        {RES("\"cpu\":\"1\"", "\"cpu\":\"2\""), "spec.containers[0].resources.requests: Invalid value: \"2\": "
	                                                "must be less than or equal to cpu "
	                                                "limit of 1"},
	};
	RUN(cases);
}

static void huge_pages_are_whole(void **state)
{
	static const struct rule_case cases[] = {
	        {RES("\"cpu\":\"1\",\"hugepages-2Mi\":\"4Mi\"", ""), ""},
	        {RES("\"hugepages-2Mi\":\"4Mi\"", ""),
	                "spec.containers[0].resources: Forbidden: HugePages require cpu or memory"},
	        {RES("\"cpu\":\"1\",\"hugepages-2Mi\":\"3Mi\"", ""),
	                "spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not "
	                "positive "
	                "integer multiple of hugepages-2Mi\n"
	                "spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not "
	                "positive "
	                "integer multiple of hugepages-2Mi"},
	};
	RUN(cases);
	assert_string_equal(error_of("\"overhead\":{\"nope\":\"1\"}," C("")),
	        "spec.overhead.limits[nope]: Invalid value: \"nope\": must be a standard resource type or fully "
	        "qualified\n"
	        "spec.overhead.limits[nope]: Invalid value: \"nope\": must be a standard resource for containers");
	assert_string_equal(error_of("\"overhead\":{\"cpu\":\"100m\"}," C("")), "");
}

#define CLAIM \
	"\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"k\"}},{\"name\":\"d\",\"emptyDir\":{" \
	"}}],"
#define DEVICE(name, path) "{\"name\":\"" name "\",\"devicePath\":\"" path "\"}"
#define DEVICES(list) CLAIM C(",\"volumeDevices\":[" list "]")

static void block_devices_are_claims(void **state)
{
	static const struct rule_case cases[] = {
	        {DEVICES(DEVICE("v", "/dev/x")), ""},
	        {DEVICES(DEVICE("v", "")), "spec.containers[0].volumeDevices[0].devicePath: Required value"},
	        {DEVICES(DEVICE("d", "/dev/x")), "spec.containers[0].volumeDevices[0].name: Invalid value: \"d\": can "
	                                         "only use volume source type of "
	                                         "PersistentVolumeClaim or Ephemeral for block mode"},
	        {DEVICES(DEVICE("z", "/dev/x")), "spec.containers[0].volumeDevices[0].name: Not found: \"z\""},
	        {DEVICES(DEVICE("v", "/dev/../x")),
	                "spec.containers[0].volumeDevices[0].devicePath: Invalid value: \"/dev/../x\": can not contain "
	                "backsteps ('..')"},
	        {DEVICES(DEVICE("v", "/dev/x") "," DEVICE("v", "/dev/x")),
	                "spec.containers[0].volumeDevices[1].name: Invalid value: \"v\": must be unique\n"
	                "spec.containers[0].volumeDevices[1].devicePath: Invalid value: \"/dev/x\": must be unique"},
	        {CLAIM C(",\"volumeDevices\":[" DEVICE(
	                 "v", "/x") "],\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/x\"}]"),
	                "spec.containers[0].volumeMounts[0].name: Invalid value: \"v\": must not already exist in "
	                "volumeDevices\n"
	                "spec.containers[0].volumeMounts[0].mountPath: Invalid value: \"/x\": must not already exist "
	                "as a "
	                "path in volumeDevices\n"
	                "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": must not already exist in "
	                "volumeMounts\n"
	                "spec.containers[0].volumeDevices[0].devicePath: Invalid value: \"/x\": must not already exist "
	                "as a "
	                "path in volumeMounts"},
	        {CLAIM C(",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/"
	                 "x\",\"mountPropagation\":\"Bidirectional\"}]"),
	                "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation "
	                "is "
	                "available only to privileged containers"},
	};
	RUN(cases);
}

#define SYSCTL(name) "\"securityContext\":{\"sysctls\":[{\"name\":\"" name "\",\"value\":\"1\"}]}," C("")
#define NAME_RULE \
	"must have at most 253 characters and match regex " \
	"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"

static void sysctls_have_names(void **state)
{
	static const struct rule_case cases[] = {
	        {SYSCTL("net.ipv4.ip_forward"), ""},
	        {SYSCTL("net/ipv4/conf/eth0.1/mc_forwarding"), ""},
	        {SYSCTL("net.ipv4.conf.br-0.x"), ""},
	        {SYSCTL(""), "spec.securityContext.sysctls[0].name: Required value"},
	        {SYSCTL("net..x"), "spec.securityContext.sysctls[0].name: Invalid value: \"net..x\": " NAME_RULE},
	        {SYSCTL("net._x"), "spec.securityContext.sysctls[0].name: Invalid value: \"net._x\": " NAME_RULE},
	        {SYSCTL("net.x_"), "spec.securityContext.sysctls[0].name: Invalid value: \"net.x_\": " NAME_RULE},
	        {SYSCTL("Net.x"), "spec.securityContext.sysctls[0].name: Invalid value: \"Net.x\": " NAME_RULE},
	        {"\"hostNetwork\":true," SYSCTL("net/core/x"), "spec.securityContext.sysctls[0].name: Invalid value: "
	                                                       "\"net/core/x\": may not be specified when "
	                                                       "'hostNetwork' is true"},
	        {"\"hostNetwork\":true," SYSCTL("kernel.sem"), ""},
	        {"\"hostIPC\":true," SYSCTL("kernel.sem"), "spec.securityContext.sysctls[0].name: Invalid value: "
	                                                   "\"kernel.sem\": may not be specified when "
	                                                   "'hostIPC' is true"},
	        {"\"securityContext\":{\"sysctls\":[{\"name\":\"a.b\",\"value\":\"1\"},{\"name\":\"a.b\",\"value\":"
	         "\"2\"}]}," C(""),
	                "spec.securityContext.sysctls[1].name: Duplicate value: \"a.b\""},
	        {"\"securityContext\":{\"supplementalGroups\":[1,-1]}," C(""),
	                "spec.securityContext.supplementalGroups[1]: Invalid value: -1: must be between 0 and "
	                "2147483647, "
	                "inclusive"},
	};
	RUN(cases);
}

#define PROFILE(kind, text) "\"securityContext\":{\"" kind "\":{" text "}}," C("")

static void local_profiles_have_a_file(void **state)
{
	static const struct rule_case cases[] = {
	        {PROFILE("seccompProfile", "\"type\":\"Localhost\",\"localhostProfile\":\"a/b.json\""), ""},
	        {PROFILE("seccompProfile", "\"type\":\"Localhost\""),
	                "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when "
	                "seccomp type "
	                "is Localhost"},
	        {PROFILE("seccompProfile", "\"type\":\"Localhost\",\"localhostProfile\":\"/b\""),
	                "spec.securityContext.seccompProfile.localhostProfile: Invalid value: \"/b\": must be a "
	                "relative "
	                "path"},
	        {PROFILE("seccompProfile", "\"type\":\"RuntimeDefault\",\"localhostProfile\":\"b\""),
	                "spec.securityContext.seccompProfile.localhostProfile: Invalid value: \"b\": can only be set "
	                "when "
	                "seccomp type is Localhost"},
	        {PROFILE("appArmorProfile", "\"type\":\"Localhost\",\"localhostProfile\":\"k3x/x\""), ""},
	        {PROFILE("appArmorProfile", "\"type\":\"Localhost\",\"localhostProfile\":\" x\""),
	                "spec.securityContext.appArmorProfile.localhostProfile: Invalid value: \" x\": must not be "
	                "padded "
	                "with whitespace"},
	        {PROFILE("appArmorProfile", "\"type\":\"Localhost\""),
	                "spec.securityContext.appArmorProfile.localhostProfile: Required value: must be set when "
	                "AppArmor "
	                "type is Localhost"},
	        {PROFILE("appArmorProfile", "\"localhostProfile\":\"x\""),
	                "spec.securityContext.appArmorProfile.type: Required value: type is required when "
	                "appArmorProfile "
	                "is set\n"
	                "spec.securityContext.appArmorProfile.localhostProfile: Invalid value: \"x\": can only be set "
	                "when "
	                "AppArmor type is Localhost"},
	};
	RUN(cases);
}

static void one_handler_each(void **state)
{
	static const struct rule_case cases[] = {
	        {C(",\"livenessProbe\":{\"exec\":{\"command\":[\"x\"]},\"tcpSocket\":{\"port\":1}}"),
	                "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler "
	                "type"},
	        {C(",\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":31}}}"),
	                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be greater than 0 and "
	                "less "
	                "than terminationGracePeriodSeconds (30). Enable AllowPodLifecycleSleepActionZeroValue feature "
	                "gate "
	                "for zero sleep."},
	        {C(",\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":30}}}"), ""},
	};
	RUN(cases);
}

#define DNS(text) "\"dnsConfig\":{" text "}," C("")

static void resolvers_are_such(void **state)
{
	static const struct rule_case cases[] = {
	        {"\"dnsPolicy\":\"None\"," DNS("\"nameservers\":[\"1.2.3.4\"],\"searches\":[\"a.b.\",\"c\"]"), ""},
	        {"\"dnsPolicy\":\"None\"," C(""),
	                "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"},
	        {"\"dnsPolicy\":\"None\"," DNS(""),
	                "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when "
	                "`dnsPolicy` is None"},
	        {DNS("\"nameservers\":[\"x\"]"), "spec.dnsConfig.nameservers[0]: Invalid value: \"x\": must be a valid "
	                                         "IP address, (e.g. 10.9.8.7 or "
	                                         "2001:db8::ffff)"},
	        {DNS("\"nameservers\":[\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\"]"),
	                "spec.dnsConfig.nameservers: Invalid value: []string{\"1.1.1.1\", \"1.1.1.2\", \"1.1.1.3\", "
	                "\"1.1.1.4\"}: must not have more than 3 nameservers"},
	        {DNS("\"searches\":[\"a_b\"]"),
	                "spec.dnsConfig.searches[0]: Invalid value: \"a_b\": a lowercase RFC 1123 subdomain must "
	                "consist of "
	                "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
	                "character (e.g. 'example.com', regex used for validation is "
	                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"},
	};
	RUN(cases);
}

static void one_system_has_not_the_others_fields(void **state)
{
	static const struct rule_case cases[] = {
	        {"\"os\":{\"name\":\"linux\"},\"securityContext\":{\"runAsUser\":1}," C(""), ""},
	        {"\"os\":{}," C(""), "spec.os.name: Required value: cannot be empty"},
	        {"\"os\":{\"name\":\"plan9\"}," C(""),
	                "spec.os: Unsupported value: \"plan9\": supported values: \"linux\", \"windows\""},
	        {"\"os\":{\"name\":\"windows\"},\"hostPID\":true," C(",\"securityContext\":{\"privileged\":false}"),
	                "spec.hostPID: Forbidden: cannot be set for a windows pod\n"
	                "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod"},
	        {"\"os\":{\"name\":\"linux\"}," C(",\"securityContext\":{\"windowsOptions\":{\"hostProcess\":false}}"),
	                "spec.containers[0].securityContext.windowsOptions: Forbidden: windows options cannot be set "
	                "for a "
	                "linux pod"},
	};
	RUN(cases);
}

/* ---- updates ---- */

#define GATED "\"schedulingGates\":[{\"name\":\"g\"}],"
#define TERMS(list) \
	"\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":" \
	"[" list "]}}},"
#define TERM(more) "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}" more "]}"
#define ONE_MORE ",{\"key\":\"b\",\"operator\":\"Exists\"}"
#define STAYS \
	"spec: Forbidden: pod updates may not change fields other than " \
	"`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` " \
	"(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if " \
	"it " \
	"was previously negative)"
#define TERMS_FIELD "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"

static void a_gated_pod_may_become_choosier(void **state)
{
	static const struct {
		const char *before, *now, *error;
	} cases[] = {
	        {GATED C(""), GATED "\"nodeSelector\":{\"a\":\"b\"}," C(""), ""},
	        {GATED "\"nodeSelector\":{\"a\":\"b\"}," C(""), "\"nodeSelector\":{\"a\":\"b\",\"c\":\"d\"}," C(""),
	                ""},
	        {GATED "\"nodeSelector\":{\"a\":\"b\"}," C(""), GATED "\"nodeSelector\":{\"a\":\"x\"}," C(""),
	                "spec.nodeSelector: Invalid value: map[string]string{\"a\":\"x\"}: only additions to "
	                "spec.nodeSelector are allowed (no mutations or deletions)"},
	        {C(""), "\"nodeSelector\":{\"a\":\"b\"}," C(""), STAYS},
	        {GATED C(""), GATED TERMS(TERM("")) C(""), ""},
	        {GATED TERMS(TERM("")) C(""), GATED TERMS(TERM(ONE_MORE)) C(""), ""},
	        {GATED TERMS(TERM(ONE_MORE)) C(""), GATED TERMS(TERM("")) C(""),
	                TERMS_FIELD
	                "[0]: Invalid value: core.NodeSelectorTerm{...}: only additions are allowed (no mutations "
	                "or deletions)"},
	        {GATED TERMS(TERM("")) C(""), GATED TERMS(TERM("") "," TERM("")) C(""),
	                TERMS_FIELD
	                ": Invalid value: []core.NodeSelectorTerm{...}: no additions/deletions to non-empty "
	                "NodeSelectorTerms list are allowed"},
	        {GATED TERMS(TERM("")) C(""), GATED C(""),
	                TERMS_FIELD
	                ": Invalid value: []core.NodeSelectorTerm{...}: no additions/deletions to non-empty "
	                "NodeSelectorTerms list are allowed"},
	        {GATED C(""),
	                GATED
	                "\"affinity\":{\"podAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[]}}," C(
	                        ""),
	                STAYS},
	        {TERMS(TERM("")) C(""), TERMS(TERM(ONE_MORE)) C(""), STAYS},
	        {C(""), "\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":\"i\"}]",
	                "spec.containers: Forbidden: pod updates may not add or remove containers"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (strcmp(update_error(cases[i].before, cases[i].now), cases[i].error) != 0)
			fail_msg("%s -> %s:\n%s\nwant\n%s", cases[i].before, cases[i].now,
			        update_error(cases[i].before, cases[i].now), cases[i].error);
}

/* ---- the status ---- */

static const char *status_error(const char *policy, const char *before, const char *now)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	const char *form = "{\"spec\":{\"restartPolicy\":\"%s\",\"containers\":[{\"name\":\"c\",\"image\":\"i:2\"},"
	                   "{\"name\":\"r\",\"resizePolicy\":[{\"restartPolicy\":\"RestartContainer\"}]}]},"
	                   "\"status\":{%s}}";
	field_errors_init(e, &a);
	validate_pod_part(e, parse(arena_printf(&a, form, policy, now)), parse(arena_printf(&a, form, policy, before)));
	return text_of(e);
}

#define ENDED(code) "\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":{\"exitCode\":" code "}}}]"
#define RUNNING "\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"running\":{}}}]"
#define ENDED_OF(name, more) \
	"\"containerStatuses\":[{\"name\":\"" name "\",\"state\":{\"terminated\":{\"exitCode\":0}}" more "}]"
#define RUNS(name) "\"containerStatuses\":[{\"name\":\"" name "\",\"state\":{\"running\":{}}}]"
#define NOT_AGAIN "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"

static void what_is_over_stays_so(void **state)
{
	static const struct {
		const char *policy, *before, *now, *error;
	} cases[] = {
	        {"Never", ENDED("1"), RUNNING, NOT_AGAIN},
	        {"OnFailure", ENDED("0"), RUNNING, NOT_AGAIN},
	        {"OnFailure", ENDED("1"), RUNNING, ""},
	        {"Always", ENDED("0"), RUNNING, ""},
	        {"Never", RUNNING, ENDED("0"), ""},
	        {"Never", ENDED_OF("c", ",\"image\":\"i:1\""), RUNS("c"), ""}, /* its image was changed since */
	        {"Never", ENDED_OF("c", ",\"image\":\"i:2\""), RUNS("c"), NOT_AGAIN},
	        {"OnFailure", ENDED_OF("r", ""), RUNS("r"), ""}, /* for more memory */
	        {"Never", "", "\"podIPs\":[{\"ip\":\"1.2.3.4\"},{\"ip\":\"fd00::1\"}]", ""},
	        {"Never", "", "\"podIPs\":[{\"ip\":\"1.2.3.4\"},{\"ip\":\"1.2.3.5\"}]",
	                "status.podIPs: Invalid value: []core.PodIP{...}: may specify no more than one IP for each IP "
	                "family"},
	        {"Never", "", "\"podIPs\":[{\"ip\":\"x\"}]",
	                "status.podIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or "
	                "2001:db8::ffff)"},
	        {"Never", "\"qosClass\":\"BestEffort\"", "\"qosClass\":\"Burstable\"",
	                "status.qosClass: Invalid value: \"Burstable\": field is immutable"},
	        {"Never", "", "\"conditions\":[{\"type\":\"x.io/ready\",\"status\":\"True\"}]", ""},
	        {"Never", "", "\"nominatedNodeName\":\"a_b\"",
	                "status.nominatedNodeName: Invalid value: \"a_b\": a lowercase RFC 1123 subdomain must consist "
	                "of "
	                "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
	                "character (e.g. 'example.com', regex used for validation is "
	                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (strcmp(status_error(cases[i].policy, cases[i].before, cases[i].now), cases[i].error) != 0)
			fail_msg("%s, %s -> %s:\n%s\nwant\n%s", cases[i].policy, cases[i].before, cases[i].now,
			        status_error(cases[i].policy, cases[i].before, cases[i].now), cases[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(resources_have_names, release),
	        cmocka_unit_test_teardown(huge_pages_are_whole, release),
	        cmocka_unit_test_teardown(block_devices_are_claims, release),
	        cmocka_unit_test_teardown(sysctls_have_names, release),
	        cmocka_unit_test_teardown(local_profiles_have_a_file, release),
	        cmocka_unit_test_teardown(one_handler_each, release),
	        cmocka_unit_test_teardown(resolvers_are_such, release),
	        cmocka_unit_test_teardown(one_system_has_not_the_others_fields, release),
	        cmocka_unit_test_teardown(a_gated_pod_may_become_choosier, release),
	        cmocka_unit_test_teardown(what_is_over_stays_so, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
