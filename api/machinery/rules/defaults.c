/* See defaults.h. Upstream writes these as SetDefaults_TYPE functions per API group (pkg/apis/GROUP/v1/defaults.go);
 * here each kind has one function, in the file of its group, and pod specs and pod templates share theirs. */
#include "api/machinery/rules/defaults.h"
#include "api/machinery/rules/custom/custom_program.h"
#include "api/machinery/rules/fill.h"

#include "api/machinery/schema/kind_ops.h"

void default_str(struct arena *a, struct json *o, const char *key, const char *value)
{
	struct json *v = json_get(o, key);
	if (o && (!v || v->type == JSON_NULL || (v->type == JSON_STRING && !v->text.len)))
		json_set_cstr(a, o, key, value);
}

void default_int(struct arena *a, struct json *o, const char *key, int64_t value)
{
	struct json *v = json_get(o, key);
	if (o && (!v || v->type == JSON_NULL))
		json_set_int(a, o, key, value);
}

/* For ints that are not pointers in Go: zero means unset too. */
void default_int_zero(struct arena *a, struct json *o, const char *key, int64_t value)
{
	if (o && json_get_int(o, key, 0) == 0)
		json_set_int(a, o, key, value);
}

void default_bool(struct arena *a, struct json *o, const char *key, bool value)
{
	struct json *v = json_get(o, key);
	if (o && (!v || v->type == JSON_NULL))
		json_set_bool(a, o, key, value);
}

void default_members(struct arena *a, struct json *o, const struct json *from)
{
	struct json_index members;
	json_index_init(&members, o);
	JSON_FOREACH (it, from)
		if (!json_index_get(&members, it->key))
			json_index_set(&members, (struct slice){arena_memdup(a, it->key.ptr, it->key.len), it->key.len},
			        json_copy(a, it));
	json_index_release(&members);
}

void defaults_apply(struct arena *a, const struct resource *r, struct json *object)
{
	const struct kind_ops *ops = resource_ops(r);
	if (ops->defaults)
		ops->defaults(a, object);
	if (r->custom)
		custom_program_fill(a, r->custom, object);
}
