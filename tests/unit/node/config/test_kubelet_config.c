/* The kubelet's configuration: who wins, what is refused by its name, what is told. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "node/config/config_table_int.h"
#include "node/config/kubelet_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"

static struct kubelet_config c;

static void load(const char *const *args, size_t n, const char *dir)
{
	struct err err = ERR_INIT;
	if (kubelet_config_load(&(struct kubelet_config_source){args, n, dir}, &c, &err) != 0)
		fail_msg("%s", err.msg);
}

static int unload(void **state)
{
	kubelet_config_release(&c);
	return 0;
}

static const char *refusal(const char *arg)
{
	static struct err err;
	err = (struct err)ERR_INIT;
	assert_int_not_equal(kubelet_config_load(&(struct kubelet_config_source){&arg, 1, NULL}, &c, &err), 0);
	assert_null(c.tree);
	return err.msg;
}

static void every_default_is_right(void **state)
{
	size_t n;
	const struct config_field *fields = config_fields(&n);
	load(NULL, 0, NULL);
	assert_int_equal(c.tree->count, n);
	assert_int_equal(c.warnings_count, 0);
	assert_int_equal(kubelet_config_int(&c, "maxPods"), 110);
	assert_int_equal(kubelet_config_ms(&c, "evictionPressureTransitionPeriod"), 300000);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(fields[i].name, fields[k].name);
}

static void a_flag_is_a_field(void **state)
{
	const char *args[] = {"max-pods=7", "--eviction-hard=memory.available<5%,pid.available<100",
	        "eviction-pressure-transition-period=3s", "eviction-hard=nodefs.available<1Gi"};
	load(args, COUNT_OF(args), NULL);
	const struct json *hard = kubelet_config_get(&c, "evictionHard");
	assert_int_equal(kubelet_config_int(&c, "maxPods"), 7);
	assert_int_equal(kubelet_config_ms(&c, "evictionPressureTransitionPeriod"), 3000);
	assert_int_equal(hard->count, 1); /* the last one said, and nothing of the default */
	assert_true(slice_is(json_get_str(hard, "nodefs.available"), "1Gi"));
	assert_int_equal(c.warnings_count, 0);
}

static void gates_and_memory_have_a_form_of_their_own(void **state)
{
	const char *args[] = {"feature-gates=KubeletPodResourcesGet=true,Wonders=false",
	        "reserved-memory=0:memory=1Gi,hugepages-2Mi=4Mi;1:memory=2Gi"};
	load(args, COUNT_OF(args), NULL);
	const struct json *memory = kubelet_config_get(&c, "reservedMemory");
	assert_true(kubelet_config_gate(&c, "KubeletPodResourcesGet"));
	assert_int_equal(c.warnings_count, 1);
	assert_non_null(strstr(c.warnings[0], "gate Wonders of the kubelet's configuration is not heeded"));
	assert_int_equal(memory->count, 2);
	assert_int_equal(json_get_int(json_at(memory, 1), "numaNode", -1), 1);
	assert_true(slice_is(json_get_str(json_get(memory->first, "limits"), "hugepages-2Mi"), "4Mi"));
	kubelet_config_release(&c);
	load(NULL, 0, NULL);
	assert_false(kubelet_config_gate(&c, "KubeletPodResourcesGet"));
	kubelet_config_release(&c);
	assert_non_null(strstr(refusal("feature-gates=A=maybe"), "is not gates, like"));
	assert_non_null(strstr(refusal("reserved-memory=memory=1Gi"), "is not nodes with amounts"));
	assert_non_null(strstr(refusal("reserved-memory=0:memory"), "is not nodes with amounts"));
}

static const char *refusal_of(const char *yaml)
{
	char dir[] = "/tmp/k3x-config-XXXXXX", path[64];
	static struct err err;
	err = (struct err)ERR_INIT;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/1.conf", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, HEAD "%s\n", yaml);
	fclose(f);
	int rc = kubelet_config_load(&(struct kubelet_config_source){NULL, 0, dir}, &c, &err);
	unlink(path);
	rmdir(dir);
	return rc ? err.msg : "";
}

static void swap_is_none_or_limited(void **state)
{
	assert_string_equal(refusal_of("memorySwap: {swapBehavior: LimitedSwap}"), "");
	assert_int_equal(c.warnings_count, 0);
	kubelet_config_release(&c);
	assert_non_null(
	        strstr(refusal_of("memorySwap: {swapBehavior: UnlimitedSwap}"), "must be NoSwap or LimitedSwap"));
	assert_non_null(strstr(refusal_of("memorySwap: {behavior: NoSwap}"), "is no text swapBehavior"));
	assert_non_null(strstr(refusal_of("memorySwap: {swapBehavior: NoSwap}\nfeatureGates: {NodeSwap: false}"),
	        "needs the feature gate NodeSwap"));
	assert_non_null(strstr(refusal_of("featureGates: {NodeSwap: 1}"), "NodeSwap must be true or false"));
}

