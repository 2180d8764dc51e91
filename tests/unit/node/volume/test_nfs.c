/* nfs volumes: what is mounted with which words, and which mounts are a pod's. */
#include "node/volume/nfs.h"
#include "node/ground/mount_table.h"

#include "tests/unit/unit.h"

static struct arena a;

static int setup(void **state)
{
	a = ARENA_INIT;
	return 0;
}

static int teardown(void **state)
{
	arena_release(&a);
	return 0;
}

static const char *words(const char *nfs, const char *pv, bool is_read_only)
{
	const char *argv[NFS_ARGV_MAX], *text = "";
	struct nfs_source s;
	nfs_source_read(&a, json_parse(&a, slice_of(nfs), NULL, NULL),
	        pv ? json_parse(&a, slice_of(pv), NULL, NULL) : NULL, is_read_only, &s);
	nfs_mount_argv(&s, "/dir", argv);
	for (size_t i = 0; argv[i]; i++)
		text = arena_printf(&a, "%s%s%s", text, i ? " " : "", argv[i]);
	return text;
}

#define NFS(server) "{\"server\":\"" server "\",\"path\":\"/e x\"}"

static void servers_are_named_as_mount_takes_them(void **state)
{
	assert_string_equal(words(NFS("10.0.0.1"), NULL, false), "mount -t nfs 10.0.0.1:/e x /dir");
	assert_string_equal(words(NFS("nas.example"), NULL, true), "mount -t nfs -o ro nas.example:/e x /dir");
	assert_string_equal(words(NFS("fd00::1"), NULL, false), "mount -t nfs [fd00::1]:/e x /dir");
}

static void options_come_in_order_and_once(void **state)
{
	assert_string_equal(
	        words(NFS("h"), "{\"spec\":{\"mountOptions\":[\"soft\",\"nfsvers=4.1\",\"\",\"soft\"]}}", true),
	        "mount -t nfs -o nfsvers=4.1,ro,soft h:/e x /dir");
	assert_string_equal(
	        words(NFS("h"),
	                "{\"metadata\":{\"annotations\":{\"volume.beta.kubernetes.io/mount-options\":\"hard,,bg\"}},"
	                "\"spec\":{\"mountOptions\":[\"soft\"]}}",
	                false),
	        "mount -t nfs -o bg,hard h:/e x /dir"); /* the annotation goes first */
	assert_string_equal(words(NFS("h"), "{\"spec\":{}}", false), "mount -t nfs h:/e x /dir");
}

static void a_mount_is_undone_more_and_more_rudely(void **state)
{
	assert_null(nfs_unmount_step(0)->option);
	assert_int_equal(nfs_unmount_step(0)->limit_ms, 60000); /* upstream's */
	assert_string_equal(nfs_unmount_step(1)->option, "-f");
	assert_string_equal(nfs_unmount_step(2)->option, "-l");
	assert_null(nfs_unmount_step(3));
}

static void places_of_nfs_volumes_are_known_by_their_path(void **state)
{
	assert_true(nfs_is_path(SLICE("/d/pods/u/volumes/kubernetes.io~nfs/v")));
	assert_false(nfs_is_path(SLICE("/d/pods/u/volumes/kubernetes.io~nfs/v/below")));
	assert_false(nfs_is_path(SLICE("/d/pods/u/volumes/kubernetes.io~nfs/")));
	assert_false(nfs_is_path(SLICE("/d/pods/u/volumes/kubernetes.io~csi/v")));
}

#define POD "/d/pods/u"
static const char table[] = "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
                            "30 20 0:50 / " POD "/volumes/kubernetes.io~nfs/a rw - nfs4 h:/a rw\n"
                            "31 20 0:51 / " POD "/volumes/kubernetes.io~empty-dir/m rw - tmpfs tmpfs rw\n"
                            "32 20 0:50 /sub " POD "/volume-subpaths/c/0 rw - nfs4 h:/a rw\n"
                            "33 20 0:51 /x " POD "/volume-subpaths/c/1 rw - tmpfs tmpfs rw\n"
                            "34 20 0:50 / /d/pods/other/volumes/kubernetes.io~nfs/a rw - nfs4 h:/a rw\n"
                            "35 20 0:50 / " POD "/volumes/kubernetes.io~csi/p/mount rw - nfs4 h:/a rw\n"
                            "36 20 0:52 / " POD "/volumes/kubernetes.io~nfs/b rw - nfs4 h:/b rw\n";

static void what_is_mounted_is_seen(void **state)
{
	assert_true(mount_count(SLICE(table), POD "/volumes/kubernetes.io~nfs/b"));
	assert_false(mount_count(SLICE(table), POD "/volumes/kubernetes.io~nfs"));
	assert_false(mount_count(SLICE(""), "/"));
}

/* A sub-path holds the server too; what is a driver's, another pod's or of this machine is left alone. */
static void all_of_a_pods_servers_is_found_newest_first(void **state)
{
	const char *const *points;
	assert_int_equal(nfs_points_below(&a, SLICE(table), POD, &points), 3);
	assert_string_equal(points[0], POD "/volumes/kubernetes.io~nfs/b");
	assert_string_equal(points[1], POD "/volume-subpaths/c/0");
	assert_string_equal(points[2], POD "/volumes/kubernetes.io~nfs/a");
	assert_int_equal(nfs_points_below(&a, SLICE(table), "/d/pods/nobody", &points), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(servers_are_named_as_mount_takes_them, setup, teardown),
	        cmocka_unit_test_setup_teardown(options_come_in_order_and_once, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_mount_is_undone_more_and_more_rudely, setup, teardown),
	        cmocka_unit_test_setup_teardown(places_of_nfs_volumes_are_known_by_their_path, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_is_mounted_is_seen, setup, teardown),
	        cmocka_unit_test_setup_teardown(all_of_a_pods_servers_is_found_newest_first, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
