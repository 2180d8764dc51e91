/* jepsen/history: what is appended is kept, saved and read back; invocations find their completions. */
#include "tests/unit/jepsen/histories.h"

static void a_history_survives_the_file(void **state)
{
	begin("append");
	history_set(&h, "seed", "1");
	history_set(&h, "seed", "42");
	size_t fault = history_fault_begin(&h, 5, "kill \"all\"", 7, "n0, n1");
	history_fault_end(&h, fault, 9);
	history_fault_begin(&h, 11, "partition", 1, "");
	R(3, INVOKE, TXN,
	        ITEMS(HISTORY_ITEM_INIT(HISTORY_APPEND, "x", 1), HISTORY_ITEM_INIT(HISTORY_READ, "y", HISTORY_NIL)));
	R(3, INFO, TXN, o.error = "timed \"out\"\n", o.node = 2, o.lease = INT64_MAX);
	R(4, OK, READ, VALUES(1, -2, 3), o.flags = HISTORY_FINAL, o.key = "k\xc3\xa4y");
	CLEANUP(cleanup_strbuf) struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
	history_write(&h, &first);
	struct history again;
	struct err err = ERR_INIT;
	history_init(&again);
	assert_int_equal(history_parse(&again, strbuf_slice(&first), &err), 0);
	assert_int_equal(again.count, 3);
	assert_int_equal(again.fault_count, 2);
	assert_int_equal(again.faults[0].end_ns, 9);
	assert_int_equal(again.faults[1].end_ns, -1);
	assert_string_equal(history_get(&again, "seed"), "42");
	assert_int_equal(history_get_int(&again, "seed", 0), 42);
	assert_int_equal(again.records[1].lease, INT64_MAX);
	assert_int_equal(again.records[1].value, HISTORY_NIL);
	assert_int_equal(again.records[2].values[1], -2);
	history_write(&again, &second);
	assert_string_equal(strbuf_cstr(&first), strbuf_cstr(&second));
	history_release(&again);
	history_release(&h);
}

static void equal_keys_are_one_pointer(void **state)
{
	char x[] = "x", also_x[] = "x";
	begin("register");
	size_t a = R(0, INVOKE, READ, o.key = x), b = R(1, INVOKE, READ, o.key = also_x), c = R(2, INVOKE, READ);
	assert_ptr_equal(h.records[a].key, h.records[b].key);
	assert_int_equal(h.records[a].key_id, h.records[b].key_id);
	assert_int_equal(h.records[c].key_id, 0);
	assert_string_equal(h.records[c].key, "");
	history_release(&h);
}

static void refuse(const char *text, const char *why)
{
	struct history bad;
	struct err err = ERR_INIT;
	history_init(&bad);
	assert_int_equal(history_parse(&bad, slice_of(text), &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, why));
	history_release(&bad);
}

static void garbage_is_refused_with_its_line(void **state)
{
	refuse("{\"set\":\"a\",\"to\":\"b\"}\n\nnonsense\n", "line 3");
	refuse("[]", "not an object");
	refuse("{\"t\":1,\"p\":0,\"type\":\"ok\"}", "needs t, p, type and f");
	refuse("{\"t\":-1,\"p\":0,\"type\":\"ok\",\"f\":\"read\"}", "out of range");
	refuse("{\"t\":1,\"p\":0,\"type\":\"okay\",\"f\":\"read\"}", "\"type\": unknown");
	refuse("{\"t\":1,\"p\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":1.5}", "not a whole number");
	refuse("{\"t\":1,\"p\":0,\"type\":\"ok\",\"f\":\"read\",\"colour\":1}", "unknown member");
	refuse("{\"t\":1,\"p\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":\"a\\u0000b\"}", "not a text");
	refuse("{\"t\":1,\"p\":0,\"type\":\"ok\",\"f\":\"list\",\"items\":[1]}", "not an object");
	refuse("{\"fault\":\"kill\",\"begin\":5,\"end\":4}", "ends before");
}

static int pair(struct history_ops *ops, struct arena *a)
{
	struct err err = ERR_INIT;
	return history_pair(&h, a, ops, &err);
}

static void completions_find_their_invocations(void **state)
{
	struct arena a = ARENA_INIT;
	struct history_ops ops;
	begin("register");
	R(0, INVOKE, READ, o.key = "x");
	R(1, INVOKE, WRITE, o.key = "x");
	R(0, OK, READ);
	R(9, OK, WATCH_EVENT);
	R(1, INFO, WRITE);
	R(0, INVOKE, READ, o.key = "x");
	assert_int_equal(pair(&ops, &a), 0);
	assert_int_equal(ops.count, 4);
	assert_int_equal(ops.ops[0].complete, 2);
	assert_int_equal(ops.ops[1].type, HISTORY_INFO);
	assert_int_equal(ops.ops[2].invoke, HISTORY_NONE);
	assert_int_equal(ops.ops[3].complete, HISTORY_NONE);
	assert_int_equal(ops.ops[3].type, HISTORY_INFO);
	history_release(&h);
	arena_release(&a);
}

static void a_process_does_one_thing_at_a_time(void **state)
{
	struct arena a = ARENA_INIT;
	struct history_ops ops;
	begin("register");
	R(0, INVOKE, READ, o.key = "x");
	R(0, INVOKE, READ, o.key = "x");
	assert_int_equal(pair(&ops, &a), ERR_INVAL);
	history_release(&h);
	begin("register");
	R(0, INVOKE, WRITE, o.key = "x");
	R(0, INFO, WRITE);
	R(0, INVOKE, READ, o.key = "x");
	assert_int_equal(pair(&ops, &a), ERR_INVAL);
	history_release(&h);
	arena_release(&a);
}

static void records_read_well(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	begin("register");
	R(0, OK, CAS, o.key = "x", o.expect = 1, o.value = 2, o.revision = 17);
	history_describe(&h, 0, &text);
	assert_string_equal(strbuf_cstr(&text), "cas x from 1 to 2 ok rev 17");
	history_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_history_survives_the_file),
	        cmocka_unit_test(equal_keys_are_one_pointer),
	        cmocka_unit_test(garbage_is_refused_with_its_line),
	        cmocka_unit_test(completions_find_their_invocations),
	        cmocka_unit_test(a_process_does_one_thing_at_a_time),
	        cmocka_unit_test(records_read_well),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
