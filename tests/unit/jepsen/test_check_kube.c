/* jepsen/check_kube: swaps, lists as one cut, caches. */
#include "tests/unit/jepsen/histories.h"

#define OBJECT(key_, value_, mod) \
	((struct history_item){.f = HISTORY_READ, \
	        .key = (key_), \
	        .value = (value_), \
	        .prev = HISTORY_NIL, \
	        .mod_revision = (mod), \
	        .create_revision = HISTORY_NIL, \
	        .version = HISTORY_NIL})

static void create(const char *key, int64_t value, int64_t revision)
{
	R(0, INVOKE, CREATE, o.key = key, o.value = value);
	R(0, OK, CREATE, o.revision = revision);
}

static void update(const char *key, int64_t value, int64_t expect, int64_t revision)
{
	R(0, INVOKE, UPDATE, o.key = key, o.value = value, o.expect = expect);
	R(0, OK, UPDATE, o.revision = revision);
}

static void begin_kube(void)
{
	begin("kube");
	create("p/a", 1, 2);
	create("p/b", 2, 3);
	update("p/a", 3, 2, 4);
	R(0, INVOKE, DELETE, o.key = "p/b", o.expect = 3);
	R(0, OK, DELETE, o.revision = 5);
	create("p/c", 4, 6);
	R(1, INVOKE, LIST, o.key = "p/");
}

static void a_list_of_any_moment_is_a_cut(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/c", 4, 6)));
	R(2, OK, CACHE, o.key = "p/", o.revision = 3, ITEMS(OBJECT("p/a", 1, 2), OBJECT("p/b", 2, 3)));
	R(2, OK, CACHE, o.key = "p/", o.revision = 4, ITEMS(OBJECT("p/b", 2, 3), OBJECT("p/a", 3, 4)));
	expect_valid("kube");
}

static void an_old_object_breaks_the_cut(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 1, 2), OBJECT("p/c", 4, 6)));
	expect_invalid("kube", "list is no cut");
}

static void a_deleted_object_breaks_the_cut(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/b", 2, 3), OBJECT("p/c", 4, 6)));
	expect_invalid("kube", "list is no cut");
}

static void a_missing_object_breaks_the_cut(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 3, 4)));
	expect_invalid("kube", "list is no cut");
}

static void an_unknown_delete_excuses_what_is_missing(void **state)
{
	begin_kube();
	R(5, INVOKE, DELETE, o.key = "p/c", o.expect = 6);
	R(5, INFO, DELETE);
	R(1, OK, LIST, o.revision = 7, ITEMS(OBJECT("p/a", 3, 4)));
	expect_valid("kube");
}

static void an_object_from_the_future_is_wrong(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 5, ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/c", 4, 6)));
	expect_invalid("kube", "object from the future");
}

static void an_object_is_listed_once(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/a", 3, 4), OBJECT("p/c", 4, 6)));
	expect_invalid("kube", "listed twice");
}

static void a_list_is_in_the_order_of_keys(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/c", 4, 6), OBJECT("p/a", 3, 4)));
	expect_invalid("kube", "list out of order");
}

static void a_cache_equals_a_list(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/c", 4, 6)));
	R(2, OK, CACHE, o.key = "p/", o.revision = 6,
	        ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/b", 2, 3), OBJECT("p/c", 4, 6)));
	expect_invalid("kube", "cache differs");
}

static void a_swap_from_an_old_revision_is_a_lost_update(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/c", 4, 6)));
	update("p/a", 9, 2, 7);
	expect_invalid("kube", "lost update");
}

static void nothing_is_created_over_an_object(void **state)
{
	begin_kube();
	R(1, OK, LIST, o.revision = 6, ITEMS(OBJECT("p/a", 3, 4), OBJECT("p/c", 4, 6)));
	create("p/c", 9, 7);
	expect_invalid("kube", "created over an object");
}

/* As Kubernetes' API answers: a delete is a swap of what was there, and nobody says at which revision. */
static void begin_swapped(void)
{
	begin("api-objects");
	R(0, INVOKE, CAS, o.key = "p/a", o.value = 1);
	R(0, OK, CAS, o.revision = 2);
	R(0, INVOKE, CAS, o.key = "p/a", o.expect = 1);
}

static void what_was_swapped_away_is_missing_rightly(void **state)
{
	begin_swapped();
	R(0, OK, CAS);
	R(1, INVOKE, LIST, o.key = "p/");
	R(1, OK, LIST, o.revision = 4);
	expect_valid("kube");
}

static void a_swap_that_failed_excuses_nothing(void **state)
{
	begin_swapped();
	R(0, FAIL, CAS);
	R(1, INVOKE, LIST, o.key = "p/");
	R(1, OK, LIST, o.revision = 4);
	expect_invalid("kube", "list is no cut");
}

static void what_came_after_is_not_swapped_away(void **state)
{
	begin_swapped();
	R(0, OK, CAS);
	R(0, INVOKE, CAS, o.key = "p/a", o.value = 5);
	R(0, OK, CAS, o.revision = 7);
	R(1, INVOKE, LIST, o.key = "p/");
	R(1, OK, LIST, o.revision = 8);
	expect_invalid("kube", "list is no cut");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_list_of_any_moment_is_a_cut),
	        cmocka_unit_test(an_old_object_breaks_the_cut),
	        cmocka_unit_test(a_deleted_object_breaks_the_cut),
	        cmocka_unit_test(a_missing_object_breaks_the_cut),
	        cmocka_unit_test(an_unknown_delete_excuses_what_is_missing),
	        cmocka_unit_test(an_object_from_the_future_is_wrong),
	        cmocka_unit_test(an_object_is_listed_once),
	        cmocka_unit_test(a_list_is_in_the_order_of_keys),
	        cmocka_unit_test(a_cache_equals_a_list),
	        cmocka_unit_test(a_swap_from_an_old_revision_is_a_lost_update),
	        cmocka_unit_test(nothing_is_created_over_an_object),
	        cmocka_unit_test(what_was_swapped_away_is_missing_rightly),
	        cmocka_unit_test(a_swap_that_failed_excuses_nothing),
	        cmocka_unit_test(what_came_after_is_not_swapped_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
