/* See custom_kind.h. */
#include "api/machinery/rules/custom/custom_kind.h"

#include "api/machinery/codec/decode.h"
#include "api/machinery/rules/custom/custom_program.h"
#include "api/machinery/table/custom_columns.h"

static int complete(struct custom_resources *set, const struct json *versions, struct err *err)
{
	size_t i = 0;
	JSON_FOREACH (it, versions) {
		struct resource *r = &set->rows[i++];
		const struct json *schema = json_path(it, "schema", "openAPIV3Schema", NULL);
		r->columns = custom_columns_new(&set->arena, it);
		r->custom = schema ? custom_program_new(&set->arena, schema, err) : NULL;
		if (schema && !r->custom)
			return err_wrap(err, "version %s", r->version);
	}
	return 0;
}

int custom_kind_new(const struct json *crd, struct custom_resources **ret, struct err *err)
{
	struct custom_resources *set;
	int rc = custom_resources_new(crd, &set, err);
	if (rc != 0)
		return rc;
	rc = complete(set, json_path(crd, "spec", "versions", NULL), err);
	if (rc == 0)
		*ret = set;
	else
		custom_resources_unref(set);
	return rc;
}

/* In whose form the tree is: that of its own version, where forms differ. */
static const struct resource *row_of(const struct resource *r, const struct json *tree)
{
	const struct resource_conversion *c = r->conversion;
	for (size_t i = 0; c && i < c->count; i++)
		if (slice_is(json_get_str(tree, "apiVersion"), c->rows[i].api_version))
			return &c->rows[i];
	return r;
}

bool custom_kind_renew(const struct resource *r, struct slice stored, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	struct decode_problems problems;
	struct json *tree = json_parse(&a, stored, NULL, NULL);
	r = row_of(r, tree);
	bool changed = json_is(tree, JSON_OBJECT) && !slice_is(json_get_str(tree, "apiVersion"), r->api_version);
	if (json_is(tree, JSON_OBJECT)) {
		struct json *managed = json_path(tree, "metadata", "managedFields", NULL);
		if (managed)
			json_remove(json_get(tree, "metadata"), managed);
		decode_problems_init(&problems, &a);
		if (r->type)
			decode_object(&a, tree, r->type, DECODE_LENIENT, &problems, NULL);
		changed |= problems.count > 0;
		if (r->custom)
			changed |= custom_program_fill(&a, r->custom, tree);
		if (changed)
			json_set_cstr(&a, tree, "apiVersion", r->api_version);
		if (changed && managed) {
			managed->key = SLICE("managedFields");
			json_append(json_get(tree, "metadata"), managed);
		}
		if (changed)
			json_write(out, tree);
	}
	arena_release(&a);
	return changed;
}
