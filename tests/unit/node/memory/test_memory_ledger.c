/* Who has memory of which node: what is possible, groups of nodes, init containers, and what is remembered. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/memory/memory.h"
#include "node/memory/memory_ledger_int.h"

static struct memory_ledger l;
static struct numa machine;

enum { MB = 1 << 20 };

/* Four nodes of 100 MB each, 10 of the first are the system's; node 0 has huge pages of 20 MB beside. */
static int setup(void **state)
{
	machine = (struct numa){.count = 4};
	for (unsigned i = 0; i < 4; i++)
		machine.list[i] = (struct numa_node){.id = i, .memory_bytes = (i ? 100 : 120) * MB};
	machine.list[0].pages_count = 1;
	machine.list[0].pages[0] = (struct numa_pages){"hugepages-2Mi", 20 * MB};
	memory_ledger_init(&l, &machine, parse("[{\"numaNode\":0,\"limits\":{\"memory\":\"10Mi\"}}]"));
	return 0;
}

static int end(void **state)
{
	memory_ledger_release(&l);
	return release(state);
}

#define MORE(name, memory, more) \
	"{\"name\":\"" name "\",\"resources\":{\"requests\":{\"cpu\":\"1\",\"memory\":\"" memory "\"" more \
	"},\"limits\":{\"cpu\":\"1\",\"memory\":\"" memory "\"" more "}}}"
#define ASKS(name, memory) MORE(name, memory, "")
#define POD(...) "{\"containers\":[" __VA_ARGS__ "]}"

static const char *hints(const char *spec)
{
	const struct json *s = parse(spec);
	struct memory_asker who = {"u", s, json_get(s, "containers")->first};
	struct numa_hint list[1 << NUMA_WEIGHED_MAX];
	size_t n = memory_ledger_hints(&l, &who, list);
	const char *text = "";
	for (size_t i = 0; i < n; i++)
		text = arena_printf(&a, "%s%s%llu%s", text, i ? " " : "", (unsigned long long)list[i].nodes,
		        list[i].is_preferred ? "!" : "");
	return text;
}

static const char *take_at(const char *uid, const char *spec, struct numa_hint where)
{
	static const char *const lists[] = {"initContainers", "containers"};
	static struct err err;
	const struct json *s = parse(spec);
	err = (struct err)ERR_INIT;
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(s, lists[i])) {
			struct memory_asker who = {uid, s, c};
			if (memory_ledger_take(&l, &who, where, &err) != 0)
				return err.msg;
		}
	return "";
}

static const char *take(const char *uid, const char *spec)
{
	return take_at(uid, spec, (struct numa_hint){NUMA_ANYWHERE, false});
}

static int used(size_t node)
{
	return (int)(l.nodes[node].pools[0].used / MB);
}

static void what_is_possible(void **state)
{
	assert_string_equal(hints(POD(ASKS("c", "95Mi"))), "2! 3 4! 5 6 7 8! 9 10 11 12 13 14 15");
	assert_string_equal(hints(POD(ASKS("c", "250Mi"))), "7! 11! 13! 14! 15");
	assert_string_equal(hints(POD(ASKS("c", "1Gi"))), "");
	assert_string_equal(hints(POD(MORE("c", "1Mi", ",\"hugepages-2Mi\":\"8Mi\""))), "1! 3 5 7 9 11 13 15");
	assert_string_equal(hints("{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"1Mi\"}}}]}"), "");
}

static void one_node_is_best(void **state)
{
	assert_string_equal(take("u", POD(ASKS("c", "60Mi"))), "");
	assert_int_equal(memory_ledger_nodes_of(&l, "u", "c"), 1);
	assert_string_equal(take("v", POD(ASKS("c", "60Mi"))), "");
	assert_int_equal(memory_ledger_nodes_of(&l, "v", "c"), 2);
	assert_string_equal(take("w", POD(ASKS("c", "30Mi"))), "");
	assert_int_equal(memory_ledger_nodes_of(&l, "w", "c"), 1);
	assert_int_equal(used(0), 90);
	assert_true(memory_ledger_give_back(&l, "w"));
	assert_false(memory_ledger_give_back(&l, "w"));
	assert_int_equal(used(0), 60);
	assert_int_equal(memory_ledger_nodes_of(&l, "w", "c"), 0);
}

