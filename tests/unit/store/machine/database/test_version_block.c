/* Blocks of versions: what goes in comes out, whatever the numbers; a block that was changed on the disk is refused by
 * name or reads as something else, and never does harm. */
#include "store/machine/database/version_block.h"

#include "base/mem/arena.h"
#include "store/machine/database/row_id.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <time.h>

static uint64_t random_state;

static unsigned draw(unsigned below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % below;
}

static struct slice noise(struct arena *a, size_t n, bool packs)
{
	char *p = arena_alloc(a, n + 1);
	for (size_t i = 0; i < n; i++)
		p[i] = packs ? (char)('a' + i % 7) : (char)draw(256);
	return (struct slice){p, n};
}

static int64_t any_number(void)
{
	switch (draw(4)) {
	case 0:
		return 0;
	case 1:
		return draw(100);
	case 2:
		return INT64_MAX - draw(3);
	default:
		return INT64_MIN + draw(3);
	}
}

static struct version_row make_version(struct arena *a, int64_t after)
{
	int64_t step = draw(3) ? ROW_ID(ROW_REVISION(after) + 1 + draw(draw(2) ? 2 : 100000)) - after : 1 + draw(1000);
	struct version_row v = {.id = after + step,
	        .created = any_number(),
	        .version = llabs(any_number() / 2),
	        .lease = any_number(),
	        .key = noise(a, 1 + draw(40), true),
	        .value = noise(a, draw(4) ? draw(300) : 0, draw(2))};
	v.prev = draw(3) ? v.id - 1 - draw(1000000) : 0;
	v.prev = v.prev < 0 ? 0 : v.prev;
	return v;
}

static void assert_same(const struct version_row *a, const struct version_row *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->prev, b->prev);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->lease, b->lease);
	assert_true(slice_eq(a->key, b->key));
	assert_true(slice_eq(a->value, b->value));
}

static void what_goes_in_comes_out(void **state)
{
	struct version_builder builder = {0};
	struct version_block block = {0};
	random_state = (uint64_t)time(NULL) * 7919 + 1;
	print_message("SEED=%llu\n", (unsigned long long)random_state);
	for (int round = 0; round < 300; round++) {
		struct arena a = ARENA_INIT;
		struct version_row rows[STORE_BLOCK_VERSIONS_MAX + 1];
		struct version_stored s;
		struct err err = ERR_INIT;
		unsigned n = 0;
		rows[0] = make_version(&a, draw(2) ? 0 : ROW_ID(draw(1000000)));
		do {
			version_builder_add(&builder, &rows[n]);
			rows[n + 1] = make_version(&a, rows[n].id);
			n++;
		} while (version_builder_has_room(&builder, &rows[n]) && draw(200));
		version_builder_seal(&builder, &s);
		assert_int_equal(s.id, rows[0].id);
		assert_int_equal(s.n, n);
		assert_true((int64_t)s.bytes.len == s.raw || (int64_t)s.bytes.len <= s.raw - s.raw / 8);
		if (version_block_decode(&block, &s, &err) != 0)
			fail_msg("%s", err.msg);
		assert_int_equal(block.n, n);
		for (unsigned i = 0; i < n; i++) {
			assert_same(&block.rows[i], &rows[i]);
			assert_ptr_equal(version_block_find(&block, rows[i].id), &block.rows[i]);
		}
		assert_null(version_block_find(&block, rows[n - 1].id + 1));
		arena_release(&a);
	}
	version_builder_release(&builder);
	version_block_release(&block);
}

static void a_block_has_its_bounds(void **state)
{
	struct version_builder b = {0};
	struct version_stored s;
	char *large = calloc(1, STORE_BLOCK_BYTES + 1);
	struct version_row v = {.version = 1, .key = SLICE("k"), .value = SLICE("v")};
	for (int i = 1; i <= STORE_BLOCK_VERSIONS_MAX; i++) {
		v.id = ROW_ID(i);
		assert_true(version_builder_has_room(&b, &v));
		version_builder_add(&b, &v);
	}
	assert_false(version_builder_has_room(&b, &v));
	version_builder_seal(&b, &s);
	assert_true(version_builder_has_room(&b, &v));
	version_builder_add(&b, &v);
	struct version_row big = {
	        .id = ROW_ID(1000), .version = 1, .key = SLICE("k"), .value = {large, STORE_BLOCK_BYTES}};
	assert_false(version_builder_has_room(&b, &big)); /* it has one to itself */
	version_builder_seal(&b, &s);
	assert_true(version_builder_has_room(&b, &big));
	version_builder_add(&b, &big);
	v.id = ROW_ID(1001);
	assert_false(version_builder_has_room(&b, &v));
	version_builder_release(&b);
	free(large);
}

/* ---- what was changed ---- */

struct sample {
	struct arena arena;
	struct version_builder builder;
	struct version_block block;
	struct version_stored s;
};

