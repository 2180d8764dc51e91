/* Arguments of kube-proxy: those that mean something are taken, all others are refused by name. */
#include "tests/unit/unit.h"

#include "net/proxy/tracking.h"
#include "tools/k3x/arguments/proxy_args.h"

static struct proxy_arguments got;
static struct arena arena;
static struct err err;

static int load(const char *one)
{
	const char *items[] = {one};
	err = ERR_INIT;
	return proxy_args_load(&(struct flag_list){items, one != NULL}, &arena, &got, &err);
}

static void fails(const char *arg, int code, const char *part)
{
	assert_int_equal(load(arg), code);
	assert_non_null(strstr(err.msg, "--kube-proxy-arg"));
	if (!strstr(err.msg, part))
		fail_msg("%s: \"%s\" does not say \"%s\"", arg, err.msg, part);
}

static void without_any_the_pages_are_where_upstream_has_them(void **state)
{
	struct tracking_value values[TRACKING_VALUES_MAX];
	assert_int_equal(load(NULL), 0);
	assert_string_equal(got.healthz.address, "127.0.0.1");
	assert_int_equal(got.healthz.port, 10256);
	assert_int_equal(got.metrics.port, 10249);
	assert_int_equal(tracking_values(&got, 8, values), 0); /* the kernel's own stay */
}

static void addresses_are_taken(void **state)
{
	assert_int_equal(load("--metrics-bind-address=[::]:9999"), 0);
	assert_string_equal(got.metrics.address, "::");
	assert_int_equal(got.metrics.port, 9999);
	assert_int_equal(load("healthz-bind-address="), 0);
	assert_null(got.healthz.address);
	assert_int_equal(load("nodeport-addresses=10.0.0.0/8,fd99::/64"), 0);
	assert_int_equal(got.n_node_port_ranges, 2);
	assert_int_equal(load("nodeport-addresses=primary"), 0);
	assert_true(got.node_ports_primary);
	arena_release(&arena);
}

static void tracking_is_set_as_upstream_counts(void **state)
{
	struct tracking_value values[TRACKING_VALUES_MAX];
	const char *items[] = {"conntrack-max-per-core=1000", "conntrack-min=5000", "conntrack-udp-timeout=45s",
	        "conntrack-tcp-be-liberal"};
	err = ERR_INIT;
	assert_int_equal(proxy_args_load(&(struct flag_list){items, 4}, &arena, &got, &err), 0);
	assert_int_equal(tracking_values(&got, 2, values), 3);
	assert_string_equal(values[0].path, "nf_conntrack_max");
	assert_int_equal(values[0].value, 5000);
	assert_string_equal(values[1].path, "nf_conntrack_udp_timeout");
	assert_int_equal(values[1].value, 45);
	assert_int_equal(values[2].value, 1);
	tracking_values(&got, 8, values);
	assert_int_equal(values[0].value, 8000);
}

static void what_is_so_anyway_may_be_said(void **state)
{
	assert_int_equal(load("proxy-mode=nftables"), 0);
	fails("proxy-mode=iptables", ERR_UNIMPLEMENTED, "proxy-mode can only be \"nftables\"");
	fails("masquerade-all=true", ERR_UNIMPLEMENTED, "masquerade-all can only be \"false\"");
}

static void wrong_ones_are_named(void **state)
{
	fails("metrics-bind-address=10249", ERR_INVAL, "metrics-bind-address: \"10249\" is not an address like");
	fails("metrics-bind-address=::1:10249", ERR_INVAL, "is not an address");
	fails("metrics-bind-address=1.2.3.4:0", ERR_INVAL, "is not an address");
	fails("nodeport-addresses=10.0.0.1/8", ERR_INVAL, "nodeport-addresses: \"10.0.0.1/8\" is not");
	fails("conntrack-min=-1", ERR_INVAL, "conntrack-min");
	fails("conntrack-udp-timeout=1500ms", ERR_INVAL, "conntrack-udp-timeout");
	fails("conntrack-tcp-be-liberal=maybe", ERR_INVAL, "true or false");
	fails("cluster-cidr=10.42.0.0/16", ERR_UNIMPLEMENTED, "cluster-cidr cannot be set here: use --cluster-cidr");
	fails("ipvs-scheduler=rr", ERR_INVAL, "\"ipvs-scheduler\" is not an argument that k3x has");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(without_any_the_pages_are_where_upstream_has_them),
	        cmocka_unit_test(addresses_are_taken),
	        cmocka_unit_test(tracking_is_set_as_upstream_counts),
	        cmocka_unit_test(what_is_so_anyway_may_be_said),
	        cmocka_unit_test(wrong_ones_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
