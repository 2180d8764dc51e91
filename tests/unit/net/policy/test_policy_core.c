/* net/policy/policy_core: what becomes of pods, namespaces and policies; and that the kernel takes each step of it. */
#include "tests/unit/unit.h"

#include "net/nft_table.h"
#include "net/policy/policy_core_int.h"

#include <sched.h>

static struct policy_core *core;
static struct map parts; /* key -> "rank|add" */
static unsigned changes; /* parts put or dropped */

/* ---- a sink that remembers ---- */

struct part {
	struct slice key;
	char *add;
};

static void drop(void *arg, struct slice key)
{
	struct part *p = map_del(&parts, key);
	changes += p != NULL;
	if (p)
		free(p->add);
	free(p);
}

static void put(void *arg, struct slice key, struct slice rank, struct slice add, struct slice remove)
{
	struct part *p = map_get(&parts, key);
	if (p && slice_is(add, p->add))
		return;
	drop(arg, key);
	p = MAP_ENTRY_NEW(struct part, key, key);
	p->add = xmemdup(add.ptr ? add.ptr : "", add.len);
	map_put(&parts, p->key, p);
	changes++;
}

static int setup(void **state)
{
	struct policy_sink sink = {put, drop, NULL};
	core = policy_core_new(&sink, "here");
	map_init(&parts);
	return 0;
}

static int teardown(void **state)
{
	MAP_FOREACH (it, &parts) {
		free(((struct part *)it->value)->add);
		free(it->value);
	}
	map_release(&parts);
	policy_core_free(core);
	return 0;
}

static unsigned sync_and_count(void)
{
	changes = 0;
	policy_core_sync(core);
	return changes;
}

/* "": there is none. */
static const char *part(const char *key)
{
	struct part *p = map_get(&parts, slice_of(key));
	return p ? p->add : "";
}

/* Those whose key begins so. */
static unsigned parts_of(const char *prefix)
{
	unsigned n = 0;
	MAP_FOREACH (it, &parts)
		n += slice_starts(it->key, prefix);
	return n;
}

/* ---- objects ---- */

static void pod_of(const char *key, const char *node, const char *ip, const char *labels, const char *more)
{
	char *text =
	        xprintf("{\"metadata\":{\"creationTimestamp\":\"2026-01-01T00:00:%02d%s\",\"labels\":{%s}},\"spec\":{"
	                "\"nodeName\":\"%s\",\"containers\":[{\"ports\":[{\"name\":\"web\",\"containerPort\":80}]}]%s},"
	                "\"status\":{\"podIP\":\"%s\",\"phase\":\"Running\"}}",
	                strchr(key, '+') ? 2 : 1, "Z", labels, node, more, ip);
	struct rcbuf *packed = policy_pod_pack(slice_of(text));
	policy_core_pod(core, slice_of(key), packed);
	rcbuf_unref(packed);
	free(text);
}

static void pod(const char *key, const char *node, const char *ip, const char *labels)
{
	pod_of(key, node, ip, labels, "");
}

static void policy(const char *key, const char *spec)
{
	char *text = spec ? xprintf("{\"spec\":%s}", spec) : NULL;
	policy_core_policy(core, slice_of(key), slice_of(text));
	free(text);
}

static void namespace(const char *name, const char *labels)
{
	char *text = labels ? xprintf("{\"metadata\":{\"labels\":{%s}}}", labels) : NULL;
	policy_core_namespace(core, slice_of(name), slice_of(text));
	free(text);
}

static void networks(void)
{
	struct policy_network n;
	assert_true(policy_network_parse(SLICE("10.42.0.0/24"), &n));
	policy_core_networks(core, &n, 1);
}

#define FROM(peer) "{\"podSelector\":{},\"ingress\":[{\"from\":[" peer "]}]}"

/* ---- tests ---- */

