/* SPDY frames, written and read. */
#include "tests/unit/unit.h"

#include "base/limits.h"
#include "node/server/spdy_frame_int.h"

static void what_is_written(void **state)
{
	struct strbuf b = STRBUF_INIT;
	bool first = true;
	spdy_write_data(&b, 5, SLICE("hey"), true);
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "\0\0\0\5\1\0\0\3hey", 11);
	strbuf_reset(&b);
	spdy_write_syn(&b, 1, "stdin", &first);
	assert_false(first);
	assert_memory_equal(b.data, "\x80\x03\0\1", 4);
	assert_int_equal((unsigned char)b.data[18], 0x78); /* the zlib head, once */
	size_t with_head = b.len;
	strbuf_reset(&b);
	spdy_write_syn(&b, 3, "stdin", &first);
	assert_int_equal(b.len, with_head - 2);
	strbuf_release(&b);
}

static void frames_are_read_one_by_one(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct spdy_frame f;
	struct err err = ERR_INIT;
	bool first = true;
	spdy_write_syn(&b, 1, "stdin", &first);
	spdy_write_data(&b, 5, SLICE("hey"), true);
	spdy_write_ping(&b, 7);
	struct slice rest = strbuf_slice(&b);
	assert_int_equal(spdy_frame_next(&rest, &f, &err), 1);
	assert_int_equal(f.type, SPDY_SYN_STREAM);
	assert_int_equal(spdy_frame_next(&rest, &f, &err), 1);
	assert_int_equal(f.type, SPDY_DATA);
	assert_int_equal(f.id, 5);
	assert_true(f.is_end && slice_is(f.body, "hey"));
	struct slice cut = {rest.ptr, rest.len - 1};
	assert_int_equal(spdy_frame_next(&cut, &f, &err), 0);
	assert_int_equal(spdy_frame_next(&rest, &f, &err), 1);
	assert_int_equal(f.type, SPDY_PING);
	assert_int_equal(f.id, 7);
	assert_int_equal(rest.len, 0);
	strbuf_release(&b);
}

static void what_cannot_be_ends_the_session(void **state)
{
	struct spdy_frame f;
	struct err err = ERR_INIT;
	struct slice huge = {"\0\0\0\1\0\377\377\377", 8}, cut = {"\200\3\0\3\0\0\0\2xx", 10};
	assert_int_equal(spdy_frame_next(&huge, &f, &err), ERR_PROTOCOL);
	err = ERR_INIT;
	assert_int_equal(spdy_frame_next(&cut, &f, &err), ERR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_written),
	        cmocka_unit_test(frames_are_read_one_by_one),
	        cmocka_unit_test(what_cannot_be_ends_the_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
