/* The rows of the kinds: each belongs to a resource, and every kind prints as many cells as it has columns. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/table.h"
#include "tests/unit/unit.h"

static void has_resource(const struct kind_ops *kinds, const char *group)
{
	for (const struct kind_ops *k = kinds; k->kind; k++) {
		struct resource_snapshot *s = resources_snapshot();
		size_t count;
		const struct resource *const *rows = resources_snapshot_rows(s, &count);
		bool found = false;
		for (size_t i = 0; i < count; i++)
			found = found || (strcmp(rows[i]->group, group) == 0 && rows[i]->ops == k);
		if (!found)
			fail_msg("no resource of \"%s\" has the row of %s", group, k->kind);
		resources_snapshot_unref(s);
	}
}

static void every_row_belongs_to_a_resource(void **state)
{
	has_resource(kinds_core, "");
	has_resource(kinds_apps, "apps");
	has_resource(kinds_autoscaling, "autoscaling");
	has_resource(kinds_batch, "batch");
	has_resource(kinds_certificates, "certificates.k8s.io");
	has_resource(kinds_node, "node.k8s.io");
	has_resource(kinds_coordination, "coordination.k8s.io");
	has_resource(kinds_discovery, "discovery.k8s.io");
	has_resource(kinds_networking, "networking.k8s.io");
	has_resource(kinds_rbac, "rbac.authorization.k8s.io");
	has_resource(kinds_scheduling, "scheduling.k8s.io");
	has_resource(kinds_storage, "storage.k8s.io");
}

static bool prints_its_columns(void *arg, const struct resource *r)
{
	CLEANUP(cleanup_strbuf) struct strbuf columns = STRBUF_INIT;
	CLEANUP(cleanup_strbuf) struct strbuf cells = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	table_write_columns(&columns, r);
	table_write_cells(&cells, r, SLICE("{\"metadata\":{\"name\":\"x\"},\"spec\":{},\"status\":{}}"), 1000);
	struct json *c = json_parse(&a, strbuf_slice(&columns), NULL, &err);
	struct json *v = json_parse(&a, strbuf_slice(&cells), NULL, &err);
	assert_non_null(c);
	assert_non_null(v);
	if (c->count != v->count)
		fail_msg("%s has %u columns and prints %u cells", r->kind, c->count, v->count);
	arena_release(&a);
	return true;
}

static void every_kind_prints_as_many_cells_as_it_has_columns(void **state)
{
	resources_each(prints_its_columns, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_row_belongs_to_a_resource),
	        cmocka_unit_test(every_kind_prints_as_many_cells_as_it_has_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