static void only_policies_of_pods_of_here_become_rules(void **state)
{
	pod("x/far", "there", "10.42.1.1", "");
	pod("y/near", "here", "10.42.0.1", "");
	policy("x/p", FROM("{\"podSelector\":{}}"));
	policy_core_sync(core);
	assert_int_equal(parts_of("p "), 0);
	assert_int_equal(parts_of("s "), 0);
	policy("y/p", FROM("{\"podSelector\":{}}"));
	policy_core_sync(core);
	assert_int_equal(parts_of("p "), 1);
	assert_int_equal(parts_of("g "), 1);
	assert_int_equal(parts_of("s "), 1);
	assert_non_null(strstr(part("a 10.42.0.1"), "in4 { 10.42.0.1 : jump in-group-"));
	assert_string_equal(part("a 10.42.1.1"), "");
}

static void pods_under_the_same_policies_share_a_group(void **state)
{
	pod("x/a", "here", "10.42.0.1", "");
	pod("x/b", "here", "10.42.0.2", "");
	pod("x/c", "here", "10.42.0.3", "\"k\":\"v\"");
	policy("x/p", "{\"podSelector\":{}}");
	policy("x/q", "{\"podSelector\":{\"matchLabels\":{\"k\":\"v\"}}}");
	policy_core_sync(core);
	assert_int_equal(parts_of("g "), 2);
	assert_int_equal(policy_core_counts(core).isolated[POLICY_INGRESS], 3);
	assert_int_equal(policy_core_counts(core).isolated[POLICY_EGRESS], 0);
}

static void peers_by_one_selector_share_a_set(void **state)
{
	pod("x/a", "here", "10.42.0.1", "");
	policy("x/p", FROM("{\"podSelector\":{}}"));
	policy("x/q", FROM("{\"podSelector\":{}},{\"namespaceSelector\":{}}"));
	policy_core_sync(core);
	assert_int_equal(parts_of("s "), 2);
}

static void what_nothing_needs_goes(void **state)
{
	networks();
	namespace("y", "\"t\":\"1\"");
	pod("x/a", "here", "10.42.0.1", "");
	pod("y/b", "there", "10.42.1.1", "");
	policy("x/p", "{\"podSelector\":{},\"ingress\":[{\"from\":[{\"namespaceSelector\":{}}],\"ports\":[{\"port\":"
	              "\"web\"}]}]}");
	policy_core_sync(core);
	assert_int_equal(parts_of("b "), 3); /* y/b in the set, both addresses' ports */
	policy("x/p", NULL);
	policy_core_sync(core);
	assert_int_equal(parts.count, 1); /* the address of here is known still */
	pod("x/a", "here", "", "");
	policy_core_sync(core);
	assert_int_equal(parts.count, 0);
}

static void a_namespace_counts_by_its_labels(void **state)
{
	pod("x/a", "here", "10.42.0.1", "");
	pod("y/b", "there", "10.42.1.1", "");
	policy("x/p", FROM("{\"namespaceSelector\":{\"matchLabels\":{\"t\":\"1\"}}}"));
	policy_core_sync(core);
	assert_int_equal(parts_of("b "), 0);
	namespace("y", "\"t\":\"1\"");
	policy_core_sync(core);
	assert_int_equal(parts_of("b "), 1);
	namespace("y", "\"t\":\"2\"");
	policy_core_sync(core);
	assert_int_equal(parts_of("b "), 0);
	namespace("y", "\"t\":\"1\"");
	policy_core_sync(core);
	namespace("y", NULL);
	policy_core_sync(core);
	assert_int_equal(parts_of("b "), 0);
}

/* Not known, an empty namespace selector fits not either. */
static void an_unknown_namespace_fits_no_selector(void **state)
{
	pod("x/a", "here", "10.42.0.1", "");
	pod("y/b", "there", "10.42.1.1", "");
	policy("x/p", FROM("{\"namespaceSelector\":{}}"));
	policy_core_sync(core);
	assert_int_equal(parts_of("b "), 0);
}

static void pods_of_the_nodes_network_are_not_selected(void **state)
{
	pod_of("x/a", "here", "10.0.0.1", "", ",\"hostNetwork\":true");
	policy("x/p", FROM("{\"podSelector\":{}}"));
	policy_core_sync(core);
	assert_int_equal(parts_of("a "), 0);
	assert_int_equal(parts_of("p "), 0);
}

