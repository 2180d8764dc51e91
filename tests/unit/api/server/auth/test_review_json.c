/* Reviews that webhooks are sent and answer. */
#include "api/server/auth/review_json.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct err err;
static unsigned audiences;

static void count(void *arg, struct slice audience)
{
	audiences++;
}

static int read_it(const char *text, struct user **ret)
{
	err = ERR_INIT;
	audiences = 0;
	return token_review_read(slice_of(text), count, NULL, ret, &err);
}

static void an_answer_names_the_user(void **state)
{
	struct user *u;
	assert_int_equal(
	        read_it("{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":[\"a\",\"b\"],"
	                "\"user\":{\"username\":\"jane\",\"uid\":\"7\",\"groups\":[\"devs\"],\"extra\":{\"k\":[\"1\","
	                "\"2\"]}}}}",
	                &u),
	        0);
	assert_true(slice_is(u->name, "jane") && slice_is(u->uid, "7") && user_is_in(u, "devs"));
	assert_true(slice_is(u->extras->next->value, "2"));
	assert_int_equal(audiences, 2);
	user_unref(u);
}

static void what_is_no_answer_is_told_from_a_no(void **state)
{
	struct user *u;
	assert_int_equal(
	        read_it("{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":false,\"error\":\"gone\"}}", &u),
	        ERR_UNAUTHENTICATED);
	assert_string_equal(err.msg, "gone");
	assert_int_equal(read_it("{\"kind\":\"TokenReview\",\"status\":{}}", &u), ERR_UNAUTHENTICATED);
	static const char *const bad[] = {"", "[]", "{}", "{\"kind\":\"Pod\",\"status\":{\"authenticated\":true}}",
	        "{\"kind\":\"TokenReview\"}", "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true}}"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(read_it(bad[i], &u), ERR_INVAL);
}

static void a_question_holds_token_and_audiences(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	token_review_write(&b, "authentication.k8s.io/v1", SLICE("t\"x"), (struct slice[]){SLICE("a")}, 1);
	assert_string_equal(b.data,
	        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"spec\":{\"token\":\"t\\\"x\","
	        "\"audiences\":[\"a\"]}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_answer_names_the_user),
	        cmocka_unit_test(what_is_no_answer_is_told_from_a_no),
	        cmocka_unit_test(a_question_holds_token_and_audiences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