/* A node in a group is nobody's alone, and one that is somebody's alone is in no group. */
static void nodes_of_a_group_stay_together(void **state)
{
	assert_string_equal(take("u", POD(ASKS("c", "150Mi"))), "");
	assert_int_equal(memory_ledger_nodes_of(&l, "u", "c"), 3);
	assert_string_equal(hints(POD(ASKS("c", "5Mi"))), "3 4! 8! 12");
	assert_string_equal(take("v", POD(ASKS("c", "5Mi"))), "");
	assert_int_equal(memory_ledger_nodes_of(&l, "v", "c"), 4);
	assert_string_equal(hints(POD(ASKS("c", "150Mi"))), "");
	assert_string_equal(take("w", POD(ASKS("c", "150Mi"))), "Allocate failed due to [memorymanager] failed to get "
	                                                        "the default NUMA affinity, no NUMA nodes with enough "
	                                                        "memory is available, which is unexpected");
	assert_string_equal(take_at("w", POD(ASKS("c", "5Mi")), (struct numa_hint){12, false}),
	        "Allocate failed due to [memorymanager] preferred hint violates NUMA node allocation, which is "
	        "unexpected");
	memory_ledger_give_back(&l, "u");
	assert_int_equal(l.nodes[0].group, 1);
}

static void a_place_that_is_too_small_is_extended(void **state)
{
	assert_string_equal(take_at("u", POD(ASKS("c", "150Mi")), (struct numa_hint){4, false}), "");
	assert_int_equal(memory_ledger_nodes_of(&l, "u", "c"), 5);
	assert_string_equal(take_at("v", POD(ASKS("c", "99Mi")), (struct numa_hint){8, true}), "");
	assert_string_equal(take_at("w", POD(ASKS("c", "99Mi")), (struct numa_hint){8, true}),
	        "Allocate failed due to [memorymanager] failed to find NUMA nodes to extend the current topology hint, "
	        "which is unexpected");
}

static void init_containers_give_on(void **state)
{
	assert_string_equal(take("u", "{\"initContainers\":[" ASKS("i", "80Mi") "],\"containers\":[" ASKS(
	                                      "c", "50Mi") "," ASKS("d", "35Mi") "]}"),
	        "");
	assert_int_equal(memory_ledger_nodes_of(&l, "u", "i"), 1);
	assert_int_equal(memory_ledger_nodes_of(&l, "u", "c"), 1);
	assert_int_equal(memory_ledger_nodes_of(&l, "u", "d"), 1);
	assert_int_equal(used(0), 85);
}

static void the_state_is_read_again(void **state)
{
	struct strbuf b = STRBUF_INIT, again = STRBUF_INIT;
	struct err err = ERR_INIT;
	take("u", "{\"initContainers\":[" ASKS("i", "80Mi") "],\"containers\":[" ASKS("c", "50Mi") "]}");
	take("v", POD(MORE("c", "150Mi", ",\"hugepages-2Mi\":\"8Mi\"")));
	take("v", POD(ASKS("c", "150Mi")));
	memory_ledger_write(&l, &b);
	memory_ledger_release(&l);
	memory_ledger_init(&l, &machine, parse("[{\"numaNode\":0,\"limits\":{\"memory\":\"10Mi\"}}]"));
	assert_int_equal(memory_ledger_read(&l, strbuf_slice(&b), &err), 0);
	assert_int_equal(used(0), 80);
	memory_ledger_write(&l, &again);
	assert_true(slice_eq(strbuf_slice(&b), strbuf_slice(&again)));
	memory_ledger_release(&l);
	memory_ledger_init(&l, &machine, parse("[{\"numaNode\":1,\"limits\":{\"memory\":\"10Mi\"}}]"));
	assert_int_equal(memory_ledger_read(&l, strbuf_slice(&b), &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "another part is reserved"));
	strbuf_release(&b);
	strbuf_release(&again);
}

