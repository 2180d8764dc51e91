/* The language: literals, operators, macros, errors and how they are absorbed. */
#include "tests/unit/base/cel/cel_rows.h"

#define ROWS(...) \
	static const struct row rows[] = {__VA_ARGS__}; \
	expect_rows(rows, COUNT_OF(rows), NULL, NULL)

static void literals_mean_what_they_say(void **state)
{
	ROWS({"1", "1"}, {"-1", "-1"}, {"- 1", "-1"}, {"0x1F", "31"}, {"-0x10", "-16"},
	        {"9223372036854775807", "9223372036854775807"}, {"-9223372036854775808", "-9223372036854775808"},
	        {"9223372036854775808", "compile: invalid int literal"}, {"7u", "7"}, {"0xFFu", "255"}, {"1.5", "1.5"},
	        {".5", "0.5"}, {"1e3", "1000"}, {"1.5e-3", "0.0015"}, {"1e400", "compile: invalid double literal"},
	        {"true", "true"}, {"null", "null"}, {"'a\"b'", "a\"b"}, {"\"a'b\"", "a'b"}, {"'''a\nb'c'''", "a\nb'c"},
	        {"\"\"\"x\"y\"\"\"", "x\"y"}, {"r'\\n'", "\\n"}, {"R\"\\d\"", "\\d"}, {"'\\n\\t\\\\'", "\n\t\\"},
	        {"'\\x41\\101\\u00e9\\U0001F600'", "AA\u00e9\U0001F600"}, {"b'\\xff' == b'\\377'", "true"},
	        {"br'\\x'.size()", "2"}, {"rb'\\x'.size()", "2"}, {"b'\u00e9'.size()", "2"},
	        {"'\\q'", "compile: escape"}, {"'\\ud800'", "compile: escape"}, {"b'\\u0041'", "compile: escape"},
	        {"'abc", "compile: no closing quote"}, {"'a\nb'", "compile: no closing quote"},
	        {"[1, 2, 3]", "[1, 2, 3]"}, {"[1,]", "[1]"}, {"[]", "[]"}, {"{}", "{}"},
	        {"{'a': 1, 'b': 2,}", "{a: 1, b: 2}"}, {"{1: 'x'}[1]", "x"},
	        {"{'a': 1, 'a': 2}", "error: repeated key a"},
	        {"[1, 'a']", "compile: expected type 'int' but found 'string'"},
	        {"[?optional.of(1), ?optional.none(), 3]", "[1, 3]"}, {"{?'a': optional.none(), 'b': 2}", "{b: 2}"},
	        {"1 // one\n + 2", "3"}, {"{[1]: 2}", "compile: unsupported key type: list(int)"},
	        {"{1.5: 2}", "compile: unsupported key type: double"}, {"12x", "compile: letter"});
}

static void numbers_are_reckoned_with_their_bounds(void **state)
{
	ROWS({"1 + 2 * 3 - 4 / 2 % 3", "5"}, {"7 / -2", "-3"}, {"-7 % 3", "-1"}, {"1 / 0", "error: division by zero"},
	        {"1 % 0", "error: modulus by zero"}, {"1u / 0u", "error: division by zero"}, {"1.0 / 0.0", "+Inf"},
	        {"9223372036854775807 + 1", "error: integer overflow"},
	        {"-9223372036854775808 - 1", "error: integer overflow"},
	        {"-(-9223372036854775808)", "error: integer overflow"},
	        {"-9223372036854775808 / -1", "error: integer overflow"},
	        {"4611686018427387904 * 2", "error: integer overflow"}, {"0u - 1u", "error: unsigned integer overflow"},
	        {"1 + 1u", "compile: no matching overload for '_+_' applied to '(int, uint)'"}, {"1 < 1.5", "true"},
	        {"2u > 1", "true"}, {"1 == 1", "true"}, {"dyn(1) == 1.0", "true"}, {"dyn(1) == 1u", "true"},
	        {"dyn(9007199254740993) == 9007199254740992.0", "true"}, {"dyn(1) < 1.5 && dyn(2u) > 1.5", "true"},
	        {"1 == 1.0", "compile: no matching overload"}, {"0.0 / 0.0 == 0.0 / 0.0", "false"}, {"!!true", "true"},
	        {"--1", "1"}, {"---1", "-1"}, {"int(3.9)", "3"}, {"int(-3.9)", "-3"}, {"int(1e19)", "error: overflow"},
	        {"int('12')", "12"}, {"int('x')", "error: conversion"}, {"uint(-1)", "error: overflow"},
	        {"double('1.5')", "1.5"}, {"double('1.5x')", "error: conversion"}, {"string(1.0)", "1"},
	        {"string(1e25)", "1e+25"}, {"string(0.1 + 0.2)", "0.30000000000000004"},
	        {"string(b'\\xff')", "error: UTF-8"}, {"bool('true')", "true"}, {"bool('yes')", "error: conversion"},
	        {"type(1) == int", "true"}, {"type('') == string", "true"}, {"type([]) == list", "true"},
	        {"type(type(1)) == type", "true"}, {"type(null) == null_type", "true"},
	        {"type(timestamp(0)) == google.protobuf.Timestamp", "true"});
}

