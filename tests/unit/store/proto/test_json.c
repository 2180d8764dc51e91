/* Messages as JSON: what is written reads back, names and numbers in every spelling, what does not fit is refused. */
#include "store/proto/json.h"
#include "store/proto/rpc.pb-c.h"
#include "tests/unit/unit.h"

static ProtobufCMessage *read_as(struct arena *a, const ProtobufCMessageDescriptor *type, const char *text)
{
	ProtobufCMessage *m = NULL;
	struct err err = ERR_INIT;
	if (etcd_json_read(a, type, slice_of(text), &m, &err) != 0)
		fail_msg("%s: %s", text, err.msg);
	return m;
}

static void check_text(const ProtobufCMessageDescriptor *type, const char *in, const char *out)
{
	struct arena a = ARENA_INIT;
	struct strbuf b = STRBUF_INIT;
	etcd_json_write(&b, read_as(&a, type, in));
	assert_string_equal(strbuf_cstr(&b), out);
	strbuf_release(&b);
	arena_release(&a);
}

static void check_refused(const ProtobufCMessageDescriptor *type, const char *in, const char *part)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	ProtobufCMessage *m;
	assert_int_equal(etcd_json_read(&a, type, slice_of(in), &m, &err), ERR_INVAL);
	if (!strstr(err.msg, part))
		fail_msg("%s: %s", in, err.msg);
	arena_release(&a);
}

static void test_what_is_written_reads_back(void **state)
{
	check_text(&etcdpb__range_request__descriptor,
	        "{\"key\":\"YQ==\",\"limit\":\"5\",\"sort_order\":\"DESCEND\",\"serializable\":true}",
	        "{\"key\":\"YQ==\",\"limit\":\"5\",\"sort_order\":\"DESCEND\",\"serializable\":true}");
	check_text(&etcdpb__txn_request__descriptor,
	        "{\"compare\":[{\"target\":\"VALUE\",\"key\":\"YQ==\",\"value\":\"\"}],"
	        "\"success\":[{\"request_put\":{}},{\"request_txn\":{\"failure\":[{\"request_range\":{}}]}}]}",
	        "{\"compare\":[{\"target\":\"VALUE\",\"key\":\"YQ==\",\"value\":\"\"}],"
	        "\"success\":[{\"request_put\":{}},{\"request_txn\":{\"failure\":[{\"request_range\":{}}]}}]}");
	check_text(&etcdpb__member__descriptor,
	        "{\"ID\":\"18446744073709551615\",\"name\":\"a\\\"b\",\"peerURLs\":[\"x\",\"y\"]}",
	        "{\"ID\":\"18446744073709551615\",\"name\":\"a\\\"b\",\"peerURLs\":[\"x\",\"y\"]}");
	check_text(&etcdpb__range_request__descriptor, "{}", "{}");
}

static void test_every_spelling_is_taken(void **state)
{
	check_text(&etcdpb__range_request__descriptor,
	        "{\"rangeEnd\":\"_-8\",\"limit\":5,\"sortOrder\":2,\"maxModRevision\":3e2,\"revision\":null,\"x\":[1]}",
	        "{\"range_end\":\"/+8=\",\"limit\":\"5\",\"sort_order\":\"DESCEND\",\"max_mod_revision\":\"300\"}");
	check_text(&etcdpb__range_request__descriptor, "{\"sort_order\":\"NO_SUCH\",\"sort_target\":77}",
	        "{\"sort_target\":77}");
	check_text(&etcdpb__lease_grant_request__descriptor, "{\"TTL\":\"-5\"}", "{\"TTL\":\"-5\"}");
}

static void test_what_does_not_fit_is_refused(void **state)
{
	check_refused(&etcdpb__range_request__descriptor, "{\"key\":5}", "bytes field key");
	check_refused(&etcdpb__range_request__descriptor, "{\"key\":\"*\"}", "bytes field key");
	check_refused(&etcdpb__range_request__descriptor, "{\"key\":\"A\"}", "bytes field key");
	check_refused(&etcdpb__range_request__descriptor, "{\"keys_only\":1}", "bool field keysOnly");
	check_refused(&etcdpb__range_request__descriptor, "{\"limit\":\"x\"}", "int64 field limit");
	check_refused(&etcdpb__range_request__descriptor, "{\"limit\":1.5}", "int64 field limit");
	check_refused(&etcdpb__member__descriptor, "{\"ID\":-1}", "uint64 field ID");
	check_refused(&etcdpb__member__descriptor, "{\"name\":\"a\\u0000b\"}", "string field name");
	check_refused(&etcdpb__member__descriptor, "{\"peerURLs\":\"x\"}", "repeated field peerURLs");
	check_refused(&etcdpb__txn_request__descriptor, "{\"success\":[5]}", "RequestOp is an object");
	check_refused(&etcdpb__request_op__descriptor, "{\"request_put\":{},\"request_range\":{}}", "already set");
	check_refused(&etcdpb__range_request__descriptor, "{", "offset");
}

static void test_the_first_value_is_found(void **state)
{
	assert_int_equal(etcd_json_first(SLICE("{\"a\":\"}\\\"\"} {")), 11);
	assert_int_equal(etcd_json_first(SLICE(" \n{}")), 4);
	assert_int_equal(etcd_json_first(SLICE("{\"a\":[{}")), 0);
	assert_int_equal(etcd_json_first(SLICE("")), 0);
	assert_int_equal(etcd_json_first(SLICE("\"ab\\\\\" x")), 6);
	assert_int_equal(etcd_json_first(SLICE("}")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_what_is_written_reads_back),
	        cmocka_unit_test(test_every_spelling_is_taken),
	        cmocka_unit_test(test_what_does_not_fit_is_refused),
	        cmocka_unit_test(test_the_first_value_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
