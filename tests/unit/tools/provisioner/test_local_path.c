/* Where volumes lie, and the objects of them. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "tools/provisioner/local_path.h"

static struct arena a;

static struct json *parse(const char *text)
{
	struct json *v = json_parse(&a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	return v;
}

static const char config[] =
        "{\"nodePathMap\":[{\"node\":\"DEFAULT_PATH_FOR_NON_LISTED_NODES\",\"paths\":[\"/var/data/\"]},"
        "{\"node\":\"big\",\"paths\":[\"/ssd\",\"/hdd\"]},{\"node\":\"none\",\"paths\":[]},"
        "{\"node\":\"bad\",\"paths\":[\"/a/../b\"]},{\"node\":\"root\",\"paths\":[\"/\"]}]}";

static void a_node_has_paths_of_its_own_or_the_default(void **state)
{
	static const struct {
		const char *node, *wanted, *base, *error;
	} rows[] = {{"any", "", "/var/data", NULL}, {"big", "/hdd", "/hdd", NULL},
	        {"big", "/tape", NULL, "config doesn't contain path /tape on node big"},
	        {"none", "", NULL, "no local path available on node none"}, {"bad", "", NULL, "is no absolute path"},
	        {"root", "", NULL, "is no absolute path"}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = ERR_INIT;
		const char *base = NULL;
		int rc = local_path_base(&a, parse(config), slice_of(rows[i].node), slice_of(rows[i].wanted),
		        SLICE("pvc-1"), &base, &err);
		assert_int_equal(rc == 0, rows[i].error == NULL);
		if (rows[i].base)
			assert_string_equal(base, rows[i].base);
		else
			assert_non_null(strstr(err.msg, rows[i].error));
	}
	struct err err = ERR_INIT;
	const char *base;
	assert_int_equal(
	        local_path_base(&a, parse("{\"nodePathMap\":[]}"), SLICE("n"), SLICE(""), SLICE("x"), &base, &err),
	        ERR_INVAL);
	assert_string_equal(
	        err.msg, "config doesn't contain node n, and no DEFAULT_PATH_FOR_NON_LISTED_NODES available");
	err = ERR_INIT;
	assert_int_equal(local_path_base(&a, parse("{\"sharedFileSystemPath\":\"/nfs\"}"), SLICE("n"), SLICE(""),
	                         SLICE("x"), &base, &err),
	        ERR_UNIMPLEMENTED);
	arena_release(&a);
}

static void patterns_name_folders_beneath_the_base(void **state)
{
	static const char claim[] = "{\"metadata\":{\"name\":\"c\",\"namespace\":\"ns\",\"labels\":{\"app\":\"db\"},"
	                            "\"annotations\":{\"up\":\"../..\",\"abs\":\"/etc\"}}}";
	static const struct {
		const char *pattern, *folder;
	} rows[] = {{"", "pvc-1_ns_c"}, {"{{ .PVC.Namespace }}/{{.PVC.Name}}", "ns/c"}, {"x-{{ .PVName }}", "x-pvc-1"},
	        {"{{ .PVC.Labels.app }}/data", "db/data"}, {"plain", "plain"}, {"{{ .PVC.Annotations.up }}", NULL},
	        {"{{ .PVC.Annotations.abs }}", NULL}, {"a/{{ .PVC.Labels.absent }}", NULL}, {"{{ .Values }}", NULL},
	        {"{{ .PVC.Name", NULL}, {"{{", NULL}, {"../{{ .PVC.Name }}", NULL}, {"/abs", NULL}, {"a\nb", NULL}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = ERR_INIT;
		const char *folder = NULL;
		int rc = local_path_folder(&a, slice_of(rows[i].pattern), "pvc-1", parse(claim), &folder, &err);
		if (rows[i].folder) {
			assert_int_equal(rc, 0);
			assert_string_equal(folder, rows[i].folder);
		} else {
			assert_int_equal(rc, ERR_INVAL);
			assert_non_null(strstr(err.msg, "pathPattern"));
		}
	}
	arena_release(&a);
}

static void helpers_run_our_program_or_the_scripts(void **state)
{
	struct local_path_job job = {.pod = "h",
	        .ns = "s",
	        .image = "i",
	        .for_key = "d/c",
	        .node = "n",
	        .base = "/b",
	        .folder = "f",
	        .size = 7};
	struct json *pod = local_path_helper(&a, &job), *spec = json_get(pod, "spec");
	struct json *container = json_at(json_get(spec, "containers"), 0);
	assert_true(slice_is(json_get_str(spec, "nodeName"), "n"));
	assert_true(slice_is(json_str(json_at(json_get(container, "args"), 1)), "setup"));
	assert_true(slice_is(json_str(json_at(json_get(container, "args"), 5)), "f"));
	assert_null(json_get(container, "command"));
	job.removes = true;
	job.scripts = "cm";
	spec = json_get(local_path_helper(&a, &job), "spec");
	container = json_at(json_get(spec, "containers"), 0);
	assert_true(slice_is(json_str(json_at(json_get(container, "command"), 1)), "/script/teardown"));
	assert_true(slice_is(json_str(json_at(json_get(container, "args"), 1)), "/b/f"));
	assert_true(
	        slice_is(json_str(json_path(json_at(json_get(spec, "volumes"), 1), "configMap", "name", NULL)), "cm"));
	arena_release(&a);
}

static void a_volume_is_tied_to_its_node(void **state)
{
	static const char claim[] =
	        "{\"metadata\":{\"name\":\"c\",\"namespace\":\"ns\",\"uid\":\"u\"%s},\"spec\":{\"accessModes\":["
	        "\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}";
	char text[512];
	struct json *class = parse("{\"metadata\":{\"name\":\"k\"},\"reclaimPolicy\":\"Retain\"}");
	snprintf(text, sizeof text, claim, "");
	struct json *v = local_path_volume(&a, "pvc-u", parse(text), class, "/b", "f", "node1", SLICE("host1"));
	assert_true(slice_is(json_str(json_path(v, "spec", "hostPath", "path", NULL)), "/b/f"));
	assert_true(slice_is(json_str(json_path(v, "spec", "persistentVolumeReclaimPolicy", NULL)), "Retain"));
	assert_true(slice_is(json_str(json_path(v, "spec", "claimRef", "uid", NULL)), "u"));
	struct json *term = json_at(json_path(v, "spec", "nodeAffinity", "required", "nodeSelectorTerms", NULL), 0);
	struct json *e = json_at(json_get(term, "matchExpressions"), 0);
	assert_true(slice_is(json_str(json_at(json_get(e, "values"), 0)), "host1"));
	snprintf(text, sizeof text, claim, ",\"annotations\":{\"volumeType\":\"local\"}");
	v = local_path_volume(&a, "pvc-u", parse(text), class, "/b", "f", "node1", SLICE("host1"));
	assert_true(slice_is(json_str(json_path(v, "spec", "local", "path", NULL)), "/b/f"));
	assert_null(json_path(v, "spec", "hostPath", NULL));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_node_has_paths_of_its_own_or_the_default),
	        cmocka_unit_test(patterns_name_folders_beneath_the_base),
	        cmocka_unit_test(helpers_run_our_program_or_the_scripts),
	        cmocka_unit_test(a_volume_is_tied_to_its_node),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