static void an_address_is_the_newest_pods(void **state)
{
	pod("x/a", "here", "10.42.0.1", "");
	policy("x/p", "{\"podSelector\":{}}");
	policy_core_sync(core);
	assert_non_null(strstr(part("a 10.42.0.1"), "in-group"));
	pod("y/b+", "here", "10.42.0.1", "");
	policy_core_sync(core);
	assert_null(strstr(part("a 10.42.0.1"), "in-group"));
	assert_non_null(strstr(part("a 10.42.0.1"), "known4"));
	policy_core_pod(core, SLICE("y/b+"), NULL);
	policy_core_sync(core);
	assert_non_null(strstr(part("a 10.42.0.1"), "in-group"));
}

static void pods_are_held_while_there_are_policies(void **state)
{
	networks();
	pod("x/a", "here", "10.42.0.1", "");
	policy_core_sync(core);
	assert_string_equal(part("hold"), "");
	assert_non_null(strstr(part("a 10.42.0.1"), "known4"));
	policy("z/p", "{\"podSelector\":{}}");
	policy_core_sync(core);
	assert_non_null(strstr(part("hold"), "10.42.0.0/24"));
	policy("z/p", NULL);
	policy_core_sync(core);
	assert_string_equal(part("hold"), "");
}

static void a_pod_that_changes_is_few_parts_whatever_there_is(void **state)
{
	char key[64], ip[32], spec[256];
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "x/p%d", i);
		snprintf(spec, sizeof spec, FROM("{\"podSelector\":{\"matchLabels\":{\"app\":\"%d\"}}}"), i);
		policy(key, spec);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof key, "x/a%d", i);
		snprintf(ip, sizeof ip, "10.42.%d.%d", i / 100, i % 100 + 1);
		snprintf(spec, sizeof spec, "\"app\":\"%d\"", i);
		pod(key, i < 100 ? "here" : "there", ip, spec);
	}
	assert_true(sync_and_count() > 1000);
	assert_int_equal(sync_and_count(), 0);
	pod("x/a200", "there", "10.42.2.1", "\"app\":\"7\""); /* out of one set, into another */
	assert_int_equal(sync_and_count(), 2);
	pod("x/new", "here", "10.42.0.250", "\"app\":\"7\"");
	assert_int_equal(sync_and_count(), 2); /* known and isolated; in a set */
	pod("x/new", "here", "10.42.0.250", "\"app\":\"7\"");
	assert_int_equal(sync_and_count(), 0);
	policy_core_pod(core, SLICE("x/new"), NULL);
	assert_int_equal(sync_and_count(), 2);
	policy("y/other", "{\"podSelector\":{}}"); /* of nobody */
	assert_int_equal(sync_and_count(), 0);
}

static void a_policy_that_changes_keeps_the_sets_it_still_names(void **state)
{
	pod("x/a", "here", "10.42.0.1", "");
	pod("x/b", "there", "10.42.1.1", "");
	policy("x/p", FROM("{\"podSelector\":{}}"));
	policy_core_sync(core);
	policy("x/p", "{\"podSelector\":{},\"ingress\":[{\"from\":[{\"podSelector\":{}}],\"ports\":[{\"port\":80}]}]}");
	assert_int_equal(sync_and_count(), 6); /* chain and group: away and new; the address: replaced */
	assert_int_equal(parts_of("b "), 2);
	assert_int_equal(parts_of("s "), 1);
}

/* ---- on a kernel ---- */

static struct loop loop;
static struct nft_table *table;
static bool is_closed, is_over;
static unsigned frames;

static void frame(void *arg, struct strbuf *out)
{
	frames++;
	policy_rules_frame(out);
}

static void refused(void *arg, struct slice key, const struct err *err)
{
	fail_msg("%.*s is refused: %s", SLICE_FMT(key), err->msg);
}

static void put_in_table(void *arg, struct slice key, struct slice rank, struct slice add, struct slice remove)
{
	nft_table_put(table, key, rank, add, remove);
}

static void drop_from_table(void *arg, struct slice key)
{
	nft_table_drop(table, key);
}

static void closed(void *arg)
{
	is_closed = true;
}

