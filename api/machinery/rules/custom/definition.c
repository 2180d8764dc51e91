/* CustomResourceDefinitions: what is filled in, kept and refused. Upstream: apiextensions-apiserver pkg/apis/
 * apiextensions/{v1/defaults.go,validation} and pkg/registry/customresourcedefinition/strategy.go. */
#include "api/machinery/rules/custom/definition.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/custom/structural.h"
#include "api/machinery/rules/custom/custom_rules_define.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/admission/webhook_client.h"

#include "api/machinery/schema/kind_ops.h"
#include "api/machinery/table/custom_columns.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/pki/pki.h"

#include <ctype.h>
#include <stdlib.h>

#define CONVERSION_CLIENT "spec.conversion.webhookClientConfig"

enum { SELECTABLE_MAX = 8 };

/* ---- defaults and what the server owns ---- */

static char *lower(struct arena *a, struct slice s)
{
	char *out = arena_memdup(a, s.ptr ? s.ptr : "", s.len);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

void definition_defaults(struct arena *a, struct json *object)
{
	struct json *spec = json_get(object, "spec"), *names = json_get(spec, "names");
	struct slice kind = json_get_str(names, "kind");
	if (kind.len) {
		default_str(a, names, "singular", lower(a, kind));
		default_str(a, names, "listKind", arena_printf(a, "%.*sList", SLICE_FMT(kind)));
	}
	if (!spec)
		return;
	struct json *conversion = json_need(a, spec, "conversion", JSON_OBJECT);
	default_str(a, conversion, "strategy", "None");
	webhook_client_defaults(a, json_path(conversion, "webhook", "clientConfig", NULL));
}

static struct json *storage_version(const struct json *object)
{
	JSON_FOREACH (it, json_path(object, "spec", "versions", NULL))
		if (json_get_bool(it, "storage", false))
			return it;
	return NULL;
}

/* Versions in whose form objects may lie in the store: the present one is one of them. */
static void note_stored_version(struct arena *a, struct json *object)
{
	struct slice name = json_get_str(storage_version(object), "name");
	struct json *status = json_need(a, object, "status", JSON_OBJECT),
	            *stored = json_need(a, status, "storedVersions", JSON_ARRAY);
	JSON_FOREACH (it, stored)
		if (slice_eq(json_str(it), name))
			return;
	if (name.len)
		json_append(stored, json_new_str(a, name));
}

void definition_prepare_create(struct arena *a, struct json *object)
{
	note_stored_version(a, object);
}

void definition_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	if (!*sub)
		note_stored_version(a, object);
}

/* ---- names ---- */

static void check_label(struct field_errors *e, const char *field, struct slice name)
{
	const char *bad = check_dns1035_label(name);
	if (bad)
		bad_value(e, field, name, bad);
}

static void check_kind(struct field_errors *e, const char *field, struct slice name)
{
	const char *bad = check_dns1035_label(slice_of(lower(e->arena, name)));
	if (bad)
		bad_value(e, field, name, at(e, "may have mixed case, but should otherwise match: %s", bad));
}

static void check_names(struct field_errors *e, const struct json *names)
{
	struct slice plural = json_get_str(names, "plural"), singular = json_get_str(names, "singular"),
	             kind = json_get_str(names, "kind"), list = json_get_str(names, "listKind");
	int i = 0;
	if (!plural.len)
		bad_required(e, "spec.names.plural", "");
	else
		check_label(e, "spec.names.plural", plural);
	if (singular.len)
		check_label(e, "spec.names.singular", singular);
	if (!kind.len)
		bad_required(e, "spec.names.kind", "");
	else
		check_kind(e, "spec.names.kind", kind);
	if (list.len)
		check_kind(e, "spec.names.listKind", list);
	if (kind.len && slice_eq(kind, list))
		bad_value(e, "spec.names.listKind", list, "kind and listKind may not be the same");
	JSON_FOREACH (it, json_get(names, "shortNames"))
		check_label(e, at(e, "spec.names.shortNames[%d]", i++), json_str(it));
	i = 0;
	JSON_FOREACH (it, json_get(names, "categories"))
		check_label(e, at(e, "spec.names.categories[%d]", i++), json_str(it));
}

static void check_group(struct field_errors *e, struct slice group)
{
	const char *bad = group.len ? validate_dns1123_subdomain(group) : NULL;
	if (!group.len)
		bad_required(e, "spec.group", "");
	else if (bad)
		bad_value(e, "spec.group", group, bad);
	else if (!memchr(group.ptr, '.', group.len))
		bad_value(e, "spec.group", group, "should be a domain with at least one dot");
}

