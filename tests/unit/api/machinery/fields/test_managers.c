/* The entries of managedFields: read, ordered, capped, written. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

#include "api/machinery/fields/managers_int.h"

#define ENTRY(manager, op, time, fields) \
	"{'manager':'" manager "','operation':'" op "','apiVersion':'v1','time':'" time \
	"','fieldsType':'FieldsV1','fieldsV1':" fields "}"

static struct managers read_all(const char *text)
{
	struct managers m;
	struct err err = ERR_INIT;
	if (managers_read(&a, slice_of(quoted(text)), false, &m, &err) != 0)
		fail_msg("%s: %s", text, err.msg);
	return m;
}

static void assert_written(const struct managers *m, const char *want)
{
	struct strbuf out = STRBUF_INIT;
	managers_write(&out, m);
	assert_string_equal(strbuf_cstr(&out), quoted(want));
	strbuf_release(&out);
}

static void what_is_read_is_written(void **state)
{
	static const char *const texts[] = {
	        "[]",
	        "[" ENTRY("kubectl", "Apply", "2026-01-01T00:00:00Z", "{'f:data':{'f:a':{}}}") "]",
	        "[{'manager':'x','operation':'Update','apiVersion':'apps/"
	        "v1','fieldsType':'FieldsV1','fieldsV1':{'f:a':{}},"
	        "'subresource':'status'}]",
	        "[" ENTRY("a\\\"b", "Update", "2026-01-01T00:00:00Z", "{'f:a':{}}") "]",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct managers m = read_all(texts[i]);
		assert_written(&m, texts[i]);
	}
	struct managers none = read_all("[" ENTRY("x", "Update", "", "{}") "]");
	assert_null(none.first); /* who owns nothing is no manager */
}

static void wrong_entries_are_refused(void **state)
{
	static const char *const bad[] = {"{}", "7", "[7]", "[{}]", "[" ENTRY("x", "Create", "", "{}") "]",
	        "[{'manager':'x','operation':'Apply','fieldsType':'FieldsV1','fieldsV1':{'f:a':{}}}]",
	        "[{'manager':'x','operation':'Apply','apiVersion':'v1','fieldsV1':{'f:a':{}}}]",
	        "[{'manager':'x','operation':'Apply','apiVersion':'v1','fieldsType':'FieldsV2','fieldsV1':{}}]",
	        "[" ENTRY("x", "Apply", "", "{'a':{}}") "]", "[" ENTRY("x", "Apply", "", "{'f:a':{}}"),
	        "[{'manager':7,'operation':'Apply','apiVersion':'v1','fieldsType':'FieldsV1'}]", "[]]"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct managers m;
		struct err err = ERR_INIT;
		if (managers_read(&a, slice_of(quoted(bad[i])), false, &m, &err) == 0)
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(err.code, ERR_INVAL);
		assert_true(err.msg[0] != 0);
	}
}

static void appliers_come_first_then_the_oldest(void **state)
{
	struct managers m = read_all("[" ENTRY("b", "Update", "2026-01-01T00:00:02Z", "{'f:a':{}}") "," ENTRY("c",
	        "Update", "2026-01-01T00:00:01Z",
	        "{'f:a':{}}") "," ENTRY("z", "Apply", "2026-01-01T00:00:03Z", "{'f:a':{}}") "]");
	managers_sort(&a, &m);
	assert_true(slice_is(m.first->name, "z"));
	assert_true(slice_is(m.first->next->name, "c"));
	assert_true(slice_is(m.first->next->next->name, "b"));
	assert_null(m.first->next->next->next);
}

static void equality_leaves_times_aside(void **state)
{
	struct managers x = read_all("[" ENTRY("x", "Apply", "2026-01-01T00:00:00Z", "{'f:a':{}}") "]"),
	                y = read_all("[" ENTRY("x", "Apply", "2026-01-02T00:00:00Z", "{'f:a':{}}") "]"),
	                z = read_all("[" ENTRY("x", "Update", "2026-01-01T00:00:00Z", "{'f:a':{}}") "]"),
	                other = read_all("[" ENTRY("x", "Apply", "2026-01-01T00:00:00Z", "{'f:b':{}}") "]"),
	                none = {NULL};
	assert_true(managers_equal(&x, &y));
	assert_false(managers_equal(&x, &z));
	assert_false(managers_equal(&x, &other));
	assert_false(managers_equal(&x, &none));
	assert_true(managers_equal(&none, &none));
}

/* Upstream's cap: ten that update; the oldest go into one of the same version. Appliers do not count. */
static void the_oldest_updaters_are_folded_into_one(void **state)
{
	struct managers m = {NULL};
	for (int i = 0; i < 13; i++) {
		struct manager *e = ARENA_NEW(&a, struct manager);
		*e = (struct manager){.next = m.first,
		        .name = slice_of(arena_printf(&a, "m%02d", i)),
		        .api_version = SLICE("v1"),
		        .time = slice_of(arena_printf(&a, "2026-01-01T00:00:%02dZ", i)),
		        .is_apply = i == 12,
		        .fields = set_of(arena_printf(&a, "{'f:f%d':{}}", i))};
		m.first = e;
	}
	managers_cap(&a, &m);
	size_t n = 0;
	const struct manager *ancient = NULL;
	for (const struct manager *it = m.first; it; it = it->next) {
		n++;
		ancient = slice_is(it->name, "ancient-changes") ? it : ancient;
	}
	assert_int_equal(n, 11);
	assert_non_null(ancient);
	assert_set(ancient->fields, "{'f:f0':{},'f:f1':{},'f:f2':{}}");
	assert_true(slice_is(ancient->time, "2026-01-01T00:00:02Z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_is_read_is_written, release),
	        cmocka_unit_test_teardown(wrong_entries_are_refused, release),
	        cmocka_unit_test_teardown(appliers_come_first_then_the_oldest, release),
	        cmocka_unit_test_teardown(equality_leaves_times_aside, release),
	        cmocka_unit_test_teardown(the_oldest_updaters_are_folded_into_one, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
