/* Strategic merge against the schema of Deployment; the wire's view of it is in tests/integration/api_cases_patch.py.
 */
#include "tests/unit/unit_json.h"

#include "api/machinery/patch/patch.h"
#include "api/machinery/schema/resources.h"
#include "base/clock.h"

#define POD(inner) "{\"spec\":{\"template\":{\"spec\":{" inner "}}}}"

static void results_are_those_of_upstream(void **state)
{
	static const char *const cases[][3] = {
	        {POD("\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"1\"}]"),
	                POD("\"containers\":[{\"name\":\"b\",\"image\":\"2\"}]"),
	                POD("\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"2\"}]")},
	        {POD("\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]"),
	                POD("\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]"),
	                POD("\"containers\":[{\"name\":\"b\"}]")},
	        {POD("\"containers\":[{\"name\":\"a\"}]"),
	                POD("\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"c\"}]"),
	                POD("\"containers\":[{\"name\":\"c\"}]")},
	        {POD("\"nodeSelector\":{\"a\":\"1\",\"b\":\"2\"}"), POD("\"nodeSelector\":{\"a\":null,\"c\":\"3\"}"),
	                POD("\"nodeSelector\":{\"b\":\"2\",\"c\":\"3\"}")},
	        {POD("\"nodeSelector\":{\"a\":\"1\"}"), POD("\"nodeSelector\":{\"$patch\":\"replace\",\"c\":\"3\"}"),
	                POD("\"nodeSelector\":{\"c\":\"3\"}")},
	        {"{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
	                "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}}",
	                "{\"metadata\":{\"finalizers\":[\"b\"]}}"},
	        {"{\"metadata\":{\"finalizers\":[\"a\"]}}", "{\"metadata\":{\"finalizers\":[\"a\",\"c\"]}}",
	                "{\"metadata\":{\"finalizers\":[\"a\",\"c\"]}}"},
	        {"{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
	                "{\"metadata\":{\"$setElementOrder/finalizers\":[\"b\",\"c\",\"a\"],\"finalizers\":[\"c\"]}}",
	                "{\"metadata\":{\"finalizers\":[\"b\",\"c\",\"a\"]}}"},
	        {POD("\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]"),
	                POD("\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]"),
	                POD("\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]")},
	        {"{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":1}}}}",
	                "{\"spec\":{\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\"}}}",
	                "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}"},
	        {POD("\"tolerations\":[{\"key\":\"a\"},{\"key\":\"b\"}]"), POD("\"tolerations\":[{\"key\":\"c\"}]"),
	                POD("\"tolerations\":[{\"key\":\"c\"}]")},
	        {POD("\"containers\":[{\"name\":\"a\",\"args\":[\"1\",\"2\"]}]"),
	                POD("\"containers\":[{\"name\":\"a\",\"args\":[\"3\"]}]"),
	                POD("\"containers\":[{\"name\":\"a\",\"args\":[\"3\"]}]")},
	        {POD("\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80},{\"containerPort\":81}]}]"),
	                POD("\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":81,\"$patch\":\"delete\"}]}"
	                    "]"),
	                POD("\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80}]}]")},
	        {"{\"spec\":{\"replicas\":2}}", "{\"spec\":{\"replicas\":null}}", "{\"spec\":{}}"},
	        /* what is new goes before what the patch does not name; the patch's order holds for what it names */
	        {POD("\"containers\":[{\"name\":\"a\"}]"), POD("\"containers\":[{\"name\":\"new\"}]"),
	                POD("\"containers\":[{\"name\":\"new\"},{\"name\":\"a\"}]")},
	        {POD("\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]"),
	                POD("\"containers\":[{\"name\":\"c\"},{\"name\":\"new\"},{\"name\":\"a\"}]"),
	                POD("\"containers\":[{\"name\":\"b\"},{\"name\":\"c\"},{\"name\":\"new\"},{\"name\":"
	                    "\"a\"}]")},
	        {POD("\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]"),
	                POD("\"$setElementOrder/containers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"new\"}],"
	                    "\"containers\":[{\"name\":\"new\"}]"),
	                POD("\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"new\"}]")},
	        /* with an order given, what is new takes the place of what is deleted, behind what the server has */
	        {POD("\"containers\":[{\"name\":\"f\"},{\"name\":\"a\"},{\"name\":\"b\"}]"),
	                POD("\"$setElementOrder/containers\":[{\"name\":\"d\"},{\"name\":\"e\"}],\"containers\":[{"
	                    "\"name\":\"d\"},{\"name\":\"e\"},{\"name\":\"a\",\"$patch\":\"delete\"}]"),
	                POD("\"containers\":[{\"name\":\"f\"},{\"name\":\"b\"},{\"name\":\"d\"},{\"name\":\"e\"}"
	                    "]")},
	        {"{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}", "{\"metadata\":{\"finalizers\":[\"c\",\"a\"]}}",
	                "{\"metadata\":{\"finalizers\":[\"c\",\"a\",\"b\"]}}"},
	        {POD("\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80},{\"containerPort\":\"80\"}]}]"),
	                POD("\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80,\"$patch\":\"delete\"}]}"
	                    "]"),
	                POD("\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":\"80\"}]}]")},
	        {"{}", "{\"spec\":{\"replicas\":2}}", "{\"spec\":{\"replicas\":2}}"},
	        {"{\"spec\":{\"replicas\":2}}", "{}", "{\"spec\":{\"replicas\":2}}"},
	};
	const struct schema_type *type = resource_kind_type(SLICE("apps/v1"), SLICE("Deployment"));
	assert_non_null(type);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *object = parse(cases[i][0]);
		struct strbuf text = STRBUF_INIT;
		struct err err = ERR_INIT;
		if (patch_strategic_apply(&a, object, parse(cases[i][1]), type, &err) != 0)
			fail_msg("case %zu: %s", i, err.msg);
		json_write(&text, object);
		if (!json_equal(object, parse(cases[i][2])))
			fail_msg("case %zu: got %s, want %s", i, strbuf_cstr(&text), cases[i][2]);
		strbuf_release(&text);
	}
}

