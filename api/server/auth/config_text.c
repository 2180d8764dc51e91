/* See config_text.h. */
#include "api/server/auth/config_text.h"

#include "api/machinery/rules/checks.h"
#include "base/yaml.h"

#define GROUP "apiserver.config.k8s.io/"

static bool is_among(struct slice word, const char *words)
{
	struct slice rest = slice_of(words);
	while (rest.ptr)
		if (slice_eq(slice_cut(&rest, ','), word))
			return true;
	return false;
}

struct json *config_text_parse(
        struct arena *a, struct slice text, const char *kind, const char *versions, struct err *err)
{
	struct json *tree;
	if (text.len > CONFIG_TEXT_BYTES_MAX) {
		err_set(err, ERR_INVAL, "it is larger than %d bytes", CONFIG_TEXT_BYTES_MAX);
		return NULL;
	}
	tree = yaml_parse(a, text, NULL, err);
	if (!tree)
		return NULL;
	struct slice version = json_get_str(tree, "apiVersion");
	bool is_ours = slice_starts(version, GROUP);
	if (is_ours)
		slice_cut(&version, '/');
	if (is_ours && is_among(version, versions) && slice_is(json_get_str(tree, "kind"), kind))
		return tree;
	err_set(err, ERR_INVAL, "it must be of kind %s and of apiVersion " GROUP "%.*s", kind,
	        (int)strcspn(versions, ","), versions);
	return NULL;
}

void config_check_object(struct field_errors *e, const struct json *v, const char *here, const char *names)
{
	if (v && v->type != JSON_OBJECT)
		field_error_add(e, "FieldValueTypeInvalid", here, "must be an object, not %s", json_type_name(v->type));
	JSON_FOREACH (it, json_is(v, JSON_OBJECT) ? v : NULL)
		if (!is_among(it->key, names))
			field_error_add(e, "FieldValueInvalid", here, "unknown field \"%.*s\"", SLICE_FMT(it->key));
}

void config_check_type(
        struct field_errors *e, const struct json *v, const char *here, const char *name, enum json_type type)
{
	const struct json *it = json_get(v, name);
	if (it && it->type != type && it->type != JSON_NULL)
		field_error_add(e, "FieldValueTypeInvalid", *here ? at(e, "%s.%s", here, name) : name,
		        "must be %s, not %s",
		        type == JSON_ARRAY    ? "a list"
		        : type == JSON_STRING ? "a text"
		                              : json_type_name(type),
		        json_type_name(it->type));
}

int config_errors_tell(const struct field_errors *e, struct err *err)
{
	struct strbuf all = STRBUF_INIT;
	if (!e->count)
		return 0;
	for (size_t i = 0; i < e->count; i++)
		strbuf_addf(&all, "%s%s: %s", i ? ", " : "", e->items[i].field, e->items[i].message);
	err_set(err, ERR_INVAL, e->count > 1 ? "[%s]" : "%s", strbuf_cstr(&all));
	strbuf_release(&all);
	return err->code;
}
