/* The words of extenders: what is written, and what of an answer is taken or refused. */
#include "tests/unit/unit.h"

#include "api/scheduler/extenders/extender_wire.h"
#include "base/json/json.h"

static struct arena arena;

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static struct scheduler_extender plain = {.url_prefix = "http://h:1/x//"},
                                 knowing = {.url_prefix = "http://h:1", .knows_nodes = true};

/* ---- writing ---- */

static void questions_have_gos_names(void **state)
{
	struct strbuf b = STRBUF_INIT;
	const struct extender_node nodes[] = {{SLICE("a"), SLICE("{\"n\":1}")}, {SLICE("b\""), SLICE("{}")}};
	extender_args_write(&b, &plain, SLICE("{\"p\":1}"), nodes, 2);
	assert_string_equal(strbuf_cstr(&b),
	        "{\"Pod\":{\"p\":1},\"Nodes\":{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":["
	        "{\"n\":1},{}]},\"NodeNames\":null}");
	strbuf_reset(&b);
	extender_args_write(&b, &knowing, SLICE("{}"), nodes, 2);
	assert_string_equal(strbuf_cstr(&b), "{\"Pod\":{},\"Nodes\":null,\"NodeNames\":[\"a\",\"b\\\"\"]}");
	strbuf_reset(&b);
	struct slice uids[] = {SLICE("u1"), SLICE("u2")}, pods[] = {SLICE("{\"q\":1}"), SLICE("{\"q\":2}")};
	const struct extender_victims victims[] = {{SLICE("a"), 3, uids, pods, 2}, {SLICE("b"), 0, uids, pods, 1}};
	extender_victims_write(&b, &knowing, SLICE("{}"), victims, 2);
	assert_string_equal(strbuf_cstr(&b),
	        "{\"Pod\":{},\"NodeNameToVictims\":null,\"NodeNameToMetaVictims\":{\"a\":{\"Pods\":[{\"UID\":\"u1\"},{"
	        "\"UID\":\"u2\"}],\"NumPDBViolations\":3},\"b\":{\"Pods\":[{\"UID\":\"u1\"}],\"NumPDBViolations\":0}}"
	        "}");
	strbuf_reset(&b);
	extender_victims_write(&b, &plain, SLICE("{}"), victims, 1);
	assert_string_equal(strbuf_cstr(&b), "{\"Pod\":{},\"NodeNameToMetaVictims\":null,\"NodeNameToVictims\":{\"a\":{"
	                                     "\"Pods\":[{\"q\":1},{\"q\":2}],\"NumPDBViolations\":3}}}");
	strbuf_reset(&b);
	extender_binding_write(&b, SLICE("ns"), SLICE("p"), SLICE("u"), SLICE("n"));
	assert_string_equal(
	        strbuf_cstr(&b), "{\"PodName\":\"p\",\"PodNamespace\":\"ns\",\"PodUID\":\"u\",\"Node\":\"n\"}");
	strbuf_release(&b);
}

static void a_verb_stands_behind_the_prefix(void **state)
{
	assert_string_equal(extender_path(&arena, &plain, "filter"), "/x/filter");
	assert_string_equal(extender_path(&arena, &knowing, "a/b"), "/a/b");
}

static void resources_decide_whom_a_pod_concerns(void **state)
{
	const char *names[] = {"x.io/a"};
	struct scheduler_extender x = {.resources = names, .n_resources = 1};
	static const struct {
		const char *spec;
		bool wanted;
	} rows[] = {{"{\"containers\":[{}]}", false},
	        {"{\"containers\":[{\"resources\":{\"requests\":{\"x.io/b\":1}}}]}", false},
	        {"{\"containers\":[{},{\"resources\":{\"requests\":{\"x.io/a\":1}}}]}", true},
	        {"{\"containers\":[{\"resources\":{\"limits\":{\"x.io/a\":0}}}]}", true},
	        {"{\"initContainers\":[{\"resources\":{\"limits\":{\"x.io/a\":1}}}]}", true}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(extender_wants(&x, json_literal(&arena, rows[i].spec)), rows[i].wanted);
	x.n_resources = 0;
	assert_true(extender_wants(&x, json_literal(&arena, "{}")));
}

/* ---- filter ---- */

/* "a b | c:why d!why" or the error. */
static const char *filtered(bool knows_nodes, const char *answer)
{
	struct extender_filtered f;
	struct err err = ERR_INIT;
	if (extender_filtered_read(&arena, knows_nodes, slice_of(answer), &f, &err) != 0)
		return arena_printf(&arena, "%s: %s", err_name(err.code), err.msg);
	const char *out = "";
	for (size_t i = 0; i < f.n_nodes; i++)
		out = arena_printf(&arena, "%s%.*s ", out, SLICE_FMT(f.nodes[i]));
	for (size_t i = 0; i < f.n_failed; i++)
		out = arena_printf(&arena, "%s| %.*s%c%s ", out, SLICE_FMT(f.failed[i].node),
		        f.failed[i].is_unresolvable ? '!' : ':', f.failed[i].why);
	return out;
}

static void answers_to_a_filter(void **state)
{
	static const struct {
		bool knows_nodes;
		const char *answer, *want;
	} rows[] = {
	        {true, "{\"NodeNames\":[\"a\",\"b\"]}", "a b "},
	        {true, "{\"nodenames\":[\"a\"],\"NODENAMES\":[\"b\"]}", "b "},
	        {true, "{\"NodeNames\":[\"a\"],\"NodeNames\":[\"c\"]}\n", "c "},
	        {true, "null", ""},
	        {true, "{}", ""},
	        {true, "{\"NodeNames\":null,\"Nodes\":{\"items\":[{\"metadata\":{\"name\":\"n\"}}]}}", "n "},
	        {false, "{\"NodeNames\":[\"a\"],\"Nodes\":{\"Items\":[{\"metadata\":{\"name\":\"n\"},\"spec\":{}}]}}",
	                "n "},
	        {false, "{\"NodeNames\":[\"a\"]}", ""},
	        {false, "{\"Nodes\":{}}", ""},
	        {false, "{\"Nodes\":{\"items\":[{}]}}", " "},
	        {true, "{\"FailedNodes\":{\"a\":\"x\",\"b\":null},\"FailedAndUnresolvableNodes\":{\"a\":\"y\"}}",
	                "| a:x | b: | a!y "},
	        {true, "{\"FailedNodes\":{\"a\":\"cut\\u0000here\"}}", "| a:cut "},
	        {true, "{\"Error\":\"no room\",\"NodeNames\":[\"a\"]}", "UNAVAILABLE: no room"},
	        {true, "{\"Error\":\"\",\"NodeNames\":[\"a\"]}", "a "},
	        {true, "{\"Error\":3}", "PROTOCOL: Error in the answer is not a text"},
	        {true, "[]", "PROTOCOL: the answer is a JSON array, not an object"},
	        {true, "{\"NodeNames\":[1]}", "PROTOCOL: a node's name in the answer is not a text"},
	        {true, "{\"NodeNames\":\"a\"}", "PROTOCOL: NodeNames in the answer is a JSON string, not an array"},
	        {false, "{\"Nodes\":{\"items\":{}}}", "PROTOCOL: items in the answer is a JSON object, not an array"},
	        {false, "{\"Nodes\":{\"items\":[{\"metadata\":1}]}}",
	                "PROTOCOL: metadata in the answer is a JSON number, not an object"},
	        {true, "{\"FailedNodes\":{\"a\":{}}}", "PROTOCOL: why a node failed in the answer is not a text"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(filtered(rows[i].knows_nodes, rows[i].answer), rows[i].want) != 0)
			fail_msg("%s: \"%s\"", rows[i].answer, filtered(rows[i].knows_nodes, rows[i].answer));
	assert_non_null(strstr(filtered(true, ""), "PROTOCOL: the answer is not JSON"));
	assert_non_null(strstr(filtered(true, "{} x"), "PROTOCOL: the answer is not JSON"));
}

static void long_reasons_are_cut_between_characters(void **state)
{
	struct extender_filtered f;
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "{\"FailedNodes\":{\"a\":\"x");
	for (int i = 0; i < 2000; i++)
		strbuf_adds(&b, "\u00e9");
	strbuf_adds(&b, "\"}}");
	assert_int_equal(extender_filtered_read(&arena, true, strbuf_slice(&b), &f, &err), 0);
	assert_int_equal(strlen(f.failed[0].why), EXTENDER_REASON_BYTES_MAX - 1);
	strbuf_release(&b);
}

/* ---- the others ---- */

static const char *scores(const char *answer)
{
	struct extender_score *all;
	struct err err = ERR_INIT;
	const char *out = "";
	size_t n;
	if (extender_scores_read(&arena, slice_of(answer), &all, &n, &err) != 0)
		return arena_printf(&arena, "%s: %s", err_name(err.code), err.msg);
	for (size_t i = 0; i < n; i++)
		out = arena_printf(&arena, "%s%.*s=%lld ", out, SLICE_FMT(all[i].node), (long long)all[i].points);
	return out;
}

static void answers_with_scores(void **state)
{
	assert_string_equal(scores("[{\"Host\":\"a\",\"Score\":7},{\"host\":\"b\",\"score\":-1},{}]"), "a=7 b=-1 =0 ");
	assert_string_equal(scores("null"), "");
	assert_string_equal(scores("{}"), "PROTOCOL: the answer is a JSON object, not an array");
	assert_string_equal(scores("[1]"), "PROTOCOL: a score in the answer is a JSON number, not an object");
	assert_string_equal(
	        scores("[{\"Host\":\"a\",\"Score\":\"7\"}]"), "PROTOCOL: Score in the answer is not a whole number");
	assert_string_equal(
	        scores("[{\"Host\":\"a\",\"Score\":1e30}]"), "PROTOCOL: Score in the answer is not a whole number");
	assert_string_equal(scores("[{\"Host\":7}]"), "PROTOCOL: Host in the answer is not a text");
}

static const char *victims(const char *answer)
{
	struct extender_victims *all;
	struct err err = ERR_INIT;
	const char *out = "";
	size_t n;
	if (extender_victims_read(&arena, slice_of(answer), &all, &n, &err) != 0)
		return arena_printf(&arena, "%s: %s", err_name(err.code), err.msg);
	for (size_t i = 0; i < n; i++) {
		out = arena_printf(&arena, "%s%.*s(%lld)", out, SLICE_FMT(all[i].node), (long long)all[i].violations);
		for (size_t k = 0; k < all[i].n; k++)
			out = arena_printf(&arena, "%s %.*s", out, SLICE_FMT(all[i].uids[k]));
		out = arena_printf(&arena, "%s; ", out);
	}
	return out;
}

static void answers_with_victims(void **state)
{
	assert_string_equal(victims("{\"NodeNameToMetaVictims\":{\"a\":{\"Pods\":[{\"UID\":\"u\"},{\"uid\":\"v\"}],"
	                            "\"NumPDBViolations\":2},\"b\":null,\"c\":{}}}"),
	        "a(2) u v; b(0); c(0); ");
	assert_string_equal(victims("{}"), "");
	assert_string_equal(victims("{\"NodeNameToMetaVictims\":[]}"),
	        "PROTOCOL: NodeNameToMetaVictims in the answer is a JSON array, not an object");
	assert_string_equal(victims("{\"NodeNameToMetaVictims\":{\"a\":[]}}"),
	        "PROTOCOL: a node's victims in the answer are a JSON array, not an object");
	assert_string_equal(victims("{\"NodeNameToMetaVictims\":{\"a\":{\"Pods\":[\"u\"]}}}"),
	        "PROTOCOL: a victim in the answer is a JSON string, not an object");
}

static void answers_to_a_binding(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(extender_binding_read(SLICE("{}"), &err), 0);
	assert_int_equal(extender_binding_read(SLICE("null"), &err), 0);
	assert_int_equal(extender_binding_read(SLICE("{\"Error\":\"no\"}"), &err), ERR_UNAVAILABLE);
	assert_string_equal(err.msg, "no");
	assert_int_equal(extender_binding_read(SLICE("ok"), &err), ERR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(questions_have_gos_names, teardown),
	        cmocka_unit_test_teardown(a_verb_stands_behind_the_prefix, teardown),
	        cmocka_unit_test_teardown(resources_decide_whom_a_pod_concerns, teardown),
	        cmocka_unit_test_teardown(answers_to_a_filter, teardown),
	        cmocka_unit_test_teardown(long_reasons_are_cut_between_characters, teardown),
	        cmocka_unit_test_teardown(answers_with_scores, teardown),
	        cmocka_unit_test_teardown(answers_with_victims, teardown),
	        cmocka_unit_test_teardown(answers_to_a_binding, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
