/* The pure parts of turning a spec into what the runtime is told: variables, resources, names, network, frames. */
#include "tests/unit/unit.h"

#include "node/cgroup/resources.h"
#include "node/runtime/cni.h"
#include "node/runtime/image_name.h"
#include "node/runtime/pause_image.h"
#include "node/worker/pod_env_int.h"

static struct arena arena;

static int setup(void **state)
{
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	assert_non_null(v);
	return v;
}

static void variables_are_expanded(void **state)
{
	struct env_var vars[] = {{"A", "1"}, {"B", ""}};
	struct env env = {vars, 2, 2};
	assert_string_equal(env_expand(&arena, SLICE("x$(A)y$(B)z"), &env), "x1yz");
	assert_string_equal(env_expand(&arena, SLICE("$(NOPE) $$(A) $A $( $"), &env), "$(NOPE) $(A) $A $( $");
	assert_string_equal(env_expand(&arena, SLICE("$$$(A)"), &env), "$1");
	assert_string_equal(env_expand(&arena, SLICE(""), &env), "");
}

#define SPEC(resources) "{\"containers\":[{\"name\":\"c\",\"resources\":" resources "}]}"

static void quality_of_service(void **state)
{
	assert_int_equal(pod_qos(parse(SPEC("{}"))), QOS_BESTEFFORT);
	assert_int_equal(pod_qos(parse(SPEC("{\"requests\":{\"cpu\":\"1\"}}"))), QOS_BURSTABLE);
	assert_int_equal(pod_qos(parse(SPEC("{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}"))), QOS_GUARANTEED);
	assert_int_equal(
	        pod_qos(parse(SPEC("{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"500m\"}}"))),
	        QOS_BURSTABLE);
}

static void quantities_become_cgroup_values(void **state)
{
	struct resource_limits r;
	struct json *spec = parse(SPEC("{\"limits\":{\"cpu\":\"250m\",\"memory\":\"64Mi\"},\"requests\":{\"cpu\":"
	                               "\"100m\",\"memory\":\"32Mi\"}}"));
	r = container_resources(spec, json_at(json_get(spec, "containers"), 0), (int64_t)1 << 30);
	assert_int_equal(r.cpu_shares, 102);
	assert_int_equal(r.cpu_quota_us, 25000);
	assert_int_equal(r.cpu_period_us, 100000);
	assert_int_equal(r.memory_bytes, 64 << 20);
	assert_int_equal(r.oom_score_adj, 1000 - 1000 * 32 / 1024);
	spec = parse(SPEC("{}"));
	r = container_resources(spec, json_at(json_get(spec, "containers"), 0), (int64_t)1 << 30);
	assert_int_equal(r.cpu_shares, 2);
	assert_int_equal(r.cpu_quota_us, 0);
	assert_int_equal(r.oom_score_adj, 1000);
	spec = parse(SPEC("{\"limits\":{\"cpu\":\"1m\"}}"));
	r = container_resources(spec, json_at(json_get(spec, "containers"), 0), (int64_t)1 << 30);
	assert_int_equal(r.cpu_quota_us, 1000);
}

static void a_pods_group_counts_init_containers_and_overhead(void **state)
{
	struct resource_limits r =
	        pod_resources(parse("{\"overhead\":{\"cpu\":\"100m\",\"memory\":\"1Mi\"},\"initContainers\":[{"
	                            "\"resources\":{\"limits\":{\"cpu\":"
	                            "\"2\",\"memory\":\"1Mi\"},\"requests\":{\"cpu\":\"500m\"}}}],\"containers\":[{"
	                            "\"resources\":{\"limits\":{"
	                            "\"cpu\":\"1\",\"memory\":\"8Mi\"},\"requests\":{\"cpu\":\"900m\"}}}]}"));
	assert_int_equal(r.cpu_shares, 1024);     /* 900m of the main container, and the overhead */
	assert_int_equal(r.cpu_quota_us, 210000); /* two CPUs of the init container, and the overhead */
	assert_int_equal(r.memory_bytes, 9 << 20);
	r = pod_resources(
	        parse("{\"initContainers\":[{}],\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"1\"}}}]}"));
	assert_int_equal(r.cpu_quota_us, 0); /* one may use what it likes */
	assert_int_equal(r.memory_bytes, 0);
}

