/* Greetings with a secret: both ends prove that they know it, and nothing that was heard before opens a connection. */
#include "raft/wire/greeting.h"
#include "tests/unit/unit.h"

static const struct wire_hello hello = {7, 1, 2, WIRE_MESSAGES, {"http://one", 10}};

/* One greeting between two ends. Negative: who found a fault in the other. */
enum { CALLER_REFUSES = -1, CALLED_REFUSES = -2 };

static int greet(struct slice callers, struct slice calleds, struct strbuf *heard)
{
	struct caller a;
	struct called b;
	struct err err = ERR_INIT;
	struct wire_hello got;
	struct strbuf challenge = STRBUF_INIT, first = STRBUF_INIT, proof = STRBUF_INIT, none = STRBUF_INIT;
	int rc = 0;
	called_begin(&b, calleds, &challenge);
	caller_begin(&a, callers, &hello, &first);
	if (callers.len && challenge.len)
		assert_int_equal(caller_take(&a, strbuf_slice(&challenge), &first, &err), 0);
	if (heard)
		strbuf_add_slice(heard, strbuf_slice(&first));
	if (called_take(&b, strbuf_slice(&first), &got, &proof, &err) != 0)
		rc = CALLED_REFUSES;
	else if (!caller_is_done(&a) && caller_take(&a, strbuf_slice(&proof), &none, &err) != 0)
		rc = CALLER_REFUSES;
	if (rc == 0)
		assert_true(caller_is_done(&a) && got.cluster_id == 7 && got.from == 1 && got.address.len == 10);
	caller_release(&a);
	strbuf_release(&challenge);
	strbuf_release(&first);
	strbuf_release(&proof);
	strbuf_release(&none);
	return rc;
}

static void test_who_knows_the_secret_gets_in(void **state)
{
	struct slice one = SLICE("one secret"), other = SLICE("another secret");
	assert_int_equal(greet(one, one, NULL), 0);
	assert_int_equal(greet(SLICE_NULL, SLICE_NULL, NULL), 0);
	assert_int_equal(greet(one, other, NULL), CALLED_REFUSES);
	assert_int_equal(greet(SLICE_NULL, one, NULL), CALLED_REFUSES);
}

static void test_what_was_heard_opens_nothing(void **state)
{
	struct slice secret = SLICE("one secret");
	struct strbuf heard = STRBUF_INIT, out = STRBUF_INIT;
	struct called b;
	struct wire_hello got;
	struct err err = ERR_INIT;
	assert_int_equal(greet(secret, secret, &heard), 0);
	called_begin(&b, secret, &out);
	assert_int_equal(called_take(&b, strbuf_slice(&heard), &got, &out, &err), ERR_PROTOCOL);
	strbuf_release(&heard);
	strbuf_release(&out);
}

static void test_one_that_can_not_prove_it_is_left(void **state)
{
	struct slice secret = SLICE("one secret");
	struct caller a;
	struct called b;
	struct err err = ERR_INIT;
	struct strbuf challenge = STRBUF_INIT, out = STRBUF_INIT;
	called_begin(&b, secret, &challenge);
	caller_begin(&a, secret, &hello, &out);
	assert_int_equal(out.len, 0);
	assert_int_equal(caller_take(&a, SLICE("something else"), &out, &err), ERR_PROTOCOL);
	assert_int_equal(caller_take(&a, strbuf_slice(&challenge), &out, &err), 0);
	assert_int_equal(caller_take(&a, strbuf_slice(&out), &challenge, &err), ERR_PROTOCOL); /* its own words back */
	assert_false(caller_is_done(&a));
	caller_release(&a);
	strbuf_release(&challenge);
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_who_knows_the_secret_gets_in),
	        cmocka_unit_test(test_what_was_heard_opens_nothing),
	        cmocka_unit_test(test_one_that_can_not_prove_it_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
