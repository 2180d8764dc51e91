/* Manifests of a folder: what is a pod, and which running pods are not wanted any more. */
#include "tests/unit/unit.h"

#include "node/ground/files.h"
#include "node/pods/static_scan_int.h"

#include <sys/resource.h>
#include <unistd.h>

static char dir[] = "/tmp/k3x-static-XXXXXX";
static struct static_folder folder;

static int setup(void **state)
{
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static_folder_release(&folder);
	file_remove_tree(dir);
	return 0;
}

static void put(const char *name, const char *text)
{
	char path[200];
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(file_write(path, slice_of(text), 0644, &err), 0);
}

static void read_it(void)
{
	static_folder_release(&folder);
	static_folder_read(dir, "node1", &folder);
}

#define POD "kind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: c, image: x}]\n"

static void a_manifest_is_completed(void **state)
{
	put("web.yaml", POD);
	read_it();
	assert_int_equal(folder.count, 1);
	const struct static_file *f = &folder.files[0];
	assert_string_equal(f->pod, "web-node1");
	assert_string_equal(f->ns, "default");
	assert_int_equal(strlen(f->uid), 32);
	struct json *o = json_parse(&folder.arena, (struct slice){f->object->data, f->object->len}, NULL, NULL);
	assert_true(slice_is(json_str(json_path(o, "spec", "nodeName", NULL)), "node1"));
	assert_true(slice_is(json_str(json_path(o, "spec", "restartPolicy", NULL)), "Always"));
}

static void what_is_no_pod_says_why(void **state)
{
	static const char *const texts[] = {"", "kind: Service\n", "kind: Pod\nmetadata: {name: x}\n", "{[",
	        "kind: Pod\nmetadata: {name: {}}\nspec: {containers: [{name: c}]}\n",
	        "kind: Pod\nmetadata: {name: x}\nspec: {containers: c}\n",
	        "kind: Pod\nmetadata: {name: x}\nspec: {containers: [c]}\n",
	        "kind: Pod\nmetadata: {name: x, annotations: 1}\nspec: {containers: [{name: c}]}\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put("a.yaml", texts[i]);
		read_it();
		assert_int_equal(folder.count, 1);
		assert_null(folder.files[0].uid);
		assert_non_null(folder.files[0].error);
	}
}

static void a_pod_goes_with_its_file_and_with_its_text(void **state)
{
	char uid[40];
	put("web.yaml", POD);
	read_it();
	snprintf(uid, sizeof uid, "%s", folder.files[0].uid);
	assert_false(static_pod_is_unwanted(&folder, "web.yaml", uid));
	put("web.yaml", POD "# edited\n");
	read_it();
	assert_true(static_pod_is_unwanted(&folder, "web.yaml", uid));
	char path[200];
	snprintf(path, sizeof path, "%s/web.yaml", dir);
	unlink(path);
	read_it();
	assert_true(static_pod_is_unwanted(&folder, "web.yaml", uid));
}

static void a_file_that_is_half_written_stops_nothing(void **state)
{
	put("web.yaml", "kind: Po");
	read_it();
	assert_false(static_pod_is_unwanted(&folder, "web.yaml", "uid"));
	assert_true(static_pod_is_unwanted(&folder, "other.yaml", "uid"));
}

/* With no descriptor left neither the folder nor a file can be opened. */
static void without_descriptors_nothing_stops(void **state)
{
	struct rlimit before, none;
	put("web.yaml", POD);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t spare = 0; spare < 2; spare++) {
		int lowest = dup(0);
		close(lowest);
		none = (struct rlimit){(rlim_t)lowest + spare, before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		read_it();
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_true(folder.err.code || (folder.count == 1 && !folder.files[0].uid));
		assert_false(static_pod_is_unwanted(&folder, "web.yaml", "uid"));
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_manifest_is_completed),
	        T(what_is_no_pod_says_why),
	        T(a_pod_goes_with_its_file_and_with_its_text),
	        T(a_file_that_is_half_written_stops_nothing),
	        T(without_descriptors_nothing_stops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
