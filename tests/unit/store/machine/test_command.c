/* Commands as bytes: what is written is read back the same, and broken bytes are refused at every length. */
#include "store/machine/command.h"

#include "tests/unit/unit.h"

static void same_again(const struct store_request *req)
{
	struct command_head in = {UINT64_C(0x8123456789abcdef), 7, 3}, out;
	struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
	struct store_request back = {0};
	struct err err = ERR_INIT;
	command_encode(&first, &in, req);
	assert_int_equal(command_decode(strbuf_slice(&first), &out, &back, &err), 0);
	assert_memory_equal(&in, &out, sizeof in);
	command_encode(&second, &out, &back);
	assert_true(slice_eq(strbuf_slice(&first), strbuf_slice(&second)));
	store_request_release(&back);
	for (size_t n = 0; n < first.len; n++) {
		struct store_request cut = {0};
		assert_int_equal(command_decode((struct slice){first.data, n}, &out, &cut, &err), ERR_CORRUPT);
		store_request_release(&cut);
	}
	strbuf_release(&first);
	strbuf_release(&second);
}

static void every_kind_comes_back(void **state)
{
	struct store_compare compares[] = {
	        {.keys.key = SLICE("k"), .target = STORE_TARGET_MOD, .result = STORE_EQUAL, .number = INT64_MAX},
	        {.keys = {SLICE("a"), SLICE("b")}, .target = STORE_TARGET_VALUE, .value = SLICE("v")}};
	struct store_op yes[] = {
	        {.type = STORE_OP_PUT, .put = {.key = SLICE("k"), .value = SLICE("\0\xff"), .lease = 9}},
	        {.type = STORE_OP_DELETE, .del = {.keys = {SLICE("a"), SLICE("\0")}, .prev_kv = true}}};
	struct store_op no[] = {{.type = STORE_OP_RANGE,
	                                .range = {.keys.key = SLICE("k"),
	                                        .limit = 5,
	                                        .revision = 17,
	                                        .sort = STORE_SORT_DESCEND,
	                                        .sort_target = STORE_TARGET_VERSION,
	                                        .keys_only = true,
	                                        .min_mod_revision = 3}},
	        {.type = STORE_OP_TXN, .txn = {.success = yes, .n_success = 2}}};
	struct store_system_entry entries[] = {
	        {.key = SLICE("x"), .value = SLICE("1")}, {.key = SLICE("y"), .is_delete = true}};
	struct store_interval list[] = {{SLICE("a"), SLICE("b")}, {SLICE("c"), SLICE("")}};
	const struct store_intervals within = {list, 2}, nothing = {0};
	const struct store_request requests[] = {
	        {.op = yes[0]},
	        {.op = yes[1], .system_version_expected = 4},
	        {.op = {.type = STORE_OP_TXN,
	                 .txn = {.compares = compares,
	                         .n_compares = 2,
	                         .success = yes,
	                         .n_success = 2,
	                         .failure = no,
	                         .n_failure = 2}}},
	        {.type = STORE_REQUEST_COMPACT, .revision_arg = 12345678901},
	        {.type = STORE_REQUEST_LEASE_GRANT, .lease = {.id = INT64_MAX, .ttl_s = 60}},
	        {.type = STORE_REQUEST_LEASE_REVOKE, .lease.id = 5},
	        {.type = STORE_REQUEST_LEASE_REVOKE, .lease.id = 5, .lease_keys_within = &within},
	        {.op = yes[0], .lease_keys_within = &nothing, .system_version_expected = 3},
	        {.type = STORE_REQUEST_SYSTEM,
	                .system = {.expect_version = STORE_SYSTEM_ANY, .changes = entries, .n_changes = 2}},
	};
	for (size_t i = 0; i < COUNT_OF(requests); i++)
		same_again(&requests[i]);
}

static void a_transaction_nested_without_end_is_refused(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct store_request req = {0};
	struct command_head head;
	struct err err = ERR_INIT;
	for (int i = 0; i < 5; i++) /* origin, sequence, term, system version, kind */
		command_put(&b, i == 4 ? 1 : 0);
	for (int i = 0; i < 100; i++) {
		command_put(&b, STORE_OP_TXN);
		command_put(&b, 0);
		command_put(&b, 1);
	}
	assert_int_equal(command_decode(strbuf_slice(&b), &head, &req, &err), ERR_CORRUPT);
	store_request_release(&req);
	strbuf_release(&b);
}

static void a_command_of_a_newer_program_is_told_from_a_broken_one(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct store_request req = {0};
	struct command_head head;
	struct err err = ERR_INIT;
	for (int i = 0; i < 5; i++) /* origin, sequence, term, system version, kind */
		command_put(&b, i == 4 ? 99 : 0);
	command_put(&b, 1);
	assert_int_equal(command_decode(strbuf_slice(&b), &head, &req, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "kind 99 in the log is of a newer program"));
	err = ERR_INIT;
	assert_int_equal(command_decode((struct slice){b.data, 4}, &head, &req, &err), ERR_CORRUPT);
	assert_null(strstr(err.msg, "kind"));
	store_request_release(&req);
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_kind_comes_back),
	        cmocka_unit_test(a_transaction_nested_without_end_is_refused),
	        cmocka_unit_test(a_command_of_a_newer_program_is_told_from_a_broken_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
