/* PersistentVolumeClaims: how much of what kind is asked for, and what it is filled from. A claim's spec stays, but for
 * what binding and growing change. Upstream: ValidatePersistentVolumeClaim, its updates and
 * pkg/api/persistentvolumeclaim (which brings dataSource and dataSourceRef in line). */
#include "api/machinery/rules/groups/core/claim.h"
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/groups/core/core_volume_int.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/checks.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"

static const char class_annotation[] = "volume.beta.kubernetes.io/storage-class";

static const struct json *part(const struct json *o, const char *name)
{
	const struct json *v = json_get(o, name);
	return json_is(v, JSON_OBJECT) ? v : NULL;
}

/* ---- defaults ---- */

void volume_claim_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	if (spec)
		default_str(a, spec, "volumeMode", "Filesystem");
}

void persistent_volume_claim_defaults(struct arena *a, struct json *o)
{
	volume_claim_defaults(a, o);
	default_str(a, json_need(a, o, "status", JSON_OBJECT), "phase", "Pending");
}

/* ---- what the server owns: the two members that say what a volume is filled from ---- */

static bool is_claim_or_snapshot(const struct json *source)
{
	struct slice kind = json_get_str(source, "kind"), group = json_get_str(source, "apiGroup");
	return (slice_is(kind, "PersistentVolumeClaim") && !group.len) ||
	       (slice_is(kind, "VolumeSnapshot") && slice_is(group, "snapshot.storage.k8s.io"));
}

static void copy_source(struct arena *a, struct json *spec, const char *to, const struct json *from)
{
	static const char *const members[] = {"apiGroup", "kind", "name"};
	struct json *copy = json_new(a, JSON_OBJECT);
	for (size_t i = 0; i < COUNT_OF(members); i++)
		if (json_get(from, members[i]))
			json_set(a, copy, members[i], json_copy(a, json_get(from, members[i])));
	json_set(a, spec, to, copy);
}

/* A source in another namespace is no feature yet, and an old member of a kind that it never had is left out: both as
 * if they had not been sent. Then either member is as the other. */
static void settle_sources(struct arena *a, struct json *spec, const struct json *before)
{
	const struct json *ref = part(spec, "dataSourceRef"), *source = part(spec, "dataSource");
	bool had_ref = part(before, "dataSourceRef"), had_any = had_ref || part(before, "dataSource");
	if (json_get_str(ref, "namespace").len && !had_ref) {
		json_del(spec, "dataSourceRef");
		ref = NULL;
	}
	if (source && !ref && !had_any && !is_claim_or_snapshot(source)) {
		json_del(spec, "dataSource");
		source = NULL;
	}
	if (source && !ref)
		copy_source(a, spec, "dataSourceRef", source);
	if (ref && !source && !json_get_str(ref, "namespace").len)
		copy_source(a, spec, "dataSource", ref);
}

void claim_prepare_create(struct arena *a, struct json *object)
{
	struct json *spec = json_get(object, "spec");
	if (json_is(spec, JSON_OBJECT))
		settle_sources(a, spec, NULL);
}

void claim_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	struct json *spec = json_get(object, "spec");
	if (!*sub && json_is(spec, JSON_OBJECT))
		settle_sources(a, spec, json_get(old, "spec"));
}

/* ---- validation ---- */

