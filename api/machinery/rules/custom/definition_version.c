/* See definition_version.h. Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation.
 *
 * What all versions say alike, upstream moves to the top of the definition before it looks at it, and so it is told
 * there: a lone version's schema is wrong at spec.validation.openAPIV3Schema. Such parts are looked at once. */
#include "api/machinery/rules/custom/definition_version.h"

#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/custom/custom_rules_define.h"
#include "api/machinery/rules/custom/structural.h"
#include "api/machinery/table/custom_columns.h"
#include "base/check.h"
#include "base/mem/utf8.h"

enum { SELECTABLE_MAX = 8, DEPRECATION_BYTES_MAX = 256 };

/* Which parts are the same in all versions. */
struct shared {
	bool schema, subresources, columns, selectable;
};

static bool same_in_all(const struct json *versions, const char *part)
{
	const struct json *first = json_get(versions->first, part);
	JSON_FOREACH (it, versions)
		if (!json_equal(json_get(it, part), first))
			return false;
	return true;
}

/* ---- deprecation ---- */

/* Of what Go's unicode.IsPrint() does not print the blocks that matter: controls, spaces, marks of direction, what is
 * for private use. */
static bool is_printable(uint32_t c)
{
	static const uint32_t others[][2] = {{0, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x2000, 0x200f}, {0x2028, 0x202f},
	        {0x205f, 0x206f}, {0x3000, 0x3000}, {0xe000, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}};
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (c >= others[i][0] && c <= others[i][1])
			return false;
	return true;
}

/* Where the first character is that is not; the length: nowhere. */
static size_t unprintable_at(struct slice text)
{
	const unsigned char *p = (const unsigned char *)text.ptr;
	size_t i = 0, n;
	for (; i < text.len; i += n) {
		n = utf8_len(p + i, text.len - i);
		uint32_t c = n > 1 ? p[i] & (0x7fu >> n) : p[i];
		for (size_t k = 1; k < n; k++)
			c = c << 6 | (p[i + k] & 0x3fu);
		if (!n || !is_printable(c))
			break;
	}
	return i;
}

static void check_deprecation(struct field_errors *e, const struct json *version, const char *path)
{
	const struct json *warning = json_get(version, "deprecationWarning");
	const char *field = at(e, "%s.deprecationWarning", path);
	struct slice text = json_str(warning);
	if (!json_is(warning, JSON_STRING))
		return;
	if (!json_get_bool(version, "deprecated", false)) {
		bad_value(e, field, text, "can only be set for deprecated versions");
		return;
	}
	if (text.len > DEPRECATION_BYTES_MAX)
		bad_value(e, field, text, "must be <= 256 characters long");
	if (!text.len)
		bad_value(e, field, text, "must not be an empty string");
	size_t odd = unprintable_at(text);
	if (odd < text.len)
		bad_value(e, field, text,
		        at(e,
		                "must only contain printable UTF-8 characters; non-printable character found at index "
		                "%zu",
		                odd));
}

/* ---- subresources ---- */

static void check_scale_path(struct field_errors *e, const char *field, struct slice path, const char *under,
        const char *other, const char *words)
{
	if (path.ptr[0] != '.')
		bad_value(e, field, path, "must be a simple json path starting with .");
	else if (!slice_starts(path, under) && !slice_starts(path, other))
		bad_value(e, field, path, words);
}

static void check_scale(struct field_errors *e, const struct json *scale, const char *path)
{
	struct slice spec = json_get_str(scale, "specReplicasPath"), status = json_get_str(scale, "statusReplicasPath"),
	             selector = json_get_str(scale, "labelSelectorPath");
	if (!spec.len)
		bad_required(e, at(e, "%s.specReplicasPath", path), "");
	else
		check_scale_path(e, at(e, "%s.specReplicasPath", path), spec, ".spec.", ".spec.",
		        "should be a json path under .spec");
	if (!status.len)
		bad_required(e, at(e, "%s.statusReplicasPath", path), "");
	else
		check_scale_path(e, at(e, "%s.statusReplicasPath", path), status, ".status.", ".status.",
		        "should be a json path under .status");
	if (selector.len)
		check_scale_path(e, at(e, "%s.labelSelectorPath", path), selector, ".status.", ".spec.",
		        "should be a json path under either .spec or .status");
}

static void check_subresources(struct field_errors *e, const struct json *version, const char *path)
{
	const struct json *scale = object_member(json_get(version, "subresources"), "scale");
	if (scale)
		check_scale(e, scale, at(e, "%s.scale", path));
}

