/* CustomResourceDefinitions: what is filled in, kept and refused. Upstream: apiextensions-apiserver pkg/apis/
 * apiextensions/{v1/defaults.go,validation} and pkg/registry/customresourcedefinition/strategy.go. */
#include "api/machinery/rules/custom/definition.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/admission/webhook_client.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/custom/definition_version.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/pki/pki.h"

#include <ctype.h>
#include <stdlib.h>

#define CONVERSION_CLIENT "spec.conversion.webhookClientConfig"

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

/* What names may be like, where there are any; of the spec or the status. */
static void check_name_forms(struct field_errors *e, const struct json *names, const char *path)
{
	struct slice plural = json_get_str(names, "plural"), singular = json_get_str(names, "singular"),
	             kind = json_get_str(names, "kind"), list = json_get_str(names, "listKind");
	int i = 0;
	if (plural.len)
		check_label(e, at(e, "%s.plural", path), plural);
	if (singular.len)
		check_label(e, at(e, "%s.singular", path), singular);
	if (kind.len)
		check_kind(e, at(e, "%s.kind", path), kind);
	if (list.len)
		check_kind(e, at(e, "%s.listKind", path), list);
	JSON_FOREACH (it, json_get(names, "shortNames"))
		check_label(e, at(e, "%s.shortNames[%d]", path, i++), json_str(it));
	if (kind.len && slice_eq(kind, list))
		bad_value(e, at(e, "%s.listKind", path), list, "kind and listKind may not be the same");
	i = 0;
	JSON_FOREACH (it, json_get(names, "categories"))
		check_label(e, at(e, "%s.categories[%d]", path, i++), json_str(it));
}

static void check_names(struct field_errors *e, const struct json *names)
{
	static const char *const needed[] = {"plural", "singular", "kind", "listKind"};
	for (size_t i = 0; i < COUNT_OF(needed); i++)
		if (!json_get_str(names, needed[i]).len)
			bad_required(e, at(e, "spec.names.%s", needed[i]), "");
	check_name_forms(e, names, "spec.names");
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
static bool is_protected(struct slice group)
{
	return slice_is(group, "k8s.io") || slice_is(group, "kubernetes.io") || slice_ends(group, ".k8s.io") ||
	       slice_ends(group, ".kubernetes.io");
}

/* "https://host/path", whatever the scheme. */
static bool is_url(struct slice s)
{
	const char *mark = s.len ? memmem(s.ptr, s.len, "://", 3) : NULL;
	size_t scheme = mark ? (size_t)(mark - s.ptr) : 0, host = scheme + 3;
	return scheme > 0 && isalpha((unsigned char)s.ptr[0]) && host < s.len && s.ptr[host] != '/' &&
	       s.ptr[host] != '?';
}

const char *definition_approval(const struct json *object, const char **ret_reason)
{
	struct slice word = json_get_str(json_path(object, "metadata", "annotations", NULL), DEFINITION_APPROVAL);
	*ret_reason = "";
	if (!is_protected(json_str(json_path(object, "spec", "group", NULL))))
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
	if (is_url(word)) {
		*ret_reason = "ApprovedAnnotation";
		return NULL;
	}
	*ret_reason = "InvalidAnnotation";
	return "protected groups must have approval annotation \"" DEFINITION_APPROVAL
	       "\" with either a URL or a reason starting with \"unapproved\", see "
	       "https://github.com/kubernetes/enhancements/pull/1111";
}

/* Who leaves it as it is is not asked. */
static void check_approval(struct field_errors *e, const struct json *object, const struct json *old)
{
	const char *reason, *before = "", *bad = definition_approval(object, &reason);
	const char *field = "metadata.annotations[" DEFINITION_APPROVAL "]";
	struct slice word = json_get_str(json_path(object, "metadata", "annotations", NULL), DEFINITION_APPROVAL);
	if (old)
		definition_approval(old, &before);
	if (!bad || strcmp(reason, before) == 0)
		return;
	if (strcmp(reason, "MissingAnnotation") == 0)
		bad_required(e, field, bad);
	else if (strcmp(reason, "InvalidAnnotation") == 0)
		bad_value(e, field, word, bad);
}

/* ---- conversion ---- */

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

/* A definition that is established keeps one that is sound; one that was odd already may stay. */
static void check_bundle(struct field_errors *e, const struct json *webhook, const struct json *old)
{
	const char *why = why_bad_bundle(e->arena, webhook);
	if (why && old && definition_has_condition(old, "Established") &&
	        !why_bad_bundle(e->arena, json_path(old, "spec", "conversion", "webhook", NULL)))
		field_error_add(
		        e, "FieldValueInvalid", CONVERSION_CLIENT ".caBundle", "Invalid value: \"...\": %s", why);
}

/* Versions of reviews that are not spoken here, which an older server let in. */
static bool has_odd_reviews(const struct json *old)
{
	const struct json *list = json_path(old, "spec", "conversion", "webhook", "conversionReviewVersions", NULL);
	return list && list->first && !webhook_review_version_is_known(list);
}

static void check_webhook(struct field_errors *e, const struct json *webhook, const struct json *old)
{
	if (!json_is(json_get(webhook, "clientConfig"), JSON_OBJECT))
		bad_required(e, CONVERSION_CLIENT, "required when strategy is set to Webhook");
	else
		webhook_client_check(e, json_get(webhook, "clientConfig"), CONVERSION_CLIENT);
	check_bundle(e, webhook, old);
	webhook_review_versions_check(e, json_get(webhook, "conversionReviewVersions"), "", has_odd_reviews(old),
	        "spec.conversion.conversionReviewVersions");
}

/* The paths are those of upstream's own form of a definition. */
static void check_conversion(struct field_errors *e, const struct json *spec, const struct json *old)
{
	static const char unwanted[] = "should not be set when strategy is not set to Webhook";
	const struct json *conversion = json_get(spec, "conversion"), *webhook = json_get(conversion, "webhook"),
	                  *versions = json_get(webhook, "conversionReviewVersions");
	struct slice strategy = json_get_str(conversion, "strategy");
	if (!slice_is(strategy, "None") && json_get_bool(spec, "preserveUnknownFields", false))
		bad_value(
		        e, "spec.conversion.strategy", strategy, "must be None if spec.preserveUnknownFields is true");
	check_choice(e, "spec.conversion.strategy", strategy, "None,Webhook", true);
	if (slice_is(strategy, "Webhook")) {
		check_webhook(e, webhook, old);
		return;
	}
	if (json_get(webhook, "clientConfig"))
		bad_forbidden(e, CONVERSION_CLIENT, unwanted);
	if (versions && versions->count)
		bad_forbidden(e, "spec.conversion.conversionReviewVersions", unwanted);
}

/* ---- what is kept although nobody knows it ---- */

static bool has_defaults(const struct json *v)
{
	JSON_FOREACH (it, json_get(v, "properties"))
		if (has_defaults(it))
			return true;
	return json_get(v, "default") || (json_get(v, "items") && has_defaults(json_get(v, "items"))) ||
	       (json_is(json_get(v, "additionalProperties"), JSON_OBJECT) &&
	               has_defaults(json_get(v, "additionalProperties")));
}

static void check_preserved(struct field_errors *e, const struct json *spec, const struct json *old)
{
	const char *field = "spec.preserveUnknownFields";
	bool have = false;
	if (!json_get_bool(spec, "preserveUnknownFields", false))
		return;
	JSON_FOREACH (it, json_get(spec, "versions"))
		have |= has_defaults(json_path(it, "schema", "openAPIV3Schema", NULL));
	if (have)
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: true: must be false in order to use defaults in the schema");
	if (!json_get_bool(json_get(old, "spec"), "preserveUnknownFields", false))
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
		        "spec.versions[*].schema instead");
}

