/* Which blob of an artifact is its module. */
#include "tests/unit/unit.h"

#include "node/wasm/module/artifact.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LAYER(kind, more) "{\"mediaType\":\"" kind "\",\"digest\":\"sha256:" HEX "\"" more "}"

static int read_text(struct arena *a, const char *text, struct wasm_artifact *ret)
{
	struct err err = ERR_INIT;
	return wasm_artifact_read(a, slice_of(text), ret, &err);
}

static void both_forms_are_known(void **state)
{
	struct arena a = ARENA_INIT;
	struct wasm_artifact got;
	assert_int_equal(read_text(&a, "{\"layers\":[" LAYER("application/wasm", "") "]}", &got), 0);
	assert_string_equal(got.hex, HEX);
	assert_string_equal(got.name, "/module.wasm");
	assert_int_equal(
	        read_text(&a,
	                "{\"layers\":[" LAYER("text/plain", "") "," LAYER("application/vnd.wasm.content.layer.v1+wasm",
	                        ",\"annotations\":{\"org.opencontainers.image.title\":\"hello.wasm\"}") "]}",
	                &got),
	        0);
	assert_string_equal(got.name, "/hello.wasm");
	arena_release(&a);
}

static void no_module_and_two_modules_are_refused(void **state)
{
	struct arena a = ARENA_INIT;
	struct wasm_artifact got;
	assert_int_equal(read_text(&a, "{\"layers\":[]}", &got), ERR_UNIMPLEMENTED);
	assert_int_equal(read_text(&a, "{}", &got), ERR_UNIMPLEMENTED);
	assert_int_equal(
	        read_text(
	                &a, "{\"layers\":[" LAYER("application/wasm", "") "," LAYER("application/wasm", "") "]}", &got),
	        ERR_UNIMPLEMENTED);
	arena_release(&a);
}

static void a_digest_that_could_be_a_path_is_refused(void **state)
{
	struct arena a = ARENA_INIT;
	struct wasm_artifact got;
	assert_int_equal(
	        read_text(
	                &a, "{\"layers\":[{\"mediaType\":\"application/wasm\",\"digest\":\"sha256:../../x\"}]}", &got),
	        ERR_INVAL);
	assert_int_equal(read_text(&a, "{\"layers\":[{\"mediaType\":\"application/wasm\"}]}", &got), ERR_INVAL);
	assert_int_equal(read_text(&a, "no json", &got), ERR_INVAL);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(both_forms_are_known),
	        cmocka_unit_test(no_module_and_two_modules_are_refused),
	        cmocka_unit_test(a_digest_that_could_be_a_path_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