/* Groups of Kubernetes itself ask for a word of its reviewers. */
bool definition_is_protected(struct slice group)
{
	return slice_is(group, "k8s.io") || slice_is(group, "kubernetes.io") || slice_ends(group, ".k8s.io") ||
	       slice_ends(group, ".kubernetes.io");
}

const char *definition_approval(const struct json *object, const char **ret_reason)
{
	struct slice word = json_get_str(json_path(object, "metadata", "annotations", NULL), DEFINITION_APPROVAL);
	*ret_reason = "";
	if (!definition_is_protected(json_str(json_path(object, "spec", "group", NULL))))
		return NULL;
	if (!word.len) {
		*ret_reason = "MissingAnnotation";
		return "protected groups must have approval annotation \"" DEFINITION_APPROVAL
		       "\", see https://github.com/kubernetes/enhancements/pull/1111";
	}
	if (slice_starts(word, "unapproved")) {
		*ret_reason = "UnapprovedAnnotation";
		return "not approved";
	}
	if (slice_starts(word, "https://") || slice_starts(word, "http://")) {
		*ret_reason = "ApprovedAnnotation";
		return NULL;
	}
	*ret_reason = "InvalidAnnotation";
	return "protected groups must have approval annotation \"" DEFINITION_APPROVAL
	       "\" with either a URL or a reason starting with \"unapproved\", see "
	       "https://github.com/kubernetes/enhancements/pull/1111";
}

static void check_approval(struct field_errors *e, const struct json *object)
{
	const char *reason, *bad = definition_approval(object, &reason);
	const char *field = "metadata.annotations[" DEFINITION_APPROVAL "]";
	struct slice word = json_get_str(json_path(object, "metadata", "annotations", NULL), DEFINITION_APPROVAL);
	if (bad && strcmp(reason, "MissingAnnotation") == 0)
		bad_required(e, field, bad);
	else if (bad && strcmp(reason, "InvalidAnnotation") == 0)
		bad_value(e, field, word, bad);
}

/* ---- a version ---- */

/* ".spec.replicas": members alone. */
static bool is_simple_path(struct slice path)
{
	if (path.len < 2 || path.ptr[0] != '.')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (memchr("[]()?*@\"'{} ", path.ptr[i], 12) ||
		        (path.ptr[i] == '.' && i + 1 < path.len && path.ptr[i + 1] == '.'))
			return false;
	return path.ptr[path.len - 1] != '.';
}

static void check_scale_path(struct field_errors *e, const char *field, struct slice path, const char *under,
        const char *other, const char *words)
{
	if (!is_simple_path(path))
		bad_value(e, field, path, "should be a simple json path without array notation");
	else if (!slice_starts(path, under) && !(other && slice_starts(path, other)))
		bad_value(e, field, path, words);
}

static void check_scale(struct field_errors *e, const struct json *scale, const char *path)
{
	struct slice spec = json_get_str(scale, "specReplicasPath"), status = json_get_str(scale, "statusReplicasPath"),
	             selector = json_get_str(scale, "labelSelectorPath");
	if (!spec.len)
		bad_required(e, at(e, "%s.specReplicasPath", path), "");
	else
		check_scale_path(e, at(e, "%s.specReplicasPath", path), spec, ".spec.", NULL,
		        "should be a json path under .spec");
	if (!status.len)
		bad_required(e, at(e, "%s.statusReplicasPath", path), "");
	else
		check_scale_path(e, at(e, "%s.statusReplicasPath", path), status, ".status.", NULL,
		        "should be a json path under .status");
	if (selector.len)
		check_scale_path(e, at(e, "%s.labelSelectorPath", path), selector, ".status.", ".spec.",
		        "should be a json path under either .status or .spec");
}

static void check_columns(struct field_errors *e, const struct json *version, const char *path)
{
	int i = 0;
	JSON_FOREACH (it, json_get(version, "additionalPrinterColumns")) {
		const char *here = at(e, "%s.additionalPrinterColumns[%d]", path, i++);
		struct slice json_path_text = json_get_str(it, "jsonPath"), type = json_get_str(it, "type"),
		             format = json_get_str(it, "format");
		struct err err = ERR_INIT;
		if (!json_get_str(it, "name").len)
			bad_required(e, at(e, "%s.name", here), "");
		if (!type.len)
			bad_required(e, at(e, "%s.type", here), "must be one of boolean,date,integer,number,string");
		else
			check_choice(e, at(e, "%s.type", here), type, "boolean,date,integer,number,string", true);
		if (format.len)
			check_choice(e, at(e, "%s.format", here), format,
			        "byte,date,date-time,double,float,int32,int64,password", true);
		if (!json_path_text.len)
			bad_required(e, at(e, "%s.jsonPath", here), "");
		else if (!custom_path_new(e->arena, json_path_text, &err))
			bad_value(e, at(e, "%s.jsonPath", here), json_path_text, err.msg);
	}
}

