/* Strategic merge patch (Kubernetes "update API objects in place using kubectl patch"; apimachinery's strategicpatch).
 *
 * Like a JSON merge patch, but lists of objects are merged by the merge key that the schema names, and directives in
 * the patch say more:
 *     {"$patch":"replace"|"delete"|"merge"}        of the object, or of the list element, it stands in
 *     "$retainKeys": ["a","b"]                     all other members of the object go
 *     "$deleteFromPrimitiveList/NAME": [values]    taken out of a list of scalars
 *     "$setElementOrder/NAME": [keys]              the order of a merged list; what the patch does not know keeps its
 * place
 */
#include "api/machinery/patch/patch.h"

struct merger {
	struct arena *a;
	struct err *err;
};

static int merge_object(
        struct merger *m, struct json *object, const struct json *patch, const struct schema_type *type);

static bool is_directive(struct slice key)
{
	return slice_is(key, "$patch") || slice_is(key, "$retainKeys") || slice_starts(key, "$setElementOrder/") ||
	       slice_starts(key, "$deleteFromPrimitiveList/");
}

/* A patch value that meets nothing: its directives are carried out on an empty value, its nulls dropped. */
static int fresh(struct merger *m, const struct json *patch, const struct schema_type *type, struct json **out)
{
	if (patch->type != JSON_OBJECT) {
		*out = json_copy(m->a, patch);
		return 0;
	}
	*out = json_new(m->a, JSON_OBJECT);
	return merge_object(m, *out, patch, type);
}

/* ---- lists of scalars ---- */

static bool has_value(const struct json *list, const struct json *value)
{
	JSON_FOREACH (it, list)
		if (json_equal(it, value))
			return true;
	return false;
}

static void merge_scalars(struct merger *m, struct json *list, const struct json *patch)
{
	JSON_FOREACH (it, patch)
		if (!has_value(list, it))
			json_append(list, json_copy(m->a, it));
}

static void delete_scalars(struct json *list, const struct json *values)
{
	for (struct json *next, *it = list ? list->first : NULL; it; it = next) {
		next = it->next;
		if (has_value(values, it))
			json_remove(list, it);
	}
}

/* ---- lists of objects ---- */

static struct json *find_by_key(const struct json *list, const char *merge_key, const struct json *value)
{
	JSON_FOREACH (it, list) {
		struct json *v = json_get(it, merge_key);
		if (v && value && json_equal(v, value))
			return it;
	}
	return NULL;
}

static bool any_replace(const struct json *patch)
{
	JSON_FOREACH (it, patch)
		if (slice_is(json_get_str(it, "$patch"), "replace"))
			return true;
	return false;
}

static int replace_list(struct merger *m, struct json *list, const struct json *patch, const struct schema_type *type)
{
	while (list->first)
		json_remove(list, list->first);
	JSON_FOREACH (it, patch) {
		struct json *v;
		if (json_get(it, "$patch"))
			continue;
		if (fresh(m, it, type, &v) != 0)
			return m->err->code;
		json_append(list, v);
	}
	return 0;
}

static int merge_element(struct merger *m, struct json *list, const struct json *item, const char *merge_key,
        const struct schema_type *type)
{
	struct slice directive = json_get_str(item, "$patch");
	if (item->type != JSON_OBJECT)
		return err_set(m->err, ERR_INVAL,
		        "strategic merge patch: elements of a list merged by \"%s\" must be objects", merge_key);
	struct json *key = json_get(item, merge_key);
	if (!key)
		return err_set(m->err, ERR_INVAL, "map: does not contain declared merge key: %s", merge_key);
	struct json *old = find_by_key(list, merge_key, key), *v;
	if (slice_is(directive, "delete")) {
		for (; old; old = find_by_key(list, merge_key, key))
			json_remove(list, old);
		return 0;
	}
	if (directive.len && !slice_is(directive, "merge"))
		return err_set(m->err, ERR_INVAL, "unknown patch type \"%.*s\" in list element", SLICE_FMT(directive));
	if (old)
		return merge_object(m, old, item, type);
	if (fresh(m, item, type, &v) != 0)
		return m->err->code;
	json_append(list, v);
	return 0;
}

static int merge_objects_list(
        struct merger *m, struct json *list, const struct json *patch, const struct schema_field *f)
{
	if (any_replace(patch))
		return replace_list(m, list, patch, f->ref);
	JSON_FOREACH (it, patch)
		if (merge_element(m, list, it, f->merge_key, f->ref) != 0)
			return m->err->code;
	return 0;
}

/* ---- order ---- */

static const struct json *order_key(const struct json *element, const char *merge_key)
{
	return merge_key && json_is(element, JSON_OBJECT) ? json_get(element, merge_key) : element;
}

static int position(const struct json *order, const struct json *element, const char *merge_key)
{
	int i = 0;
	JSON_FOREACH (it, order) {
		const struct json *x = order_key(it, merge_key), *y = order_key(element, merge_key);
		if (x && y && json_equal(x, y))
			return i;
		i++;
	}
	return -1;
}

/* Elements the patch knows, in its order, woven with those only the server knows: one of the latter goes before a known
 * one that stood behind it before the patch. */
