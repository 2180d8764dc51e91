/* From a CRD to registry rows: names, scope, subresources, selectable fields, and the schema as a type and as text. */
#include "api/machinery/schema/custom_resource.h"
#include "api/machinery/schema/custom_schema.h"

#include "base/check.h"

#include <ctype.h>
#include <lz4.h>
#include <stdlib.h>

static const char *text_of(struct arena *a, const struct json *obj, const char *key)
{
	return json_cstr(a, json_get(obj, key));
}

static const char *const *words_of(struct arena *a, const struct json *array)
{
	const char **out = ARENA_ARRAY(a, const char *, (json_is(array, JSON_ARRAY) ? array->count : 0) + 1);
	size_t n = 0;
	if (json_is(array, JSON_ARRAY))
		JSON_FOREACH (it, array)
			out[n++] = json_cstr(a, it);
	return out;
}

static void set_names(struct arena *a, struct resource *r, const struct json *spec)
{
	const struct json *names = json_get(spec, "names");
	r->group = text_of(a, spec, "group");
	r->plural = text_of(a, names, "plural");
	r->kind = text_of(a, names, "kind");
	r->singular = text_of(a, names, "singular");
	r->list_kind = text_of(a, names, "listKind");
	if (!*r->singular) {
		char *lower = arena_strdup(a, r->kind);
		for (char *c = lower; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		r->singular = lower;
	}
	if (!*r->list_kind)
		r->list_kind = arena_printf(a, "%sList", r->kind);
	r->short_names = words_of(a, json_get(names, "shortNames"));
	r->categories = words_of(a, json_get(names, "categories"));
	r->storage_prefix = arena_printf(a, "/registry/%s/%s/", r->group, r->plural);
	r->namespaced = slice_is(json_get_str(spec, "scope"), "Namespaced");
}

static void set_subs(struct arena *a, struct resource *r, const struct json *version)
{
	const struct json *wanted = json_get(version, "subresources");
	unsigned verbs = RESOURCE_GET | RESOURCE_UPDATE | RESOURCE_PATCH;
	struct resource_sub *subs = ARENA_ARRAY(a, struct resource_sub, 2);
	const struct json *scale = json_get(wanted, "scale");
	if (json_is(scale, JSON_OBJECT)) {
		struct resource_scale *paths = ARENA_NEW(a, struct resource_scale);
		paths->spec = text_of(a, scale, "specReplicasPath");
		paths->status = text_of(a, scale, "statusReplicasPath");
		paths->selector = json_get(scale, "labelSelectorPath") ? text_of(a, scale, "labelSelectorPath") : NULL;
		r->scale = paths;
		subs[r->sub_count++] = (struct resource_sub){"scale", "autoscaling", "v1", "Scale",
		        resource_kind_type(SLICE("autoscaling/v1"), SLICE("Scale")), verbs, false};
	}
	if (json_is(json_get(wanted, "status"), JSON_OBJECT))
		subs[r->sub_count++] =
		        (struct resource_sub){"status", r->group, r->version, r->kind, r->type, verbs, false};
	r->subs = subs;
}

/* selectableFields name fields by JSON path; ".spec.color" is selected as "spec.color". */
static void set_selectors(struct arena *a, struct resource *r, const struct json *version)
{
	const struct json *fields = json_get(version, "selectableFields");
	size_t n = json_is(fields, JSON_ARRAY) ? fields->count : 0;
	struct resource_selector *out = ARENA_ARRAY(a, struct resource_selector, n + 1);
	r->selectors = out;
	for (struct json *it = n ? fields->first : NULL; it && r->selector_count < UINT8_MAX; it = it->next) {
		const char *path = text_of(a, it, "jsonPath");
		path += *path == '.';
		out[r->selector_count++] = (struct resource_selector){path, path, NULL, ""};
	}
}

void resource_openapi_set(struct arena *a, struct resource *r, struct slice text)
{
	int room = LZ4_compressBound((int)text.len);
	char *packed = xmalloc((size_t)room);
	int len = LZ4_compress_default(text.ptr, packed, (int)text.len, room);
	CHECK(len > 0);
	r->openapi_packed = (struct slice){arena_memdup(a, packed, (size_t)len), (size_t)len};
	r->openapi_len = text.len;
	free(packed);
}

struct slice resource_openapi_text(struct arena *a, const struct resource *r)
{
	if (!r->openapi_len)
		return SLICE_NULL;
	char *text = arena_alloc(a, r->openapi_len + 1);
	int len = LZ4_decompress_safe(r->openapi_packed.ptr, text, (int)r->openapi_packed.len, (int)r->openapi_len);
	CHECK(len >= 0 && (size_t)len == r->openapi_len); /* packed by us */
	text[len] = 0;
	return (struct slice){text, r->openapi_len};
}

static int set_schema(struct arena *a, struct resource *r, const struct json *version, struct err *err)
{
	const struct json *schema = json_path(version, "schema", "openAPIV3Schema", NULL);
	if (!schema)
		return 0;
	struct strbuf b = STRBUF_INIT;
	json_write(&b, schema);
	resource_openapi_set(a, r, strbuf_slice(&b));
	strbuf_reset(&b);
	resource_definition_name(&b, r, "");
	r->type = custom_schema_type(a, schema, strbuf_cstr(&b), r->kind, err);
	strbuf_release(&b);
	return r->type ? 0 : err_wrap(err, "version %s", r->version);
}

/* NULL: it is not going away. */
static const char *deprecation_of(struct arena *a, const struct resource *r, const struct json *version)
{
	if (!json_get_bool(version, "deprecated", false))
		return NULL;
	if (json_get(version, "deprecationWarning"))
		return text_of(a, version, "deprecationWarning");
	return arena_printf(a, "%s %s is deprecated", r->api_version, r->kind);
}

static int make_row(
        struct arena *a, struct resource *r, const struct json *spec, const struct json *version, struct err *err)
{
	*r = (struct resource){
	        .version = text_of(a, version, "name"),
	        .verbs = RESOURCE_VERBS_ALL,
	        .has_generation = true,
	        .is_custom = true,
	};
	set_names(a, r, spec);
	if (!*r->version || !*r->group || !*r->plural || !*r->kind)
		return err_set(err, ERR_INVAL, "spec: group, names.plural, names.kind and versions[].name must be set");
	r->api_version = arena_printf(a, "%s/%s", r->group, r->version);
	r->deprecation = deprecation_of(a, r, version);
	int rc = set_schema(a, r, version, err);
	if (rc == 0) {
		set_subs(a, r, version);
		set_selectors(a, r, version);
	}
	return rc;
}

/* Objects are indexed in the stored version's form: its row knows the fields of all versions. */
static void share_selectors(struct custom_resources *set, struct resource *storage)
{
	size_t room = 1;
	for (size_t i = 0; i < set->count; i++)
		room += set->rows[i].selector_count;
	struct resource_selector *out = ARENA_ARRAY(&set->arena, struct resource_selector, room);
	size_t n = 0;
	for (size_t i = 0; i < set->count; i++)
		for (size_t k = 0; k < set->rows[i].selector_count; k++) {
			const struct resource_selector *s = &set->rows[i].selectors[k];
			bool is_there = false;
			for (size_t j = 0; j < n; j++)
				is_there = is_there || strcmp(out[j].path, s->path) == 0;
			if (!is_there && n < UINT8_MAX)
				out[n++] = *s;
		}
	storage->selectors = out;
	storage->selector_count = (uint8_t)n;
}

static int make_rows(struct custom_resources *set, const struct json *crd, struct err *err)
{
	const struct json *spec = json_get(crd, "spec"), *versions = json_get(spec, "versions");
	struct resource *storage = NULL;
	if (!json_is(versions, JSON_ARRAY) || versions->count == 0)
		return err_set(err, ERR_INVAL, "spec.versions: must not be empty");
	set->rows = ARENA_ARRAY(&set->arena, struct resource, versions->count);
	set->served = ARENA_ARRAY(&set->arena, bool, versions->count);
	JSON_FOREACH (it, versions) {
		struct resource *r = &set->rows[set->count];
		int rc = make_row(&set->arena, r, spec, it, err);
		if (rc != 0)
			return rc;
		r->owner = &set->owner;
		r->terminating = &set->is_terminating;
		if (json_get_bool(it, "storage", false))
			storage = r;
		set->served[set->count++] = json_get_bool(it, "served", false);
	}
	if (!storage)
		return err_set(err, ERR_INVAL, "spec.versions: one version must have storage: true");
	for (size_t i = 0; i < set->count; i++)
		set->rows[i].storage = storage;
	share_selectors(set, storage);
	return 0;
}

static void set_free(struct resource_owner *owner)
{
	struct custom_resources *set = CONTAINER_OF(owner, struct custom_resources, owner);
	if (set->conversion)
		set->free_conversion(set->conversion);
	arena_release(&set->arena);
	free(set);
}

int custom_resources_new(const struct json *crd, struct custom_resources **ret, struct err *err)
{
	struct custom_resources *set = xcalloc(1, sizeof *set);
	atomic_init(&set->owner.refs, 1);
	set->owner.free = set_free;
	int rc = make_rows(set, crd, err);
	if (rc == 0)
		*ret = set;
	else
		set_free(&set->owner);
	return rc;
}

void custom_resources_unref(struct custom_resources *set)
{
	if (set)
		resource_unref(&set->rows[0]);
}
