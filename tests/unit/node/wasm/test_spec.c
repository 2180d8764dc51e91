/* What a container's process is told, there and back; and what is refused. */
#include "tests/unit/unit.h"

#include "base/limits.h"
#include "node/wasm/protocol/spec.h"

static int read_text(struct arena *a, const char *text, struct wasm_spec *s)
{
	struct err err = ERR_INIT;
	return wasm_spec_read(a, slice_of(text), s, &err);
}

static void all_fields_come_back(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	const char *args[] = {"/m.wasm", "a \"quoted\" \n one", NULL}, *env[] = {"A=b=c", NULL};
	int64_t groups[] = {5, 4294967294};
	struct wasm_mount mounts[] = {{"/data", false}, {"/etc/hosts", true}};
	struct wasm_spec got, s = {.module = "/cache/m.so",
	                              .args = args,
	                              .args_count = 2,
	                              .env = env,
	                              .env_count = 1,
	                              .uid = 1000,
	                              .gid = 7,
	                              .groups = groups,
	                              .groups_count = 2,
	                              .memory_pages_max = 512,
	                              .oom_score_adj = -997,
	                              .has_network = true,
	                              .has_files = true,
	                              .is_root_read_only = true,
	                              .cgroups = 3,
	                              .mounts = mounts,
	                              .mounts_count = 2};
	wasm_spec_write(&b, &s);
	assert_int_equal(wasm_spec_read(&a, strbuf_slice(&b), &got, &err), 0);
	assert_string_equal(got.module, s.module);
	assert_int_equal(got.args_count, 2);
	assert_string_equal(got.args[1], args[1]);
	assert_null(got.args[2]);
	assert_string_equal(got.env[0], env[0]);
	assert_true(got.uid == 1000 && got.gid == 7 && got.groups_count == 2 && got.groups[1] == groups[1]);
	assert_true(got.memory_pages_max == 512 && got.oom_score_adj == -997);
	assert_true(got.has_network && got.has_files && got.is_root_read_only);
	assert_true(got.mounts_count == 2 && got.mounts[1].is_file && !got.mounts[0].is_file);
	assert_int_equal(wasm_spec_descriptors(&got), 7);
	strbuf_release(&b);
	arena_release(&a);
}

static void what_would_make_root_or_leave_the_root_is_refused(void **state)
{
	struct arena a = ARENA_INIT;
	struct wasm_spec s;
	assert_int_equal(read_text(&a, "{\"module\":\"/m\",\"uid\":1,\"gid\":1}", &s), 0);
	assert_int_equal(read_text(&a, "{\"module\":\"/m\"}", &s), ERR_CORRUPT); /* no user is not root */
	assert_int_equal(read_text(&a, "{\"module\":\"/m\",\"uid\":-1,\"gid\":1}", &s), ERR_CORRUPT);
	assert_int_equal(read_text(&a, "{\"module\":\"/m\",\"uid\":4294967295,\"gid\":1}", &s), ERR_CORRUPT);
	assert_int_equal(read_text(&a, "{\"module\":\"/m\",\"uid\":1,\"gid\":1,\"groups\":[\"x\"]}", &s), ERR_CORRUPT);
	assert_int_equal(read_text(&a, "{\"module\":\"m\",\"uid\":1,\"gid\":1}", &s), ERR_CORRUPT);
	assert_int_equal(
	        read_text(&a, "{\"module\":\"/m\",\"uid\":1,\"gid\":1,\"mounts\":[{\"to\":\"x\"}]}", &s), ERR_CORRUPT);
	arena_release(&a);
}

static void more_descriptors_than_the_kernel_passes_are_refused(void **state)
{
	struct arena a = ARENA_INIT;
	struct wasm_spec s;
	char *text = arena_printf(
	        &a, "{\"module\":\"/m\",\"uid\":1,\"gid\":1,\"hasNetwork\":true,\"cgroups\":%d}", WASM_DESCRIPTORS_MAX);
	assert_int_equal(read_text(&a, text, &s), ERR_CORRUPT);
	assert_int_equal(read_text(&a, "{\"module\":\"/m\",\"uid\":1,\"gid\":1,\"cgroups\":-1}", &s), ERR_CORRUPT);
	assert_int_equal(read_text(&a, "not json", &s), ERR_CORRUPT);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_fields_come_back),
	        cmocka_unit_test(what_would_make_root_or_leave_the_root_is_refused),
	        cmocka_unit_test(more_descriptors_than_the_kernel_passes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
