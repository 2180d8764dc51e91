/* Columns of custom resources: paths and cells. */
#include "api/machinery/table/custom_columns.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena arena;

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static void paths_find_the_first_value(void **state)
{
	static const char object[] =
	        "{\"spec\":{\"n\":3,\"a.b\":\"dot\",\"l\":[{\"t\":\"x\",\"v\":\"1\"},{\"t\":\"y\",\"v\":\"2\"}]}}";
	static const struct {
		const char *path, *want;
	} rows[] = {
	        {".spec.n", "3"},
	        {"{.spec.n}", "3"},
	        {".spec.a\\.b", "\"dot\""},
	        {".spec['a.b']", "\"dot\""},
	        {".spec.l[1].v", "\"2\""},
	        {".spec.l[-1].v", "\"2\""},
	        {".spec.l[*].v", "\"1\""},
	        {".spec.l[?(@.t==\"y\")].v", "\"2\""},
	        {".spec.l[?(@.t == 'y')].v", "\"2\""},
	        {".spec.l[?(@.t==\"z\")].v", NULL},
	        {".spec.none.deep", NULL},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = ERR_INIT;
		const struct custom_path *p = custom_path_new(&arena, slice_of(rows[i].path), &err);
		if (!p)
			fail_msg("%s: %s", rows[i].path, err.msg);
		const struct json *v = custom_path_find(p, parse(object));
		CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
		if (v)
			json_write(&b, v);
		if (strcmp(strbuf_cstr(&b), rows[i].want ? rows[i].want : "") != 0)
			fail_msg("%s: %s", rows[i].path, strbuf_cstr(&b));
	}
	static const char *const bad[] = {"", "spec", ".spec[", ".spec[?(@.a)]", ".spec..", ".a[x]"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct err err = ERR_INIT;
		assert_null(custom_path_new(&arena, slice_of(bad[i]), &err));
		assert_int_equal(err.code, ERR_INVAL);
	}
	arena_release(&arena);
}

static void cells_are_of_their_types(void **state)
{
	const struct custom_columns *c = custom_columns_new(&arena,
	        parse("{\"additionalPrinterColumns\":[{\"name\":\"N\",\"type\":\"integer\",\"jsonPath\":\".n\"},{"
	              "\"name\":\"S\","
	              "\"type\":\"string\",\"jsonPath\":\".o\"},{\"name\":\"B\",\"type\":\"boolean\",\"jsonPath\":\"."
	              "b\"},{\"name\":"
	              "\"D\",\"type\":\"date\",\"jsonPath\":\".d\",\"priority\":1},{\"name\":\"X\",\"type\":"
	              "\"integer\","
	              "\"jsonPath\":\".b\"},{\"name\":\"Odd\",\"type\":\"string\",\"jsonPath\":\".a..b\"}]}"));
	assert_non_null(c); /* and the odd one is left out */
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	struct cells cells = {.out = &b, .arena = &arena, .now_s = 60};
	cells.object = parse(
	        "{\"metadata\":{\"name\":\"x\"},\"n\":3,\"o\":{\"a\":1},\"b\":true,\"d\":\"1970-01-01T00:00:30Z\"}");
	custom_columns_cells(&cells, c);
	assert_string_equal(strbuf_cstr(&b), "\"x\",3,\"{\\\"a\\\":1}\",true,\"30s\",null");
	strbuf_reset(&b);
	custom_columns_write(&b, c);
	assert_non_null(strstr(strbuf_cstr(&b),
	        "\"name\":\"D\",\"type\":\"date\",\"format\":\"\",\"description\":\"Custom resource "
	        "definition column (in JSONPath format): .d\",\"priority\":1}"));
	assert_non_null(parse(strbuf_cstr(&b)));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(paths_find_the_first_value),
	        cmocka_unit_test(cells_are_of_their_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
