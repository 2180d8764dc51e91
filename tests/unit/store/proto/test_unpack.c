/* Unpacking: what is nested too deeply is refused before it is unpacked. */
#include "store/proto/unpack.h"
#include "store/proto/rpc.pb-c.h"
#include "tests/unit/unit.h"

/* A transaction in a transaction in ..., `depth` times: two bytes of tag and a length for each of two levels. */
static struct slice nested(struct arena *a, unsigned depth)
{
	struct slice s = {"", 0};
	for (unsigned i = 0; i < depth; i++) {
		char head[24];
		size_t n = 0, len = s.len;
		head[n++] = i % 2 ? 0x12 : 0x22; /* TxnRequest.success, RequestOp.request_txn */
		for (; len >= 128; len >>= 7)
			head[n++] = (char)(len | 0x80);
		head[n++] = (char)len;
		char *bytes = arena_alloc(a, n + s.len);
		memcpy(bytes, head, n);
		memcpy(bytes + n, s.ptr, s.len);
		s = (struct slice){bytes, n + s.len};
	}
	return s;
}

static void test_depth_is_limited(void **state)
{
	struct arena a = ARENA_INIT;
	assert_non_null(etcd_message_unpack(&a, &etcdpb__txn_request__descriptor, nested(&a, 20)));
	assert_null(etcd_message_unpack(&a, &etcdpb__txn_request__descriptor, nested(&a, 40)));
	assert_null(etcd_message_unpack(&a, &etcdpb__txn_request__descriptor, nested(&a, 4000)));
	arena_release(&a);
}

static void test_broken_bytes_are_refused(void **state)
{
	static const struct slice texts[] = {{"\x0a", 1},
	        {"\x0a\x05"
	         "ab",
	                4},
	        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}, {"\x0b", 1},
	        {"\x09"
	         "abc",
	                4}};
	struct arena a = ARENA_INIT;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_null(etcd_message_unpack(&a, &etcdpb__range_request__descriptor, texts[i]));
	assert_non_null(etcd_message_unpack(&a, &etcdpb__range_request__descriptor, SLICE("")));
	arena_release(&a);
}

/* A password that was cut at its zero byte let in who knew its beginning. */
static void test_strings_with_zero_bytes_are_refused(void **state)
{
	struct arena a = ARENA_INIT;
	static const char whole[] = "\x0a\x04root\x12\x05newpw", cut[] = "\x0a\x04root\x12\x07newpw\0z";
	assert_non_null(etcd_message_unpack(
	        &a, &etcdpb__authenticate_request__descriptor, (struct slice){whole, sizeof whole - 1}));
	assert_null(etcd_message_unpack(
	        &a, &etcdpb__authenticate_request__descriptor, (struct slice){cut, sizeof cut - 1}));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_strings_with_zero_bytes_are_refused),
	        cmocka_unit_test(test_depth_is_limited),
	        cmocka_unit_test(test_broken_bytes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
