/* What may not run on a node, and in which words it is told. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/ground/node_record.h"
#include "node/worker/pod_admit_int.h"

static struct admit_node node;
static struct admit_other others[8];
static size_t others_count;

static int setup(void **state)
{
	node = (struct admit_node){.name = SLICE("n"),
	        .labels = SLICE("{\"disk\":\"fast\"}"),
	        .taints = SLICE("[]"),
	        .allocatable = SLICE("{\"cpu\":\"2\",\"memory\":\"1Gi\",\"pods\":\"3\"}"),
	        .is_known = true};
	others_count = 0;
	return 0;
}

static void has(const char *spec)
{
	others[others_count++] = (struct admit_other){.spec = parse(spec)};
}

/* The reason of the refusal, "" when there is none. */
static const char *asks(const char *spec)
{
	struct admit_verdict r = pod_admit(&a, parse(spec), false, others, others_count, &node);
	assert_true(!r.reason == !r.message);
	assert_true(!r.victims_count || r.must_wait);
	return r.reason ? r.reason : "";
}

#define CPU(amount) "{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"" amount "\"}}}]}"
#define PORT(port) "{\"containers\":[{\"ports\":[{\"containerPort\":1," port "}]}]}"

static void resources_are_what_is_left(void **state)
{
	assert_string_equal(asks(CPU("2")), "");
	assert_string_equal(asks(CPU("500")), "OutOfcpu");
	has(CPU("1500m"));
	assert_string_equal(asks(CPU("500m")), "");
	assert_string_equal(asks(CPU("501m")), "OutOfcpu");
	struct admit_verdict r = pod_admit(&a, parse(CPU("501m")), false, others, others_count, &node);
	assert_string_equal(
	        r.message, "Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: 2000");
	assert_string_equal(
	        asks("{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"2Gi\"}}}]}"), "OutOfmemory");
	assert_string_equal(asks("{\"overhead\":{\"memory\":\"2Gi\"},\"containers\":[{}]}"), "OutOfmemory");
	assert_string_equal(asks("{\"containers\":[{\"resources\":{\"requests\":{\"x.test/gpu\":\"1\"}}}]}"), "");
	has("{\"containers\":[{}]}");
	has("{\"containers\":[{}]}");
	assert_string_equal(asks("{\"containers\":[{}]}"), "OutOfpods");
}

static void host_ports_are_taken_once(void **state)
{
	has(PORT("\"hostPort\":80,\"protocol\":\"TCP\""));
	has(PORT("\"hostPort\":81,\"hostIP\":\"192.0.2.1\""));
	assert_string_equal(asks(PORT("\"hostPort\":80")), "NodePorts");
	assert_string_equal(asks(PORT("\"hostPort\":80,\"protocol\":\"UDP\"")), "");
	assert_string_equal(asks(PORT("\"hostPort\":81,\"hostIP\":\"192.0.2.2\"")), "");
	assert_string_equal(asks(PORT("\"hostPort\":81,\"hostIP\":\"0.0.0.0\"")), "NodePorts");
	assert_string_equal(asks(PORT("\"protocol\":\"TCP\"")), "");
}

static void labels_and_taints_are_the_nodes(void **state)
{
#define AFFINITY(value) \
	"{\"containers\":[{}],\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{" \
	"\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"In\",\"values\":[\"" value \
	"\"]}]}]}}}}"
	assert_string_equal(asks("{\"containers\":[{}],\"nodeSelector\":{\"disk\":\"fast\"}}"), "");
	assert_string_equal(asks("{\"containers\":[{}],\"nodeSelector\":{\"disk\":\"slow\"}}"), "NodeAffinity");
	assert_string_equal(asks(AFFINITY("fast")), "");
	assert_string_equal(asks(AFFINITY("slow")), "NodeAffinity");
	node.taints = SLICE("[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]");
	assert_string_equal(asks("{\"containers\":[{}]}"), "");
	node.taints = SLICE("[{\"key\":\"k\",\"effect\":\"NoExecute\"}]");
	assert_string_equal(asks("{\"containers\":[{}]}"), "TaintToleration");
	assert_string_equal(asks("{\"containers\":[{}],\"tolerations\":[{\"operator\":\"Exists\"}]}"), "");
	assert_null(pod_admit(&a, parse("{\"containers\":[{}]}"), true, NULL, 0, &node).reason);
}

static void sysctls_that_reach_further_are_forbidden(void **state)
{
#define SYSCTL(name, rest) \
	"{\"containers\":[{}]," rest "\"securityContext\":{\"sysctls\":[{\"name\":\"" name "\",\"value\":\"1\"}]}}"
	assert_string_equal(asks(SYSCTL("net.ipv4.ip_unprivileged_port_start", "")), "");
	assert_string_equal(asks(SYSCTL("net/ipv4/tcp_syncookies", "")), "");
	assert_string_equal(asks(SYSCTL("kernel.msgmax", "")), "SysctlForbidden");
	assert_string_equal(asks(SYSCTL("net.ipv4.tcp_syncookies", "\"hostNetwork\":true,")), "SysctlForbidden");
	assert_string_equal(asks(SYSCTL("kernel.shm_rmid_forced", "\"hostIPC\":true,")), "SysctlForbidden");
}

