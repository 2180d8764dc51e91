/* Tables for people and as JSON. */
#include "tools/store/table.h"

#include "tests/unit/unit.h"

static const struct store_column columns[] = {{"NAME", "name", STORE_COLUMN_TEXT}, {"SIZE", NULL, STORE_COLUMN_NUMBER},
        {NULL, "bytes", STORE_COLUMN_NUMBER}, {"NOTE", "note", STORE_COLUMN_TEXT}, {NULL, "good", STORE_COLUMN_JSON}};

static void fill(struct store_table *t)
{
	*t = (struct store_table){columns, 5, ARENA_INIT, NULL, 0, 0};
	for (int i = 0; i < 2; i++) {
		store_table_add(t, "%s", i ? "a long \"name\"" : "\xc3\xa4");
		store_table_add(t, "%s", store_table_size(t, i ? 1536 : 7));
		store_table_add(t, "%d", i ? 1536 : 7);
		store_table_add(t, "%s", i ? "" : "note");
		store_table_add(t, "%s", i ? "true" : "false");
	}
}

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
	struct store_table t;
	struct strbuf b = STRBUF_INIT;
	fill(&t);
	store_table_write(&t, false, &b);
	assert_string_equal(strbuf_cstr(&b), "NAME              SIZE  NOTE\n"
	                                     "\xc3\xa4                  7 B  note\n"
	                                     "a long \"name\"  1.5 KiB\n");
	strbuf_release(&b);
}

static void json_is_an_object_a_line(void **state)
{
	struct store_table t;
	struct strbuf b = STRBUF_INIT;
	fill(&t);
	store_table_write(&t, true, &b);
	assert_string_equal(strbuf_cstr(&b),
	        "{\"name\":\"\xc3\xa4\",\"bytes\":7,\"note\":\"note\",\"good\":false}\n"
	        "{\"name\":\"a long \\\"name\\\"\",\"bytes\":1536,\"note\":\"\",\"good\":true}\n");
	strbuf_release(&b);
}

/* What a server calls itself and a term beyond 63 bits are no reason to write what cannot be read. */
static void json_can_be_read_whatever_is_in_the_cells(void **state)
{
	struct store_table t = {columns, 5, ARENA_INIT, NULL, 0, 0};
	struct strbuf b = STRBUF_INIT;
	store_table_add(&t, "\xff\"\n");
	store_table_add(&t, "-");
	store_table_add(&t, "18446744073709551615");
	store_table_add(&t, "note");
	store_table_add(&t, "%s", "");
	store_table_write(&t, true, &b);
	assert_string_equal(strbuf_cstr(&b), "{\"name\":\"\xef\xbf\xbd\\\"\\n\",\"bytes\":\"18446744073709551615\","
	                                     "\"note\":\"note\",\"good\":\"\"}\n");
	strbuf_release(&b);
}

static void without_rows_there_are_heads_and_no_json(void **state)
{
	struct store_table t = {columns, 5, ARENA_INIT, NULL, 0, 0};
	struct strbuf b = STRBUF_INIT;
	store_table_write(&t, false, &b);
	assert_string_equal(strbuf_cstr(&b), "NAME  SIZE  NOTE\n");
	strbuf_reset(&b);
	store_table_write(&t, true, &b);
	assert_int_equal(b.len, 0);
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
	        cmocka_unit_test(json_is_an_object_a_line),
	        cmocka_unit_test(json_can_be_read_whatever_is_in_the_cells),
	        cmocka_unit_test(without_rows_there_are_heads_and_no_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