static void logic_absorbs_errors(void **state)
{
	ROWS({"true || 1/0 > 0", "true"}, {"1/0 > 0 || true", "true"}, {"false && 1/0 > 0", "false"},
	        {"1/0 > 0 && false", "false"}, {"1/0 > 0 || false", "error: division by zero"},
	        {"true && 1/0 > 0", "error: division by zero"}, {"true ? 1 : 1/0", "1"}, {"false ? 1/0 : 2", "2"},
	        {"1/0 > 0 ? 1 : 2", "error: division by zero"}, {"true || false && false", "true"},
	        {"1 > 2 ? 1 : 2 > 1 ? 3 : 4", "3"}, {"dyn(1) && true", "error: no such overload"},
	        {"dyn(1) || true", "true"},
	        {"1 && true", "compile: no matching overload for '_&&_' applied to '(int, bool)'"},
	        {"[1, 2].all(x, x > 0)", "true"}, {"[0, 1].all(x, 1/x > 5)", "false"},
	        {"[0, 1].all(x, 1/x > 0)", "error: division"}, {"[0, 1].exists(x, 1/x > 0)", "true"},
	        {"[0, 0].exists(x, 1/x > 0)", "error: division"}, {"[1, 2, 1].exists_one(x, x == 2)", "true"},
	        {"[1, 2, 1].exists_one(x, x == 1)", "false"}, {"[0, 1].exists_one(x, 1/x == 1)", "error: division"},
	        {"true == !false", "true"});
}

static void macros_fold_lists_and_maps(void **state)
{
	ROWS({"[1, 2, 3].map(x, x * 2)", "[2, 4, 6]"}, {"[1, 2, 3].map(x, x > 1, x * 2)", "[4, 6]"},
	        {"[1, 2, 3].filter(x, x % 2 == 1)", "[1, 3]"}, {"{'a': 1, 'b': 2}.map(k, k)", "[a, b]"},
	        {"{'a': 1}.all(k, k == 'a')", "true"}, {"{'a': 1}.exists(k, v, v == 1)", "true"},
	        {"[5, 6].all(i, v, v == i + 5)", "true"}, {"[5, 6].transformList(i, v, i * v)", "[0, 6]"},
	        {"[5, 6].transformList(i, v, i > 0, v)", "[6]"}, {"[5, 6].transformMap(i, v, v + 1)", "{0: 6, 1: 7}"},
	        {"{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v)", "{b: 2}"},
	        {"{'a': 'x'}.transformMapEntry(k, v, {v: k})", "{x: a}"},
	        {"['a', 'a'].transformMapEntry(i, v, {v: i})", "error: already exists"},
	        {"[[1, 2], [3]].map(x, x.map(y, y + x.size()))", "[[3, 4], [4]]"},
	        {"[1].map(x, [2].map(x, x))", "[[2]]"}, {"[1].map(1, 2)", "compile: must be a simple name"},
	        {"1.map(x, x)", "compile: cannot be range of a comprehension"},
	        {"[1].all(x, x)", "compile: expected type 'bool'"}, {"has({'a': 1}.a)", "true"},
	        {"has({'a': 1}.b)", "false"}, {"has(1)", "compile: invalid argument to has() macro"},
	        {"optional.of(1).optMap(x, x + 1).value()", "2"}, {"optional.none().optMap(x, 1).hasValue()", "false"},
	        {"optional.of(1).optFlatMap(x, optional.of(x + 1)).orValue(0)", "2"},
	        {"optional.none().orValue(7)", "7"}, {"optional.none().or(optional.of(3)).value()", "3"},
	        {"optional.of(1).orValue(1/0)", "1"}, {"optional.none().value()", "error: dereference"},
	        {"optional.ofNonZeroValue('').hasValue()", "false"}, {"{'a': {'b': 1}}[?'a'].b.value()", "1"},
	        {"{'a': {'b': 1}}.?a.?c.orValue(5)", "5"}, {"[1][?3].hasValue()", "false"});
}

