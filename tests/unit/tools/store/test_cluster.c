/* tools/store_cluster: what members say to one that joins, and whom it believes. */
#include "tests/unit/unit.h"

#include "tools/store/serve/serve_settings.h"

static struct serve_told told(const char *text)
{
	struct serve_told t;
	struct err err = ERR_INIT;
	assert_int_equal(serve_answer_parse(slice_of(text), &t, &err), 0);
	return t;
}

static void answers_are_read(void **state)
{
	struct serve_told t =
	        told("{\"cluster\":\"00000000000000aa\",\"member\":\"bf2cd12e92350e59\",\"term\":7,\"leads\":true}");
	assert_true(t.cluster_id == 0xaa && t.member_id == UINT64_C(0xbf2cd12e92350e59));
	assert_true(t.term == 7 && t.leads);
	t = told("{\"error\":\"no member has this peer URL\",\"term\":7,\"leads\":false}");
	assert_true(t.member_id == 0 && t.term == 7 && !t.leads);
}

static void what_is_no_answer_is_refused(void **state)
{
	static const char *const wrong[] = {"", "{", "[]", "{}", "{\"cluster\":\"zz\",\"member\":\"1\",\"term\":1}",
	        "{\"cluster\":\"1\"}", "{\"member\":\"1\",\"leads\":true}"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct serve_told t;
		struct err err = ERR_INIT;
		assert_true(serve_answer_parse(slice_of(wrong[i]), &t, &err) < 0);
		assert_true(err.msg[0] != 0);
	}
}

/* A server was removed and added again; the one asked first had not heard of it, and named the id that was removed. */
static void one_that_lags_is_not_believed(void **state)
{
	const struct serve_told all[] = {{.cluster_id = 1, .member_id = 0x0e59, .term = 4},
	        {.cluster_id = 1, .member_id = 0xb656, .term = 4, .leads = true},
	        {.cluster_id = 1, .member_id = 0xb656, .term = 4}};
	assert_ptr_equal(serve_answer_choose(all, 3), &all[1]);
	assert_null(serve_answer_choose(all, 1));
	assert_null(serve_answer_choose(NULL, 0));
}

/* A leader that was paused says that it leads, until it hears of its successor. */
static void a_leader_of_the_past_is_not_believed(void **state)
{
	const struct serve_told all[] = {{.cluster_id = 1, .member_id = 0x0e59, .term = 4, .leads = true},
	        {.cluster_id = 1, .member_id = 0xb656, .term = 5},
	        {.cluster_id = 1, .member_id = 0xb656, .term = 5, .leads = true}};
	assert_null(serve_answer_choose(all, 2));
	assert_ptr_equal(serve_answer_choose(all, 3), &all[2]);
}

/* One that has just been started says no, whoever asks; one that has not heard of the removal says yes. */
static void only_the_leader_says_who_was_removed(void **state)
{
	const struct serve_told all[] = {{.term = 0}, {.cluster_id = 1, .term = 4}, {.cluster_id = 1, .term = 5},
	        {.cluster_id = 1, .term = 5, .leads = true}};
	const struct serve_told in[] = {{.cluster_id = 1, .member_id = 7, .term = 5, .leads = true}, {.term = 0}};
	assert_null(serve_answer_removal(all, 3, 7));
	assert_ptr_equal(serve_answer_removal(all, 4, 7), &all[3]);
	assert_null(serve_answer_removal(in, 2, 7));
	assert_ptr_equal(serve_answer_removal(in, 2, 8), &in[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_read),
	        cmocka_unit_test(what_is_no_answer_is_refused), cmocka_unit_test(one_that_lags_is_not_believed),
	        cmocka_unit_test(a_leader_of_the_past_is_not_believed),
	        cmocka_unit_test(only_the_leader_says_who_was_removed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