static void over(uv_timer_t *t)
{
	is_over = true;
}

static void go_on(unsigned ms)
{
	uv_timer_t limit;
	uv_timer_init(loop_uv(&loop), &limit);
	uv_timer_start(&limit, over, ms, 0);
	is_over = false;
	while (!is_over)
		loop_turn(&loop);
	uv_close((uv_handle_t *)&limit, NULL);
	loop_turn(&loop);
}

static unsigned next(unsigned n)
{
	static uint64_t r = 88172645463325252;
	r ^= r << 13;
	r ^= r >> 7;
	r ^= r << 17;
	return (unsigned)(r % n);
}

static void something_happens(void)
{
	static const char *const specs[] = {"{\"podSelector\":{}}",
	        FROM("{\"podSelector\":{\"matchLabels\":{\"l\":\"1\"}}}"),
	        FROM("{\"namespaceSelector\":{\"matchLabels\":{\"t\":\"1\"}}},{\"ipBlock\":{\"cidr\":\"10.0.0.0/"
	             "8\",\"except\":[\"10.9.0.0/16\"]}}"),
	        "{\"podSelector\":{\"matchLabels\":{\"l\":\"1\"}},\"policyTypes\":[\"Egress\"],\"egress\":[{\"ports\":["
	        "{"
	        "\"port\":\"web\"},{\"port\":7,\"endPort\":9,\"protocol\":\"SCTP\"}]},{\"to\":[{\"namespaceSelector\":{"
	        "}}]}]}",
	        NULL};
	char key[16], ip[32], labels[16];
	unsigned n = next(3), which = next(12);
	if (n == 0) {
		snprintf(key, sizeof key, "%c/p%u", "xy"[next(2)], next(4));
		policy(key, specs[next(5)]);
	} else if (n == 1) {
		snprintf(labels, sizeof labels, "\"t\":\"%u\"", next(2));
		namespace(next(2) ? "x" : "y", labels);
	} else {
		snprintf(key, sizeof key, "%c/%u%s", "xy"[which % 2], which, next(2) ? "" : "+");
		snprintf(ip, sizeof ip, which % 5 ? "10.42.0.%u" : "fd00::%u", 1 + which / 2);
		snprintf(labels, sizeof labels, "\"l\":\"%u\"", next(2));
		if (next(4))
			pod(key, which % 3 ? "here" : "there", ip, labels);
		else
			policy_core_pod(core, slice_of(key), NULL);
	}
}

static void the_kernel_takes_whatever_happens(void **state)
{
	struct policy_sink sink = {put_in_table, drop_from_table, NULL};
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		print_message("SKIP not root: nftables cannot be tried\n");
		skip();
	}
	teardown(state);
	loop_init(&loop, "test");
	loop_own(&loop);
	table = nft_table_new(
	        &(struct nft_table_options){.loop = &loop, .name = POLICY_TABLE, .frame = frame, .refused = refused});
	core = policy_core_new(&sink, "here");
	networks();
	nft_table_start(table);
	go_on(20);
	for (int i = 0; i < 100; i++) { /* what is written in one transaction is left to chance */
		for (unsigned n = 1 + next(6); n; n--)
			something_happens();
		policy_core_sync(core);
		go_on(1 + next(60));
	}
	/* A transaction that takes away what is not there would have all written anew. */
	assert_int_equal(frames, 1);
	nft_table_close(table, closed, NULL);
	while (!is_closed)
		loop_turn(&loop);
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(only_policies_of_pods_of_here_become_rules),
	        T(pods_under_the_same_policies_share_a_group),
	        T(peers_by_one_selector_share_a_set),
	        T(what_nothing_needs_goes),
	        T(a_namespace_counts_by_its_labels),
	        T(an_unknown_namespace_fits_no_selector),
	        T(pods_of_the_nodes_network_are_not_selected),
	        T(an_address_is_the_newest_pods),
	        T(pods_are_held_while_there_are_policies),
	        T(a_pod_that_changes_is_few_parts_whatever_there_is),
	        T(a_policy_that_changes_keeps_the_sets_it_still_names),
	        T(the_kernel_takes_whatever_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
