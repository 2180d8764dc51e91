/* jepsen/check_revision: revisions against real time. */
#include "tests/unit/jepsen/histories.h"

static void write_it(const char *key, int64_t value, int64_t revision)
{
	R(0, INVOKE, WRITE, o.key = key, o.value = value);
	R(0, OK, WRITE, o.revision = revision);
}

static void read_it(const char *key, int64_t value, int64_t mod, int64_t revision)
{
	R(1, INVOKE, READ, o.key = key);
	R(1, OK, READ, o.value = value, o.mod_revision = mod, o.revision = revision);
}

static void growing_revisions_are_valid(void **state)
{
	begin("register");
	write_it("x", 1, 5);
	read_it("x", 1, 5, 5);
	write_it("y", 1, 6);
	read_it("x", 1, 5, 6);
	R(0, INVOKE, WRITE, o.key = "x", o.value = 2); /* concurrent writes may come in any order */
	R(2, INVOKE, WRITE, o.key = "x", o.value = 3);
	R(2, OK, WRITE, o.revision = 8);
	R(0, OK, WRITE, o.revision = 7);
	expect_valid("revision");
}

static void a_revision_is_given_once(void **state)
{
	begin("register");
	R(2, INVOKE, WRITE, o.key = "y", o.value = 3);
	write_it("x", 1, 5);
	R(2, OK, WRITE, o.revision = 5);
	expect_invalid("revision", "revision given twice");
}

static void a_later_write_has_a_higher_revision(void **state)
{
	begin("register");
	write_it("x", 1, 5);
	write_it("y", 1, 4);
	expect_invalid("revision", "revision went back");
}

static void a_later_read_has_no_lower_revision(void **state)
{
	begin("register");
	write_it("x", 1, 5);
	read_it("y", HISTORY_NIL, HISTORY_NIL, 4);
	expect_invalid("revision", "revision went back");
}

static void a_read_is_no_older_than_what_was_known(void **state)
{
	begin("register");
	write_it("x", 1, 5);
	write_it("x", 2, 6);
	read_it("x", 1, 5, 6);
	expect_invalid("revision", "stale read");
}

static void one_value_belongs_to_one_revision(void **state)
{
	begin("register");
	write_it("x", 1, 5);
	read_it("x", 2, 5, 5);
	expect_invalid("revision", "two values at one revision");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(growing_revisions_are_valid),
	        cmocka_unit_test(a_revision_is_given_once),
	        cmocka_unit_test(a_later_write_has_a_higher_revision),
	        cmocka_unit_test(a_later_read_has_no_lower_revision),
	        cmocka_unit_test(a_read_is_no_older_than_what_was_known),
	        cmocka_unit_test(one_value_belongs_to_one_revision),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
