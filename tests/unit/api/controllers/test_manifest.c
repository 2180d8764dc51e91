/* Manifests: what a file's text says, in which order, what it is called, and whose an object is. */
#include "tests/unit/unit_json.h"

#include "api/controllers/manifest.h"

static struct manifest m;
static struct err err;

static int read_text(const char *text)
{
	err = ERR_INIT;
	return manifest_parse(&a, slice_of(text), &m, &err);
}

static void fails(const char *text, const char *part)
{
	assert_int_not_equal(read_text(text), 0);
	if (!strstr(err.msg, part))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.msg, part);
}

static void documents_and_lists_become_objects(void **state)
{
	assert_int_equal(read_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ns}\n"
	                           "---\n---\n# nothing\n---\n"
	                           "apiVersion: v1\nkind: List\nitems:\n"
	                           "- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n"
	                           "- {apiVersion: v1, kind: PodList, items: [{apiVersion: v1, kind: Pod, metadata: "
	                           "{name: c}}]}\n"),
	        0);
	assert_int_equal(m.count, 3);
	assert_true(slice_is(m.objects[0].name, "a") && slice_is(m.objects[0].ns, "ns"));
	assert_true(slice_is(m.objects[1].name, "b") && slice_is(m.objects[2].name, "c"));
}

static void json_may_have_tabs(void **state)
{
	assert_int_equal(
	        read_text("{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}}"), 0);
	assert_int_equal(m.count, 1);
	assert_int_equal(read_text("{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Pod, "
	                           "metadata: {name: b}}"),
	        0);
	assert_int_equal(m.count, 2);
}

static void nothing_is_a_manifest_too(void **state)
{
	assert_int_equal(read_text(""), 0);
	assert_int_equal(m.count, 0);
	assert_int_equal(read_text("---\n# later\n"), 0);
	assert_int_equal(m.count, 0);
}

static void namespaces_and_definitions_come_first(void **state)
{
	assert_int_equal(read_text("{apiVersion: v1, kind: Pod, metadata: {name: p}}\n---\n"
	                           "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: "
	                           "{name: d}}\n---\n"
	                           "{apiVersion: v1, kind: Secret, metadata: {name: s}}\n---\n"
	                           "{apiVersion: v1, kind: Namespace, metadata: {name: first}}\n"),
	        0);
	assert_true(slice_is(m.objects[0].name, "first") && slice_is(m.objects[1].name, "d"));
	assert_true(slice_is(m.objects[2].name, "p") && slice_is(m.objects[3].name, "s"));
}

static void what_is_no_object_is_named(void **state)
{
	fails("a: [", "yaml: line");
	fails("- 1\n", "object 1 is a array");
	fails("{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n7\n", "object 2 is a number");
	fails("{kind: Pod, metadata: {name: a}}", "object 1 has no apiVersion");
	fails("{apiVersion: v1, metadata: {name: a}}", "object 1 has no kind");
	fails("{apiVersion: v1, kind: Pod, metadata: {generateName: a}}", "of kind Pod, has no metadata.name");
	fails("{apiVersion: v1, kind: Pod, metadata: {name: n}}", "that is a string"); /* false, in YAML 1.1 */
	fails("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}}", "namespace that is no string");
	fails("{apiVersion: v1, kind: Pod, metadata: {name: a?b}}", "\"a?b\" is no name");
	fails("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: ../x}}", "\"../x\" is no name");
	fails("{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, "
	      "items: "
	      "[{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, "
	      "items: "
	      "[{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, "
	      "items: "
	      "[]}]}]}]}]}]}]}]}]}",
	        "deep");
}

static void a_file_is_called_by_its_name_up_to_the_first_dot(void **state)
{
	assert_true(slice_is(manifest_name(SLICE("web.yaml")), "web"));
	assert_true(slice_is(manifest_name(SLICE("sub/deep/web.v1.yml")), "web"));
	assert_true(manifest_is_one(SLICE("a.yaml")) && manifest_is_one(SLICE("x/a.yml")) &&
	            manifest_is_one(SLICE("a.json")));
	assert_false(manifest_is_one(SLICE(".a.yaml")) || manifest_is_one(SLICE("a.yaml.skip")) ||
	             manifest_is_one(SLICE("a")));
}

static void a_mark_says_whose_an_object_is(void **state)
{
	struct strbuf text = STRBUF_INIT;
	struct json *o = parse("{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"b\"},\"annotations\":null}}");
	char web[41], other[41];
	manifest_mark(&a, o, SLICE("web"));
	json_write(&text, o);
	manifest_hash(SLICE("web"), web);
	manifest_hash(SLICE("web2"), other);
	assert_string_not_equal(web, other);
	assert_true(slice_is(json_str(json_path(o, "metadata", "labels", MANIFEST_HASH_LABEL, NULL)), web));
	assert_true(slice_is(json_str(json_path(o, "metadata", "labels", "a", NULL)), "b"));
	assert_true(manifest_is_of(strbuf_slice(&text), SLICE("web")));
	assert_false(manifest_is_of(strbuf_slice(&text), SLICE("web2")));
	assert_false(manifest_is_of(SLICE("{\"metadata\":{}}"), SLICE("web")));
	strbuf_release(&text);
}

static void kinds_are_kept_as_k3s_keeps_them(void **state)
{
	struct manifest_kinds k = {0};
	manifest_kinds_read(
	        &a, &k, SLICE("apps/v1, Kind=Deployment; /v1, Kind=Service;nonsense;; v1, Kind=; v1, Kind=Service"));
	assert_int_equal(k.count, 2);
	manifest_kinds_add(&a, &k, SLICE("v1"), SLICE("Pod"));
	manifest_kinds_add(&a, &k, SLICE("v1"), SLICE("Pod"));
	assert_string_equal(manifest_kinds_text(&a, &k), "apps/v1, Kind=Deployment; v1, Kind=Service; v1, Kind=Pod");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(documents_and_lists_become_objects, release),
	        cmocka_unit_test_teardown(json_may_have_tabs, release),
	        cmocka_unit_test_teardown(nothing_is_a_manifest_too, release),
	        cmocka_unit_test_teardown(namespaces_and_definitions_come_first, release),
	        cmocka_unit_test_teardown(what_is_no_object_is_named, release),
	        cmocka_unit_test_teardown(a_file_is_called_by_its_name_up_to_the_first_dot, release),
	        cmocka_unit_test_teardown(a_mark_says_whose_an_object_is, release),
	        cmocka_unit_test_teardown(kinds_are_kept_as_k3s_keeps_them, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