static const struct json *schema_at(const struct json *schema, struct slice path)
{
	path = (struct slice){path.ptr + 1, path.len - 1};
	while (schema && path.ptr)
		schema = json_get_slice(json_get(schema, "properties"), slice_cut(&path, '.'));
	return schema;
}

static void check_selectable(
        struct field_errors *e, const struct json *version, const struct json *schema, const char *path)
{
	const struct json *list = json_get(version, "selectableFields");
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (json_is(list, JSON_ARRAY) && list->count > SELECTABLE_MAX)
		field_error_add(e, "FieldValueTooMany", at(e, "%s.selectableFields", path),
		        "Too many: %u: must have at most %d items", list->count, SELECTABLE_MAX);
	JSON_FOREACH (it, list) {
		const char *here = at(e, "%s.selectableFields[%d].jsonPath", path, i++);
		struct slice where = json_get_str(it, "jsonPath");
		const struct json *field;
		if (!where.len) {
			bad_required(e, here, "");
			continue;
		}
		if (!is_simple_path(where)) {
			bad_value(e, here, where, "should be a simple json path without array notation");
			continue;
		}
		field = schema_at(schema, where);
		struct slice type = json_get_str(field, "type");
		if (slice_starts(where, ".metadata."))
			bad_value(e, here, where, "must not point to fields in metadata");
		else if (!field)
			bad_value(e, here, where, "field does not exist in the schema");
		else if (!slice_is(type, "string") && !slice_is(type, "boolean") && !slice_is(type, "integer"))
			bad_value(e, here, where,
			        "must point to a field of type string, boolean or integer. Enum string fields and "
			        "strings with "
			        "formats are allowed.");
		if (!name_set_add(&seen, where))
			bad_duplicate(e, here, where);
	}
	name_set_release(&seen);
}

/* Rules in CEL are of values that the rest of the schema has made sure of. */
static void check_schema(struct field_errors *e, const struct json *schema, const char *path)
{
	size_t before = e->count;
	structural_check(e, schema, path);
	if (e->count == before)
		custom_rules_define(e, schema, path);
}

static void check_version(struct field_errors *e, const struct json *version, const char *path)
{
	const struct json *schema = json_path(version, "schema", "openAPIV3Schema", NULL);
	const struct json *scale = json_path(version, "subresources", "scale", NULL);
	const char *place = at(e, "%s.schema.openAPIV3Schema", path);
	check_label(e, at(e, "%s.name", path), json_get_str(version, "name"));
	if (!json_is(schema, JSON_OBJECT))
		bad_required(e, place, "schemas are required");
	else
		check_schema(e, schema, place);
	if (json_is(scale, JSON_OBJECT))
		check_scale(e, scale, at(e, "%s.subresources.scale", path));
	check_columns(e, version, path);
	check_selectable(e, version, schema, path);
}

static void check_versions(struct field_errors *e, const struct json *versions, const struct json *old_versions)
{
	struct name_set seen = {MAP_INIT};
	int i = 0, stored = 0;
	JSON_FOREACH (it, versions) {
		const char *path = at(e, "spec.versions[%d]", i);
		const struct json *before = NULL;
		JSON_FOREACH (b, old_versions)
			if (slice_eq(json_get_str(b, "name"), json_get_str(it, "name")))
				before = b;
		i++;
		stored += json_get_bool(it, "storage", false);
		if (!name_set_add(&seen, json_get_str(it, "name")))
			bad_value(e, "spec.versions", json_get_str(it, "name"), "must contain unique version names");
		if (!before || !json_equal(before, it))
			check_version(e, it, path);
	}
	if (!versions || !versions->first)
		bad_required(e, "spec.versions", "must have at least one version");
	else if (stored != 1)
		bad_value(e, "spec.versions", SLICE("..."), "must have exactly one version marked as storage version");
	name_set_release(&seen);
}

/* ---- the whole ---- */

/* Certificates that vouch for a webhook; empty: the system's. */
static const char *why_bad_bundle(struct arena *a, const struct json *webhook)
{
	struct slice text = json_get_str(json_get(webhook, "clientConfig"), "caBundle"), pem;
	struct pki_info info;
	struct err err = ERR_INIT;
	if (!text.len)
		return NULL;
	if (!base64_decode(a, text, &pem) ||
	        pki_info(arena_memdup(a, pem.ptr ? pem.ptr : "", pem.len), &info, &err) != 0)
		return "unable to load root certificates: unable to parse bytes as PEM block";
	return NULL;
}

