/* Merging what an applier wants into what is there, and taking out what it wants no more. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

#include "api/machinery/fields/merge.h"
#include "base/clock.h"
#include "base/mem/budget.h"

static void assert_object(const struct json *got, const char *want)
{
	struct strbuf text = STRBUF_INIT;
	json_write(&text, got);
	if (strcmp(strbuf_cstr(&text), quoted(want)) != 0)
		fail_msg("got %s, want %s", strbuf_cstr(&text), quoted(want));
	strbuf_release(&text);
}

#define SPEC(x) "{'spec':{" x "}}"
#define NAMES(x) "{'metadata':{'finalizers':[" x "]}}"

static void config_is_merged_by_schema(void **state)
{
	static const char *const cases[][3] = {
	        {"{}", SPEC("'nodeName':'x'"), SPEC("'nodeName':'x'")},
	        {SPEC("'nodeName':'x','hostname':'h'"), SPEC("'nodeName':'y'"), SPEC("'nodeName':'y','hostname':'h'")},
	        {SPEC("'nodeName':'x'"), SPEC("'nodeName':null"), SPEC("'nodeName':null")},
	        {SPEC("'nodeName':'x'"), "{'spec':null}", SPEC("'nodeName':'x'")},
	        {SPEC("'nodeName':'x'"), "{'spec':{}}", SPEC("'nodeName':'x'")},
	        {SPEC("'nodeSelector':{'a':'1'}"), SPEC("'nodeSelector':{'b':'2'}"), SPEC("'nodeSelector':{'b':'2'}")},
	        {SPEC("'tolerations':[{'key':'a'}]"), SPEC("'tolerations':[]"), SPEC("'tolerations':[]")},
	        {"{'metadata':{'labels':{'a':'1'}}}", "{'metadata':{'labels':{'b':'2'}}}",
	                "{'metadata':{'labels':{'a':'1','b':'2'}}}"},
	        {SPEC("'containers':[{'name':'a','image':'1','command':['x','y']}]"),
	                SPEC("'containers':[{'name':'a','image':'2','command':['z']}]"),
	                SPEC("'containers':[{'name':'a','image':'2','command':['z']}]")},
	        /* the default of a key that is left out: one port */
	        {SPEC("'containers':[{'name':'a','ports':[{'containerPort':80,'protocol':'TCP'}]}]"),
	                SPEC("'containers':[{'name':'a','ports':[{'containerPort':80,'name':'w'}]}]"),
	                SPEC("'containers':[{'name':'a','ports':[{'containerPort':80,'protocol':'TCP','name':'w'}]}]")},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *live = object_of(cases[i][0]);
		struct err err = ERR_INIT;
		assert_int_equal(merge_objects(&a, row("v1", "Pod")->type, live, object_of(cases[i][1]), &err), 0);
		assert_object(live, cases[i][2]);
	}
}

