/* What the API is told of drivers: node/csi/csi_node.c. */
#include "tests/unit/unit.h"

#include "node/csi/csi_node_int.h"

static struct arena a;

static int release(void **state)
{
	arena_release(&a);
	return 0;
}

static const char *text(const struct json *v)
{
	struct strbuf b = STRBUF_INIT;
	if (!v)
		return "nothing";
	json_write(&b, v);
	const char *copy = arena_strdup(&a, strbuf_cstr(&b));
	strbuf_release(&b);
	return copy;
}

static struct csi_node_driver driver(void)
{
	return (struct csi_node_driver){
	        .name = "b", .id = "n1", .topology = json_literal(&a, "{\"zone\":\"z\"}"), .volumes_max = 3};
}

static void a_node_gets_an_object_without_drivers(void **state)
{
	struct json *node = json_literal(&a, "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\"}}");
	struct json *o = csi_node_object(&a, NULL, node, NULL, 0);
	assert_string_equal(text(json_get(o, "spec")), "{\"drivers\":[]}");
	assert_string_equal(text(json_path(o, "metadata", "ownerReferences", NULL)),
	        "[{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"n\",\"uid\":\"u\"}]");
	assert_null(csi_node_object(&a, o, node, NULL, 0));
}

static void a_driver_is_told_once_and_taken_out(void **state)
{
	struct csi_node_driver d = driver();
	struct json *o = json_literal(&a, "{\"spec\":{\"drivers\":[{\"name\":\"a\",\"nodeID\":\"x\"}]}}");
	assert_string_equal(text(json_get(csi_node_object(&a, o, NULL, &d, 1), "spec")),
	        "{\"drivers\":[{\"name\":\"a\",\"nodeID\":\"x\"},{\"name\":\"b\",\"nodeID\":\"n1\",\"topologyKeys\":["
	        "\"zone\"],"
	        "\"allocatable\":{\"count\":3}}]}");
	assert_null(csi_node_object(&a, o, NULL, &d, 1));
	d.volumes_max = 4;
	assert_non_null(csi_node_object(&a, o, NULL, &d, 1));
	d.is_gone = true;
	assert_string_equal(text(json_get(csi_node_object(&a, o, NULL, &d, 1), "spec")),
	        "{\"drivers\":[{\"name\":\"a\",\"nodeID\":\"x\"}]}");
	assert_null(csi_node_object(&a, o, NULL, &d, 1));
}

static void the_node_gets_an_annotation_and_labels(void **state)
{
	struct csi_node_driver d = driver();
	struct json *node = json_literal(&a, "{\"metadata\":{}}");
	assert_string_equal(text(csi_node_patch(&a, node, &d, 1)),
	        "{\"metadata\":{\"annotations\":{\"csi.volume.kubernetes.io/"
	        "nodeid\":\"{\\\"b\\\":\\\"n1\\\"}\"},\"labels\":{"
	        "\"zone\":\"z\"}}}");
	node = json_literal(&a,
	        "{\"metadata\":{\"annotations\":{\"csi.volume.kubernetes.io/nodeid\":\"{\\\"b\\\":\\\"n1\\\"}\"},"
	        "\"labels\":{\"zone\":\"z\"}}}");
	assert_null(csi_node_patch(&a, node, &d, 1));
	d.is_gone = true; /* the label stays, as upstream */
	assert_string_equal(text(csi_node_patch(&a, node, &d, 1)),
	        "{\"metadata\":{\"annotations\":{\"csi.volume.kubernetes.io/nodeid\":null}}}");
}

static void another_zone_than_the_nodes_is_refused(void **state)
{
	struct csi_node_driver d = driver();
	struct err err = ERR_INIT;
	assert_int_equal(csi_node_check(json_literal(&a, "{\"metadata\":{\"labels\":{\"zone\":\"z\"}}}"), &d, &err), 0);
	assert_int_equal(csi_node_check(json_literal(&a, "{\"metadata\":{\"labels\":{\"zone\":\"y\"}}}"), &d, &err),
	        ERR_CONFLICT);
	assert_string_equal(err.msg,
	        "detected topology value collision: driver reported \"zone\":\"z\" but existing label is "
	        "\"zone\":\"y\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_node_gets_an_object_without_drivers),
	        cmocka_unit_test(a_driver_is_told_once_and_taken_out),
	        cmocka_unit_test(the_node_gets_an_annotation_and_labels),
	        cmocka_unit_test(another_zone_than_the_nodes_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