static void reorder(
        struct merger *m, struct json *list, const struct json *order, const struct json *before, const char *merge_key)
{
	struct json *known = json_new(m->a, JSON_ARRAY), *others = json_new(m->a, JSON_ARRAY);
	JSON_FOREACH (key, order)
		JSON_FOREACH (it, list) {
			const struct json *x = order_key(key, merge_key), *y = order_key(it, merge_key);
			if (x && y && json_equal(x, y)) {
				json_remove(list, it);
				json_append(known, it);
				break;
			}
		}
	while (list->first) {
		struct json *it = list->first;
		json_remove(list, it);
		json_append(others, it);
	}
	while (known->first || others->first) {
		int k = known->first ? position(before, known->first, merge_key) : -1;
		int o = others->first ? position(before, others->first, merge_key) : -1;
		bool take_other = !known->first || (others->first && k >= 0 && o >= 0 && o < k);
		struct json *from = take_other ? others : known, *it = from->first;
		json_remove(from, it);
		json_append(list, it);
	}
}

static void apply_orders(struct merger *m, struct json *object, const struct json *patch, const struct json *before,
        const struct schema_type *type)
{
	static const char prefix[] = "$setElementOrder/";
	JSON_FOREACH (it, patch) {
		if (!slice_starts(it->key, prefix))
			continue;
		struct slice name = {it->key.ptr + sizeof prefix - 1, it->key.len - (sizeof prefix - 1)};
		const struct schema_field *f = schema_field_find(type, name);
		struct json *list = json_get_slice(object, name);
		if (json_is(list, JSON_ARRAY))
			reorder(m, list, it, json_get_slice(before, name), f ? f->merge_key : NULL);
	}
}

/* ---- objects ---- */

static void retain_keys(struct json *object, const struct json *keys)
{
	for (struct json *next, *it = object->first; it; it = next) {
		bool kept = false;
		next = it->next;
		JSON_FOREACH (k, keys)
			kept = kept || slice_eq(json_str(k), it->key);
		if (!kept)
			json_remove(object, it);
	}
}

static void clear(struct json *object)
{
	while (object->first)
		json_remove(object, object->first);
}

static int merge_member(struct merger *m, struct json *object, const struct json *it, const struct schema_type *type)
{
	const struct schema_field *f = schema_field_find(type, it->key);
	struct json *old = json_get_slice(object, it->key), *value;
	bool merges = f && (f->flags & SCHEMA_PATCH_MERGE),
	     replaces = f && (f->flags & SCHEMA_PATCH_REPLACE) && !merges;
	const struct schema_type *inner = f && f->kind == SCHEMA_REF ? f->ref : NULL;
	if (it->type == JSON_NULL) {
		json_del_slice(object, it->key);
		return 0;
	}
	if (json_is(it, JSON_ARRAY) && merges && f->container == SCHEMA_LIST) {
		if (!json_is(old, JSON_ARRAY))
			old = json_set_slice(m->a, object, it->key, json_new(m->a, JSON_ARRAY));
		if (f->merge_key)
			return merge_objects_list(m, old, it, f);
		merge_scalars(m, old, it);
		return 0;
	}
	if (json_is(it, JSON_OBJECT) && json_is(old, JSON_OBJECT) && !replaces)
		return merge_object(m, old, it, f && f->container == SCHEMA_MAP ? NULL : inner);
	if (fresh(m, it, f && f->container == SCHEMA_MAP ? NULL : inner, &value) != 0)
		return m->err->code;
	json_set_slice(m->a, object, it->key, value);
	return 0;
}

static int apply_directives(struct merger *m, struct json *object, const struct json *patch, bool *deleted)
{
	static const char prefix[] = "$deleteFromPrimitiveList/";
	struct slice directive = json_get_str(patch, "$patch");
	JSON_FOREACH (it, patch)
		if (is_directive(it->key) && !slice_is(it->key, "$patch") && it->type != JSON_ARRAY)
			return err_set(m->err, ERR_INVAL, "%.*s in a strategic merge patch must be a list, not %s",
			        SLICE_FMT(it->key), json_type_name(it->type));
	*deleted = slice_is(directive, "delete");
	if (slice_is(directive, "replace") || *deleted)
		clear(object);
	else if (directive.len && !slice_is(directive, "merge"))
		return err_set(m->err, ERR_INVAL, "unknown patch type \"%.*s\" in map", SLICE_FMT(directive));
	if (json_get(patch, "$retainKeys"))
		retain_keys(object, json_get(patch, "$retainKeys"));
	JSON_FOREACH (it, patch)
		if (slice_starts(it->key, prefix))
			delete_scalars(json_get_slice(object, (struct slice){it->key.ptr + sizeof prefix - 1,
			                                              it->key.len - (sizeof prefix - 1)}),
			        it);
	return 0;
}

static bool has_orders(const struct json *patch)
{
	JSON_FOREACH (it, patch)
		if (slice_starts(it->key, "$setElementOrder/"))
			return true;
	return false;
}

static int merge_object(struct merger *m, struct json *object, const struct json *patch, const struct schema_type *type)
{
	bool deleted = false;
	struct json *before = has_orders(patch) ? json_copy(m->a, object) : NULL;
	if (apply_directives(m, object, patch, &deleted) != 0)
		return m->err->code;
	if (deleted)
		return 0;
	JSON_FOREACH (it, patch)
		if (!is_directive(it->key) && merge_member(m, object, it, type) != 0)
			return m->err->code;
	if (before)
		apply_orders(m, object, patch, before, type);
	return 0;
}

int patch_strategic_apply(
        struct arena *a, struct json *object, const struct json *patch, const struct schema_type *type, struct err *err)
{
	struct merger m = {a, err};
	return merge_object(&m, object, patch, type);
}
