/* What a WebAssembly file says of itself. */
#include "tests/unit/unit.h"

#include "node/wasm/module/module.h"

#define HEAD "\0asm\1\0\0\0"
#define IMPORT_WASI "\2\44\1\26wasi_snapshot_preview1\11proc_exit\0\0"
#define EXPORT_START "\7\12\1\6_start\0\0"

static int check(struct slice bytes, struct err *err)
{
	*err = ERR_INIT;
	return wasm_module_check(bytes, err);
}

static void a_command_for_preview_1_is_taken(void **state)
{
	struct err err;
	assert_int_equal(check(SLICE(HEAD IMPORT_WASI EXPORT_START), &err), 0);
	assert_int_equal(check(SLICE(HEAD EXPORT_START), &err), 0);
}

static void a_component_is_refused_by_its_name(void **state)
{
	struct err err;
	assert_int_equal(check(SLICE("\0asm\15\0\1\0"), &err), ERR_UNIMPLEMENTED);
	assert_non_null(strstr(err.msg, "Component Model"));
	assert_non_null(strstr(err.msg, "preview 2"));
}

static void an_import_that_nobody_serves_is_named(void **state)
{
	struct err err;
	assert_int_equal(check(SLICE(HEAD "\2\13\1\3env\3foo\0\0" EXPORT_START), &err), ERR_UNIMPLEMENTED);
	assert_non_null(strstr(err.msg, "\"foo\" from \"env\""));
}

static void a_library_without_start_is_refused(void **state)
{
	struct err err;
	assert_int_equal(check(SLICE(HEAD "\7\12\1\6_begin\0\0"), &err), ERR_UNIMPLEMENTED);
	assert_non_null(strstr(err.msg, "_start"));
	/* a global of that name is no function */
	assert_int_equal(check(SLICE(HEAD "\7\12\1\6_start\3\0"), &err), ERR_UNIMPLEMENTED);
}

static void a_module_that_is_cut_off_is_broken_at_every_length(void **state)
{
	struct err err;
	struct slice whole = SLICE(HEAD IMPORT_WASI EXPORT_START);
	for (size_t len = 0; len < whole.len; len++)
		assert_int_not_equal(check((struct slice){whole.ptr, len}, &err), 0);
}

static void other_versions_and_other_files_are_told_apart(void **state)
{
	struct err err;
	assert_int_equal(check(SLICE("\0asm\2\0\0\0"), &err), ERR_UNIMPLEMENTED);
	assert_int_equal(check(SLICE("\177ELF\2\1\1\0"), &err), ERR_INVAL);
	assert_false(wasm_module_is(SLICE("\0asm")));
	assert_true(wasm_module_is(SLICE("\0asm\15\0\1\0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_command_for_preview_1_is_taken),
	        cmocka_unit_test(a_component_is_refused_by_its_name),
	        cmocka_unit_test(an_import_that_nobody_serves_is_named),
	        cmocka_unit_test(a_library_without_start_is_refused),
	        cmocka_unit_test(a_module_that_is_cut_off_is_broken_at_every_length),
	        cmocka_unit_test(other_versions_and_other_files_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
