/* k3x check-config: machines that lack something, as trees of files, and what is said of them. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "tools/check/check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct checks c;

static void put(const char *path, const char *text)
{
	char whole[256];
	snprintf(whole, sizeof whole, "%s%s", root, path);
	for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(whole, 0755);
		*slash = '/';
	}
	FILE *f = fopen(whole, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A machine that has all. */
static int setup(void **state)
{
	static const char *const spaces[] = {"mnt", "net", "pid", "ipc", "uts"};
	char path[64];
	snprintf(root, sizeof root, "/tmp/k3x-check-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	c = (struct checks){.root = root, .data_dir = "/tmp"};
	put("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
	for (size_t i = 0; i < COUNT_OF(spaces); i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", spaces[i]);
		put(path, "");
	}
	put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
	put("/proc/filesystems", "nodev\tsysfs\n\text4\n");
	put("/lib/modules/6.1.0-18-amd64/modules.builtin",
	        "kernel/fs/ext4/ext4.ko\nkernel/net/netfilter/nf_tables.ko\n");
	put("/lib/modules/6.1.0-18-amd64/modules.dep",
	        "kernel/fs/overlayfs/overlay.ko.xz:\nkernel/net/netfilter/nf_conntrack.ko.xz: "
	        "kernel/lib/libcrc32c.ko.xz\n"
	        "kernel/drivers/net/veth.ko.xz:\nkernel/net/bridge/bridge.ko.xz: kernel/net/802/stp.ko.xz\n"
	        "kernel/net/bridge/br_netfilter.ko.xz: "
	        "kernel/net/bridge/bridge.ko.xz\nkernel/drivers/net/vxlan/vxlan.ko.xz:\n");
	put("/proc/sys/fs/inotify/max_user_instances", "128\n");
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	arena_release(&c.arena);
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command);
}

static const struct check_line *line_of(const char *name)
{
	for (size_t i = 0; i < c.count; i++)
		if (strcmp(c.lines[i].name, name) == 0)
			return &c.lines[i];
	fail_msg("no line about %s", name);
	return NULL;
}

static void is(const char *name, enum check_level level, const char *text, const char *mend)
{
	const struct check_line *l = line_of(name);
	if (l->level != level || !strstr(l->text, text) || (mend && (!l->mend || !strstr(l->mend, mend))))
		fail_msg("%s: %d, %s, %s", name, l->level, l->text, l->mend ? l->mend : "no mend");
}

static void a_machine_that_has_all_is_as_it_should_be(void **state)
{
	check_kernel(&c);
	for (size_t i = 0; i < c.count; i++)
		if (c.lines[i].level != CHECK_OK)
			fail_msg("%s: %s", c.lines[i].name, c.lines[i].text);
	is("nf_tables", CHECK_OK, "there", NULL);
	is("overlay", CHECK_OK, "not loaded yet", NULL);
}

static void an_old_kernel_is_told(void **state)
{
	put("/proc/sys/kernel/osrelease", "4.19.0\n");
	check_kernel(&c);
	is("kernel", CHECK_FAIL, "4.19 is older than 5.4", "newer kernel");
}

static void a_board_without_the_memory_controller_is_told_what_to_write_where(void **state)
{
	put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n");
	check_kernel(&c);
	is("cgroups", CHECK_FAIL, "v2, without memory", "cmdline.txt");
}

static void the_old_cgroups_are_looked_at_row_by_row(void **state)
{
	char path[128];
	snprintf(path, sizeof path, "%s/sys/fs/cgroup/cgroup.controllers", root);
	unlink(path);
	put("/sys/fs/cgroup/memory/tasks", "");
	put("/proc/cgroups",
	        "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t9\t1\t1\ncpu\t2\t1\t1\nmemory\t3\t1\t1\n"
	        "devices\t4\t1\t1\nfreezer\t5\t1\t1\npids\t0\t1\t1\n");
	check_kernel(&c);
	is("cgroups", CHECK_FAIL, "v1, without pids", "controllers");
}

static void a_machine_without_any_is_told_to_mount_them(void **state)
{
	char path[128];
	snprintf(path, sizeof path, "%s/sys/fs/cgroup/cgroup.controllers", root);
	unlink(path);
	check_kernel(&c);
	is("cgroups", CHECK_FAIL, "nothing is mounted", "mount them");
}

static void a_module_that_is_nowhere_is_missing(void **state)
{
	put("/lib/modules/6.1.0-18-amd64/modules.dep", "kernel/net/bridge/bridge.ko.xz:\nkernel/x/xoverlay.ko:\n");
	check_kernel(&c);
	is("overlay", CHECK_FAIL, "neither built in nor in /lib/modules/6.1.0-18-amd64", "linux-modules-extra");
	is("vxlan", CHECK_WARN, "host-gw does without", NULL);
	is("bridge", CHECK_OK, "not loaded yet", NULL);
}

static void a_kernel_without_a_list_is_not_called_short_of_what_is_not_seen(void **state)
{
	char path[128];
	snprintf(path, sizeof path, "%s/lib/modules/6.1.0-18-amd64/modules.builtin", root);
	unlink(path);
	put("/lib/modules/6.1.0-18-amd64/modules.dep", "");
	check_kernel(&c);
	is("veth", CHECK_WARN, "not seen", NULL);
}

static void small_limits_are_told_with_the_command(void **state)
{
	put("/proc/sys/fs/inotify/max_user_instances", "8\n");
	check_kernel(&c);
	is("max_user_instances", CHECK_WARN, "8 is little", "sysctl -w fs/inotify/max_user_instances=128");
}

static void apparmor_without_its_parser_is_told(void **state)
{
	put("/sys/module/apparmor/parameters/enabled", "Y\n");
	check_programs(&c);
	is("apparmor", CHECK_FAIL, "no apparmor_parser", "apt-get install apparmor");
	is("runc", CHECK_FAIL, "not in PATH", "apt-get install runc");
	is("CNI plugins", CHECK_FAIL, "neither in", "containernetworking-plugins");
}

static void half_of_the_plugins_are_not_enough(void **state)
{
	put("/usr/lib/cni/bridge", "");
	put("/usr/lib/cni/loopback", "");
	check_programs(&c);
	is("CNI plugins", CHECK_FAIL, "has no host-local", NULL);
}

static void a_port_is_taken_by_who_listens_and_not_by_who_talks(void **state)
{
	uint64_t inode;
	put("/proc/net/tcp",
	        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	        "   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 "
	        "100 0\n"
	        "   1: 0100007F:2742 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 12346 1 0 "
	        "100 0\n");
	put("/proc/net/udp6",
	        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	        "   0: 00000000000000000000000000000000:2118 00000000000000000000000000000000:0000 07 "
	        "00000000:00000000 00:00000000 "
	        "00000000     0        0 777 2 0\n");
	assert_true(check_port_taken(&c, false, 6443, &inode));
	assert_int_equal(inode, 12345);
	assert_false(check_port_taken(&c, false, 10050, &inode));
	assert_true(check_port_taken(&c, true, 8472, &inode));
	assert_int_equal(inode, 777);
	assert_false(check_port_taken(&c, true, 6443, &inode));
	check_machine(&c);
	is("port", CHECK_FAIL, "6443 is taken (for the API", "--https-listen-port");
}

static void a_host_name_must_name_a_node(void **state)
{
	put("/proc/sys/kernel/hostname", "my_board\n");
	check_machine(&c);
	is("host name", CHECK_FAIL, "\"my_board\" names no node", "--node-name");
}

static void slow_disks_are_told(void **state)
{
	const char *mend;
	assert_int_equal(check_sync_level(900, 5000, &mend), CHECK_OK);
	assert_int_equal(check_sync_level(11000, 20000, &mend), CHECK_WARN);
	assert_int_equal(check_sync_level(900, 150000, &mend), CHECK_WARN);
	assert_int_equal(check_sync_level(150000, 300000, &mend), CHECK_FAIL);
	assert_non_null(strstr(mend, "SSD"));
}

static void a_folder_that_cannot_be_written_is_told(void **state)
{
	c.data_dir = "/proc/k3x";
	check_machine(&c);
	is("disk speed", CHECK_FAIL, "/proc can't be written", NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_machine_that_has_all_is_as_it_should_be),
	        TEST(an_old_kernel_is_told),
	        TEST(a_board_without_the_memory_controller_is_told_what_to_write_where),
	        TEST(the_old_cgroups_are_looked_at_row_by_row),
	        TEST(a_machine_without_any_is_told_to_mount_them),
	        TEST(a_module_that_is_nowhere_is_missing),
	        TEST(a_kernel_without_a_list_is_not_called_short_of_what_is_not_seen),
	        TEST(small_limits_are_told_with_the_command),
	        TEST(apparmor_without_its_parser_is_told),
	        TEST(half_of_the_plugins_are_not_enough),
	        TEST(a_port_is_taken_by_who_listens_and_not_by_who_talks),
	        TEST(a_host_name_must_name_a_node),
	        TEST(slow_disks_are_told),
	        TEST(a_folder_that_cannot_be_written_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
