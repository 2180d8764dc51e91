/* Static tokens. */
#include "api/server/auth/identity/token_file.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct err err;

static int parse(const char *text, struct token_file **ret)
{
	err = ERR_INIT;
	return token_file_parse(slice_of(text), ret, &err);
}

static void a_line_is_a_token_with_its_user_and_groups(void **state)
{
	struct token_file *f;
	assert_int_equal(parse("t1,jane,1\r\n\nt2,\"joe, \"\"x\"\"\",2,\"a,b\"\nt3,z,,c", &f), 0);
	struct user *u = token_file_user(f, SLICE("t1"));
	assert_true(slice_is(u->name, "jane") && slice_is(u->uid, "1") && user_is_in(u, "system:authenticated"));
	user_unref(u);
	u = token_file_user(f, SLICE("t2"));
	assert_true(slice_is(u->name, "joe, \"x\"") && user_is_in(u, "a") && user_is_in(u, "b"));
	user_unref(u);
	u = token_file_user(f, SLICE("t3"));
	assert_true(user_is_in(u, "c"));
	user_unref(u);
	assert_null(token_file_user(f, SLICE("t4")));
	assert_null(token_file_user(f, SLICE("")));
	token_file_free(f);
}

static void broken_lines_are_named(void **state)
{
	static const struct {
		const char *text, *told;
	} bad[] = {{"a,b", "line 1"}, {"a,b,c\n,d,e", "line 2"}, {"a,b,c\n\na,d,e", "line 3"}, {"a,\"b,c", "no end"},
	        {"a,\"b\"x,c", "behind a quote"}, {"a,,c", "empty"}, {"a,b,c,d,e,f,g,h,i", "columns"}};
	struct token_file *f;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(parse(bad[i].text, &f), ERR_INVAL);
		if (!strstr(err.msg, bad[i].told))
			fail_msg("%s: %s", bad[i].text, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_line_is_a_token_with_its_user_and_groups),
	        cmocka_unit_test(broken_lines_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