static void lists_maps_and_texts_are_asked(void **state)
{
	ROWS({"[1, 2][1]", "2"}, {"[1][1]", "error: index out of bounds: 1"},
	        {"[1][-1]", "error: index out of bounds: -1"},
	        {"[1]['a']", "compile: no matching overload for '_[_]' applied to '(list(int), string)'"},
	        {"{'a': 1}['b']", "error: no such key: b"}, {"{'a': 1}.b", "error: no such key: b"},
	        {"1 in [1, 2]", "true"}, {"'a' in {'a': 1}", "true"}, {"'a' in ['b']", "false"},
	        {"[1] + [2, 3]", "[1, 2, 3]"}, {"([1] + [2, 3])[2]", "3"}, {"size('\u00e9a')", "2"},
	        {"'abc'.contains('b')", "true"}, {"'abc'.startsWith('ab')", "true"}, {"'abc'.endsWith('bc')", "true"},
	        {"'abc'.matches('^a.c$')", "true"}, {"matches('abc', 'b')", "true"},
	        {"'a'.matches('(')", "compile: invalid matches argument"}, {"'a' < 'b'", "true"}, {"b'a' + b'b'", "ab"},
	        {"[1, 2] == [1, 2]", "true"}, {"{'a': [1]} == {'a': [1]}", "true"}, {"[dyn(1)] == [1.0]", "true"},
	        {"dyn('a') == 1", "false"}, {"dyn('a') < 1", "error: no such overload"},
	        {"size(1)", "compile: no matching overload"},
	        {"foo", "compile: undeclared reference to 'foo' (in container '')\n | foo\n | ^"},
	        {"1 + foo(2)", "compile: ERROR: <input>:1:8: undeclared reference to 'foo'"},
	        {"1 +", "compile: Syntax error"}, {"(1", "compile: expecting ')'"}, {"1 2", "compile: expecting <EOF>"},
	        {"", "compile: Syntax error"}, {"a.b.c", "compile: undeclared reference to 'a'"},
	        {"namespace", "compile: reserved identifier: namespace"},
	        {"@", "compile: token recognition error at: '@'"}, {"Foo{a: 1}", "compile: not known here"},
	        {"'x'.f", "compile: type 'string' does not support field selection"});
}

