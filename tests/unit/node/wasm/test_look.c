/* What of a pod is a module, and whose a pod is. */
#include "tests/unit/unit.h"

#include "node/wasm/wasm_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char entry[] = "/entry", from_image[] = "/command";

static void a_container_goes_before_its_image(void **state)
{
	char *entrypoint[] = {entry}, *command[] = {from_image};
	struct module_image all = {
	        .entrypoint = entrypoint, .entrypoint_count = 1, .command = command, .command_count = 1};
	struct module_image no_entry = {.command = command, .command_count = 1}, none = {0};
	assert_string_equal(module_image_program(&all, "/mine", "arg"), "/mine");
	assert_string_equal(module_image_program(&all, "", "arg"), "/entry");
	assert_string_equal(module_image_program(&no_entry, "", "arg"), "arg");
	assert_string_equal(module_image_program(&no_entry, "", ""), "/command");
	assert_string_equal(module_image_program(&none, "", ""), "");
}

static void a_relative_program_is_in_the_images_folder(void **state)
{
	struct arena a = ARENA_INIT;
	struct module_image m = {.working_dir = "/app"};
	assert_string_equal(module_image_path(&m, &a, "x.wasm"), "/app/x.wasm");
	assert_string_equal(module_image_path(&m, &a, "/x.wasm"), "/x.wasm");
	arena_release(&a);
}

static int file_with(const char *bytes, size_t len)
{
	char path[] = "/tmp/k3x-unit-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0 && unlink(path) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
	return fd;
}

static void a_module_is_known_by_its_name_or_its_bytes(void **state)
{
	int module = file_with("\0asm\1\0\0\0", 8), program = file_with("\177ELF\2\1\1\0", 8), empty = file_with("", 0);
	assert_true(wasm_file_is_module(module, "/bin/server"));
	assert_true(wasm_file_is_module(program, "/broken.wasm"));
	assert_true(wasm_file_is_module(-1, "/absent.wasm"));
	assert_false(wasm_file_is_module(program, "/bin/server"));
	assert_false(wasm_file_is_module(empty, "/bin/server"));
	assert_false(wasm_file_is_module(-1, "sh"));
	close(module);
	close(program);
	close(empty);
}

static void pods_are_asked_for_by_class_or_annotation(void **state)
{
	assert_true(wasm_is_asked_for("wasm", SLICE("")));
	assert_true(wasm_is_asked_for("wasmedge", SLICE("")));
	assert_true(wasm_is_asked_for("", SLICE("compat")));
	assert_true(wasm_is_asked_for("", SLICE("compat-smart")));
	assert_false(wasm_is_asked_for("", SLICE("")));
	assert_false(wasm_is_asked_for("runc", SLICE("other")));
}

static void a_sandboxs_network_is_where_the_runtime_says(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(beside_network_path(&a,
	                            SLICE("{\"pid\":7,\"runtimeSpec\":{\"linux\":{\"namespaces\":[{\"type\":\"ipc\"},{"
	                                  "\"type\":\"network\",\"path\":\"/var/run/netns/cni-1\"}]}}}")),
	        "/var/run/netns/cni-1");
	assert_string_equal(
	        beside_network_path(
	                &a, SLICE("{\"pid\":7,\"runtimeSpec\":{\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}}}")),
	        "/proc/7/ns/net");
	assert_string_equal(beside_network_path(&a, SLICE("{\"pid\":0}")), "");
	assert_string_equal(beside_network_path(&a, SLICE("{\"runtimeSpec\":[]}")), "");
	assert_string_equal(beside_network_path(&a, SLICE("not json")), "");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_container_goes_before_its_image),
	        cmocka_unit_test(a_relative_program_is_in_the_images_folder),
	        cmocka_unit_test(a_module_is_known_by_its_name_or_its_bytes),
	        cmocka_unit_test(pods_are_asked_for_by_class_or_annotation),
	        cmocka_unit_test(a_sandboxs_network_is_where_the_runtime_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
