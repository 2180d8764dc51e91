/* base/yaml: YAML as another spelling of JSON, both ways. */
#include "base/clock.h"
#include "tests/unit/unit.h"

#include "base/yaml.h"

static char *to_json(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct strbuf out = STRBUF_INIT;
	struct json *v = yaml_parse(a, slice_of(text), NULL, &err);
	if (!v)
		return arena_printf(a, "error: %s", err.msg);
	json_write(&out, v);
	char *copy = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return copy;
}

static void scalars_get_the_types_kubectl_gives_them(void **state)
{
	static const char *const pairs[][2] = {
	        {"a: 1", "{\"a\":1}"},
	        {"a: \"1\"", "{\"a\":\"1\"}"},
	        {"a: yes", "{\"a\":true}"},
	        {"a: 'yes'", "{\"a\":\"yes\"}"},
	        {"a: null", "{\"a\":null}"},
	        {"a: ~", "{\"a\":null}"},
	        {"a:", "{\"a\":null}"},
	        {"a: 0x1F", "{\"a\":31}"},
	        {"a: 0644", "{\"a\":420}"},
	        {"a: 1.5", "{\"a\":1.5}"},
	        {"a: 1.2.3", "{\"a\":\"1.2.3\"}"},
	        {"1: x", "{\"1\":\"x\"}"},
	        {"true: x", "{\"true\":\"x\"}"},
	        {"- 1\n- [2, {b: c}]", "[1,[2,{\"b\":\"c\"}]]"},
	        {"a: |\n  x\n  y\n", "{\"a\":\"x\\ny\\n\"}"},
	        {"a: !!str 1", "{\"a\":\"1\"}"},
	        {"", "null"},
	        {"{\"json\": [true]}", "{\"json\":[true]}"},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct arena a = ARENA_INIT;
		assert_string_equal(to_json(&a, pairs[i][0]), pairs[i][1]);
		arena_release(&a);
	}
}

static void anchors_are_followed_with_a_bound(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(to_json(&a, "a: &x {b: 1}\nc: *x"), "{\"a\":{\"b\":1},\"c\":{\"b\":1}}");
	const char *bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
	                   "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e "
	                   "[*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
	assert_non_null(strstr(to_json(&a, bomb), "aliases expand to more than"));
	assert_non_null(strstr(to_json(&a, "a: *nobody"), "unknown anchor"));
	arena_release(&a);
}

/* Few values can be many bytes: they count too, before they are copied. */
static void bytes_that_aliases_add_are_bounded(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "a: &a ");
	for (int i = 0; i < 200000; i++)
		strbuf_addc(&b, 'x');
	strbuf_adds(&b, "\nb: [");
	for (int i = 0; i < 60000; i++)
		strbuf_adds(&b, "*a, ");
	strbuf_adds(&b, "1]\n");
	assert_null(yaml_parse(&a, strbuf_slice(&b), NULL, &err));
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_true(a.used_bytes < 16 * 1024 * 1024);
	strbuf_release(&b);
	arena_release(&a);
}

static void large_mappings_take_linear_time(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	for (int i = 0; i < 100000; i++)
		strbuf_addf(&b, "k%d: 1\n", i);
	uint64_t began = clock_mono_ms();
	struct json *v = yaml_parse(&a, strbuf_slice(&b), NULL, &err);
	assert_non_null(v);
	assert_int_equal(v->count, 100000);
	assert_true(clock_mono_ms() - began < 10000);
	strbuf_adds(&b, "k7: 2\n");
	assert_null(yaml_parse(&a, strbuf_slice(&b), NULL, &err));
	assert_non_null(strstr(err.msg, "duplicate field \"k7\""));
	strbuf_release(&b);
	arena_release(&a);
}

static void mistakes_name_their_line(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(to_json(&a, "a: 1\nb: 2\na: 3\n"), "error: yaml: line 3: duplicate field \"a\"");
	assert_non_null(strstr(to_json(&a, "a: [1\nb: 2"), "yaml: line 2"));
	assert_non_null(strstr(to_json(&a, "? [a, b]\n: c"), "a key must be a scalar"));
	assert_non_null(strstr(to_json(&a, "a: !thing 1"), "unknown tag"));
	assert_non_null(strstr(to_json(&a, "a: 1\n---\nb: 2\n"), "more than one document"));
	arena_release(&a);
}

static void what_is_written_reads_back_the_same(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf out = STRBUF_INIT;
	const char *text =
	        "{\"a\":\"yes\",\"b\":\"1\",\"c\":[],\"d\":{},\"e\":[{\"x\":1,\"y\":[1,2]},[3]],\"f\":\"a: "
	        "b\",\"g\":\"\","
	        "\"h\":\"- x\",\"i\":null,\"j\":\"multi\\nline\",\"k\":\"#\",\"l\":1.50,\"true\":\"~\",\"m\":\"x #y\"}";
	struct json *v = json_parse(&a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	yaml_write(&out, v);
	struct err err = ERR_INIT;
	struct json *back = yaml_parse(&a, strbuf_slice(&out), NULL, &err);
	if (!back)
		fail_msg("%s\n%s", err.msg, out.data);
	assert_true(json_equal(v, back));
	strbuf_release(&out);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(scalars_get_the_types_kubectl_gives_them),
	        cmocka_unit_test(anchors_are_followed_with_a_bound),
	        cmocka_unit_test(bytes_that_aliases_add_are_bounded),
	        cmocka_unit_test(large_mappings_take_linear_time),
	        cmocka_unit_test(mistakes_name_their_line),
	        cmocka_unit_test(what_is_written_reads_back_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
