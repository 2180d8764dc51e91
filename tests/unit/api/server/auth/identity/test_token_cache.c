/* What was said of tokens. */
#include "api/server/auth/identity/token_cache.h"

#include "tests/unit/unit.h"

static struct slice audiences[] = {{"api", 3}, {"vault", 5}};

static void what_was_said_is_known_until_its_time(void **state)
{
	struct token_cache *c = token_cache_new();
	unsigned char hash[32];
	struct user *u = user_new(SLICE("jane"), SLICE_NULL), *got;
	uint32_t note;
	token_cache_hash(c, SLICE("t"), audiences, 1, hash);
	assert_false(token_cache_get(c, hash, 10, &got, &note));
	token_cache_put(c, hash, 20, u, 7);
	assert_true(token_cache_get(c, hash, 19, &got, &note));
	assert_ptr_equal(got, u);
	assert_int_equal(note, 7);
	user_unref(got);
	assert_false(token_cache_get(c, hash, 20, &got, &note));
	token_cache_put(c, hash, 40, NULL, 0);
	assert_true(token_cache_get(c, hash, 30, &got, &note));
	assert_null(got);
	user_unref(u);
	token_cache_free(c);
}

static void another_token_audience_or_process_has_another_hash(void **state)
{
	struct token_cache *c = token_cache_new(), *d = token_cache_new();
	unsigned char one[32], other[32];
	token_cache_hash(c, SLICE("t"), audiences, 1, one);
	token_cache_hash(c, SLICE("t"), audiences, 2, other);
	assert_memory_not_equal(one, other, 32);
	token_cache_hash(c, SLICE("u"), audiences, 1, other);
	assert_memory_not_equal(one, other, 32);
	token_cache_hash(d, SLICE("t"), audiences, 1, other);
	assert_memory_not_equal(one, other, 32);
	token_cache_hash(c, SLICE("t"), audiences, 1, other);
	assert_memory_equal(one, other, 32);
	token_cache_free(c);
	token_cache_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_was_said_is_known_until_its_time),
	        cmocka_unit_test(another_token_audience_or_process_has_another_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
