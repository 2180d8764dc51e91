/* Strategic merge patch (Kubernetes "update API objects in place using kubectl patch"; apimachinery's strategicpatch).
 *
 * Like a JSON merge patch, but lists of objects are merged by the merge key that the schema names, and directives in
 * the patch say more:
 *     {"$patch":"replace"|"delete"|"merge"}        of the object, or of the list element, it stands in
 *     "$retainKeys": ["a","b"]                     all other members of the object go
 *     "$deleteFromPrimitiveList/NAME": [values]    taken out of a list of scalars
 *     "$setElementOrder/NAME": [keys]              the order of a merged list; what it does not name keeps its place
 * Without it, what the patch names comes in the patch's order, woven with what it does not name.
 *
 * Lists and objects are hashed (keyed_list.c, struct json_index), and the arena's budget is asked at every object. */
#include "api/machinery/patch/keyed_list_int.h"
#include "api/machinery/patch/patch.h"

#include "base/mem/budget.h"

static const char order_prefix[] = "$setElementOrder/";

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

static void merge_scalars(struct merger *m, struct json *list, const struct json *patch, const struct json *order)
{
	struct keyed_list k;
	keyed_list_open(&k, m->a, list, NULL);
	JSON_FOREACH (it, patch)
		if (!keyed_list_find(&k, keyed_list_key(&k, it)))
			keyed_list_add(&k, json_copy(m->a, it));
	keyed_list_close(&k, order);
}

static void delete_scalars(struct merger *m, struct json *list, const struct json *values)
{
	struct keyed_list k;
	if (!json_is(list, JSON_ARRAY))
		return;
	keyed_list_open(&k, m->a, list, NULL);
	JSON_FOREACH (it, values)
		keyed_list_delete(&k, keyed_list_key(&k, it));
	keyed_list_close(&k, NULL);
}

/* ---- lists of objects ---- */

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

static int merge_element(
        struct merger *m, struct keyed_list *k, const struct json *item, const struct schema_type *type)
{
	struct slice directive = json_get_str(item, "$patch");
	if (item->type != JSON_OBJECT)
		return err_set(m->err, ERR_INVAL,
		        "strategic merge patch: elements of a list merged by \"%s\" must be objects", k->merge_key);
	if (!json_get(item, k->merge_key))
		return err_set(m->err, ERR_INVAL, "map: does not contain declared merge key: %s", k->merge_key);
	struct slice key = keyed_list_key(k, item);
	struct json *old = keyed_list_find(k, key), *v;
	if (slice_is(directive, "delete")) {
		keyed_list_delete(k, key);
		return 0;
	}
	if (directive.len && !slice_is(directive, "merge"))
		return err_set(m->err, ERR_INVAL, "unknown patch type \"%.*s\" in list element", SLICE_FMT(directive));
	if (old)
		return merge_object(m, old, item, type);
	if (fresh(m, item, type, &v) != 0)
		return m->err->code;
	keyed_list_add(k, v);
	return 0;
}

/* `order`: of the patch's directive; NULL: it has none, its own order counts. */
static int merge_objects_list(struct merger *m, struct json *list, const struct json *patch,
        const struct schema_field *f, const struct json *order)
{
	struct keyed_list k;
	int rc = 0;
	if (any_replace(patch))
		return replace_list(m, list, patch, f->ref);
	keyed_list_open(&k, m->a, list, f->merge_key);
	for (const struct json *it = patch->first; it && rc == 0; it = it->next)
		rc = merge_element(m, &k, it, f->ref);
	if (order)
		keyed_list_fill_places(&k);
	keyed_list_close(&k, order ? order : patch);
	return rc;
}

/* ---- order ---- */

/* What the patch says of the order of one of its lists; NULL: nothing. */
static const struct json *order_of(struct merger *m, const struct json *patch, struct slice name)
{
	return json_get(patch, arena_printf(m->a, "%s%.*s", order_prefix, SLICE_FMT(name)));
}

