/* What a pod refers to: each way in which a pod can name a secret, a config map, a claim or an account. */
#include "api/server/auth/rights/node_graph.h"

#include "tests/unit/unit_json.h"

static void note(void *arg, enum pod_ref kind, struct slice name)
{
	strbuf_addf(arg, "%c:%.*s ", "pscva"[kind], SLICE_FMT(name));
}

static void expect(const char *spec, const char *refs)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT, pod = STRBUF_INIT;
	strbuf_addf(&pod, "{\"metadata\":{\"name\":\"p\"},\"spec\":{%s}}", spec);
	pod_refs_each(parse(strbuf_cstr(&pod)), note, &text);
	assert_string_equal(strbuf_cstr(&text), refs);
}

static void containers_refer_by_their_environment(void **state)
{
	expect("\"containers\":[{\"env\":[{\"valueFrom\":{\"secretKeyRef\":{\"name\":\"a\"}}},"
	       "{\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"b\"}}},{\"value\":\"x\"}]}],"
	       "\"initContainers\":[{\"envFrom\":[{\"secretRef\":{\"name\":\"c\"}},{\"configMapRef\":{\"name\":\"d\"}}]"
	       "}]",
	        "s:c c:d s:a c:b ");
}

static void volumes_refer_to_what_they_hold(void **state)
{
	expect("\"volumes\":[{\"secret\":{\"secretName\":\"a\"}},{\"configMap\":{\"name\":\"b\"}},"
	       "{\"persistentVolumeClaim\":{\"claimName\":\"c\"}},{\"name\":\"d\",\"ephemeral\":{}},"
	       "{\"projected\":{\"sources\":[{\"secret\":{\"name\":\"e\"}},{\"configMap\":{\"name\":\"f\"}}]}},"
	       "{\"csi\":{\"nodePublishSecretRef\":{\"name\":\"g\"}}},{\"azureFile\":{\"secretName\":\"h\"}},"
	       "{\"rbd\":{\"secretRef\":{\"name\":\"i\"}}},{\"emptyDir\":{}}]",
	        "s:a c:b v:c v:p-d s:e c:f s:g s:h s:i ");
}

static void pods_refer_to_accounts_and_pull_secrets(void **state)
{
	expect("\"serviceAccountName\":\"robot\",\"imagePullSecrets\":[{\"name\":\"pull\"},{}]", "s:pull a:robot ");
	expect("\"containers\":7,\"volumes\":{},\"imagePullSecrets\":null", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(containers_refer_by_their_environment, release),
	        cmocka_unit_test_teardown(volumes_refer_to_what_they_hold, release),
	        cmocka_unit_test_teardown(pods_refer_to_accounts_and_pull_secrets, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
