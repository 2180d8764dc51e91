/* Arguments of kube-controller-manager: those that mean something are taken, all others are refused by name. */
#include "tests/unit/unit.h"

#include "base/mem/str.h"
#include "tools/k3x/arguments/controller_args.h"

static struct controllers_arguments got;
static struct err err;

static int load(const char *one, const char *other)
{
	const char *items[] = {one, other};
	err = ERR_INIT;
	struct arena a = ARENA_INIT;
	int rc = controller_args_load(&(struct flag_list){items, other ? 2 : one != NULL}, &a, &got, &err);
	arena_release(&a);
	return rc;
}

static void fails(const char *arg, const char *part)
{
	assert_int_not_equal(load(arg, NULL), 0);
	assert_non_null(strstr(err.msg, "--kube-controller-manager-arg"));
	if (!strstr(err.msg, part))
		fail_msg("%s: \"%s\" does not say \"%s\"", arg, err.msg, part);
}

static void without_any_they_are_upstreams(void **state)
{
	assert_int_equal(load(NULL, NULL), 0);
	assert_int_equal(got.node_grace_s, 50);
	assert_int_equal(got.terminated_pods_max, 12500);
	assert_true(got.eviction_rate == 0.1 && got.secondary_eviction_rate == 0.01);
	assert_true(got.unhealthy_zone_threshold == 0.55);
	assert_int_equal(got.large_zone_nodes, 50);
	assert_int_equal(got.node_mask_bits, 24);
}

static void values_are_taken(void **state)
{
	assert_int_equal(load("--node-monitor-grace-period=1m30s", "node-eviction-rate=2.5"), 0);
	assert_int_equal(got.node_grace_s, 90);
	assert_true(got.eviction_rate == 2.5);
	assert_int_equal(load("terminated-pod-gc-threshold=0", "unhealthy-zone-threshold=1"), 0);
	assert_int_equal(got.terminated_pods_max, 0);
	assert_int_equal(load("terminated-pod-gc-threshold=1", "terminated-pod-gc-threshold=2"), 0);
	assert_int_equal(got.terminated_pods_max, 2);
	assert_int_equal(load("node-cidr-mask-size=20", NULL), 0);
	assert_int_equal(got.node_mask_bits, 20);
	assert_int_equal(load("node-cidr-mask-size-ipv4=22", "node-cidr-mask-size-ipv6=80"), 0);
	assert_int_equal(got.node_mask_bits, 22);
	assert_int_equal(got.node_mask_bits_v6, 80);
}

static void wrong_ones_are_named(void **state)
{
	fails("node-monitor-grace-period=0s", "node-monitor-grace-period: \"0s\" is not a time");
	fails("node-monitor-grace-period", "needs a value: node-monitor-grace-period=VALUE");
	fails("terminated-pod-gc-threshold=-1", "\"-1\" is not a number of pods");
	fails("node-cidr-mask-size=8", "\"8\" is not a number of bits from 16 to 28");
	fails("node-cidr-mask-size-ipv6=24", "\"24\" is not a number of bits from 64 to 120");
	fails("node-eviction-rate=inf", "\"inf\"");
	fails("node-eviction-rate=1e9", "\"1e9\"");
	fails("node-eviction-rate=1.2.3", "\"1.2.3\"");
	fails("unhealthy-zone-threshold=1.1", "a share between 0 and 1");
	fails("bind-address=127.0.0.1", "\"bind-address\" is not an argument that k3x has");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(without_any_they_are_upstreams),
	        cmocka_unit_test(values_are_taken),
	        cmocka_unit_test(wrong_ones_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