/* Lists that the patch orders and does not merge. */
static void order_others(
        struct merger *m, struct json *object, const struct json *patch, const struct schema_type *type)
{
	JSON_FOREACH (it, patch) {
		if (!slice_starts(it->key, order_prefix))
			continue;
		struct slice name = {it->key.ptr + sizeof order_prefix - 1, it->key.len - (sizeof order_prefix - 1)};
		const struct schema_field *f = schema_field_find(type, name);
		struct json *list = f ? json_get_slice(object, name) : NULL;
		struct keyed_list k;
		if (!json_is(list, JSON_ARRAY) || json_get_slice(patch, name))
			continue;
		keyed_list_open(&k, m->a, list, f->merge_key);
		keyed_list_close(&k, it);
	}
}

/* ---- objects ---- */

static void retain_keys(struct json *object, const struct json *keys)
{
	struct map kept = MAP_INIT;
	JSON_FOREACH (k, keys)
		if (k->type == JSON_STRING)
			map_put(&kept, k->text, k);
	for (struct json *next, *it = object->first; it; it = next) {
		next = it->next;
		if (!map_get(&kept, it->key))
			json_remove(object, it);
	}
	map_release(&kept);
}

static void clear(struct json *object)
{
	while (object->first)
		json_remove(object, object->first);
}

static void set(struct merger *m, struct json_index *object, struct slice key, struct json *value)
{
	json_index_set(object, (struct slice){arena_memdup(m->a, key.ptr, key.len), key.len}, value);
}

/* A list with the merge strategy. */
static int merge_list(struct merger *m, struct json_index *object, const struct json *it, const struct json *patch,
        const struct schema_field *f)
{
	struct json *old = json_index_get(object, it->key);
	const struct json *order = order_of(m, patch, it->key);
	if (!json_is(old, JSON_ARRAY)) {
		old = json_new(m->a, JSON_ARRAY);
		set(m, object, it->key, old);
	}
	if (f->merge_key)
		return merge_objects_list(m, old, it, f, order);
	merge_scalars(m, old, it, order ? order : it);
	return 0;
}

static int merge_member(struct merger *m, struct json_index *object, const struct json *it, const struct json *patch,
        const struct schema_type *type)
{
	const struct schema_field *f = schema_field_find(type, it->key);
	struct json *old = json_index_get(object, it->key), *value;
	bool merges = f && (f->flags & SCHEMA_PATCH_MERGE),
	     replaces = f && (f->flags & SCHEMA_PATCH_REPLACE) && !merges;
	const struct schema_type *inner = f && f->kind == SCHEMA_REF ? f->ref : NULL;
	if (it->type == JSON_NULL) {
		json_index_del(object, it->key);
		return 0;
	}
	if (json_is(it, JSON_ARRAY) && merges && f->container == SCHEMA_LIST)
		return merge_list(m, object, it, patch, f);
	if (json_is(it, JSON_OBJECT) && json_is(old, JSON_OBJECT) && !replaces)
		return merge_object(m, old, it, f && f->container == SCHEMA_MAP ? NULL : inner);
	if (fresh(m, it, f && f->container == SCHEMA_MAP ? NULL : inner, &value) != 0)
		return m->err->code;
	set(m, object, it->key, value);
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
			delete_scalars(m,
			        json_get_slice(object, (struct slice){it->key.ptr + sizeof prefix - 1,
			                                       it->key.len - (sizeof prefix - 1)}),
			        it);
	return 0;
}

static int merge_object(struct merger *m, struct json *object, const struct json *patch, const struct schema_type *type)
{
	bool deleted = false;
	struct json_index members;
	int rc = budget_check(m->a->budget, m->a->used_bytes, m->err);
	if (rc != 0 || apply_directives(m, object, patch, &deleted) != 0)
		return m->err->code;
	if (deleted)
		return 0;
	json_index_init(&members, object);
	for (const struct json *it = patch->first; it && rc == 0; it = it->next)
		if (!is_directive(it->key))
			rc = merge_member(m, &members, it, patch, type);
	json_index_release(&members);
	if (rc == 0)
		order_others(m, object, patch, type);
	return rc;
}

int patch_strategic_apply(
        struct arena *a, struct json *object, const struct json *patch, const struct schema_type *type, struct err *err)
{
	struct merger m = {a, err};
	return merge_object(&m, object, patch, type);
}
