/* Which devices are free, who has them, and what is remembered over a start. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/devices/device_ledger_int.h"

#define GPU SLICE("x.test/gpu")

static struct device_ledger l;

static void offer(const char *letters)
{
	struct device list[8];
	size_t n = strlen(letters);
	for (size_t i = 0; i < n; i++)
		list[i] = (struct device){arena_memdup(&a, letters + i, 1), letters[i] >= 'a', 0};
	struct device_resource *r = device_ledger_need(&l, GPU);
	r->is_connected = true;
	device_resource_set(r, list, n);
}

static int end(void **state)
{
	device_ledger_release(&l);
	return release(state);
}

static const char *candidates(const char *uid)
{
	struct device_candidates c = device_ledger_candidates(&l, &a, uid, GPU, 0);
	const char *text = "";
	for (size_t i = 0; i < c.count; i++)
		text = arena_printf(&a, "%s%s%s", text, i && i == c.own ? "|" : "", c.ids[i]);
	return text;
}

static void grant(const char *uid, const char *container, const char *letters, bool gives_on)
{
	const char *ids[8];
	size_t n = strlen(letters);
	for (size_t i = 0; i < n; i++)
		ids[i] = arena_memdup(&a, letters + i, 1);
	device_ledger_grant(&l, uid, slice_of(container), GPU, ids, n, gives_on);
}

static void healthy_ones_that_nobody_has_are_free(void **state)
{
	offer("cbAa");
	assert_int_equal(device_resource_capacity(device_ledger_need(&l, GPU), 0), 4);
	assert_int_equal(device_resource_allocatable(device_ledger_need(&l, GPU)), 3);
	assert_string_equal(candidates("u"), "abc");
	grant("u", "c", "b", false);
	assert_string_equal(candidates("v"), "ac");
	assert_true(device_ledger_give_back(&l, "u"));
	assert_string_equal(candidates("v"), "abc");
}

static void a_plugin_that_went_has_none(void **state)
{
	offer("ab");
	struct device_resource *r = device_ledger_need(&l, GPU);
	r->is_connected = false;
	r->gone_ms = 1000;
	assert_int_equal(device_resource_allocatable(r), 0);
	assert_int_equal(device_resource_capacity(r, 1000 + DEVICE_GONE_MS - 1), 2);
	assert_int_equal(device_resource_capacity(r, 1000 + DEVICE_GONE_MS), 0);
	assert_string_equal(candidates("u"), "");
}

static void init_containers_give_on(void **state)
{
	offer("abcd");
	grant("u", "i", "bd", true);
	assert_string_equal(candidates("u"), "bd|ac");
	assert_string_equal(candidates("v"), "ac");
	grant("u", "c", "b", false);
	assert_string_equal(candidates("u"), "d|ac");
}

/* "a0b1c-" are a near to node 0, b near to node 1, c to none. */
static void offer_near(const char *text)
{
	struct device list[8];
	size_t n = 0;
	for (const char *c = text; *c; c += 2)
		list[n++] =
		        (struct device){arena_memdup(&a, c, 1), true, c[1] == '-' ? 0 : UINT64_C(1) << (c[1] - '0')};
	struct device_resource *r = device_ledger_need(&l, GPU);
	r->is_connected = true;
	device_resource_set(r, list, n);
}

/* What one may choose from, "|" behind those that must be taken. */
static const char *narrowed(const char *uid, uint64_t nodes, size_t wanted)
{
	struct device_candidates c = device_ledger_candidates(&l, &a, uid, GPU, nodes);
	size_t must, n = device_candidates_narrow(&c, wanted, &must);
	const char *text = "";
	for (size_t i = 0; i < n; i++)
		text = arena_printf(&a, "%s%s%s", text, i && i == must ? "|" : "", c.ids[i]);
	return text;
}

static void near_ones_first(void **state)
{
	offer_near("a0b1c-d1e0f1");
	assert_string_equal(narrowed("u", 0, 2), "abcdef");
	assert_string_equal(narrowed("u", 2, 2), "bdf");
	assert_string_equal(narrowed("u", 2, 3), "bdf|ace");
	assert_string_equal(narrowed("u", 2, 4), "bdf|ace");
	grant("u", "i", "e", true);
	assert_string_equal(narrowed("u", 2, 2), "e|bdf");
	assert_string_equal(narrowed("u", 2, 1), "e|bdf");
}

static void where_they_could_lie(void **state)
{
	struct numa_wishes w = {.arena = &a};
	offer("ab");
	device_ledger_wish(&l, "u", GPU, 1, 3, &w);
	assert_int_equal(w.count, 0); /* the plugin does not say where they are */
	offer_near("a0b1c1");
	device_ledger_wish(&l, "u", GPU, 2, 3, &w);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.list[0].count, 2);
	assert_int_equal(w.list[0].list[0].nodes, 2);
	assert_true(w.list[0].list[0].is_preferred);
	assert_false(w.list[0].list[1].is_preferred);
}

static void the_checkpoint_is_read_again(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	offer("abc");
	grant("u", "c", "ab", false);
	grant("w", "c", "c", false); /* is being asked for still */
	strbuf_add(&device_ledger_of(&l, "u", SLICE("c"), GPU)->answer, "\0\1", 2);
	device_ledger_of(&l, "u", SLICE("c"), GPU)->is_answered = true;
	device_ledger_write(&l, &b);
	device_ledger_release(&l);
	assert_int_equal(device_ledger_read(&l, strbuf_slice(&b), &err), 0);
	struct device_grant *g = device_ledger_of(&l, "u", SLICE("c"), GPU);
	assert_int_equal(g->ids_count, 2);
	assert_string_equal(g->ids[1], "b");
	assert_int_equal(g->answer.len, 2);
	assert_int_equal(device_resource_capacity(device_ledger_resource(&l, GPU), 0), 0);
	offer("abc");
	assert_string_equal(candidates("v"), "c");
	strbuf_release(&b);
}

static void a_checkpoint_that_is_none_is_told(void **state)
{
#define ONE(uid) "{\"podUID\":\"" uid "\",\"container\":\"c\",\"resource\":\"x/y\",\"devices\":[\"a\"]}"
	static const char *const broken[] = {"", "[]", "{\"grants\":[{}]}", "{\"grants\":[" ONE("u") "," ONE("v") "]}",
	        "{\"grants\":[" ONE("u") "," ONE("u") "]}",
	        "{\"grants\":[{\"podUID\":\"u\",\"container\":\"c\",\"resource\":\"x/y\",\"answer\":\"?\"}]}"};
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct err err = ERR_INIT;
		assert_int_not_equal(device_ledger_read(&l, slice_of(broken[i]), &err), 0);
		assert_int_equal(l.grants_count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(healthy_ones_that_nobody_has_are_free, end),
	        cmocka_unit_test_teardown(a_plugin_that_went_has_none, end),
	        cmocka_unit_test_teardown(init_containers_give_on, end),
	        cmocka_unit_test_teardown(near_ones_first, end),
	        cmocka_unit_test_teardown(where_they_could_lie, end),
	        cmocka_unit_test_teardown(the_checkpoint_is_read_again, end),
	        cmocka_unit_test_teardown(a_checkpoint_that_is_none_is_told, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
