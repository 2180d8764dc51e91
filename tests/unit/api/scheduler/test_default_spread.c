/* Spread of pods that ask for none: whom it counts, which constraints come of it, and what these do. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

static struct arena arena;
static struct scheduler s;

static int setup(void **state)
{
	s = (struct scheduler){.random = 1};
	cache_init(&s.cache);
	return 0;
}

static int teardown(void **state)
{
	cache_release(&s.cache);
	arena_release(&arena);
	return 0;
}

/* ---- whom it counts ---- */

static const char *written(const struct json *v)
{
	struct strbuf out = STRBUF_INIT;
	json_write(&out, v);
	const char *ret = arena_strdup(&arena, strbuf_cstr(&out));
	strbuf_release(&out);
	return ret;
}

#define SELECTOR(text) SLICE("{\"spec\":{\"selector\":" text "}}")

static void services_that_select_the_pod_give_their_labels(void **state)
{
	struct json *selector = json_new(&arena, JSON_OBJECT);
	struct slice labels = SLICE("{\"app\":\"a\",\"tier\":\"b\"}");
	default_selector_add_service(&arena, selector, SELECTOR("{\"app\":\"a\"}"), labels);
	default_selector_add_service(&arena, selector, SELECTOR("{\"app\":\"other\"}"), labels);
	default_selector_add_service(&arena, selector, SELECTOR("{\"tier\":\"b\"}"), labels);
	default_selector_add_service(&arena, selector, SELECTOR("{}"), labels);
	default_selector_add_service(&arena, selector, SLICE("{\"spec\":{}}"), labels);
	assert_string_equal(written(selector), "{\"matchLabels\":{\"app\":\"a\",\"tier\":\"b\"}}");
}

static void a_controller_gives_its_rules_beside_them(void **state)
{
	struct json *selector = json_new(&arena, JSON_OBJECT);
	default_selector_add_service(&arena, selector, SELECTOR("{\"app\":\"a\"}"), SLICE("{\"app\":\"a\"}"));
	default_selector_add_owner(&arena, selector, SLICE("ReplicaSet"),
	        SELECTOR("{\"matchLabels\":{\"app\":\"b\"},\"matchExpressions\":[{\"key\":\"k\",\"operator\":"
	                 "\"Exists\"}]}"));
	assert_string_equal(written(selector),
	        "{\"matchLabels\":{\"app\":\"a\"},\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\","
	        "\"values\":[\"b\"]},{\"key\":\"k\",\"operator\":\"Exists\"}]}");
	selector = json_new(&arena, JSON_OBJECT);
	default_selector_add_owner(&arena, selector, SLICE("ReplicationController"), SELECTOR("{\"app\":\"a\"}"));
	assert_string_equal(written(selector), "{\"matchLabels\":{\"app\":\"a\"}}");
}

static void whom_nothing_selects_is_not_spread(void **state)
{
	struct json *selector = json_new(&arena, JSON_OBJECT);
	const struct scheduler_profile *system = scheduler_configuration_default.profiles;
	assert_null(default_spread_constraints(&arena, system, selector));
	struct scheduler_profile none = *system;
	none.n_spread = 0; /* defaultingType: List, with an empty one */
	json_need(&arena, selector, "matchLabels", JSON_OBJECT);
	assert_null(default_spread_constraints(&arena, &none, selector));
}

static void constraints_are_those_of_the_profile(void **state)
{
	struct json *selector = json_parse(&arena, SLICE("{\"matchLabels\":{\"app\":\"a\"}}"), NULL, NULL);
	static const struct spread_default list[] = {{.topology_key = "rack",
	        .max_skew = 2,
	        .min_domains = 3,
	        .is_hard = true,
	        .ignores_affinity = true,
	        .honors_taints = true}};
	struct scheduler_profile p = {.spread = list, .n_spread = 1};
	assert_string_equal(written(default_spread_constraints(&arena, &p, selector)),
	        "[{\"maxSkew\":2,\"topologyKey\":\"rack\",\"whenUnsatisfiable\":\"DoNotSchedule\",\"minDomains\":3,"
	        "\"nodeAffinityPolicy\":\"Ignore\",\"nodeTaintsPolicy\":\"Honor\",\"labelSelector\":"
	        "{\"matchLabels\":{\"app\":\"a\"}}}]");
	assert_string_equal(
	        written(default_spread_constraints(&arena, scheduler_configuration_default.profiles, selector)),
	        "[{\"maxSkew\":3,\"topologyKey\":\"kubernetes.io/hostname\",\"whenUnsatisfiable\":\"ScheduleAnyway\","
	        "\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}}},{\"maxSkew\":5,\"topologyKey\":"
	        "\"topology.kubernetes.io/zone\",\"whenUnsatisfiable\":\"ScheduleAnyway\",\"labelSelector\":"
	        "{\"matchLabels\":{\"app\":\"a\"}}}]");
}