static void swap_is_for_burstable_containers(void **state)
{
	struct swap_facts f = {true, true, 1000, 500};
#define SWAP(resources, critical) \
	(spec = parse(SPEC(resources)), container_swap_bytes(spec, json_get(spec, "containers")->first, critical, &f))
	struct json *spec;
	assert_int_equal(SWAP("{\"requests\":{\"memory\":\"200\"}}", false), 100);
	assert_int_equal(SWAP("{\"requests\":{\"memory\":\"200\"},\"limits\":{\"memory\":\"400\"}}", false), 100);
	assert_int_equal(SWAP("{\"requests\":{\"memory\":\"200\"}}", true), 0);
	assert_int_equal(SWAP("{\"requests\":{\"memory\":\"200\"},\"limits\":{\"memory\":\"200\"}}", false), 0);
	assert_int_equal(SWAP("{\"requests\":{\"cpu\":\"1\"}}", false), 0);
	assert_int_equal(SWAP("{}", false), 0);
	assert_int_equal(SWAP("{\"requests\":{\"memory\":\"2000\"}}", false), 0);
	f.is_limited = false;
	assert_int_equal(SWAP("{\"requests\":{\"memory\":\"200\"}}", false), 0);
	f = (struct swap_facts){true, false, 1000, 500};
	assert_int_equal(SWAP("{\"requests\":{\"memory\":\"200\"}}", false), 0);
}

static void an_image_without_a_tag_is_the_latest(void **state)
{
	assert_string_equal(image_default_tag(&arena, "busybox"), "busybox:latest");
	assert_string_equal(image_default_tag(&arena, "host:5000/a/b"), "host:5000/a/b:latest");
	assert_string_equal(image_default_tag(&arena, "host:5000/a/b:1"), "host:5000/a/b:1");
	assert_string_equal(image_default_tag(&arena, "a@sha256:12"), "a@sha256:12");
}

static void the_network_configuration_is_json(void **state)
{
	struct strbuf b = cni_conf_text(&(struct cni_network){.pod_cidr = "10.42.3.0/24",
	        .bridge = "cni0",
	        .addresses_dir = "/run/a \"b\"",
	        .masquerades = true,
	        .mtu = 1450});
	struct json *bridge = json_at(json_get(parse(strbuf_cstr(&b)), "plugins"), 0);
	assert_true(slice_is(json_get_str(bridge, "bridge"), "cni0"));
	struct json *range = json_at(json_at(json_path(bridge, "ipam", "ranges", NULL), 0), 0);
	assert_true(slice_is(json_get_str(range, "subnet"), "10.42.3.0/24"));
	assert_true(slice_is(json_str(json_path(bridge, "ipam", "dataDir", NULL)), "/run/a \"b\""));
	strbuf_release(&b);
	b = cni_conf_text(&(struct cni_network){
	        .pod_cidr = "10.42.3.0/24,fd00:42:0:3::/64", .bridge = "cni0", .addresses_dir = "/run/a"});
	struct json *sets = json_path(json_at(json_get(parse(strbuf_cstr(&b)), "plugins"), 0), "ipam", "ranges", NULL);
	assert_int_equal(sets->count, 2); /* one address of each */
	assert_true(slice_is(json_get_str(json_at(json_at(sets, 1), 0), "subnet"), "fd00:42:0:3::/64"));
	strbuf_release(&b);
}

static void the_pause_image_is_a_tar(void **state)
{
	struct strbuf b = STRBUF_INIT;
	pause_image_write(&b, "k3x/pause:x");
	assert_int_equal(b.len % 512, 0);
	assert_memory_equal(b.data + 257, "ustar", 6);
	assert_non_null(memmem(b.data, b.len, "[\"k3x/pause:x\"]", 15));
	assert_non_null(memmem(b.data, b.len, "\177ELF", 4));
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(variables_are_expanded),
	        cmocka_unit_test(quality_of_service),
	        cmocka_unit_test(quantities_become_cgroup_values),
	        cmocka_unit_test(a_pods_group_counts_init_containers_and_overhead),
	        cmocka_unit_test(swap_is_for_burstable_containers),
	        cmocka_unit_test(an_image_without_a_tag_is_the_latest),
	        cmocka_unit_test(the_network_configuration_is_json),
	        cmocka_unit_test(the_pause_image_is_a_tar),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