/* ---- versions that objects are stored in ---- */

static const struct json *version_named(const struct json *spec, struct slice name)
{
	JSON_FOREACH (it, json_get(spec, "versions"))
		if (slice_eq(json_get_str(it, "name"), name))
			return it;
	return NULL;
}

static void check_stored(struct field_errors *e, const struct json *object)
{
	const struct json *stored = json_path(object, "status", "storedVersions", NULL),
	                  *spec = json_get(object, "spec");
	struct slice name = json_get_str(storage_version(object), "name");
	bool has_present = !name.len;
	int i = 0;
	if (!stored || !stored->first) {
		field_error_add(e, "FieldValueInvalid", "status.storedVersions",
		        "Invalid value: []string(nil): must have at least one stored version");
		return;
	}
	JSON_FOREACH (it, stored)
		has_present |= slice_eq(json_str(it), name);
	if (!has_present)
		field_error_add(e, "FieldValueInvalid", "status.storedVersions",
		        "Invalid value: %s: must have the storage version %.*s",
		        go_list_text(e->arena, "[]string", stored), SLICE_FMT(name));
	JSON_FOREACH (it, stored) {
		if (!version_named(spec, json_str(it)))
			bad_value(
			        e, at(e, "status.storedVersions[%d]", i), json_str(it), "must appear in spec.versions");
		i++;
	}
}

/* ---- the whole ---- */

bool definition_has_condition(const struct json *object, const char *type)
{
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL))
		if (slice_is(json_get_str(it, "type"), type))
			return slice_is(json_get_str(it, "status"), "True");
	return false;
}

static void check_unchanged(struct field_errors *e, const struct json *spec, const struct json *old)
{
	const struct json *before = json_get(old, "spec"), *names = json_get(spec, "names"),
	                  *names_before = json_get(before, "names");
	if (definition_has_condition(old, "Established")) {
		check_immutable(e, "spec.scope", json_get(spec, "scope"), json_get(before, "scope"));
		check_immutable(e, "spec.names.kind", json_get(names, "kind"), json_get(names_before, "kind"));
	}
	check_immutable(e, "spec.group", json_get(spec, "group"), json_get(before, "group"));
	check_immutable(e, "spec.names.plural", json_get(names, "plural"), json_get(names_before, "plural"));
}

void definition_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *names = json_get(spec, "names");
	struct slice name = json_str(json_path(object, "metadata", "name", NULL)), group = json_get_str(spec, "group"),
	             plural = json_get_str(names, "plural");
	const char *want = at(e, "%.*s.%.*s", SLICE_FMT(plural), SLICE_FMT(group));
	if (!old && name.len && !slice_is(name, want))
		bad_value(e, "metadata.name", name, "must be spec.names.plural+\".\"+spec.group");
	check_group(e, group);
	check_choice(e, "spec.scope", json_get_str(spec, "scope"), "Cluster,Namespaced", true);
	definition_versions_check(e, json_get(spec, "versions"), json_path(old, "spec", "versions", NULL));
	check_names(e, names);
	check_conversion(e, spec, old);
	if (old)
		check_unchanged(e, spec, old);
	check_stored(e, object);
	check_approval(e, object, old);
	check_preserved(e, spec, old);
}

void definition_validate_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_name_forms(e, json_path(object, "status", "acceptedNames", NULL), "status.acceptedNames");
}

void definition_warn(struct warnings *w, const struct json *object, const struct json *old)
{
	if (is_new_spec(object, old))
		definition_versions_warn(w, json_path(object, "spec", "versions", NULL));
}
