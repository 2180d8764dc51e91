/* What a container leaves behind: who it was, how it ended. */
#include "tests/unit/unit.h"

#include "base/file/file_dirs.h"
#include "node/ground/files.h"
#include "node/wasm/protocol/traces.h"

#include <sys/wait.h>

static char state_dir[64];

static int setup(void **state)
{
	struct err err = ERR_INIT;
	char path[128];
	snprintf(state_dir, sizeof state_dir, "/tmp/k3x-traces-%d", getpid());
	snprintf(path, sizeof path, "%s/containers/wasm-1", state_dir);
	return file_make_dirs(path, 0755, &err);
}

static int teardown(void **state)
{
	file_remove_tree(state_dir);
	return 0;
}

static void an_end_is_read_as_it_was_written(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct wasm_exit got, x = {137, 1795945840539780504, "two\nlines"};
	assert_int_equal(wasm_exit_read(&a, state_dir, "wasm-1", &got, &err), ERR_NOT_FOUND);
	err = ERR_INIT;
	assert_int_equal(wasm_exit_write(state_dir, "wasm-1", &x, &err), 0);
	assert_int_equal(wasm_exit_read(&a, state_dir, "wasm-1", &got, &err), 0);
	assert_true(got.code == 137 && got.finished_ns == x.finished_ns);
	assert_string_equal(got.message, x.message);
	arena_release(&a);
}

static void a_process_is_known_by_its_birth_too(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct wasm_process got, p = {getpid(), wasm_born_ticks(getpid()), 5, "wasm-box", "/logs/0.log"};
	assert_int_equal(wasm_process_write(state_dir, "wasm-1", &p, &err), 0);
	assert_int_equal(wasm_process_read(&a, state_dir, "wasm-1", &got, &err), 0);
	assert_string_equal(got.box, "wasm-box");
	assert_string_equal(got.log_path, "/logs/0.log");
	assert_true(wasm_is_alive(&got));
	got.born_ticks++; /* the number came again for another process */
	assert_false(wasm_is_alive(&got));
	arena_release(&a);
}

static void a_zombie_has_ended(void **state)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	WAIT_FOR(wasm_born_ticks(pid) == 0);
	waitpid(pid, NULL, 0);
	assert_int_equal(wasm_born_ticks(pid), 0);
}

static void a_broken_trace_is_told(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct wasm_exit x;
	const char *path = wasm_container_path(&a, state_dir, "wasm-1", "exit");
	assert_int_equal(file_write(path, SLICE("many things"), 0600, &err), 0);
	assert_int_equal(wasm_exit_read(&a, state_dir, "wasm-1", &x, &err), ERR_CORRUPT);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_end_is_read_as_it_was_written),
	        cmocka_unit_test(a_process_is_known_by_its_birth_too),
	        cmocka_unit_test(a_zombie_has_ended),
	        cmocka_unit_test(a_broken_trace_is_told),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