static void lists_are_woven_in_the_order_of_config(void **state)
{
	static const char *const cases[][3] = {
	        {"", "'a','b'", "'a','b'"},
	        {"'a','b','c'", "'c','a'", "'b','c','a'"},
	        {"'a','b','c','d'", "'c','x','a'", "'b','c','d','x','a'"},
	        {"'a','b'", "'x','b'", "'a','x','b'"},
	        {"'a','b'", "'b','x'", "'a','b','x'"},
	        {"'a','b','c'", "'a','b','c'", "'a','b','c'"},
	        {"'a'", "", "'a'"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *live = object_of(arena_printf(&a, NAMES("%s"), cases[i][0]));
		struct err err = ERR_INIT;
		const struct json *config = object_of(arena_printf(&a, NAMES("%s"), cases[i][1]));
		assert_int_equal(merge_objects(&a, row("v1", "Pod")->type, live, config, &err), 0);
		assert_object(live, arena_printf(&a, NAMES("%s"), cases[i][2]));
	}
}

/* Validation lets some lists repeat a key: nothing is lost or asked for twice. */
static void repeated_elements_of_live_are_kept_or_replaced(void **state)
{
	static const char live_text[] =
	        SPEC("'containers':[{'name':'a','image':'1'},{'name':'b'},{'name':'a','image':'2'}]");
	struct json *live = object_of(live_text);
	merge_objects(
	        &a, row("v1", "Pod")->type, live, object_of(SPEC("'containers':[{'name':'b','image':'3'}]")), NULL);
	assert_object(live,
	        SPEC("'containers':[{'name':'a','image':'1'},{'name':'b','image':'3'},{'name':'a','image':'2'}]"));
	live = object_of(live_text);
	merge_objects(
	        &a, row("v1", "Pod")->type, live, object_of(SPEC("'containers':[{'name':'a','image':'9'}]")), NULL);
	assert_object(live, SPEC("'containers':[{'name':'a','image':'9'},{'name':'b'}]"));
}

static void pruned(const char *object, const char *last, const char *owned, const char *want)
{
	struct json *v = object_of(object);
	prune_object(&a, row("v1", "Pod")->type, v, set_of(last), set_of(owned));
	assert_object(v, want);
}

#define KEY "'k:{\\\"name\\\":\\\"a\\\"}'"

static void what_only_the_applier_had_goes(void **state)
{
	pruned(SPEC("'nodeName':'x','hostname':'h'"), "{'f:spec':{'f:nodeName':{},'f:hostname':{}}}",
	        "{'f:spec':{'f:hostname':{}}}", SPEC("'hostname':'h'"));
	/* a member of a map; the map goes with its last */
	pruned("{'metadata':{'name':'n','labels':{'a':'1'}}}", "{'f:metadata':{'f:labels':{'f:a':{}}}}",
	        "{'f:metadata':{'f:name':{}}}", "{'metadata':{'name':'n'}}");
	pruned("{'metadata':{'labels':{'a':'1','b':'2'}}}", "{'f:metadata':{'f:labels':{'f:a':{}}}}",
	        "{'f:metadata':{'f:labels':{'f:b':{}}}}", "{'metadata':{'labels':{'b':'2'}}}");
	/* the map itself is somebody's */
	pruned("{'metadata':{'labels':{'a':'1'}}}", "{'f:metadata':{'f:labels':{'f:a':{}}}}",
	        "{'f:metadata':{'f:labels':{}}}", "{'metadata':{'labels':{}}}");
	/* an element, with what was filled in */
	pruned(SPEC("'containers':[{'name':'a','x':1},{'name':'b'}]"),
	        "{'f:spec':{'f:containers':{" KEY ":{'.':{},'f:name':{}}}}}",
	        "{'f:spec':{'f:containers':{'k:{\\\"name\\\":\\\"b\\\"}':{'.':{},'f:name':{}}}}}",
	        SPEC("'containers':[{'name':'b'}]"));
	/* one that another applier names stays, without what it does not */
	pruned(SPEC("'containers':[{'name':'a','image':'1','command':['c']}]"),
	        "{'f:spec':{'f:containers':{" KEY ":{'.':{},'f:name':{},'f:image':{},'f:command':{}}}}}",
	        "{'f:spec':{'f:containers':{" KEY ":{'.':{},'f:name':{},'f:image':{}}}}}",
	        SPEC("'containers':[{'name':'a','image':'1'}]"));
	/* a struct of which somebody has a part */
	pruned(SPEC("'securityContext':{'runAsUser':1,'fsGroup':2}"),
	        "{'f:spec':{'f:securityContext':{'f:runAsUser':{}}}}",
	        "{'f:spec':{'f:securityContext':{'f:fsGroup':{}}}}", SPEC("'securityContext':{'fsGroup':2}"));
	pruned("{'metadata':{'finalizers':['x','y']}}", "{'f:metadata':{'f:finalizers':{'v:\\\"x\\\"':{}}}}",
	        "{'f:metadata':{'f:finalizers':{'v:\\\"y\\\"':{}}}}", "{'metadata':{'finalizers':['y']}}");
	/* nothing of it was the applier's */
	pruned(SPEC("'nodeName':'x'"), "{'f:metadata':{'f:labels':{}}}", "{}", SPEC("'nodeName':'x'"));
}

static void large_objects_take_linear_time_and_no_more_than_their_budget(void **state)
{
	enum { N = 20000 };
	struct strbuf live = STRBUF_INIT, config = STRBUF_INIT;
	struct err err = ERR_INIT;
	strbuf_adds(&live, "{\"metadata\":{\"finalizers\":[");
	strbuf_adds(&config, "{\"metadata\":{\"finalizers\":[");
	for (int i = 0; i < N; i++) {
		strbuf_addf(&live, "%s\"l%d\"", i ? "," : "", i);
		strbuf_addf(&config, "%s\"%c%d\"", i ? "," : "", i % 2 ? 'l' : 'c', N - i);
	}
	strbuf_adds(&live, "]}}");
	strbuf_adds(&config, "]}}");
	struct json *x = parse(strbuf_cstr(&live)), *y = parse(strbuf_cstr(&config));
	uint64_t started = clock_mono_ms();
	assert_int_equal(merge_objects(&a, row("v1", "Pod")->type, x, y, &err), 0);
	assert_true(clock_mono_ms() - started < 5000);
	struct budget small = BUDGET(a.used_bytes + 1000, 0);
	a.budget = &small;
	assert_int_equal(
	        merge_objects(&a, row("v1", "Pod")->type, parse("{\"metadata\":{\"labels\":{}}}"), y, &err), 0);
	assert_int_equal(merge_objects(&a, row("v1", "Pod")->type, x, y, &err), ERR_TOO_BIG);
	a.budget = NULL;
	strbuf_release(&live);
	strbuf_release(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(config_is_merged_by_schema, release),
	        cmocka_unit_test_teardown(lists_are_woven_in_the_order_of_config, release),
	        cmocka_unit_test_teardown(repeated_elements_of_live_are_kept_or_replaced, release),
	        cmocka_unit_test_teardown(what_only_the_applier_had_goes, release),
	        cmocka_unit_test_teardown(large_objects_take_linear_time_and_no_more_than_their_budget, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