static bool has_status(const struct json *version)
{
	return object_member(json_get(version, "subresources"), "status");
}

/* ---- columns ---- */

#define TYPES "boolean,date,integer,number,string"
#define FORMATS "byte,date,date-time,double,float,int32,int64,password"

static bool is_one_of(struct slice word, const char *words)
{
	struct slice rest = slice_of(words);
	while (rest.ptr)
		if (slice_eq(slice_cut(&rest, ','), word))
			return true;
	return false;
}

static void check_columns(struct field_errors *e, const struct json *version, const char *path)
{
	int i = 0;
	JSON_FOREACH (it, json_get(version, "additionalPrinterColumns")) {
		const char *here = at(e, "%s[%d]", path, i++);
		struct slice where = json_get_str(it, "jsonPath"), type = json_get_str(it, "type"),
		             format = json_get_str(it, "format");
		if (!json_get_str(it, "name").len)
			bad_required(e, at(e, "%s.name", here), "");
		if (!type.len)
			bad_required(e, at(e, "%s.type", here), "must be one of " TYPES);
		else if (!is_one_of(type, TYPES))
			bad_value(e, at(e, "%s.type", here), type, "must be one of " TYPES);
		if (format.len && !is_one_of(format, FORMATS))
			bad_value(e, at(e, "%s.format", here), format, "must be one of " FORMATS);
		if (!where.len)
			bad_required(e, at(e, "%s.JSONPath", here), "");
		else if (where.ptr[0] != '.')
			bad_value(e, at(e, "%s.JSONPath", here), where, "must be a simple json path starting with .");
	}
}

/* ---- selectable fields ---- */

static bool is_mark(char c)
{
	return c == '.' || c == '[' || c == ']';
}

/* A mark, or what stands before the next one. */
static struct slice take_token(struct slice *path)
{
	size_t n = 1;
	while (!is_mark(path->ptr[0]) && n < path->len && !is_mark(path->ptr[n]))
		n++;
	struct slice token = {path->ptr, n};
	*path = (struct slice){path->ptr + n, path->len - n};
	return token;
}

/* ".spec.color" through properties and maps. NULL: it leads to *ret; else what is wrong with it. */
static const char *follow_path(struct arena *a, struct slice path, const struct json **ret)
{
	while (path.len) {
		struct slice token = take_token(&path);
		if (slice_is(token, "["))
			return "array notation is not allowed";
		if (!slice_is(token, "."))
			return arena_printf(a, "expected [ or . but got: %.*s", SLICE_FMT(token));
		if (!path.len)
			return "unexpected end of JSON path";
		token = take_token(&path);
		const struct json *properties = json_get(*ret, "properties");
		*ret = properties ? json_get_slice(properties, token) : json_get(*ret, "additionalProperties");
		if (!json_is(*ret, JSON_OBJECT))
			return "does not refer to a valid field";
	}
	return NULL;
}

/* False: it leads nowhere. */
static bool check_selectable_path(
        struct field_errors *e, struct slice path, const struct json *schema, const char *field)
{
	const char *why = follow_path(e->arena, path, &schema);
	struct slice type = json_get_str(schema, "type");
	if (why) {
		bad_value(e, field, path, at(e, "is an invalid path: %s", why));
		return false;
	}
	if (slice_is(path, ".metadata") || slice_starts(path, ".metadata."))
		bad_value(e, field, path, "must not point to fields in metadata");
	if (!slice_is(type, "string") && !slice_is(type, "boolean") && !slice_is(type, "integer"))
		bad_value(e, field, path,
		        "must point to a field of type string, boolean or integer. Enum string fields and strings with "
		        "formats are allowed.");
	return true;
}

static void check_selectable(struct field_errors *e, const struct json *version, const char *path)
{
	const struct json *schema = json_path(version, "schema", "openAPIV3Schema", NULL);
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, json_get(version, "selectableFields")) {
		const char *field = at(e, "%s[%d].jsonPath", path, i++);
		struct slice where = json_get_str(it, "jsonPath");
		if (!where.len)
			bad_required(e, field, "");
		else if (check_selectable_path(e, where, schema, field) && !name_set_add(&seen, where))
			bad_duplicate(e, field, where);
	}
	if (seen.map.count > SELECTABLE_MAX)
		field_error_add(e, "FieldValueTooMany", path, "Too many: %zu: must have at most %d items",
		        seen.map.count, SELECTABLE_MAX);
	name_set_release(&seen);
}

/* ---- schemas ---- */

