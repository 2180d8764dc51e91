/* The image of the program that runs: here, of this test. What is in it is unpacked, and runs. */
#include "tests/unit/faults.h"
#include "tests/unit/unit_json.h"

#include "node/runtime/system_image.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64];

static int make_dir(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/k3x-image-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	return system(command);
}

static int remove_dir(void **state)
{
	arena_release(&a);
	return run("rm -rf %s", dir);
}

static const char *write_one(const char *name)
{
	struct err err = ERR_INIT;
	const char *path = arena_printf(&a, "%s/%s", dir, name);
	if (system_image_write(path, SYSTEM_IMAGE, &err) != 0)
		fail_msg("%s", err.msg);
	return path;
}

static const char *text_of(const char *name)
{
	char *text = arena_alloc(&a, 65536);
	FILE *f = fopen(arena_printf(&a, "%s/%s", dir, name), "re");
	if (!f)
		fail_msg("%s is not in it", name);
	text[fread(text, 1, 65535, f)] = 0;
	fclose(f);
	return text;
}

static const char *blob(const struct json *descriptor)
{
	struct slice digest = json_get_str(descriptor, "digest");
	assert_true(slice_starts(digest, "sha256:") && digest.len == 71);
	const char *name = arena_printf(&a, "blobs/sha256/%.*s", 64, digest.ptr + 7);
	struct stat st;
	assert_int_equal(stat(arena_printf(&a, "%s/%s", dir, name), &st), 0);
	assert_int_equal(st.st_size, json_get_int(descriptor, "size", -1));
	assert_int_equal(run("cd %s/blobs/sha256 && echo '%.64s  %.64s' | sha256sum --quiet -c", dir, digest.ptr + 7,
	                         digest.ptr + 7),
	        0);
	return name;
}

static void it_is_a_layout_whose_digests_are_right(void **state)
{
	assert_int_equal(run("tar -C %s -xf %s", dir, write_one("image.tar")), 0);
	assert_string_equal(text_of("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
	struct json *entry = json_at(json_get(parse(text_of("index.json")), "manifests"), 0);
	assert_true(
	        slice_is(json_str(json_path(entry, "annotations", "io.containerd.image.name", NULL)), SYSTEM_IMAGE));
	struct json *manifest = parse(text_of(blob(entry)));
	struct json *layer = json_at(json_get(manifest, "layers"), 0);
	struct json *config = parse(text_of(blob(json_get(manifest, "config"))));
	blob(layer);
	assert_true(slice_is(json_str(json_at(json_path(config, "config", "Entrypoint", NULL), 0)), "/bin/k3x"));
	assert_true(slice_eq(
	        json_str(json_at(json_path(config, "rootfs", "diff_ids", NULL), 0)), json_get_str(layer, "digest")));
}

static void the_same_files_are_the_same_bytes(void **state)
{
	const char *one = write_one("one.tar"), *other = write_one("other.tar");
	assert_int_equal(run("cmp %s %s", one, other), 0);
	const char *stamp = system_image_stamp(&a, SYSTEM_IMAGE);
	assert_true(slice_starts(slice_of(stamp), SYSTEM_IMAGE) && slice_ends(slice_of(stamp), "\n"));
	assert_string_equal(stamp, system_image_stamp(&a, SYSTEM_IMAGE));
}

/* In its own root it finds its loader and its libraries: it begins as far as to say that it was called wrongly. */
static void what_is_in_it_runs_alone(void **state)
{
	if (geteuid() != 0)
		skip(); /* chroot is root's */
	assert_int_equal(run("tar -C %s -xf %s", dir, write_one("image.tar")), 0);
	struct json *entry = json_at(json_get(parse(text_of("index.json")), "manifests"), 0);
	struct json *layer = json_at(json_get(parse(text_of(blob(entry))), "layers"), 0);
	assert_int_equal(run("mkdir %s/root && tar -C %s/root -xf %s/%s", dir, dir, dir, blob(layer)), 0);
	int status = run("K3X_TEST_RUNS_ALONE=1 chroot %s/root /bin/k3x", dir);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
	struct err err = ERR_INIT;
	assert_int_not_equal(system_image_write("/nonexistent/image.tar", SYSTEM_IMAGE, &err), 0);
	assert_non_null(strstr(err.msg, "/nonexistent/image.tar"));
}

static int write_and_remove(struct err *err)
{
	char path[128];
	snprintf(path, sizeof path, "%s/image.tar", dir);
	int rc = system_image_write(path, SYSTEM_IMAGE, err);
	assert_true((access(path, F_OK) == 0) == (rc == 0)); /* all of it or nothing */
	unlink(path);
	return rc;
}

static void whatever_fails_leaves_nothing_behind(void **state)
{
	static const struct fault_plan plan = {
	        .kinds = FAULT_OPEN | FAULT_READ | FAULT_WRITE, .error = EIO, .run = write_and_remove};
	assert_true(faults_try_all(&plan) > 10);
}

int main(void)
{
	if (getenv("K3X_TEST_RUNS_ALONE"))
		_exit(42); /* in a root of its own, where a sanitizer finds no /proc at its end */
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(it_is_a_layout_whose_digests_are_right, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(the_same_files_are_the_same_bytes, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(what_is_in_it_runs_alone, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(whatever_fails_leaves_nothing_behind, make_dir, remove_dir),
	        cmocka_unit_test_setup_teardown(a_place_that_cannot_be_written_is_named, make_dir, remove_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
