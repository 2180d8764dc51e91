/* The machine's nodes of memory from a folder as sysfs has it. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "node/ground/files.h"
#include "node/numa/numa.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-numa-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	file_remove_tree(folder);
	return 0;
}

static void put(const char *name, const char *text)
{
	char path[256], *slash;
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	slash = strrchr(path, '/');
	*slash = 0;
	assert_int_equal(file_make_dirs(path, 0755, &err), 0);
	*slash = '/';
	assert_int_equal(file_write(path, slice_of(text), 0644, &err), 0);
}

static void nodes_are_as_sysfs_has_them(void **state)
{
	struct numa n;
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	put("node/online", "0,2\n");
	put("node/node0/cpulist", "0-1,4\n");
	put("node/node0/meminfo", "Node 0 MemTotal:       2048 kB\nNode 0 MemFree: 1 kB\n");
	put("node/node0/hugepages/hugepages-2048kB/nr_hugepages", "3\n");
	put("node/node2/cpulist", "2-3\n");
	put("node/node2/meminfo", "Node 2 MemTotal:       1024 kB\n");
	assert_int_equal(numa_read(folder, &n, &err), 0);
	assert_int_equal(n.count, 2);
	assert_int_equal(n.list[0].memory_bytes, 2 << 20);
	assert_int_equal(n.list[0].pages_count, 1);
	assert_string_equal(n.list[0].pages[0].resource, "hugepages-2Mi");
	assert_int_equal(n.list[0].pages[0].bytes, 6 << 20);
	assert_int_equal(n.list[1].id, 2);
	assert_int_equal(n.list[1].memory_bytes, 1 << 20);
	assert_int_equal(numa_all(&n), 5);
	assert_int_equal(numa_of_cpu(&n, 4), 1);
	assert_int_equal(numa_of_cpu(&n, 3), 4);
	assert_int_equal(numa_of_cpu(&n, 9), 0);
	struct cpu_set cpus = numa_cpus(&n, 4);
	assert_string_equal(cpu_set_text(&cpus, &a), "2-3");
	arena_release(&a);
}

static void a_kernel_without_nodes_has_one(void **state)
{
	struct numa n;
	struct err err = ERR_INIT;
	put("cpu/online", "0-3\n");
	assert_int_equal(numa_read(folder, &n, &err), 0);
	assert_int_equal(n.count, 1);
	assert_int_equal(cpu_set_count(&n.list[0].cpus), 4);
	assert_true(n.list[0].memory_bytes > 0);
}

static void what_cannot_be_read_is_told(void **state)
{
	struct numa n;
	struct err err = ERR_INIT;
	assert_int_equal(numa_read(folder, &n, &err), ERR_IO);
	err = (struct err)ERR_INIT;
	put("node/online", "0-1\n");
	put("node/node0/cpulist", "0\n");
	assert_int_equal(numa_read(folder, &n, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "node1/cpulist"));
	err = (struct err)ERR_INIT;
	put("node/online", "0,64\n");
	assert_int_equal(numa_read(folder, &n, &err), ERR_IO);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(nodes_are_as_sysfs_has_them), T(a_kernel_without_nodes_has_one), T(what_cannot_be_read_is_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