static const struct json *version_named(const struct json *versions, struct slice name)
{
	JSON_FOREACH (it, versions)
		if (slice_eq(json_get_str(it, "name"), name))
			return it;
	return NULL;
}

/* Rules in CEL are of values that the rest of the schema has made sure of. */
static void check_schema(
        struct field_errors *e, const struct json *version, const struct json *before, bool status, const char *path)
{
	const struct json *schema = json_path(version, "schema", "openAPIV3Schema", NULL), *old;
	size_t count = e->count;
	if (!json_is(schema, JSON_OBJECT))
		return; /* which was told */
	old = json_path(version_named(before, json_get_str(version, "name")), "schema", "openAPIV3Schema", NULL);
	if (status)
		structural_check_beside_status(e, schema, path);
	if (old && json_equal(schema, old))
		return;
	structural_check(e, schema, path);
	if (e->count == count)
		custom_rules_define(e, schema, path);
}

static void check_schemas_are_there(struct field_errors *e, const struct json *versions)
{
	int i = 0;
	JSON_FOREACH (it, versions) {
		if (!json_is(json_path(it, "schema", "openAPIV3Schema", NULL), JSON_OBJECT))
			bad_required(e, at(e, "spec.versions[%d].schema.openAPIV3Schema", i), "schemas are required");
		i++;
	}
}

/* ---- versions ---- */

static void check_version(struct field_errors *e, const struct json *version, const struct json *before,
        const struct shared *all, const char *path)
{
	struct slice name = json_get_str(version, "name");
	const char *bad = check_dns1035_label(name);
	if (bad)
		bad_value(e, at(e, "%s.name", path), name, bad);
	check_deprecation(e, version, path);
	if (!all->schema)
		check_schema(e, version, before, has_status(version), at(e, "%s.schema.openAPIV3Schema", path));
	if (!all->subresources)
		check_subresources(e, version, at(e, "%s.subresources", path));
	if (!all->columns)
		check_columns(e, version, at(e, "%s.additionalPrinterColumns", path));
	if (!all->selectable)
		check_selectable(e, version, at(e, "%s.selectableFields", path));
}

static void check_shared(
        struct field_errors *e, const struct json *versions, const struct json *before, const struct shared *all)
{
	const struct json *first = versions->first;
	bool any_status = false;
	JSON_FOREACH (it, versions)
		any_status |= has_status(it);
	if (all->schema)
		check_schema(e, first, before, any_status, "spec.validation.openAPIV3Schema");
	if (all->subresources)
		check_subresources(e, first, "spec.subresources");
	if (all->columns)
		check_columns(e, first, "spec.additionalPrinterColumns");
	if (all->selectable)
		check_selectable(e, first, "spec.selectableFields");
}

static void check_marks(struct field_errors *e, const struct json *versions)
{
	struct name_set seen = {MAP_INIT};
	bool are_unique = true;
	int stored = 0;
	JSON_FOREACH (it, versions) {
		stored += json_get_bool(it, "storage", false);
		are_unique &= name_set_add(&seen, json_get_str(it, "name"));
	}
	if (!are_unique)
		bad_value(e, "spec.versions", SLICE("..."), "must contain unique version names");
	if (stored != 1)
		bad_value(e, "spec.versions", SLICE("..."), "must have exactly one version marked as storage version");
	name_set_release(&seen);
}

void definition_versions_check(struct field_errors *e, const struct json *versions, const struct json *before)
{
	struct shared all = {0};
	int i = 0;
	check_schemas_are_there(e, versions);
	if (versions && versions->first)
		all = (struct shared){same_in_all(versions, "schema"), same_in_all(versions, "subresources"),
		        same_in_all(versions, "additionalPrinterColumns"), same_in_all(versions, "selectableFields")};
	JSON_FOREACH (it, versions)
		check_version(e, it, before, &all, at(e, "spec.versions[%d]", i++));
	check_marks(e, versions);
	if (versions && versions->first)
		check_shared(e, versions, before, &all);
}

void definition_versions_warn(struct warnings *w, const struct json *versions)
{
	int i = 0;
	JSON_FOREACH (version, versions) {
		int k = 0;
		JSON_FOREACH (it, json_get(version, "additionalPrinterColumns")) {
			struct err err = ERR_INIT;
			if (!custom_path_new(w->arena, json_get_str(it, "jsonPath"), &err))
				warning_add(w,
				        "spec.versions[%d].additionalPrinterColumns[%d].jsonPath: %s: the column is "
				        "not "
				        "shown",
				        i, k, err.msg);
			k++;
		}
		i++;
	}
}
