/* Fitting endpoints into slices. */
#include "tests/unit/unit.h"

#include "api/controllers/slices.h"

static struct json *parsed(struct arena *a, const char *text)
{
	struct json *v = json_parse(a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	return v;
}

static struct json *endpoint(struct arena *a, int i, bool ready)
{
	return parsed(a,
	        arena_printf(a,
	                "{\"addresses\":[\"10.0.0.%d\"],\"conditions\":{\"ready\":%s},\"targetRef\":{\"uid\":\"u%d\"}}",
	                i, ready ? "true" : "false", i));
}

static struct json *stored(struct arena *a, int from, int to)
{
	struct json *s = parsed(a, "{\"metadata\":{\"name\":\"s\"},\"ports\":[{\"port\":80}]}"),
	            *list = json_need(a, s, "endpoints", JSON_ARRAY);
	for (int i = from; i < to; i++)
		json_append(list, endpoint(a, i, true));
	return s;
}

static void want(struct arena *a, struct slice_group **groups, int from, int to)
{
	for (int i = from; i < to; i++)
		slice_group_add(a, slice_group_need(a, groups, parsed(a, "[{\"port\":80}]")), endpoint(a, i, true));
}

static int count(struct slice_plan *p, enum slice_action action)
{
	int n = 0;
	for (; p; p = p->next)
		n += p->action == action;
	return n;
}

static void many_endpoints_make_slices_of_a_hundred(void **state)
{
	struct arena a = ARENA_INIT;
	struct slice_group *groups = NULL;
	want(&a, &groups, 0, 250);
	struct slice_plan *p = slices_plan(&a, groups, NULL, 0);
	assert_int_equal(count(p, SLICE_CREATE), 3);
	for (; p; p = p->next)
		assert_true(p->endpoints->count <= SLICE_ENDPOINTS_MAX);
	arena_release(&a);
}

static void nothing_changed_nothing_written(void **state)
{
	struct arena a = ARENA_INIT;
	struct slice_group *groups = NULL;
	const struct json *have[] = {stored(&a, 0, 60), stored(&a, 60, 100)};
	want(&a, &groups, 0, 100);
	struct slice_plan *p = slices_plan(&a, groups, have, 2);
	assert_int_equal(count(p, SLICE_KEEP), 2);
	assert_null(p->next->next);
	arena_release(&a);
}

static void a_new_endpoint_goes_into_room(void **state)
{
	struct arena a = ARENA_INIT;
	struct slice_group *groups = NULL;
	const struct json *have[] = {stored(&a, 0, 100), stored(&a, 100, 120)};
	want(&a, &groups, 0, 121);
	struct slice_plan *p = slices_plan(&a, groups, have, 2);
	assert_int_equal(count(p, SLICE_KEEP), 1);
	assert_int_equal(count(p, SLICE_UPDATE), 1);
	assert_int_equal(count(p, SLICE_CREATE), 0);
	arena_release(&a);
}

static void empty_slices_go_but_one(void **state)
{
	struct arena a = ARENA_INIT;
	const struct json *have[] = {stored(&a, 0, 2), stored(&a, 2, 4)};
	struct slice_plan *p = slices_plan(&a, NULL, have, 2);
	assert_int_equal(count(p, SLICE_DELETE), 1);
	assert_int_equal(count(p, SLICE_UPDATE), 1);
	p = slices_plan(&a, NULL, NULL, 0); /* a service without pods has a placeholder */
	assert_int_equal(count(p, SLICE_CREATE), 1);
	arena_release(&a);
}

static void different_ports_are_different_slices(void **state)
{
	struct arena a = ARENA_INIT;
	struct slice_group *groups = NULL;
	slice_group_add(&a, slice_group_need(&a, &groups, parsed(&a, "[{\"port\":80}]")), endpoint(&a, 1, true));
	slice_group_add(&a, slice_group_need(&a, &groups, parsed(&a, "[{\"port\":81}]")), endpoint(&a, 2, true));
	assert_int_equal(count(slices_plan(&a, groups, NULL, 0), SLICE_CREATE), 2);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(many_endpoints_make_slices_of_a_hundred),
	        cmocka_unit_test(nothing_changed_nothing_written),
	        cmocka_unit_test(a_new_endpoint_goes_into_room),
	        cmocka_unit_test(empty_slices_go_but_one),
	        cmocka_unit_test(different_ports_are_different_slices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
