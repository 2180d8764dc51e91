/* The hash map and the ordered map, against a model. */
#include "tests/unit/unit.h"

#include "base/mem/arena.h"
#include "base/mem/map.h"
#include "base/mem/omap.h"

enum { KEYS = 500, STEPS = 20000 };

static char names[KEYS][16];

static struct slice name(unsigned i)
{
	snprintf(names[i], sizeof names[i], "key-%03u", i);
	return slice_of(names[i]);
}

/* Both maps against an array that cannot be wrong. */
static void maps_agree_with_a_model_over_random_steps(void **state)
{
	struct map m = MAP_INIT;
	struct omap o;
	static int values[KEYS];
	bool there[KEYS] = {false};
	size_t count = 0;
	unsigned seed = 7;
	omap_init(&o);
	for (int step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rand_r(&seed) % KEYS;
		void *want = there[i] ? &values[i] : NULL;
		switch (rand_r(&seed) % 3) {
		case 0:
			assert_ptr_equal(map_put(&m, name(i), &values[i]), want);
			assert_ptr_equal(omap_put(&o, name(i), &values[i]), want);
			count += !there[i];
			there[i] = true;
			break;
		case 1:
			assert_ptr_equal(map_del(&m, name(i)), want);
			assert_ptr_equal(omap_del(&o, name(i)), want);
			count -= there[i];
			there[i] = false;
			break;
		default:
			assert_ptr_equal(map_get(&m, name(i)), want);
			assert_ptr_equal(omap_get(&o, name(i)), want);
		}
		assert_int_equal(m.count, count);
		assert_int_equal(o.count, count);
	}
	size_t walked = 0;
	MAP_FOREACH (slot, &m)
		walked++;
	assert_int_equal(walked, count);
	map_release(&m);
	omap_release(&o);
}

static void an_ordered_map_walks_in_byte_order_from_any_key(void **state)
{
	struct omap o;
	omap_init(&o);
	for (unsigned i = 0; i < KEYS; i += 2)
		omap_put(&o, name(i * 7 % KEYS / 2 * 2), names);
	struct slice last = SLICE("");
	for (struct omap_node *n = o.head[0]; n; n = omap_next(n)) {
		assert_true(slice_cmp(last, n->key) < 0);
		last = n->key;
	}
	assert_true(slice_is(omap_seek(&o, SLICE("key-001"))->key, "key-002"));
	assert_true(slice_is(omap_seek(&o, SLICE("key-002"))->key, "key-002"));
	assert_true(slice_is(omap_seek(&o, SLICE(""))->key, "key-000"));
	assert_null(omap_seek(&o, SLICE("z")));
	omap_release(&o);
}

static void keys_may_hold_zero_bytes(void **state)
{
	struct map m = MAP_INIT;
	map_put(&m, (struct slice){"a\0b", 3}, "one");
	map_put(&m, (struct slice){"a\0c", 3}, "two");
	assert_string_equal(map_get(&m, (struct slice){"a\0c", 3}), "two");
	assert_null(map_get(&m, (struct slice){"a", 1}));
	map_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(maps_agree_with_a_model_over_random_steps),
	        cmocka_unit_test(an_ordered_map_walks_in_byte_order_from_any_key),
	        cmocka_unit_test(keys_may_hold_zero_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
