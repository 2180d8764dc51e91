/* Arenas and shared buffers. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/mem/rcbuf.h"

#include <malloc.h>

static void memory_is_aligned_and_does_not_overlap(void **state)
{
	struct arena a = ARENA_INIT;
	char *last = NULL;
	for (size_t size = 1; size < 3000; size += 7) {
		char *p = arena_alloc(&a, size);
		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, (int)size, size);
		if (last)
			assert_int_equal((unsigned char)last[0], (unsigned char)(size - 7));
		last = p;
	}
	assert_true(a.used_bytes > 0);
	arena_release(&a);
	assert_null(a.chunk);
}

static void a_large_piece_gets_a_chunk_of_its_own(void **state)
{
	struct arena a = ARENA_INIT;
	char *p = arena_zalloc(&a, 5 * 1024 * 1024);
	assert_int_equal(p[5 * 1024 * 1024 - 1], 0);
	p[5 * 1024 * 1024 - 1] = 1;
	arena_release(&a);
}

static char order[8];
static size_t n_order;

static void note(void *arg)
{
	order[n_order++] = *(char *)arg;
}

static void cleanups_run_newest_first_and_once(void **state)
{
	struct arena a = ARENA_INIT;
	n_order = 0;
	arena_on_release(&a, note, "a");
	arena_on_release(&a, note, "b");
	arena_release(&a);
	arena_release(&a);
	assert_int_equal(n_order, 2);
	assert_memory_equal(order, "ba", 2);
}

static void reset_keeps_nothing_but_memory(void **state)
{
	struct arena a = ARENA_INIT;
	n_order = 0;
	arena_on_release(&a, note, "x");
	arena_strdup(&a, "text");
	arena_reset(&a);
	assert_int_equal(n_order, 1);
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	assert_memory_equal(arena_memdup(&a, "abc", 2), "ab", 3);
	arena_release(&a);
	assert_int_equal(n_order, 1);
}

/* Texts of every length around the room that is left in a chunk, and what follows them does not lie in them. */
static void a_text_is_whole_wherever_its_chunk_ends(void **state)
{
	char want[200];
	for (size_t taken = 4096 - 32 - 160; taken <= 4096 - 32; taken += 16)
		for (size_t len = 0; len < sizeof want - 1; len++) {
			struct arena a = ARENA_INIT;
			arena_alloc(&a, taken);
			memset(want, 'x', len);
			want[len] = 0;
			char *text = arena_printf(&a, "%s", want);
			memset(arena_alloc(&a, 16), 0xff, 16);
			assert_string_equal(text, want);
			arena_release(&a);
		}
}

static void an_rcbuf_lives_as_long_as_its_last_owner(void **state)
{
	struct arena a = ARENA_INIT;
	struct rcbuf *b = rcbuf_copy("bytes", 5);
	rcbuf_unref_with(&a, rcbuf_ref(b));
	arena_release(&a);
	assert_int_equal(b->len, 5);
	assert_string_equal(b->data, "bytes");
	rcbuf_unref(b);
	rcbuf_unref(NULL);
}

#ifndef K3X_DEBUG /* sanitizers want to see every piece freed */

/* Where chunks come from shows in their addresses: what was given back last is taken first. */
static void a_thread_that_keeps_chunks_has_them_again(void **state)
{
	struct arena a = ARENA_INIT, b = ARENA_INIT;
	arena_keep(64 * 1024);
	char *first = arena_alloc(&a, 3000), *second = arena_alloc(&a, 3000);
	arena_release(&a);
	void *in_between = malloc(4096);
	assert_ptr_equal(arena_alloc(&b, 3000), first);
	assert_ptr_equal(arena_alloc(&b, 3000), second);
	free(in_between);
	arena_release(&b);
	arena_drop_kept();
	memset(arena_alloc(&a, 3000), 1, 3000);
	arena_release(&a);
	arena_keep(0);
}

static void no_more_is_kept_than_was_asked_for(void **state)
{
	struct arena a[8];
	struct mallinfo2 before, after;
	arena_keep(16 * 1024);
	for (unsigned i = 0; i < COUNT_OF(a); i++) {
		arena_init(&a[i]);
		arena_alloc(&a[i], 100);
	}
	before = mallinfo2();
	for (unsigned i = 0; i < COUNT_OF(a); i++)
		arena_release(&a[i]);
	after = mallinfo2();
	assert_true(before.uordblks - after.uordblks >= 4 * 4064);
	arena_keep(0);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(memory_is_aligned_and_does_not_overlap),
	        cmocka_unit_test(a_large_piece_gets_a_chunk_of_its_own),
	        cmocka_unit_test(cleanups_run_newest_first_and_once),
	        cmocka_unit_test(reset_keeps_nothing_but_memory),
	        cmocka_unit_test(a_text_is_whole_wherever_its_chunk_ends),
	        cmocka_unit_test(an_rcbuf_lives_as_long_as_its_last_owner),
#ifndef K3X_DEBUG
	        cmocka_unit_test(a_thread_that_keeps_chunks_has_them_again),
	        cmocka_unit_test(no_more_is_kept_than_was_asked_for),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