static void what_the_host_cannot_is_refused(void **state)
{
#define PROFILE(type) "\"securityContext\":{\"appArmorProfile\":{\"type\":\"" type "\"}}"
	assert_string_equal(asks("{\"containers\":[{}],\"os\":{\"name\":\"windows\"}}"), "PodOSNotSupported");
	assert_string_equal(asks("{\"containers\":[{}],\"os\":{\"name\":\"linux\"}}"), "");
	assert_string_equal(asks("{\"containers\":[{" PROFILE("RuntimeDefault") "}]}"), "AppArmor");
	assert_string_equal(asks("{\"containers\":[{}]," PROFILE("Localhost") "}"), "AppArmor");
	assert_string_equal(asks("{\"containers\":[{}]," PROFILE("Unconfined") "}"), "");
	node.has_apparmor = true;
	assert_string_equal(asks("{\"containers\":[{" PROFILE("RuntimeDefault") "}]}"), "");
}

/* A static pod before the API server is up. */
static void a_node_that_is_not_known_yet_refuses_nothing_by_itself(void **state)
{
	node = (struct admit_node){0};
	assert_string_equal(asks(CPU("500")), "");
	assert_string_equal(asks("{\"containers\":[{}],\"nodeSelector\":{\"disk\":\"slow\"}}"), "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, release)

static void a_node_that_is_short_takes_few(void **state)
{
	const char *best_effort = "{\"containers\":[{}]}", *critical = "{\"priority\":2000000000,\"containers\":[{}]}",
	           *patient = "{\"containers\":[{}],\"tolerations\":[{\"key\":\"node.kubernetes.io/memory-pressure\","
	                      "\"operator\":\"Exists\"}]}";
	node.pressures = NODE_PRESSURE_MEMORY;
	assert_string_equal(asks(best_effort), "Evicted");
	assert_string_equal(asks(CPU("1")), "");
	assert_string_equal(asks(critical), "");
	assert_string_equal(asks(patient), "");
	node.is_shutting_down = true;
	assert_string_equal(asks(critical), "NodeShutdown");
	node.is_shutting_down = false;
	node.pressures = NODE_PRESSURE_MEMORY | NODE_PRESSURE_PID;
	assert_string_equal(asks(CPU("1")), "Evicted");
	assert_string_equal(asks(patient), "Evicted");
	assert_string_equal(asks(critical), "");
	struct admit_verdict r = pod_admit(&a, parse(best_effort), false, others, others_count, &node);
	assert_string_equal(r.message, "The node had condition: [MemoryPressure PIDPressure]. ");
	assert_null(pod_admit(&a, parse(best_effort), true, others, others_count, &node).reason);
}

/* A verdict in a word: "" it may, "wait" with whom, or the reason of a refusal. */
static const char *critical_asks(const char *spec)
{
	struct admit_verdict v = pod_admit(&a, parse(spec), false, others, others_count, &node);
	const char *text = v.reason ? v.reason : v.must_wait ? "wait" : "";
	for (size_t i = 0; i < v.victims_count; i++)
		text = arena_printf(&a, "%s %zu", text, v.victims[i]);
	return text;
}

#define CRITICAL(cpu) "{\"priority\":2000000000,\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"" cpu "\"}}}]}"

static void a_critical_pod_takes_the_place_of_others(void **state)
{
	has(CPU("1500m"));
	has("{\"containers\":[{}]}");
	assert_string_equal(critical_asks(CRITICAL("500m")), "");
	assert_string_equal(critical_asks(CRITICAL("1")), "wait 0");
	has("{\"containers\":[{}]}");
	assert_string_equal(critical_asks(CRITICAL("100m")), "wait 2"); /* a place among pods alone */
	assert_string_equal(critical_asks(CRITICAL("1")), "wait 0");    /* who gives both needs no other */
	others[0].is_ending = true;
	assert_string_equal(critical_asks(CRITICAL("1")), "wait"); /* enough is on its way */
	node.taints = SLICE("[{\"key\":\"k\",\"effect\":\"NoExecute\"}]");
	assert_string_equal(critical_asks(CRITICAL("1")), "TaintToleration"); /* nobody ends in vain */
}

static void nobody_critical_ends(void **state)
{
	has(CRITICAL("1"));
	has(CPU("1"));
	others[1].is_static = true;
	assert_string_equal(critical_asks(CRITICAL("1")), "UnexpectedAdmissionError");
	struct admit_verdict v = pod_admit(&a, parse(CRITICAL("1")), false, others, others_count, &node);
	assert_string_equal(v.message,
	        "Unexpected error while attempting to recover from admission failure: preemption: error finding a set "
	        "of "
	        "pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 1000)]");
	assert_true(pod_admit(&a, parse(CPU("1")), true, others, others_count, &node).reason);
	assert_string_equal(critical_asks("{\"priority\":2000001000,\"containers\":[{\"resources\":{\"requests\":{"
	                                  "\"cpu\":\"1\"}}}]}"),
	        "wait 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(resources_are_what_is_left),
	        T(host_ports_are_taken_once),
	        T(labels_and_taints_are_the_nodes),
	        T(sysctls_that_reach_further_are_forbidden),
	        T(what_the_host_cannot_is_refused),
	        T(a_node_that_is_not_known_yet_refuses_nothing_by_itself),
	        T(a_node_that_is_short_takes_few),
	        T(a_critical_pod_takes_the_place_of_others),
	        T(nobody_critical_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