/* ---- what comes of it ---- */

/* Its zone may be NULL. */
static void node(const char *name, const char *zone, const char *cpu)
{
	const char *text = arena_printf(&arena,
	        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/hostname\":\"%s\"%s%s%s}},\"status\":{"
	        "\"allocatable\":{\"pods\":\"99\",\"cpu\":\"%s\",\"memory\":\"%sGi\"}}}",
	        name, name, zone ? ",\"topology.kubernetes.io/zone\":\"" : "", zone ? zone : "", zone ? "\"" : "", cpu,
	        cpu);
	struct rcbuf *json = rcbuf_copy(text, strlen(text));
	cache_node_set(&s.cache, slice_of(name), json);
	rcbuf_unref(json);
}

static struct rcbuf *pod_text(const char *app)
{
	const char *text = arena_printf(&arena,
	        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\",\"labels\":{\"app\":\"%s\"}},\"spec\":{"
	        "\"containers\":[{}]}}",
	        app);
	return rcbuf_copy(text, strlen(text));
}

static void place(const char *on, const char *app, size_t count)
{
	static unsigned serial;
	for (size_t i = 0; i < count; i++) {
		struct rcbuf *json = pod_text(app);
		cache_pod_set(&s.cache, slice_of(arena_printf(&arena, "d/%u", serial++)), slice_of(on), json, false);
		rcbuf_unref(json);
	}
}

/* A pod that a service selects by app=a. */
static void ask(struct candidate *p, const struct scheduler_profile *profile)
{
	struct rcbuf *json = pod_text("a");
	assert_true(candidate_read(&s.cache, p, SLICE("d/new"), json));
	struct json *selector = json_parse(&p->arena, SLICE("{\"matchLabels\":{\"app\":\"a\"}}"), NULL, NULL);
	p->profile = profile;
	p->spread = default_spread_constraints(&p->arena, profile, selector);
	p->spreads_by_system = p->spread && profile->spreads_by_system;
	rcbuf_unref(json);
}

static const char *picked(const struct scheduler_profile *profile)
{
	struct candidate p;
	ask(&p, profile);
	placement_prepare(&s, &p);
	assert_null(p.placement); /* what is only wished for is no filter */
	const char *ret =
	        arena_printf(&arena, "%.*s", SLICE_FMT(scores_pick(&s, &p, s.cache.list, s.cache.count, NULL)->name));
	candidate_release(&p);
	return ret;
}

static void by_default_hosts_and_zones_are_shared(void **state)
{
	const struct scheduler_profile *system = scheduler_configuration_default.profiles;
	struct scheduler_profile list = *system;
	list.n_spread = 0;
	node("large", "x", "64");
	node("small", "y", "8");
	place("large", "a", 2);
	place("large", "b", 2);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(picked(system), "small");
		assert_string_equal(picked(&list), "large");
	}
	place("small", "b", 1);
	assert_string_equal(picked(system), "small"); /* others don't count */
}

static void nodes_without_a_zone_are_shared_by_hosts(void **state)
{
	const struct scheduler_profile *system = scheduler_configuration_default.profiles;
	struct scheduler_profile list = *system;
	list.spreads_by_system = false; /* the same constraints, as a list: such nodes have no points */
	node("large", NULL, "64");
	node("small", NULL, "8");
	place("large", "a", 4);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(picked(system), "small");
		assert_string_equal(picked(&list), "large");
	}
}

static void a_list_can_forbid(void **state)
{
	static const struct spread_default hard[] = {
	        {.topology_key = "kubernetes.io/hostname", .max_skew = 1, .is_hard = true}};
	struct scheduler_profile list = *scheduler_configuration_default.profiles;
	struct candidate p;
	struct verdict v;
	list.spread = hard;
	list.n_spread = 1;
	list.spreads_by_system = false;
	node("one", NULL, "8");
	node("two", NULL, "8");
	place("one", "a", 1);
	ask(&p, &list);
	placement_prepare(&s, &p);
	assert_false(filters_pass(&s, &p, map_get(&s.cache.nodes, SLICE("one")), &v));
	assert_string_equal(v.reasons[0], "node(s) didn't match pod topology spread constraints");
	assert_true(filters_pass(&s, &p, map_get(&s.cache.nodes, SLICE("two")), &v));
	candidate_release(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(services_that_select_the_pod_give_their_labels),
	        TEST(a_controller_gives_its_rules_beside_them),
	        TEST(whom_nothing_selects_is_not_spread),
	        TEST(constraints_are_those_of_the_profile),
	        TEST(by_default_hosts_and_zones_are_shared),
	        TEST(nodes_without_a_zone_are_shared_by_hosts),
	        TEST(a_list_can_forbid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
