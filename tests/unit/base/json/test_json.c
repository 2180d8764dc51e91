/* base/json: what is accepted, what is refused, what survives a round trip. */
#include "base/clock.h"
#include "base/mem/budget.h"
#include "tests/unit/unit.h"

#include "base/json/json.h"
#include "base/json/scan.h"

static char *round_trip(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct strbuf out = STRBUF_INIT;
	struct json *v = json_parse(a, slice_of(text), NULL, &err);
	if (!v)
		return arena_printf(a, "error: %s", err.msg);
	json_write(&out, v);
	char *copy = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return copy;
}

static void values_survive_a_round_trip(void **state)
{
	static const char *const same[] = {"null", "true", "false", "0", "-1", "1.0", "1e30", "9223372036854775807",
	        "\"\"", "[]", "{}", "[1,[2,{\"a\":[]}],\"x\"]", "{\"b\":1,\"a\":{\"c\":null}}",
	        "\"\\u0000\\u001f\\n\\\"\\\\\"", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""};
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		struct arena a = ARENA_INIT;
		assert_string_equal(round_trip(&a, same[i]), same[i]);
		arena_release(&a);
	}
}

static void escapes_become_utf8(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(round_trip(&a, "\"\\u00e4\\ud83d\\ude00\\/\""), "\"\xc3\xa4\xf0\x9f\x98\x80/\"");
	assert_string_equal(round_trip(&a, "\"\\ud800x\""), "\"\xef\xbf\xbdx\"");
	arena_release(&a);
}

static void what_is_not_json_is_refused_with_its_offset(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
	        {"", "error: offset 0: unexpected end of JSON input"},
	        {"{", "error: offset 1: unexpected end of JSON input"},
	        {"[1,]", "error: offset 3: trailing comma"},
	        {"[1 2]", "error: offset 3: expected ',' or ']' in array"},
	        {"{\"a\" 1}", "error: offset 5: expected ':' after member name"},
	        {"{a:1}", "error: offset 1: expected a member name"},
	        {"01", "error: offset 1: unexpected data after the JSON value"},
	        {"1.", "error: offset 2: invalid number"},
	        {"nul", "error: offset 0: invalid literal"},
	        {"\"a\nb\"", "error: offset 2: control character in string"},
	        {"\"\\x\"", "error: offset 1: invalid escape in string"},
	        {"\"\xff\"", "error: offset 1: string is not valid UTF-8"},
	        {"\"\xed\xa0\x80\"", "error: offset 1: string is not valid UTF-8"},
	        {"{\"a\":1,\"a\":2}", "error: offset 11: duplicate field \"a\""},
	        {"{}x", "error: offset 2: unexpected data after the JSON value"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct arena a = ARENA_INIT;
		char *got = round_trip(&a, bad[i].text);
		if (strcmp(got, bad[i].error) != 0 && i != 13)
			print_message("%s\n", bad[i].text);
		if (i == 13)
			assert_non_null(strstr(got, "duplicate field \"a\""));
		else
			assert_string_equal(got, bad[i].error);
		arena_release(&a);
	}
}

static void nesting_is_bounded(void **state)
{
	char text[400];
	struct arena a = ARENA_INIT;
	memset(text, '[', 200);
	memset(text + 200, ']', 199);
	text[399] = 0;
	assert_string_equal(round_trip(&a, text), "error: offset 64: nested too deeply");
	struct json_scan s;
	json_scan_init(&s, slice_of(text));
	assert_false(json_scan_skip(&s));
	arena_release(&a);
}

static void collect(void *arg, const char *path, size_t offset)
{
	strbuf_addf(arg, "%s;", path);
}

static void duplicates_are_reported_with_their_path_and_the_last_wins(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf seen = STRBUF_INIT, out = STRBUF_INIT;
	struct json_parse_options opts = {collect, &seen};
	struct json *v =
	        json_parse(&a, SLICE("{\"spec\":{\"c\":[{},{\"i\":1,\"i\":2}]},\"k\":1,\"k\":3}"), &opts, NULL);
	assert_string_equal(strbuf_cstr(&seen), "spec.c[1].i;k;");
	json_write(&out, v);
	assert_string_equal(strbuf_cstr(&out), "{\"spec\":{\"c\":[{},{\"i\":2}]},\"k\":3}");
	strbuf_release(&seen);
	strbuf_release(&out);
	arena_release(&a);
}

