/* Which parts a target has: remembered over a kill, and forgotten when the target was emptied. */
#include "tools/moving/sent_parts.h"

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t there;
static char path[64];

static int count_parts(struct shared_log *l, int64_t id, int64_t *ret, struct err *err)
{
	*ret = there;
	return 0;
}

static const struct shared_log_vtable vtable = {.name = "fake", .count_parts = count_parts};
static struct shared_log fake_log = {.v = &vtable};

static int make_path(void **state)
{
	snprintf(path, sizeof path, "/tmp/k3x-sent-%ld", (long)getpid());
	unlink(path);
	there = 0;
	return 0;
}

static int remove_path(void **state)
{
	unlink(path);
	return 0;
}

static void opened(struct sent_parts *s)
{
	struct err err = ERR_INIT;
	assert_int_equal(sent_parts_open(s, path, &fake_log, &err), 0);
	assert_true(s->parts.id > 0);
}

static void send(struct sent_parts *s, int64_t number, struct slice bytes)
{
	struct err err = ERR_INIT;
	assert_false(s->parts.has(s->parts.arg, number, bytes));
	assert_int_equal(s->parts.sent(s->parts.arg, number, bytes, &err), 0);
	there++;
}

static void what_was_sent_is_remembered(void **state)
{
	struct sent_parts s;
	opened(&s);
	int64_t id = s.parts.id;
	send(&s, 0, SLICE("zero"));
	send(&s, 100, SLICE("hundred"));
	sent_parts_close(&s);
	FILE *f = fopen(path, "a");
	fputs("1 abcd", f); /* killed over it */
	fclose(f);
	opened(&s);
	assert_int_equal(s.parts.id, id);
	assert_true(s.parts.has(s.parts.arg, 0, SLICE("zero")));
	assert_true(s.parts.has(s.parts.arg, 100, SLICE("hundred")));
	assert_int_equal(s.skipped_bytes, 11);
	send(&s, 1, SLICE("one"));
	send(&s, 0, SLICE("changed"));
	sent_parts_close(&s);
	opened(&s);
	assert_true(s.parts.has(s.parts.arg, 0, SLICE("changed")));
	assert_true(s.parts.has(s.parts.arg, 1, SLICE("one")));
	sent_parts_close(&s);
}

static void a_target_that_was_emptied_has_nothing(void **state)
{
	struct sent_parts s;
	opened(&s);
	int64_t id = s.parts.id;
	send(&s, 0, SLICE("zero"));
	sent_parts_close(&s);
	there = 0;
	opened(&s);
	assert_true(s.parts.id != id);
	assert_false(s.parts.has(s.parts.arg, 0, SLICE("zero")));
	sent_parts_close(&s);
}

static void lines_that_are_none_say_nothing(void **state)
{
	static const char *const bad[] = {"", "1", "x 00", "1 abcd", "-1 ", "99999999999999999999 00",
	        "1048576 0000000000000000000000000000000000000000000000000000000000000000",
	        "1 000000000000000000000000000000000000000000000000000000000000000g"};
	struct sent_parts s = {0};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(sent_parts_read(&s, slice_of(bad[i])));
	assert_true(sent_parts_read(&s, SLICE("7 00000000000000000000000000000000000000000000000000000000000000ff")));
	assert_int_equal(s.n, 1);
	sent_parts_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(what_was_sent_is_remembered, make_path, remove_path),
	        cmocka_unit_test_setup_teardown(a_target_that_was_emptied_has_nothing, make_path, remove_path),
	        cmocka_unit_test(lines_that_are_none_say_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
