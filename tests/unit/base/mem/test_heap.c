/* Heaps: order, removal from the middle, against a plain search. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "base/mem/heap.h"

struct item {
	struct heap_link link;
	unsigned value;
};

static bool smaller(const struct heap_link *a, const struct heap_link *b)
{
	return CONTAINER_OF(a, struct item, link)->value < CONTAINER_OF(b, struct item, link)->value;
}

static unsigned least(const struct item *items, size_t n)
{
	unsigned min = ~0u;
	for (size_t i = 0; i < n; i++)
		if (heap_linked(&items[i].link) && items[i].value < min)
			min = items[i].value;
	return min;
}

static void an_empty_heap_has_no_first(void **state)
{
	struct heap h;
	heap_init(&h, smaller);
	assert_null(heap_first(&h));
	heap_release(&h);
}

static void the_first_is_the_least_whatever_is_added_and_removed(void **state)
{
	enum { N = 500, STEPS = 20000 };
	static struct item items[N];
	struct heap h;
	unsigned random = 1;
	heap_init(&h, smaller);
	for (unsigned step = 0; step < STEPS; step++) {
		random = random * 1664525u + 1013904223u;
		struct item *it = &items[(random >> 8) % N];
		if (heap_linked(&it->link)) {
			heap_remove(&h, &it->link);
		} else {
			it->value = random % 1000;
			heap_add(&h, &it->link);
		}
		struct heap_link *first = heap_first(&h);
		assert_int_equal(first ? CONTAINER_OF(first, struct item, link)->value : ~0u, least(items, N));
	}
	heap_release(&h);
}

static void elements_come_out_in_order(void **state)
{
	struct item items[64] = {0};
	struct heap h;
	heap_init(&h, smaller);
	for (unsigned i = 0; i < 64; i++) {
		items[i].value = (i * 37) % 64;
		heap_add(&h, &items[i].link);
	}
	for (unsigned i = 0; i < 64; i++) {
		struct item *it = CONTAINER_OF(heap_first(&h), struct item, link);
		assert_int_equal(it->value, i);
		heap_remove(&h, &it->link);
	}
	assert_int_equal(h.count, 0);
	heap_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_empty_heap_has_no_first),
	        cmocka_unit_test(the_first_is_the_least_whatever_is_added_and_removed),
	        cmocka_unit_test(elements_come_out_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