static void check_source(struct field_errors *e, const char *here, const struct json *source, bool allows_any_group)
{
	struct slice kind = json_get_str(source, "kind"), group = json_get_str(source, "apiGroup"),
	             ns = json_get_str(source, "namespace");
	const char *bad = group.len && !allows_any_group ? validate_dns1123_subdomain(group) : NULL;
	if (!json_get_str(source, "name").len)
		bad_required(e, at(e, "%s.name", here), "");
	if (!kind.len)
		bad_required(e, at(e, "%s.kind", here), "");
	if (!group.len && !slice_is(kind, "PersistentVolumeClaim"))
		bad_value(e, here, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
	if (bad)
		bad_value(e, at(e, "%s.apiGroup", here), group, bad);
	if (ns.len && (bad = validate_dns1123_label(ns)))
		bad_value(e, at(e, "%s.namespace", here), ns, bad);
}

/* A group that is null is none, as one that is not there. */
static bool names_group(const struct json *source)
{
	return json_is(json_get(source, "apiGroup"), JSON_STRING);
}

static bool is_same_source(const struct json *source, const struct json *ref)
{
	return names_group(source) == names_group(ref) &&
	       slice_eq(json_get_str(source, "apiGroup"), json_get_str(ref, "apiGroup")) &&
	       slice_eq(json_get_str(source, "kind"), json_get_str(ref, "kind")) &&
	       slice_eq(json_get_str(source, "name"), json_get_str(ref, "name"));
}

static void check_sources(struct field_errors *e, const char *base, const struct json *spec, const struct json *before)
{
	const struct json *source = part(spec, "dataSource"), *ref = part(spec, "dataSourceRef");
	bool allows_any_group = names_group(part(before, "dataSource")) || names_group(part(before, "dataSourceRef"));
	const char *bad = NULL;
	if (source)
		check_source(e, at(e, "%s.dataSource", base), source, allows_any_group);
	if (ref)
		check_source(e, at(e, "%s.dataSourceRef", base), ref, allows_any_group);
	if (source && json_get_str(ref, "namespace").len)
		bad = "may not be specified when dataSourceRef.namespace is specified";
	else if (source && ref && !is_same_source(source, ref))
		bad = "must match dataSourceRef";
	if (bad)
		field_error_add(e, "FieldValueInvalid", base, "Invalid value: %s.dataSource: %s", base, bad);
}

void validate_claim_spec(struct field_errors *e, const char *base, const struct json *spec, const struct json *before)
{
	const struct json *modes = json_get(spec, "accessModes"),
	                  *size = json_path(spec, "resources", "requests", "storage", NULL);
	if (!modes || !modes->first)
		bad_required(e, at(e, "%s.accessModes", base), "at least 1 access mode is required");
	check_selector(e, at(e, "%s.selector", base), json_get(spec, "selector"));
	check_access_modes(e, at(e, "%s.accessModes", base), modes);
	if (size)
		check_positive_amount(e, at(e, "%s.resources[storage]", base), size);
	else
		bad_required(e, at(e, "%s.resources[storage]", base), "");
	check_class_name(e, at(e, "%s.storageClassName", base), json_get_str(spec, "storageClassName"));
	check_choice(e, at(e, "%s.volumeMode", base), json_get_str(spec, "volumeMode"), "Block,Filesystem", false);
	check_sources(e, base, spec, before);
	check_class_name(
	        e, at(e, "%s.volumeAttributesClassName", base), json_get_str(spec, "volumeAttributesClassName"));
}

/* ---- changes ---- */

struct claim_change {
	const struct json *object, *old, *spec, *before;
	bool is_bound;
};

static const struct json *class_note(const struct json *object)
{
	return json_get(json_path(object, "metadata", "annotations", NULL), class_annotation);
}

static bool same_text(const struct json *x, const struct json *y)
{
	return slice_eq(json_str(x), json_str(y));
}

/* A class may be named once, and where an annotation named it before, by that name; then the annotation may go. */
static bool check_class_change(struct field_errors *e, const struct claim_change *c)
{
	const struct json *note = class_note(c->object), *had = class_note(c->old);
	const struct json *class = json_get(c->spec, "storageClassName");
	bool may_be_named = class && !json_get(c->before, "storageClassName") && (!had || same_text(class, had));
	bool moves = may_be_named && had && (!note || same_text(note, had));
	if (!moves && !same_text(note, had))
		bad_value(e, at(e, "metadata.annotations.%s", class_annotation), json_str(note), "field is immutable");
	return may_be_named;
}

/* When it is bound it may ask for more, or for other attributes. */
static bool resources_stay(const struct claim_change *c)
{
	const struct json *now = json_get(c->spec, "resources"), *had = json_get(c->before, "resources");
	const char *may_change = c->is_bound ? "storage" : "";
	return !differs_beyond(now, had, "requests") &&
	       !differs_beyond(json_get(now, "requests"), json_get(had, "requests"), may_change);
}

static void check_spec_change(struct field_errors *e, const struct claim_change *c)
{
	bool may_name_class = check_class_change(e, c);
	bool may_name_volume = !json_get_str(c->before, "volumeName").len;
	bool may_name_attributes = c->is_bound && json_get(c->spec, "volumeAttributesClassName");
	const char *may_change = at(e, "resources%s%s%s", may_name_volume ? ",volumeName" : "",
	        may_name_class ? ",storageClassName" : "", may_name_attributes ? ",volumeAttributesClassName" : "");
	if (differs_beyond(c->spec, c->before, may_change) || !resources_stay(c))
		bad_forbidden(e, "spec",
		        "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
		        "bound claims");
}

/* A volume does not shrink; but who asked for more than there is may ask for less, as long as it is more than it has.
 */
static void check_size_change(struct field_errors *e, const struct claim_change *c)
{
	struct quantity now, before, has = {0};
	const struct json *size = json_path(c->spec, "resources", "requests", "storage", NULL),
	                  *had = json_path(c->before, "resources", "requests", "storage", NULL),
	                  *capacity = json_path(c->object, "status", "capacity", "storage", NULL);
	if (!size || !had || quantity_parse(size->text, &now, NULL) != 0 ||
	        quantity_parse(had->text, &before, NULL) != 0)
		return;
	if (capacity && quantity_parse(capacity->text, &has, NULL) != 0)
		return;
	if (quantity_cmp(&now, &before) < 0 && quantity_cmp(&now, &has) <= 0)
		bad_forbidden(e, "spec.resources.requests.storage", "field can not be less than status.capacity");
}

static void check_change(struct field_errors *e, const struct claim_change *c)
{
	static const char field[] = "spec.volumeAttributesClassName";
	const struct json *class = json_get(c->spec, "volumeAttributesClassName");
	check_spec_change(e, c);
	check_size_change(e, c);
	check_immutable(e, "volumeMode", json_get(c->spec, "volumeMode"), json_get(c->before, "volumeMode"));
	if (!json_get(c->before, "volumeAttributesClassName"))
		return;
	if (!class)
		bad_forbidden(e, field, "update from non-nil value to nil is forbidden");
	else if (!json_str(class).len && json_get_str(c->before, "volumeAttributesClassName").len)
		bad_forbidden(e, field, "update from non-nil value to an empty string is forbidden");
}

void validate_claim(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct claim_change c = {object, old, json_get(object, "spec"), json_get(old, "spec"),
	        slice_is(json_str(json_path(object, "status", "phase", NULL)), "Bound")};
	validate_claim_spec(e, "spec", c.spec, c.before);
	if (old)
		check_change(e, &c);
}

/* ---- the status ---- */

/* Of what has no domain, storage alone is claimed. */
static void check_resource_key(struct field_errors *e, const char *field, struct slice name)
{
	const char *bad = check_qualified_name(name);
	bool is_native = !memchr(name.ptr, '/', name.len) || memmem(name.ptr, name.len, "kubernetes.io/", 14);
	if (bad)
		bad_value(e, field, name, bad);
	else if (is_native)
		check_choice(e, field, name, "storage", true);
}

static void check_growth(struct field_errors *e, const struct json *status)
{
	static const char states[] = "ControllerResizeInProgress,ControllerResizeInfeasible,NodeResizeInProgress,"
	                             "NodeResizeInfeasible,NodeResizePending",
	                  state_field[] = "status.allocatedResourceStatus", field[] = "status.allocatedResources";
	JSON_FOREACH (it, json_get(status, "allocatedResourceStatuses")) {
		size_t before = e->count;
		check_resource_key(e, state_field, it->key);
		if (e->count == before)
			check_choice(e, state_field, json_str(it), states, true);
	}
	JSON_FOREACH (it, json_get(status, "allocatedResources")) {
		check_resource_key(e, field, it->key);
		check_no_debt(e, at(e, "%s[%.*s]", field, SLICE_FMT(it->key)), it);
	}
}

void validate_claim_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	JSON_FOREACH (it, json_get(status, "capacity"))
		check_no_debt(e, at(e, "status.capacity[%.*s]", SLICE_FMT(it->key)), it);
	check_growth(e, status);
}
