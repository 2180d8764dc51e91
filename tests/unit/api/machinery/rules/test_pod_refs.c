/* What a pod refers to (that of volumes and accounts: test_node_graph). */
#include "api/machinery/rules/pod/pod_refs.h"

#include "tests/unit/unit.h"

static void note(void *arg, enum pod_ref kind, struct slice name)
{
	if (kind == POD_REF_SECRET)
		strbuf_addf(arg, "%.*s ", SLICE_FMT(name));
}

static void secrets_are_those_of_containers_of_every_kind(void **state)
{
	struct arena a = ARENA_INIT;
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	struct json *pod = json_parse(&a,
	        SLICE("{\"spec\":{\"containers\":[{\"envFrom\":[{\"secretRef\":{\"name\":\"b\"}}]}],"
	              "\"initContainers\":[{\"env\":[{\"valueFrom\":{\"secretKeyRef\":{\"name\":\"a\"}}}]}],"
	              "\"ephemeralContainers\":[{\"envFrom\":[{\"secretRef\":{\"name\":\"c\"}}]}],"
	              "\"volumes\":[{\"secret\":{\"secretName\":\"d\"}}]}}"),
	        NULL, NULL);
	pod_refs_each(pod, note, &text);
	assert_string_equal(strbuf_cstr(&text), "a b c d ");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(secrets_are_those_of_containers_of_every_kind)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
