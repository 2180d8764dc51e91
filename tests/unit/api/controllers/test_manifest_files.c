/* Which files of a folder are manifests. */
#include "tests/unit/faults.h"
#include "tests/unit/unit_json.h"

#include "api/controllers/manifest.h"
#include "api/controllers/manifest_files.h"
#include "base/limits.h"

#include <errno.h>
#include <sys/stat.h>

static char dir[64];
static struct manifest_files found;

static int make_dir(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/k3x-manifests-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	arena_release(&a);
	return system(command);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(arena_printf(&a, "%s/%s", dir, name), "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void folder(const char *name)
{
	assert_int_equal(mkdir(arena_printf(&a, "%s/%s", dir, name), 0755), 0);
}

static void scan(void)
{
	struct err err = ERR_INIT;
	assert_int_equal(manifest_files_scan(&a, dir, &found, &err), 0);
}

static const char *names(void)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < found.count; i++)
		strbuf_addf(&b, "%s%.*s", i ? " " : "", SLICE_FMT(found.files[i].path));
	const char *text = arena_strdup(&a, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

static void manifests_of_all_folders_in_order(void **state)
{
	folder("sub");
	folder("sub/deep");
	folder(".hidden");
	put("b.yaml", ""), put("a.json", ""), put("sub/c.yml", ""), put("sub/deep/d.yaml", "");
	put("README", ""), put(".e.yaml", ""), put(".hidden/f.yaml", "");
	scan();
	assert_string_equal(names(), "a.json b.yaml sub/c.yml sub/deep/d.yaml");
	assert_int_equal(found.n_folders, 3);
	assert_false(found.is_cut);
}

static void skipped_ones_are_left_out(void **state)
{
	folder("sub");
	put("a.yaml", ""), put("a.yaml.skip", ""), put("b.yaml", ""), put("sub/a.yaml", "");
	scan();
	assert_string_equal(names(), "b.yaml sub/a.yaml");
}

static void the_first_has_the_name(void **state)
{
	folder("sub");
	put("web.yaml", ""), put("sub/web.yaml", "");
	scan();
	assert_string_equal(names(), "sub/web.yaml web.yaml");
	assert_int_equal(found.files[0].shadowed_by.len, 0);
	assert_true(slice_is(found.files[1].shadowed_by, "sub/web.yaml"));
}

static void a_stamp_changes_with_the_file(void **state)
{
	put("a.yaml", "x");
	scan();
	uint64_t before = found.files[0].stamp;
	scan();
	assert_true(found.files[0].stamp == before);
	put("new", "y");
	assert_int_equal(rename(arena_printf(&a, "%s/new", dir), arena_printf(&a, "%s/a.yaml", dir)),
	        0); /* same size, same second */
	scan();
	assert_true(found.files[0].stamp != before);
}

static void circles_and_depths_end(void **state)
{
	char path[256] = "d";
	assert_int_equal(symlink(".", arena_printf(&a, "%s/self", dir)), 0);
	put("a.yaml", "");
	for (int i = 0; i < MANIFEST_FOLDER_DEPTH_MAX + 2; i++) {
		folder(path);
		strncat(path, "/d", sizeof path - strlen(path) - 1);
	}
	scan();
	assert_true(found.is_cut);
	assert_true(slice_is(found.files[0].path, "a.yaml"));
	assert_true(found.n_folders <= MANIFEST_FOLDERS_MAX);
}

static void what_is_no_folder_is_an_error(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(manifest_files_scan(&a, "/nonexistent", &found, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "/nonexistent"));
}

static int read_one(struct err *err)
{
	struct manifest m;
	struct arena own = ARENA_INIT;
	char path[128];
	snprintf(path, sizeof path, "%s/a.yaml", dir);
	int rc = manifest_read(&own, path, &m, err);
	assert_true(rc != 0 || m.count == 1);
	arena_release(&own);
	return rc;
}

static int scan_once(struct err *err)
{
	struct arena own = ARENA_INIT;
	int rc = manifest_files_scan(&own, dir, &found, err);
	arena_release(&own);
	return rc;
}

static void what_cannot_be_read_is_told(void **state)
{
	static const struct fault_plan reading = {.kinds = FAULT_OPEN | FAULT_READ, .error = EIO, .run = read_one},
	                               scanning = {.kinds = FAULT_OPEN, .error = EMFILE, .run = scan_once};
	put("a.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n");
	assert_true(faults_try_all(&reading) >= 2);
	assert_true(faults_try_all(&scanning) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(manifests_of_all_folders_in_order, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(skipped_ones_are_left_out, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(the_first_has_the_name, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(a_stamp_changes_with_the_file, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(circles_and_depths_end, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_told, make_dir, remove_dir),
	        cmocka_unit_test_teardown(what_is_no_folder_is_an_error, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
