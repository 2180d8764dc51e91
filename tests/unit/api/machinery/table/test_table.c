/* Tables: the cells kubectl users read, as many as there are columns, also for odd objects. */
#include "tests/unit/unit.h"

#include "api/machinery/table/table.h"
#include "base/json/json.h"

enum { NOW_S = 1767225600 }; /* 2026-01-01T00:00:00Z */

static void assert_cells(
        const char *group, const char *version, const char *plural, const char *object, const char *want)
{
	struct strbuf out = STRBUF_INIT, columns = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	const struct resource *r = resource_find(slice_of(group), slice_of(version), slice_of(plural));
	assert_non_null(r);
	table_write_cells(&out, r, slice_of(object), NOW_S);
	table_write_columns(&columns, r);
	struct json *cells = json_parse(&a, strbuf_slice(&out), NULL, NULL),
	            *heads = json_parse(&a, strbuf_slice(&columns), NULL, NULL);
	assert_non_null(cells);
	assert_non_null(heads);
	assert_int_equal(cells->count, heads->count); /* a cell for each column */
	if (strncmp(strbuf_cstr(&out), want, strlen(want)) != 0)
		fail_msg("got %s, want %s", strbuf_cstr(&out), want);
	strbuf_release(&out);
	strbuf_release(&columns);
	arena_release(&a);
}

#define META(name) "\"metadata\":{\"name\":\"" name "\",\"creationTimestamp\":\"2025-12-31T23:58:00Z\"}"

static void autoscalers_show_use_and_target(void **state)
{
	assert_cells("autoscaling", "v2", "horizontalpodautoscalers",
	        "{" META("h") ",\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"web\"},"
	                      "\"minReplicas\":1,"
	                      "\"maxReplicas\":9,\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\","
	                      "\"target\":"
	                      "{\"averageUtilization\":50}}},{\"type\":\"External\",\"external\":{\"target\":{"
	                      "\"averageValue\":\"9\"}}},{\"type\":\"Pods\",\"pods\":{}}]},\"status\":{"
	                      "\"currentReplicas\":2,"
	                      "\"currentMetrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"current\":{"
	                      "\"averageUtilization\":20}}},{\"type\":\"\"}]}}",
	        "[\"h\",\"Deployment/web\",\"cpu: 20%/50%, <unknown>/9 (avg) + 1 more...\",\"1\",9,2,\"2m\"]");
}