static void a_state_that_is_not_ours_is_told(void **state)
{
	struct strbuf b = STRBUF_INIT;
	memory_ledger_write(&l, &b);
	static const char *const entries[] = {"{\"u\":{\"c\":[{}]}}",
	        "{\"u\":{\"c\":[{\"numaAffinity\":[9],\"type\":\"memory\",\"size\":1}]}}",
	        "{\"u\":{\"c\":[{\"numaAffinity\":[1],\"type\":\"cpu\",\"size\":1}]}}",
	        "{\"u\":{\"c\":[{\"numaAffinity\":[1],\"type\":\"memory\",\"size\":1000000000}]}}",
	        "{\"u\":{\"c\":[{\"numaAffinity\":[1],\"type\":\"hugepages-2Mi\",\"size\":1}]}}",
	        "{\"u\":{\"c\":[{\"numaAffinity\":[0],\"type\":\"memory\",\"size\":1}],\"d\":[{\"numaAffinity\":[0,1],"
	        "\"type\":\"memory\",\"size\":1}]}}"};
	for (size_t i = 0; i < COUNT_OF(entries); i++) {
		struct json *o = parse(strbuf_cstr(&b));
		struct strbuf text = STRBUF_INIT;
		struct err err = ERR_INIT;
		json_set(&a, o, "entries", parse(entries[i]));
		json_write(&text, o);
		assert_int_equal(memory_ledger_read(&l, strbuf_slice(&text), &err), ERR_INVAL);
		assert_int_equal(l.count, 0);
		strbuf_release(&text);
	}
	struct err err = ERR_INIT;
	assert_int_not_equal(memory_ledger_read(&l, SLICE("{\"policyName\":\"Static\"}"), &err), 0);
	strbuf_release(&b);
}

static void what_is_reserved_must_be_said_of_nodes(void **state)
{
#define RESERVED(text, bytes) (err = (struct err)ERR_INIT, memory_check_reserved(&machine, parse(text), bytes, &err))
	struct err err;
	assert_int_equal(RESERVED("[{\"numaNode\":0,\"limits\":{\"memory\":\"10Mi\"}},"
	                          "{\"numaNode\":3,\"limits\":{\"memory\":\"5Mi\"}}]",
	                         15 * MB),
	        0);
	assert_int_equal(RESERVED("[{\"numaNode\":0,\"limits\":{\"memory\":\"10Mi\"}}]", 15 * MB), ERR_INVAL);
	assert_non_null(strstr(err.msg, "make them the same"));
	assert_int_equal(RESERVED("[]", 0), ERR_INVAL);
	assert_int_equal(RESERVED("[{\"numaNode\":7,\"limits\":{\"memory\":\"1\"}}]", 1), ERR_INVAL);
	assert_int_equal(RESERVED("[{\"numaNode\":0,\"limits\":{\"memory\":\"1\"}},{\"numaNode\":0}]", 1), ERR_INVAL);
	assert_int_equal(RESERVED("[{\"numaNode\":0,\"limits\":{\"cpu\":\"1\"}}]", 1), ERR_INVAL);
	assert_int_equal(
	        RESERVED("[{\"numaNode\":0,\"limits\":{\"memory\":\"1\",\"hugepages-2Mi\":\"2Mi\"}}]", 1), ERR_INVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {T(what_is_possible), T(one_node_is_best), T(nodes_of_a_group_stay_together),
	        T(a_place_that_is_too_small_is_extended), T(init_containers_give_on), T(the_state_is_read_again),
	        T(a_state_that_is_not_ours_is_told), T(what_is_reserved_must_be_said_of_nodes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
