/* Validation of metadata, and the order in which an object is looked at. See validate.h. Upstream: apimachinery
 * pkg/api/validation. */
#include "api/machinery/rules/validate.h"

#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/custom/custom_program.h"
#include "api/machinery/schema/kind_ops.h"

/* ---- metadata ---- */

static void check_name(struct field_errors *e, const struct resource *r, const struct json *meta)
{
	struct slice name = json_get_str(meta, "name"), generate = json_get_str(meta, "generateName");
	if (!name.len) {
		bad_required(e, "metadata.name", generate.len ? "" : "name or generateName is required");
		return;
	}
	const struct kind_ops *ops = resource_ops(r);
	const char *bad = (ops->check_name ? ops->check_name : validate_dns1123_subdomain)(name);
	if (bad)
		bad_value(e, "metadata.name", name, bad);
}

static void check_owners(struct field_errors *e, const struct json *owners)
{
	static const char *const needed[] = {"apiVersion", "kind", "name", "uid"};
	int i = 0, controllers = 0;
	JSON_FOREACH (it, owners) {
		for (size_t k = 0; k < 4; k++)
			if (!json_get_str(it, needed[k]).len)
				bad_value(e, at(e, "metadata.ownerReferences[%d].%s", i, needed[k]), SLICE(""),
				        "must not be empty");
		controllers += json_get_bool(it, "controller", false);
		i++;
	}
	if (controllers > 1)
		bad_value(e, "metadata.ownerReferences", SLICE("..."),
		        "Only one reference can have Controller set to true");
}

static void check_finalizers(struct field_errors *e, const struct json *finalizers)
{
	bool orphan = false, foreground = false;
	JSON_FOREACH (it, finalizers) {
		struct slice s = json_str(it);
		const char *bad = check_qualified_name(s);
		if (bad)
			bad_value(e, "metadata.finalizers", s, bad);
		orphan = orphan || slice_is(s, "orphan");
		foreground = foreground || slice_is(s, "foregroundDeletion");
	}
	if (orphan && foreground)
		bad_value(e, "metadata.finalizers", SLICE("[foregroundDeletion orphan]"),
		        "finalizer orphan and foregroundDeletion cannot be both set");
}

static void check_added_finalizers(struct field_errors *e, const struct json *meta, const struct json *old_meta)
{
	struct name_set had = {MAP_INIT};
	if (!json_get_str(old_meta, "deletionTimestamp").len)
		return;
	JSON_FOREACH (it, json_get(old_meta, "finalizers"))
		name_set_add(&had, json_str(it));
	JSON_FOREACH (it, json_get(meta, "finalizers"))
		if (!name_set_has(&had, json_str(it)))
			bad_forbidden(e, "metadata.finalizers",
			        "no new finalizers can be added if the object is being deleted");
	name_set_release(&had);
}

static void check_metadata(
        struct field_errors *e, const struct resource *r, const struct json *object, const struct json *old)
{
	struct json *meta = json_get(object, "metadata");
	if (!old)
		check_name(e, r, meta);
	check_labels(e, "metadata.labels", json_get(meta, "labels"));
	check_annotations(e, "metadata.annotations", json_get(meta, "annotations"));
	check_owners(e, json_get(meta, "ownerReferences"));
	check_finalizers(e, json_get(meta, "finalizers"));
	if (old)
		check_added_finalizers(e, meta, json_get(old, "metadata"));
}

/* ---- what may not change ---- */

static const struct json *follow(const struct json *v, struct slice dotted)
{
	while (v && dotted.ptr)
		v = json_get_slice(v, slice_cut(&dotted, '.'));
	return v;
}

static void check_frozen_fields(
        struct field_errors *e, const char *fields, const struct json *object, const struct json *old)
{
	struct slice rest = fields ? slice_of(fields) : SLICE_NULL;
	while (rest.ptr) {
		struct slice path = slice_cut(&rest, ',');
		check_immutable(e, at(e, "%.*s", SLICE_FMT(path)), follow(object, path), follow(old, path));
	}
}

void validate_object(struct field_errors *e, const struct resource *r, const struct json *object,
        const struct json *old, const char *sub)
{
	const struct kind_ops *ops = resource_ops(r);
	check_metadata(e, r, object, old);
	if (r->custom) { /* the status too, whichever part is written */
		custom_program_check(e, r->custom, object, old, "", true);
		custom_program_check_rules(e, r->custom, object, old, "");
	}
	if (*sub && ops->validate_part)
		ops->validate_part(e, object, old);
	if (*sub)
		return; /* the rest is the old object's, which was valid */
	if (ops->validate)
		ops->validate(e, object, old);
	if (old)
		check_frozen_fields(e, ops->immutable, object, old);
}
