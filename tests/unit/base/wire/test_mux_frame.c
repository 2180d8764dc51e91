/* Frames: what is made is taken apart again, however it is cut; what is none is told. */
#include "base/wire/mux_frame.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct err err;

static void frames_survive_any_cut(void **state)
{
	struct strbuf text = STRBUF_INIT, got = STRBUF_INIT;
	mux_encode(&text, MUX_OPEN, 1, SLICE(""));
	mux_encode(&text, MUX_DATA, 1, SLICE("some bytes"));
	mux_encode_room(&text, 0x01020304, 77);
	mux_encode(&text, MUX_RESET, 1, SLICE("why"));
	mux_encode(&text, MUX_PING, 0, SLICE("12345678"));
	for (size_t step = 1; step <= text.len; step++) {
		struct mux_decoder d = {0};
		strbuf_reset(&got);
		for (size_t at = 0; at < text.len; at += step) {
			struct slice in = {text.data + at, text.len - at < step ? text.len - at : step};
			struct mux_frame f;
			while (mux_decode(&d, &in, &f, &err) == 1)
				strbuf_addf(&got, "%d/%x/%u/%.*s ", f.type, f.stream, f.type == MUX_ROOM ? f.room : 0,
				        f.type == MUX_ROOM ? 0 : (int)f.payload.len, f.payload.ptr);
			assert_int_equal(in.len, 0);
		}
		assert_string_equal(
		        strbuf_cstr(&got), "1/1/0/ 2/1/0/some bytes 3/1020304/77/ 5/1/0/why 6/0/0/12345678 ");
		mux_decoder_release(&d);
	}
	strbuf_release(&text);
	strbuf_release(&got);
}

static void what_is_none_is_told(void **state)
{
	static const struct {
		const char *bytes, *why;
	} rows[] = {
	        {"\x00\x00\x00\x00\x01\x00\x00\x00", "type 0"},
	        {"\x08\x00\x00\x00\x01\x00\x00\x00", "type 8"},
	        {"\x01\x00\x00\x00\x01\x00\x00\x01", "OPEN of 1 bytes"},
	        {"\x02\x00\x00\x00\x01\x00\x00\x00", "DATA of 0 bytes"},
	        {"\x02\x00\x00\x00\x01\xff\xff\xff", "DATA of 16777215 bytes"},
	        {"\x03\x00\x00\x00\x01\x00\x00\x03", "ROOM of 3 bytes"},
	        {"\x04\x00\x00\x00\x00\x00\x00\x00", "END on stream 0"},
	        {"\x06\x00\x00\x00\x01\x00\x00\x08", "PING on stream 1"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut < 2; cut++) { /* whole, and after its first byte */
			struct mux_decoder d = {0};
			struct mux_frame f;
			struct slice in = {rows[i].bytes, cut ? 1 : 8};
			if (cut) {
				assert_int_equal(mux_decode(&d, &in, &f, &err), 0);
				in = (struct slice){rows[i].bytes + 1, 7};
			}
			err = ERR_INIT;
			assert_int_equal(mux_decode(&d, &in, &f, &err), ERR_PROTOCOL);
			assert_non_null(strstr(err.msg, rows[i].why));
			mux_decoder_release(&d);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(frames_survive_any_cut),
	        cmocka_unit_test(what_is_none_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
