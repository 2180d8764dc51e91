/* Validation of metadata, and the order in which an object is looked at. See validate.h. Upstream: apimachinery
 * pkg/api/validation. */
#include "api/machinery/rules/validate.h"

#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/custom/custom_program.h"
#include "api/machinery/schema/kind_ops.h"
#include "base/check.h"

/* ---- metadata ---- */

typedef const char *name_check_fn(struct slice name);

/* What a name is made from may end in a dash: letters follow it. */
static void check_generate_name(struct field_errors *e, name_check_fn *check, struct slice base)
{
	struct slice rest = base;
	if (base.len > 1 && slice_ends(base, "-")) {
		char *text = arena_memdup(e->arena, base.ptr, base.len);
		text[base.len - 2] = 'a';
		rest = (struct slice){text, base.len - 1};
	}
	const char *bad = base.len ? check(rest) : NULL;
	if (bad)
		bad_value(e, "metadata.generateName", base, bad);
}

static void check_name(struct field_errors *e, const struct resource *r, const struct json *meta)
{
	const struct kind_ops *ops = resource_ops(r);
	name_check_fn *check = ops->check_name ? ops->check_name : validate_dns1123_subdomain;
	struct slice name = json_get_str(meta, "name");
	check_generate_name(e, check, json_get_str(meta, "generateName"));
	const char *bad = name.len ? check(name) : NULL;
	if (!name.len)
		bad_required(e, "metadata.name", "name or generateName is required");
	if (bad)
		bad_value(e, "metadata.name", name, bad);
}

/* "v1", "apps/v1"; with more slashes it says nothing. */
static bool has_version(struct slice api_version)
{
	struct slice rest = api_version, first = slice_cut(&rest, '/');
	return rest.ptr ? rest.len && !memchr(rest.ptr, '/', rest.len) : first.len > 0;
}

static void check_owner(struct field_errors *e, const char *field, const struct json *owner)
{
	static const char *const needed[] = {"kind", "name", "uid"};
	struct slice version = json_get_str(owner, "apiVersion"), kind = json_get_str(owner, "kind");
	if (!has_version(version))
		bad_value(e, at(e, "%s.apiVersion", field), version, "version must not be empty");
	for (size_t k = 0; k < COUNT_OF(needed); k++)
		if (!json_get_str(owner, needed[k]).len)
			bad_value(e, at(e, "%s.%s", field, needed[k]), SLICE(""), "must not be empty");
	if (slice_is(version, "v1") && slice_is(kind, "Event"))
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: &OwnerReference{Kind:Event,Name:%.*s,UID:%.*s,APIVersion:v1,}: /v1, Kind=Event "
		        "is "
		        "disallowed from being an owner",
		        SLICE_FMT(json_get_str(owner, "name")), SLICE_FMT(json_get_str(owner, "uid")));
}

static const char *owner_name(struct field_errors *e, const struct json *owner)
{
	return at(e, "%.*s/%.*s", SLICE_FMT(json_get_str(owner, "kind")), SLICE_FMT(json_get_str(owner, "name")));
}

static void check_owners(struct field_errors *e, const struct json *owners)
{
	const struct json *controller = NULL;
	int i = 0;
	JSON_FOREACH (it, owners) {
		check_owner(e, at(e, "metadata.ownerReferences[%d]", i++), it);
		if (!json_get_bool(it, "controller", false))
			continue;
		if (controller)
			field_error_add(e, "FieldValueInvalid", "metadata.ownerReferences",
			        "Invalid value: []v1.OwnerReference{...}: Only one reference can have Controller set "
			        "to "
			        "true. Found \"true\" in references for %s and %s",
			        owner_name(e, controller), owner_name(e, it));
		else
			controller = it;
	}
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
		field_error_add(e, "FieldValueInvalid", "metadata.finalizers",
		        "Invalid value: %s: finalizer orphan and foregroundDeletion cannot be both set",
		        go_list_text(e->arena, "[]string", finalizers));
}

static void check_added_finalizers(struct field_errors *e, const struct json *meta, const struct json *old_meta)
{
	struct name_set had = {MAP_INIT};
	if (!json_get_str(old_meta, "deletionTimestamp").len)
		return;
	JSON_FOREACH (it, json_get(old_meta, "finalizers"))
		name_set_add(&had, json_str(it));
	struct json *added = json_new(e->arena, JSON_ARRAY);
	JSON_FOREACH (it, json_get(meta, "finalizers"))
		if (!name_set_has(&had, json_str(it)))
			json_append(added, json_new_str(e->arena, json_str(it)));
	if (added->first)
		bad_forbidden(e, "metadata.finalizers",
		        at(e, "no new finalizers can be added if the object is being deleted, found new finalizers %s",
		                go_list_text(e->arena, "[]string", added)));
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
	if (ops->validate_approval && strcmp(sub, "approval") == 0)
		ops->validate_approval(e, object, old);
	else if (*sub && ops->validate_part)
		ops->validate_part(e, object, old);
	if (*sub)
		return; /* the rest is the old object's, which was valid */
	if (ops->validate)
		ops->validate(e, object, old);
	if (old)
		check_frozen_fields(e, ops->immutable, object, old);
}
