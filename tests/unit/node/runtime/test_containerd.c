/* Starting containerd: what is refused before anything is begun. */
#include "tests/unit/unit.h"

#include "node/runtime/containerd.h"

#include <dirent.h>

static unsigned descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void is_refused(const char *state_dir, const char *endpoint, const char *flag)
{
	struct containerd_options o = {.root_dir = "/nonexistent/root",
	        .state_dir = state_dir,
	        .config_dir = "/nonexistent/etc",
	        .pause_image = "pause",
	        .endpoint = endpoint};
	struct containerd *c;
	struct err err = ERR_INIT;
	unsigned before = descriptors();
	assert_int_equal(containerd_new(&o, &c, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, flag));
	assert_int_equal(descriptors(), before);
}

static void a_socket_path_longer_than_the_kernels_limit_is_refused_by_name(void **state)
{
	char dir[128] = "/", endpoint[160];
	for (size_t i = 1; i < 90; i++)
		dir[i] = 'd';
	is_refused(dir, NULL, "--data-dir"); /* 90 + /containerd.sock + .ttrpc */
	snprintf(endpoint, sizeof endpoint, "unix://%s/0123456789abcdefg", dir);
	is_refused("/x", endpoint, "--container-runtime-endpoint");
	is_refused("/x", "unix://", "names no socket");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_socket_path_longer_than_the_kernels_limit_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