static void kinds_that_few_look_at_have_their_columns(void **state)
{
	static const struct {
		const char *group, *version, *plural, *object, *want;
	} rows[] = {
	        {"", "v1", "resourcequotas",
	                "{" META("q") ",\"status\":{\"hard\":{\"pods\":\"4\",\"limits.cpu\":\"2\",\"cpu\":\"1\"},"
	                              "\"used\":{\"pods\":\"1\",\"limits.cpu\":\"500m\"}}}",
	                "[\"q\",\"2m\",\"cpu: 0/1, pods: 1/4\",\"limits.cpu: 500m/2\"]"},
	        {"apps", "v1", "controllerrevisions",
	                "{\"metadata\":{\"name\":\"r\",\"creationTimestamp\":\"2025-12-31T23:58:00Z\","
	                "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"name\":\"web\","
	                "\"controller\":true}]},\"revision\":3}",
	                "[\"r\",\"statefulset.apps/web\",\"3\",\"2m\"]"},
	        {"apps", "v1", "controllerrevisions", "{" META("r") "}", "[\"r\",\"<none>\",\"0\",\"2m\"]"},
	        {"", "v1", "limitranges", "{" META("l") "}", "[\"l\",\"2025-12-31T23:58:00Z\"]"},
	        {"", "v1", "podtemplates",
	                "{" META("t") ",\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"
	                              "\"containers\":[{\"name\":\"x\",\"image\":\"i\"},{\"name\":\"y\",\"image\":"
	                              "\"j\"}]}}}",
	                "[\"t\",\"x,y\",\"i,j\",\"a=b\"]"},
	        {"", "v1", "componentstatuses",
	                "{" META("c") ",\"conditions\":[{\"type\":\"Healthy\",\"status\":\"True\",\"message\":"
	                              "\"ok\"}]}",
	                "[\"c\",\"Healthy\",\"ok\",\"\"]"},
	        {"networking.k8s.io", "v1", "ingressclasses",
	                "{" META("i") ",\"spec\":{\"controller\":\"x/y\",\"parameters\":{\"apiGroup\":\"g\",\"kind\":"
	                              "\"K\",\"name\":\"n\"}}}",
	                "[\"i\",\"x/y\",\"K.g/n\",\"2m\"]"},
	        {"node.k8s.io", "v1", "runtimeclasses", "{" META("w") ",\"handler\":\"runsc\"}",
	                "[\"w\",\"runsc\",\"2m\"]"},
	        {"storage.k8s.io", "v1", "csidrivers",
	                "{" META("d") ",\"spec\":{\"podInfoOnMount\":true,\"tokenRequests\":[{\"audience\":\"a\"}]}}",
	                "[\"d\",true,true,false,\"a\",false,\"<none>\",\"2m\"]"},
	        {"storage.k8s.io", "v1", "csinodes", "{" META("n") ",\"spec\":{\"drivers\":[{\"name\":\"x\"}]}}",
	                "[\"n\",1,\"2m\"]"},
	        {"storage.k8s.io", "v1", "csistoragecapacities", "{" META("s") ",\"storageClassName\":\"fast\"}",
	                "[\"s\",\"fast\",\"<unset>\"]"},
	        {"storage.k8s.io", "v1", "volumeattachments",
	                "{" META("v") ",\"spec\":{\"attacher\":\"x\",\"nodeName\":\"n\",\"source\":{"
	                              "\"persistentVolumeName\":\"p\"}},\"status\":{\"attached\":true}}",
	                "[\"v\",\"x\",\"p\",\"n\",true,\"2m\"]"},
	        {"", "v1", "persistentvolumes",
	                "{\"metadata\":{\"name\":\"v\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{"
	                "\"capacity\":{\"storage\":\"1Gi\"},\"volumeAttributesClassName\":\"gold\"},\"status\":{"
	                "\"phase\":\"Bound\"}}",
	                "[\"v\",\"1Gi\",\"\",\"\",\"Terminating\",\"\",\"\",\"gold\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_cells(rows[i].group, rows[i].version, rows[i].plural, rows[i].object, rows[i].want);
}

static void pods_show_what_kubectl_users_look_for(void **state)
{
	assert_cells("", "v1", "pods",
	        "{" META("p") ",\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]},\"status\":{\"phase\":"
	                      "\"Pending\"}}",
	        "[\"p\",\"0/2\",\"Pending\",\"0\",\"2m\"");
	assert_cells("", "v1", "pods",
	        "{" META("p") ",\"spec\":{\"containers\":[{\"name\":\"a\"}]},\"status\":{\"phase\":\"Running\","
	                      "\"containerStatuses\":"
	                      "[{\"name\":\"a\",\"ready\":true,\"restartCount\":3,\"state\":{\"running\":{}}}]}}",
	        "[\"p\",\"1/1\",\"Running\",\"3\",\"2m\"");
	assert_cells("", "v1", "pods",
	        "{" META("p") ",\"spec\":{\"containers\":[{\"name\":\"a\"}]},\"status\":{\"phase\":\"Running\","
	                      "\"containerStatuses\":"
	                      "[{\"name\":\"a\",\"ready\":false,\"restartCount\":0,\"state\":{\"waiting\":{\"reason\":"
	                      "\"CrashLoopBackOff\"}}}]}}",
	        "[\"p\",\"0/1\",\"CrashLoopBackOff\",\"0\"");
	assert_cells("", "v1", "pods",
	        "{\"metadata\":{\"name\":\"p\",\"creationTimestamp\":\"2025-12-31T23:58:00Z\",\"deletionTimestamp\":"
	        "\"2025-12-31T23:59:00Z\"},"
	        "\"spec\":{\"containers\":[{\"name\":\"a\"}]},\"status\":{\"phase\":\"Running\"}}",
	        "[\"p\",\"0/1\",\"Terminating\"");
}

static void other_kinds_have_their_columns(void **state)
{
	assert_cells("apps", "v1", "deployments",
	        "{" META("d") ",\"spec\":{\"replicas\":3},\"status\":{\"readyReplicas\":2,\"updatedReplicas\":3,"
	                      "\"availableReplicas\":2}}",
	        "[\"d\",\"2/3\",3,2,\"2m\"");
	assert_cells("", "v1", "configmaps", "{" META("c") ",\"data\":{\"a\":\"1\",\"b\":\"2\"}}", "[\"c\",2,\"2m\"");
	assert_cells("", "v1", "namespaces", "{" META("n") ",\"status\":{\"phase\":\"Active\"}}",
	        "[\"n\",\"Active\",\"2m\"");
	assert_cells("", "v1", "services",
	        "{" META("s") ",\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.43.0.1\",\"ports\":[{\"port\":443,"
	                      "\"protocol\":\"TCP\"}]}}",
	        "[\"s\",\"ClusterIP\",\"10.43.0.1\",\"<none>\",\"443/TCP\"");
}

static void odd_objects_break_nothing(void **state)
{
	static const char *const odd[] = {"{}", "{\"metadata\":[]}",
	        "{\"metadata\":{\"name\":5,\"creationTimestamp\":\"yesterday\"},\"spec\":7,\"status\":[]}"};
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		assert_cells("", "v1", "pods", odd[i], "[");
		assert_cells("apps", "v1", "deployments", odd[i], "[");
		assert_cells("", "v1", "nodes", odd[i], "[");
		assert_cells("batch", "v1", "cronjobs", odd[i], "[");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(autoscalers_show_use_and_target),
	        cmocka_unit_test(kinds_that_few_look_at_have_their_columns),
	        cmocka_unit_test(pods_show_what_kubectl_users_look_for),
	        cmocka_unit_test(other_kinds_have_their_columns),
	        cmocka_unit_test(odd_objects_break_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