static int setup(void **state)
{
	struct sample *x = calloc(1, sizeof *x);
	random_state = 12345;
	for (int i = 1; i <= 20; i++)
		version_builder_add(&x->builder, &(struct version_row){.id = ROW_ID(i) + i % 3,
		                                         .prev = ROW_ID(i - 1),
		                                         .created = 1,
		                                         .version = i,
		                                         .key = SLICE("a key"),
		                                         .value = SLICE("some value that packs, packs, packs")});
	version_builder_seal(&x->builder, &x->s);
	assert_true((int64_t)x->s.bytes.len < x->s.raw);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct sample *x = *state;
	version_builder_release(&x->builder);
	version_block_release(&x->block);
	arena_release(&x->arena);
	free(x);
	return 0;
}

static void refused(struct sample *x, const struct version_stored *s, const char *why)
{
	struct err err = ERR_INIT;
	assert_int_equal(version_block_decode(&x->block, s, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "revision 1)"));
	if (!strstr(err.msg, why))
		fail_msg("wanted \"%s\", got \"%s\"", why, err.msg);
	assert_int_equal(x->block.n, 0);
}

static void what_can_not_be_is_refused_by_name(void **state)
{
	struct sample *x = *state;
	struct version_stored s = x->s;
	s.n = 0;
	refused(x, &s, "number of versions");
	s.n = STORE_BLOCK_VERSIONS_MAX + 1;
	refused(x, &s, "number of versions");
	s.n = x->s.n - 1;
	refused(x, &s, "more ids than versions");
	s.n = x->s.n + 1;
	refused(x, &s, "its ids do not read");
	s = x->s;
	s.raw = (int64_t)STORE_BLOCK_RAW_MAX + 1;
	refused(x, &s, "size is impossible");
	s.raw = STORE_BLOCK_RAW_MAX; /* more than so few bytes can hold */
	refused(x, &s, "size is impossible");
	s.raw = x->s.raw - 1;
	refused(x, &s, "");
	s = x->s;
	s.dead = SLICE("\1");
	refused(x, &s, "bits of its dead");
	s.dead = SLICE("\0\0\x10"); /* the 21st of 20 */
	refused(x, &s, "bits of its dead");
	s.dead = SLICE("\1\0\x08");
	struct err err = ERR_INIT;
	assert_int_equal(version_block_decode(&x->block, &s, &err), 0);
	assert_null(version_block_find(&x->block, x->s.id));
	assert_null(version_block_find(&x->block, ROW_ID(20) + 2));
	assert_non_null(version_block_find(&x->block, ROW_ID(2) + 2));
	assert_int_equal(version_bits_count(&x->block.dead), 2);
}

static void ids_that_do_not_rise_are_refused(void **state)
{
	struct sample *x = *state;
	struct version_stored s = x->s;
	char same[64];
	memcpy(same, s.ids.ptr, s.ids.len);
	same[0] = 0; /* the same revision, without a place in it */
	s.ids.ptr = same;
	refused(x, &s, "");
	char far[64] = "";
	memset(far, 0xff, 9);
	far[9] = 1; /* a step beyond all revisions */
	s.ids = (struct slice){far, 10};
	s.n = 2;
	refused(x, &s, "its ids do not read");
}

/* Each byte of what is packed, and of the ids, changed in each of its bits: refused, or read as some other block. */
static void no_change_of_a_bit_does_harm(void **state)
{
	struct sample *x = *state;
	int n_refused = 0, n_read = 0;
	for (int part = 0; part < 2; part++) {
		struct slice whole = part ? x->s.ids : x->s.bytes;
		for (size_t bit = 0; bit < whole.len * 8; bit++) {
			char *copy = malloc(whole.len); /* its own, so that the sanitizer sees a step too far */
			struct version_stored s = x->s;
			struct err err = ERR_INIT;
			memcpy(copy, whole.ptr, whole.len);
			copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
			*(part ? &s.ids : &s.bytes) = (struct slice){copy, whole.len};
			int rc = version_block_decode(&x->block, &s, &err);
			assert_true(rc == 0 || rc == ERR_CORRUPT);
			*(rc ? &n_refused : &n_read) += 1;
			free(copy);
		}
	}
	assert_true(n_refused > 0 && n_read > 0);
}

static void no_length_does_harm(void **state)
{
	struct sample *x = *state;
	for (size_t n = 0; n < x->s.bytes.len; n++) {
		struct version_stored s = x->s;
		s.bytes = (struct slice){malloc(n + 1), n};
		memcpy((char *)s.bytes.ptr, x->s.bytes.ptr, n);
		refused(x, &s, "");
		free((char *)s.bytes.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_goes_in_comes_out),
	        cmocka_unit_test(a_block_has_its_bounds),
	        cmocka_unit_test_setup_teardown(what_can_not_be_is_refused_by_name, setup, teardown),
	        cmocka_unit_test_setup_teardown(ids_that_do_not_rise_are_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(no_change_of_a_bit_does_harm, setup, teardown),
	        cmocka_unit_test_setup_teardown(no_length_does_harm, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