static void put_containers(struct strbuf *b, int n, bool backwards)
{
	strbuf_adds(b, "{\"spec\":{\"template\":{\"spec\":{\"containers\":[");
	for (int i = 0; i < n; i++)
		strbuf_addf(b, "%s{\"name\":\"c%d\"}", i ? "," : "", backwards ? n - 1 - i : i);
	strbuf_adds(b, "]}}}}");
}

/* Lists as long as a body can hold: anything quadratic takes minutes. */
static void long_lists_take_linear_time(void **state)
{
	enum { ITEMS = 60000 };
	struct strbuf object = STRBUF_INIT, patch = STRBUF_INIT;
	struct err err = ERR_INIT;
	put_containers(&object, ITEMS, false);
	put_containers(&patch, ITEMS, true);
	uint64_t began = clock_mono_ms();
	struct json *o = parse(strbuf_cstr(&object));
	assert_int_equal(patch_strategic_apply(&a, o, parse(strbuf_cstr(&patch)),
	                         resource_kind_type(SLICE("apps/v1"), SLICE("Deployment")), &err),
	        0);
	struct json *list = json_path(o, "spec", "template", "spec", "containers", NULL);
	assert_int_equal(list->count, ITEMS);
	assert_true(slice_is(json_get_str(list->first, "name"), "c59999"));
	assert_true(clock_mono_ms() - began < 10000);
	strbuf_release(&object);
	strbuf_release(&patch);
}

static void wrong_patches_are_refused_in_words(void **state)
{
	static const char *const bad[] = {
	        POD("\"containers\":[{\"image\":\"x\"}]"),
	        POD("\"containers\":[{\"name\":\"a\",\"$patch\":\"sideways\"}]"),
	        POD("\"containers\":[\"text\"]"),
	        POD("\"$setElementOrder/containers\":7"),
	        "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":\"a\"}}",
	        "{\"spec\":{\"strategy\":{\"$retainKeys\":\"type\"}}}",
	};
	const struct schema_type *type = resource_kind_type(SLICE("apps/v1"), SLICE("Deployment"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct json *object = parse(POD("\"containers\":[{\"name\":\"a\"}]"));
		struct err err = ERR_INIT;
		if (patch_strategic_apply(&a, object, parse(bad[i]), type, &err) == 0)
			fail_msg("%s is taken", bad[i]);
		assert_true(err.msg[0] != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(results_are_those_of_upstream, release),
	        cmocka_unit_test_teardown(wrong_patches_are_refused_in_words, release),
	        cmocka_unit_test_teardown(long_lists_take_linear_time, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
