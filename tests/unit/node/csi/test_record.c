/* What is remembered of volumes on disk: node/csi/record.c. */
#include "tests/unit/unit.h"

#include "base/file/file_dirs.h"
#include "node/csi/record_int.h"
#include "node/ground/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int make_root(void **state)
{
	snprintf(root, sizeof root, "/tmp/k3x-test-record-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	file_remove_tree(root);
	return 0;
}

static const struct csi_record
        staged = {.driver = "csi.test", .handle = "disk/1", .name = "pv-1", .attachment = "csi-1"},
        used = {.driver = "csi.test", .handle = "disk/1", .name = "pv-1", .uid = "u-1"},
        device = {.driver = "csi.test", .handle = "dev", .name = "pv-2", .is_block = true},
        device_used = {.driver = "csi.test", .handle = "dev", .name = "pv-2", .uid = "u-2", .is_block = true},
        inline_used = {.driver = "csi.test", .handle = "csi-2", .name = "scratch", .uid = "u-1", .is_inline = true};

static void paths_are_upstreams(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(record_staging_path(&a, "/r", &used),
	        "/r/plugins/kubernetes.io/csi/csi.test/"
	        "0fafd67bf5dc8cc3df67ef672be53903ebba716503b7f653b6e842da0be08f6c/globalmount");
	assert_string_equal(record_publish_path(&a, "/r", &used), "/r/pods/u-1/volumes/kubernetes.io~csi/pv-1/mount");
	assert_string_equal(
	        record_staging_path(&a, "/r", &device_used), "/r/plugins/kubernetes.io/csi/volumeDevices/staging/pv-2");
	assert_string_equal(record_publish_path(&a, "/r", &device_used),
	        "/r/plugins/kubernetes.io/csi/volumeDevices/publish/pv-2/u-2");
	arena_release(&a);
}

struct found {
	size_t staged, used, devices, device_uses, inlines;
};

static void count(void *arg, const struct csi_record *r)
{
	struct found *f = arg;
	assert_string_equal(r->driver, "csi.test");
	assert_false(r->is_mounted);
	if (r->is_block)
		(*(r->uid ? &f->device_uses : &f->devices))++;
	else if (r->is_inline)
		f->inlines++;
	else
		(*(r->uid ? &f->used : &f->staged))++;
	if (r->uid && strcmp(r->uid, "u-1") == 0 && !r->is_inline)
		assert_string_equal(r->handle, "disk/1");
	if (!r->uid && !r->is_block)
		assert_string_equal(r->attachment, "csi-1");
}

static struct found walk(void)
{
	struct found f = {0};
	record_walk(root, count, &f);
	return f;
}

static void what_was_written_is_found_and_can_be_removed(void **state)
{
	const struct csi_record *all[] = {&staged, &used, &device, &device_used, &inline_used};
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(record_write(root, all[i], &err), 0);
	for (size_t i = 0; i < 5; i++) /* again, as after a crash */
		assert_int_equal(record_write(root, all[i], &err), 0);
	assert_int_equal(access(record_staging_path(&a, root, &staged), F_OK), 0);
	struct found f = walk();
	assert_true(f.staged == 1 && f.used == 1 && f.devices == 1 && f.device_uses == 1 && f.inlines == 1);
	for (int i = 4; i >= 0; i--) {
		assert_int_equal(record_remove(root, all[i], &err), 0);
		assert_int_equal(record_remove(root, all[i], &err), 0);
	}
	f = walk();
	assert_true(!f.staged && !f.used && !f.devices && !f.device_uses && !f.inlines);
	assert_int_not_equal(access(arena_printf(&a, "%s/pods/u-1", root), F_OK), 0);
	assert_int_not_equal(access(arena_printf(&a, "%s/pods/u-2", root), F_OK), 0);
	arena_release(&a);
}

static void what_a_driver_has_left_keeps_the_record(void **state)
{
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	const char *path = record_publish_path(&a, root, &used);
	assert_int_equal(record_write(root, &used, &err), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_write(arena_printf(&a, "%s/data", path), SLICE("x"), 0600, &err), 0);
	assert_int_not_equal(record_remove(root, &used, &err), 0);
	assert_int_equal(walk().used, 1);
	unlink(arena_printf(&a, "%s/data", path));
	assert_int_equal(record_remove(root, &used, &err), 0);
	arena_release(&a);
}

static void what_is_no_record_is_left(void **state)
{
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	const char *dir = arena_printf(&a, "%s/pods/u-3/volumes/kubernetes.io~csi/pv", root);
	assert_int_equal(file_make_dirs(dir, 0700, &err), 0);
	assert_int_equal(file_write(arena_printf(&a, "%s/vol_data.json", dir), SLICE("{"), 0600, &err), 0);
	assert_int_equal(walk().used, 0);
	struct csi_record r;
	assert_int_not_equal(record_read(SLICE("{}"), &a, &r, &err), 0);
	err = ERR_INIT;
	assert_int_not_equal(record_read(SLICE("{\"driverName\":\"../x\",\"volumeHandle\":\"1\"}"), &a, &r, &err), 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(paths_are_upstreams),
	        cmocka_unit_test(what_was_written_is_found_and_can_be_removed),
	        cmocka_unit_test(what_a_driver_has_left_keeps_the_record),
	        cmocka_unit_test(what_is_no_record_is_left),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
