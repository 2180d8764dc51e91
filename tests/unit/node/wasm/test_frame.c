/* The words between the node and its zygote. */
#include "tests/unit/unit.h"

#include "node/wasm/protocol/frame.h"

static void what_is_written_is_read(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct wasm_frame f = {.verb = WASM_SIGNAL, .id = "wasm-1", .number = -15, .text = SLICE("a\nb")}, got;
	wasm_frame_write(&b, &f);
	assert_string_equal(strbuf_cstr(&b), "SIGNAL wasm-1 -15\na\nb");
	assert_int_equal(wasm_frame_read(strbuf_slice(&b), &got, &err), 0);
	assert_int_equal(got.verb, WASM_SIGNAL);
	assert_string_equal(got.id, "wasm-1");
	assert_int_equal(got.number, -15);
	assert_true(slice_is(got.text, "a\nb"));
	strbuf_release(&b);
}

static void an_id_that_could_leave_its_folder_is_refused(void **state)
{
	struct wasm_frame f;
	struct err err = ERR_INIT;
	assert_int_equal(wasm_frame_read(SLICE("START ../x 0\n"), &f, &err), ERR_PROTOCOL);
	assert_int_equal(wasm_frame_read(SLICE("START . 0\n"), &f, &err), ERR_PROTOCOL);
	assert_int_equal(wasm_frame_read(SLICE("START  0\n"), &f, &err), ERR_PROTOCOL);
	assert_false(wasm_id_is_good(SLICE("a\0b")));
}

static void unknown_words_and_numbers_are_refused(void **state)
{
	struct wasm_frame f;
	struct err err = ERR_INIT;
	assert_int_equal(wasm_frame_read(SLICE("JUMP a 0\n"), &f, &err), ERR_PROTOCOL);
	assert_int_equal(wasm_frame_read(SLICE("START a x\n"), &f, &err), ERR_PROTOCOL);
	assert_int_equal(wasm_frame_read(SLICE(""), &f, &err), ERR_PROTOCOL);
}

static void a_text_that_is_too_long_is_cut(void **state)
{
	static char long_text[WASM_TEXT_BYTES_MAX * 2];
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct wasm_frame f = {.verb = WASM_FAILED, .id = "a", .text = {long_text, sizeof long_text}}, got;
	memset(long_text, 'x', sizeof long_text);
	wasm_frame_write(&b, &f);
	assert_int_equal(wasm_frame_read(strbuf_slice(&b), &got, &err), 0);
	assert_int_equal(got.text.len, WASM_TEXT_BYTES_MAX);
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_written_is_read),
	        cmocka_unit_test(an_id_that_could_leave_its_folder_is_refused),
	        cmocka_unit_test(unknown_words_and_numbers_are_refused),
	        cmocka_unit_test(a_text_that_is_too_long_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
