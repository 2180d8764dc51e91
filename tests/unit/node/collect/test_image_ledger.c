/* Which images go first, and which never. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "node/collect/image_ledger_int.h"

static struct image_ledger l;
static struct arena a;

static int release_all(void **state)
{
	image_ledger_release(&l);
	arena_release(&a);
	return 0;
}

/* The images of `there`, one letter each, of ten bytes; capital ones are pinned; those of `used` are in use. */
static void look(const char *there, const char *used, uint64_t now_ms)
{
	image_ledger_begin(&l, now_ms);
	for (const char *c = there; *c; c++)
		image_ledger_see(&l, (struct slice){c, 1}, 10, *c < 'a', now_ms);
	for (const char *c = used; *c; c++)
		image_ledger_use(&l, (struct slice){c, 1}, now_ms);
	image_ledger_end(&l);
}

static const char *names(struct image_choice c)
{
	const char *text = "";
	for (size_t i = 0; i < c.count; i++)
		text = arena_printf(&a, "%s%.*s", text, SLICE_FMT(c.list[i]->id));
	assert_int_equal(c.bytes, 10 * c.count);
	return text;
}

static void the_least_recently_used_go_first(void **state)
{
	look("abcd", "ab", 1000);
	look("abcd", "a", 2000);
	look("abcde", "c", 3000);
	look("abcde", "", 4000);
	assert_string_equal(names(image_ledger_choose(&l, &a, UINT64_MAX, 0, 9000)), "debac");
	assert_string_equal(names(image_ledger_choose(&l, &a, 15, 0, 9000)), "de");
	assert_string_equal(names(image_ledger_choose(&l, &a, 0, 0, 9000)), "");
}

static void what_is_used_or_pinned_stays(void **state)
{
	look("abC", "a", 1000);
	assert_string_equal(names(image_ledger_choose(&l, &a, UINT64_MAX, 0, 9000)), "b");
	assert_string_equal(names(image_ledger_stale(&l, &a, 0, 10, 9000)), "b");
}

static void what_is_new_stays(void **state)
{
	look("a", "", 1000);
	look("ab", "", 2000);
	assert_string_equal(
	        names(image_ledger_choose(&l, &a, UINT64_MAX, 5000, 6999)), "a"); /* it was there before us */
	assert_string_equal(names(image_ledger_choose(&l, &a, UINT64_MAX, 5000, 7000)), "ab");
}

static void what_is_gone_is_forgotten(void **state)
{
	look("ab", "", 1000);
	look("b", "a", 2000);
	assert_int_equal(l.images.count, 1);
	look("ab", "", 3000);
	assert_string_equal(names(image_ledger_choose(&l, &a, UINT64_MAX, 5000, 4000)), "b");
}

static void an_image_is_stale_when_we_have_seen_it_unused(void **state)
{
	look("ab", "b", 1000);
	assert_string_equal(names(image_ledger_stale(&l, &a, 0, 5000, 6000)), "");
	assert_string_equal(names(image_ledger_stale(&l, &a, 0, 5000, 6001)), "a"); /* b is in use */
	look("ab", "b", 2000);
	look("ab", "", 3000);
	assert_string_equal(names(image_ledger_stale(&l, &a, 0, 5000, 7000)), "a");
	assert_string_equal(names(image_ledger_stale(&l, &a, 0, 5000, 7001)), "ab");
}

static void a_disk_has_two_marks(void **state)
{
	assert_int_equal(image_bytes_to_free(1000, 151, 85, 80), 0);
	assert_int_equal(image_bytes_to_free(1000, 150, 85, 80), 50);
	assert_int_equal(image_bytes_to_free(1000, 0, 85, 80), 200);
	assert_int_equal(image_bytes_to_free(0, 0, 85, 80), 0);
	assert_int_equal(image_bytes_to_free(1000, 2000, 85, 80), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(the_least_recently_used_go_first, release_all),
	        cmocka_unit_test_teardown(what_is_used_or_pinned_stays, release_all),
	        cmocka_unit_test_teardown(what_is_new_stays, release_all),
	        cmocka_unit_test_teardown(what_is_gone_is_forgotten, release_all),
	        cmocka_unit_test_teardown(an_image_is_stale_when_we_have_seen_it_unused, release_all),
	        cmocka_unit_test(a_disk_has_two_marks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