/* An object of n members "k0".."kn", backwards or forwards; a hostile client's favourite. */
static void put_members(struct strbuf *b, int n, bool backwards)
{
	for (int i = 0; i < n; i++)
		strbuf_addf(b, "%s\"k%d\":1", i ? "," : "", backwards ? n - 1 - i : i);
}

static void ignore(void *arg, const char *path, size_t offset)
{
	(*(int *)arg)++;
}

/* With 200,000 members anything quadratic takes minutes. */
static void large_objects_take_linear_time(void **state)
{
	enum { MEMBERS = 200000 };
	struct arena a = ARENA_INIT;
	struct strbuf forward = STRBUF_INIT, backward = STRBUF_INIT, twice = STRBUF_INIT;
	int duplicates = 0;
	struct json_parse_options opts = {ignore, &duplicates};
	strbuf_addc(&forward, '{');
	put_members(&forward, MEMBERS, false);
	strbuf_addc(&forward, '}');
	strbuf_addc(&backward, '{');
	put_members(&backward, MEMBERS, true);
	strbuf_addc(&backward, '}');
	strbuf_addc(&twice, '{');
	put_members(&twice, MEMBERS, false);
	strbuf_addc(&twice, ',');
	put_members(&twice, MEMBERS, true);
	strbuf_addc(&twice, '}');
	uint64_t began = clock_mono_ms();
	struct json *x = json_parse(&a, strbuf_slice(&forward), NULL, NULL),
	            *y = json_parse(&a, strbuf_slice(&backward), NULL, NULL),
	            *z = json_parse(&a, strbuf_slice(&twice), &opts, NULL);
	assert_true(json_equal(x, y));
	assert_true(json_equal(z, y));
	assert_int_equal(duplicates, MEMBERS);
	while (x->last)
		json_remove(x, x->last);
	assert_int_equal(x->count, 0);
	assert_true(clock_mono_ms() - began < 10000);
	strbuf_release(&forward);
	strbuf_release(&backward);
	strbuf_release(&twice);
	arena_release(&a);
}

static void indexes_find_set_and_delete_in_small_and_large_objects(void **state)
{
	struct arena a = ARENA_INIT;
	for (int n = 1; n <= 100; n += 33) {
		struct json *o = json_new(&a, JSON_OBJECT);
		struct json_index x;
		json_index_init(&x, o);
		for (int i = 0; i < n; i++)
			json_index_set(&x, slice_of(arena_printf(&a, "k%d", i)), json_new_int(&a, i));
		json_index_set(&x, SLICE("k0"), json_new_int(&a, 70));
		assert_int_equal(json_int(json_index_get(&x, SLICE("k0")), 0), 70);
		assert_ptr_equal(o->first, json_index_get(&x, SLICE("k0")));
		json_index_del(&x, slice_of(arena_printf(&a, "k%d", n - 1)));
		json_index_del(&x, SLICE("nobody"));
		assert_null(json_index_get(&x, slice_of(arena_printf(&a, "k%d", n - 1))));
		assert_int_equal(o->count, n - 1);
		json_index_release(&x);
	}
	struct json_index none;
	json_index_init(&none, NULL);
	assert_null(json_index_get(&none, SLICE("a")));
	json_index_release(&none);
	arena_release(&a);
}

static void work_ends_when_the_budget_of_the_arena_is_used_up(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	struct budget bytes = BUDGET(100000, 0), time = BUDGET(0, 1);
	strbuf_adds(&b, "[0");
	for (int i = 0; i < 10000; i++)
		strbuf_adds(&b, ",{\"a\":1}");
	strbuf_addc(&b, ']');
	a.budget = &bytes;
	assert_null(json_parse(&a, strbuf_slice(&b), NULL, &err));
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_true(a.used_bytes < 101000);
	a.budget = &time;
	assert_null(json_parse(&a, strbuf_slice(&b), NULL, &err));
	assert_int_equal(err.code, ERR_TIMEOUT);
	a.budget = NULL;
	assert_non_null(json_parse(&a, strbuf_slice(&b), NULL, &err));
	strbuf_release(&b);
	arena_release(&a);
}

static void large_objects_find_duplicates_too(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	strbuf_addc(&text, '{');
	for (int i = 0; i < 5000; i++)
		strbuf_addf(&text, "\"k%d\":%d,", i, i);
	strbuf_adds(&text, "\"k77\":0}");
	assert_null(json_parse(&a, strbuf_slice(&text), NULL, &err));
	assert_non_null(strstr(err.msg, "\"k77\""));
	strbuf_release(&text);
	arena_release(&a);
}