static void times_and_spans(void **state)
{
	ROWS({"timestamp('2024-02-29T12:30:45.5Z')", "2024-02-29T12:30:45.5Z"},
	        {"timestamp('2023-02-29T00:00:00Z')", "compile: invalid timestamp"},
	        {"timestamp('2024-01-01T00:00:00+01:00')", "2023-12-31T23:00:00Z"},
	        {"timestamp(0)", "1970-01-01T00:00:00Z"}, {"int(timestamp('1970-01-02T00:00:00Z'))", "86400"},
	        {"duration('1h30m')", "5400s"}, {"duration('-1.5s')", "-1.5s"},
	        {"duration('1x')", "compile: invalid duration"}, {"duration(' ')", "compile: invalid duration"},
	        {"timestamp('2024-01-01T00:00:00Z') + duration('24h')", "2024-01-02T00:00:00Z"},
	        {"timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z')", "86400s"},
	        {"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "error: timestamp overflow"},
	        {"duration('1h') > duration('59m')", "true"}, {"duration('1h').getMinutes()", "60"},
	        {"duration('1500ms').getMilliseconds()", "500"},
	        {"timestamp('2024-02-29T12:30:45Z').getFullYear()", "2024"},
	        {"timestamp('2024-02-29T12:30:45Z').getMonth()", "1"},
	        {"timestamp('2024-02-29T12:30:45Z').getDate()", "29"},
	        {"timestamp('2024-02-29T12:30:45Z').getDayOfMonth()", "28"},
	        {"timestamp('2024-02-29T12:30:45Z').getDayOfWeek()", "4"},
	        {"timestamp('2024-02-29T12:30:45Z').getDayOfYear()", "59"},
	        {"timestamp('2024-02-29T12:30:45Z').getHours()", "12"},
	        {"timestamp('2024-02-29T12:30:45Z').getHours('+05:30')", "18"},
	        {"timestamp('2024-02-29T12:30:45Z').getHours('-08:00')", "4"},
	        {"timestamp('2024-02-29T12:30:45Z').getHours('02:00')", "14"}, {"timestamp(0).getDayOfWeek()", "4"},
	        {"timestamp('1969-12-31T23:59:59Z').getSeconds()", "59"},
	        {"timestamp(0).getHours('No/Such')", "error: unknown time zone"},
	        {"string(timestamp('2024-01-01T00:00:00.120Z'))", "2024-01-01T00:00:00.12Z"});
}

static void depth_length_and_cost_are_bounded(void **state)
{
	struct arena a = ARENA_INIT;
	const struct cel_env *env = cel_env_new(&a, NULL, 0);
	struct strbuf deep = STRBUF_INIT, chain = STRBUF_INIT, words = STRBUF_INIT;
	for (int i = 0; i < 5000; i++) {
		strbuf_adds(&deep, "(");
		strbuf_adds(&chain, "a.");
	}
	strbuf_adds(&chain, "b");
	assert_null(cel_compile(&a, env, NULL, 0, strbuf_slice(&deep), &words));
	assert_non_null(strstr(strbuf_cstr(&words), "recursion limit"));
	assert_null(cel_compile(&a, env, NULL, 0, strbuf_slice(&chain), NULL));
	strbuf_reset(&deep);
	for (int i = 0; i < 3000; i++)
		strbuf_adds(&deep, i ? " && true" : "true");
	assert_non_null(cel_compile(&a, env, NULL, 0, strbuf_slice(&deep), NULL));
	const char *dear = "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, "
	                   "[1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, true)))))";
	const struct cel_program *p = cel_compile(&a, env, NULL, 0, slice_of(dear), NULL);
	struct cel_run r = {.arena = &a, .cost_max = 1000};
	assert_string_equal(cel_error_text(cel_run(p, &r)), CEL_OVER_BUDGET);
	r = (struct cel_run){.arena = &a, .cost_max = 100000000};
	assert_true(cel_is_true(cel_run(p, &r)));
	assert_true(r.cost <= cel_program_cost(p));
	/* a list that is doubled again and again is not copied */
	const char *twice =
	        "[[1]].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)[0].size() == 32";
	p = cel_compile(&a, env, NULL, 0, slice_of(twice), NULL);
	assert_true(cel_is_true(cel_run(p, &r)));
	strbuf_release(&deep);
	strbuf_release(&chain);
	strbuf_release(&words);
	arena_release(&a);
}

/* What a call's cost does not tell is counted, too: a pattern that is larger than its text, searches that look far
 * beyond what they find, and trees that are compared. */
static void work_inside_of_functions_is_bounded(void **state)
{
	static const char *const rows[] = {"t.matches('^(a{100}){100}$')", "t.findAll('a.*z|a').size() > 0",
	        "[t].all(x, l.map(y, l).all(y, y == l))", "l.map(x, t.split('')).size() > 0", "l.all(x, [t] == [t])"};
	struct arena kept = ARENA_INIT;
	const struct cel_env *env = cel_env_new(&kept, NULL, 0);
	const struct cel_variable vars[] = {{"t", &cel_type_string}, {"l", cel_type_list(&kept, &cel_type_dyn)}};
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT, list = STRBUF_INIT;
	for (int i = 0; i < 300000; i++)
		strbuf_addc(&text, 'a');
	strbuf_addc(&list, '[');
	for (int i = 0; i < 20000; i++)
		strbuf_adds(&list, i ? ",\"x\"" : "\"x\"");
	strbuf_addc(&list, ']');
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena a = ARENA_INIT;
		struct cel_value values[] = {cel_of_text(strbuf_slice(&text)),
		        cel_of_json(&a, json_parse(&a, strbuf_slice(&list), NULL, NULL), NULL)};
		const struct cel_program *p = cel_compile(&a, env, vars, 2, slice_of(rows[i]), NULL);
		struct cel_run r = {.arena = &a, .variables = values, .cost_max = 1000000};
		assert_non_null(p);
		struct cel_value v = cel_run(p, &r);
		if (strcmp(cel_error_text(v), CEL_OVER_BUDGET) != 0)
			fail_msg("%s: %s, cost %llu", rows[i], cel_show(&r, v), (unsigned long long)r.cost);
		assert_true(a.used_bytes < 200u * 1024 * 1024);
		arena_release(&a);
	}
	arena_release(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(literals_mean_what_they_say),
	        cmocka_unit_test(numbers_are_reckoned_with_their_bounds),
	        cmocka_unit_test(logic_absorbs_errors),
	        cmocka_unit_test(macros_fold_lists_and_maps),
	        cmocka_unit_test(lists_maps_and_texts_are_asked),
	        cmocka_unit_test(times_and_spans),
	        cmocka_unit_test(depth_length_and_cost_are_bounded),
	        cmocka_unit_test(work_inside_of_functions_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