static void what_is_no_flag_is_refused(void **state)
{
	assert_string_equal(refusal("max-pod=3"), "--kubelet-arg: \"max-pod\" is no argument of a kubelet");
	assert_string_equal(refusal("node-labels=a=b"), "--kubelet-arg: node-labels: use --node-label");
	assert_string_equal(refusal("max-pods=many"), "--kubelet-arg: max-pods: \"many\" is not a whole number");
	assert_string_equal(refusal("eviction-hard=memory.available"),
	        "--kubelet-arg: eviction-hard: \"memory.available\" is not signals with amounts, like "
	        "memory.available<100Mi,nodefs.available<10%");
	assert_non_null(strstr(refusal("config=/no/such/file"), "/no/such/file"));
}

static void thresholds_are_read_at_the_start(void **state)
{
	assert_non_null(strstr(refusal("eviction-hard=memory.avail<1Mi"), "\"memory.avail\" is no signal"));
	assert_non_null(strstr(refusal("eviction-hard=memory.available<101%"), "no share"));
	assert_non_null(strstr(refusal("eviction-hard=memory.available<-1"), "no amount"));
	assert_non_null(strstr(refusal("eviction-soft=memory.available<1Mi"), "needs a grace period"));
	assert_non_null(strstr(refusal("eviction-minimum-reclaim=x=1Mi"), "\"x\" is no signal"));
}

static void what_contradicts_itself_is_refused(void **state)
{
	assert_non_null(strstr(refusal("image-gc-low-threshold=90"), "imageGCHighThresholdPercent must be more"));
	assert_non_null(strstr(refusal("container-log-max-files=1"), "2 at least"));
	assert_non_null(strstr(refusal("system-reserved=gpu=1"), "\"gpu\" cannot be reserved"));
	assert_non_null(strstr(refusal("kube-reserved=cpu=x"), "no amount"));
	assert_non_null(strstr(refusal("allowed-unsafe-sysctls=vm.swappiness"), "not of a pod's own namespaces"));
	assert_non_null(strstr(refusal("enforce-node-allocatable=pods,system-reserved"), "is not enforced here"));
}

static void what_changes_nothing_is_told(void **state)
{
	const char *args[] = {"kube-api-qps=77", "event-qps=50"};
	load(args, COUNT_OF(args), NULL);
	assert_int_equal(c.warnings_count, 1);
	assert_non_null(strstr(c.warnings[0], "kubeAPIQPS of the kubelet's configuration is not heeded"));
	assert_int_equal(kubelet_config_int(&c, "kubeAPIQPS"), 50); /* what is in force */
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void files_are_merged_in_order(void **state)
{
	char dir[] = "/tmp/k3x-config-XXXXXX", arg[300];
	assert_non_null(mkdtemp(dir));
	put(dir, "base.yaml", HEAD "maxPods: 5\nevictionHard: {memory.available: 1Mi}\nclusterDomain: a.b\n");
	put(dir, "10-a.conf", HEAD "maxPods: 6\nevictionHard: {nodefs.available: 2%}\n");
	put(dir, "20-b.conf", HEAD "maxPods: 8\n");
	put(dir, "30-c.yaml", HEAD "maxPods: 9\n"); /* another name is no drop-in */
	snprintf(arg, sizeof arg, "config=%s/base.yaml", dir);
	const char *args[] = {arg, "cluster-domain=c.d"};
	load(args, 2, dir);
	assert_int_equal(kubelet_config_int(&c, "maxPods"), 8);
	assert_int_equal(kubelet_config_get(&c, "evictionHard")->count, 2);
	assert_true(slice_is(json_str(kubelet_config_get(&c, "clusterDomain")), "c.d"));
	char command[300];
	snprintf(command, sizeof command, "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static const char *merge_error(const char *text)
{
	static struct err err;
	struct arena a = ARENA_INIT;
	err = (struct err)ERR_INIT;
	assert_int_not_equal(kubelet_config_merge(&a, json_new(&a, JSON_OBJECT), "f", slice_of(text), &err), 0);
	arena_release(&a);
	return err.msg;
}

static void files_are_held_against_the_table(void **state)
{
	assert_string_equal(merge_error(HEAD "maxPod: 3\n"), "f: KubeletConfiguration has no field \"maxPod\"");
	assert_string_equal(merge_error(HEAD "maxPods: \"3\"\n"), "f: maxPods must be a whole number");
	assert_string_equal(merge_error(HEAD "syncFrequency: 3\n"), "f: syncFrequency must be a time like 1m30s");
	assert_non_null(strstr(merge_error("kind: Pod\n"), "must be of kind KubeletConfiguration"));
	assert_non_null(strstr(merge_error(HEAD "maxPods: 3\nmaxPods: 4\n"), "maxPods"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(every_default_is_right, unload),
	        cmocka_unit_test_teardown(a_flag_is_a_field, unload),
	        cmocka_unit_test(swap_is_none_or_limited),
	        cmocka_unit_test(gates_and_memory_have_a_form_of_their_own),
	        cmocka_unit_test(what_is_no_flag_is_refused),
	        cmocka_unit_test(thresholds_are_read_at_the_start),
	        cmocka_unit_test(what_contradicts_itself_is_refused),
	        cmocka_unit_test_teardown(what_changes_nothing_is_told, unload),
	        cmocka_unit_test_teardown(files_are_merged_in_order, unload),
	        cmocka_unit_test(files_are_held_against_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