/* One that was there already may stay. */
static void check_bundle(struct field_errors *e, const struct json *webhook, const struct json *old)
{
	const char *why = why_bad_bundle(e->arena, webhook);
	if (why && (!old || !why_bad_bundle(e->arena, old)))
		field_error_add(
		        e, "FieldValueInvalid", CONVERSION_CLIENT ".caBundle", "Invalid value: \"...\": %s", why);
}

/* The paths are those of upstream's own form of a definition. */
static void check_conversion(struct field_errors *e, const struct json *spec, const struct json *old)
{
	const struct json *conversion = json_get(spec, "conversion");
	struct slice strategy = json_get_str(conversion, "strategy");
	const struct json *webhook = json_get(conversion, "webhook"),
	                  *versions = json_get(webhook, "conversionReviewVersions");
	check_choice(e, "spec.conversion.strategy", strategy, "None,Webhook", true);
	if (slice_is(strategy, "Webhook")) {
		if (!json_is(json_get(webhook, "clientConfig"), JSON_OBJECT))
			bad_required(e, CONVERSION_CLIENT, "required when strategy is set to Webhook");
		else
			webhook_client_check(e, json_get(webhook, "clientConfig"), CONVERSION_CLIENT);
		check_bundle(e, webhook, json_path(old, "spec", "conversion", "webhook", NULL));
		webhook_review_versions_check(e, versions, "", false, "spec.conversion.conversionReviewVersions");
	} else if (json_get(webhook, "clientConfig")) {
		bad_forbidden(e, CONVERSION_CLIENT, "should not be set when strategy is not set to Webhook");
	}
	if (!slice_is(strategy, "Webhook") && versions && versions->count)
		bad_forbidden(e, "spec.conversion.conversionReviewVersions",
		        "should not be set when strategy is not set to Webhook");
	if (json_get_bool(spec, "preserveUnknownFields", false))
		field_error_add(e, "FieldValueInvalid", "spec.preserveUnknownFields",
		        "Invalid value: true: must be false in order to use apiextensions.k8s.io/v1; use "
		        "x-kubernetes-preserve-unknown-fields in the schema");
}

static void check_stored(struct field_errors *e, const struct json *object)
{
	int i = 0;
	JSON_FOREACH (it, json_path(object, "status", "storedVersions", NULL)) {
		bool found = false;
		JSON_FOREACH (v, json_path(object, "spec", "versions", NULL))
			found = found || slice_eq(json_get_str(v, "name"), json_str(it));
		if (!found)
			bad_value(
			        e, at(e, "status.storedVersions[%d]", i), json_str(it), "must appear in spec.versions");
		i++;
	}
}

bool definition_has_condition(const struct json *object, const char *type)
{
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL))
		if (slice_is(json_get_str(it, "type"), type))
			return slice_is(json_get_str(it, "status"), "True");
	return false;
}

static void check_unchanged(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *before = json_get(old, "spec");
	const struct json *names = json_get(spec, "names"), *names_before = json_get(before, "names");
	check_immutable(e, "spec.group", json_get(spec, "group"), json_get(before, "group"));
	check_immutable(e, "spec.names.plural", json_get(names, "plural"), json_get(names_before, "plural"));
	if (!definition_has_condition(old, "Established"))
		return;
	check_immutable(e, "spec.scope", json_get(spec, "scope"), json_get(before, "scope"));
	check_immutable(e, "spec.names.kind", json_get(names, "kind"), json_get(names_before, "kind"));
}

void definition_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *names = json_get(spec, "names");
	struct slice name = json_str(json_path(object, "metadata", "name", NULL)), group = json_get_str(spec, "group"),
	             plural = json_get_str(names, "plural"), scope = json_get_str(spec, "scope");
	const char *want = at(e, "%.*s.%.*s", SLICE_FMT(plural), SLICE_FMT(group));
	if (!old && name.len && !slice_is(name, want))
		bad_value(e, "metadata.name", name, "must be spec.names.plural+\".\"+spec.group");
	check_group(e, group);
	if (!scope.len)
		bad_required(e, "spec.scope", "");
	else
		check_choice(e, "spec.scope", scope, "Cluster,Namespaced", true);
	check_names(e, names);
	check_versions(e, json_get(spec, "versions"), json_path(old, "spec", "versions", NULL));
	check_conversion(e, spec, old);
	if (!old || definition_approval(old, &(const char *){NULL}) == NULL)
		check_approval(e, object);
	if (!old)
		return;
	check_unchanged(e, object, old);
	check_stored(e, object);
}