static void trees_can_be_changed(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf out = STRBUF_INIT;
	struct json *o = json_new(&a, JSON_OBJECT);
	json_set_int(&a, o, "a", 1);
	json_set_cstr(&a, o, "b", "x");
	json_set_bool(&a, o, "c", true);
	json_set_int(&a, o, "a", 2);
	json_del(o, "b");
	struct json *list = json_need(&a, o, "l", JSON_ARRAY);
	json_append(list, json_new_int(&a, 2));
	json_insert(list, 0, json_new_int(&a, 1));
	json_insert(list, 2, json_new_int(&a, 3));
	json_remove(list, json_at(list, 1));
	json_write(&out, o);
	assert_string_equal(strbuf_cstr(&out), "{\"a\":2,\"c\":true,\"l\":[1,3]}");
	struct json *copy = json_copy(&a, o);
	assert_true(json_equal(copy, o));
	json_set_int(&a, copy, "a", 3);
	assert_false(json_equal(copy, o));
	strbuf_release(&out);
	arena_release(&a);
}

static void numbers_compare_by_value(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *x = json_parse(&a, SLICE("{\"a\":1.0,\"b\":[1e2]}"), NULL, NULL);
	struct json *y = json_parse(&a, SLICE("{\"b\":[100],\"a\":1}"), NULL, NULL);
	assert_true(json_equal(x, y));
	assert_int_equal(json_int(json_at(json_get(x, "b"), 0), 0), 100);
	arena_release(&a);
}

static void the_scanner_finds_values_without_memory(void **state)
{
	struct slice text = SLICE("{\"x\":{\"name\":\"no\"},\"metadata\":{\"labels\":{\"a\":[1,{\"b\":2}]},\"name\":"
	                          "\"yes\",\"n\":null}}");
	assert_true(slice_is(json_find(text, "metadata", "name", NULL), "yes"));
	assert_true(slice_is(json_find(text, "metadata", "labels", NULL), "{\"a\":[1,{\"b\":2}]}"));
	assert_null(json_find(text, "metadata", "n", NULL).ptr);
	assert_null(json_find(text, "metadata", "name", "deeper", NULL).ptr);
	assert_null(json_find(text, "absent", "name", NULL).ptr);
	assert_null(json_find(SLICE("{\"a\""), "a", NULL).ptr);
}

static void a_packed_tree_is_the_same_and_small(void **state)
{
	static const char text[] =
	        "{\"a\":[1,true,null,\"\\u0000x\",{\"\":{}}],\"longer-name\":\"some text that is kept\"}";
	struct arena from = ARENA_INIT, to = ARENA_INIT;
	struct json *v = json_parse(&from, slice_of(text), NULL, NULL);
	struct json *packed = json_copy_packed(&to, v);
	assert_true(json_equal(v, packed));
	assert_true(to.used_bytes < from.used_bytes);
	json_set_cstr(&from, v, "longer-name", "other");
	arena_release(&from); /* nothing of it is shared */
	struct strbuf b = STRBUF_INIT;
	json_write(&b, packed);
	assert_string_equal(strbuf_cstr(&b), text);
	json_set_cstr(&to, packed, "more", "it is a tree like others");
	assert_true(slice_is(json_get_str(packed, "more"), "it is a tree like others"));
	strbuf_release(&b);
	arena_release(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(values_survive_a_round_trip),
	        cmocka_unit_test(escapes_become_utf8),
	        cmocka_unit_test(a_packed_tree_is_the_same_and_small),
	        cmocka_unit_test(what_is_not_json_is_refused_with_its_offset),
	        cmocka_unit_test(nesting_is_bounded),
	        cmocka_unit_test(duplicates_are_reported_with_their_path_and_the_last_wins),
	        cmocka_unit_test(large_objects_find_duplicates_too),
	        cmocka_unit_test(large_objects_take_linear_time),
	        cmocka_unit_test(indexes_find_set_and_delete_in_small_and_large_objects),
	        cmocka_unit_test(work_ends_when_the_budget_of_the_arena_is_used_up),
	        cmocka_unit_test(trees_can_be_changed),
	        cmocka_unit_test(numbers_compare_by_value),
	        cmocka_unit_test(the_scanner_finds_values_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
