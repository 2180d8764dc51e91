/* See prepare.h. */
#include "api/machinery/rules/prepare.h"

#include "api/machinery/rules/defaults.h"
#include "api/machinery/schema/kind_ops.h"
#include "base/check.h"

/* ---- creation ---- */

/* Built-in kinds have an empty status from the start, custom resources none. */
static void drop_status(struct arena *a, const struct resource *r, struct json *object)
{
	if (r->is_custom)
		json_del(object, "status");
	else
		json_set(a, object, "status", json_new(a, JSON_OBJECT));
}

void prepare_create(struct arena *a, const struct resource *r, struct json *object)
{
	const struct kind_ops *ops = resource_ops(r);
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	if (r->has_generation)
		json_set_int(a, meta, "generation", 1);
	else
		json_del(meta, "generation");
	bool own_status = resource_sub_find(r, SLICE("status")) && !(ops->traits & KIND_STATUS_AT_CREATE);
	if (own_status && json_get(object, "status"))
		drop_status(a, r, object);
	if (ops->prepare_create)
		ops->prepare_create(a, object);
}

/* ---- update ---- */

static void keep(struct arena *a, struct json *to, const struct json *from, const char *name)
{
	struct json *v = json_get(from, name);
	if (v)
		json_set(a, to, name, json_copy(a, v));
	else
		json_del(to, name);
}

static void keep_metadata(struct arena *a, struct json *meta, const struct json *old)
{
	static const char *const kept[] = {"uid", "creationTimestamp", "deletionTimestamp",
	        "deletionGracePeriodSeconds", "generation", "selfLink", "generateName", "namespace", "name"};
	for (size_t i = 0; i < COUNT_OF(kept); i++)
		keep(a, meta, old, kept[i]);
	json_del(meta, "resourceVersion");
	json_del(meta, "managedFields");
}

static void keep_listed(struct arena *a, struct json *meta, const struct json *old, const char *names)
{
	struct slice rest = names ? slice_of(names) : SLICE_NULL;
	while (rest.ptr) {
		struct slice name = slice_cut(&rest, ',');
		keep(a, meta, old, arena_memdup(a, name.ptr, name.len));
	}
}

static bool is_head(struct slice key)
{
	return slice_is(key, "metadata") || slice_is(key, "kind") || slice_is(key, "apiVersion");
}

/* A subresource changes one member, next to metadata: all others are the old ones. */
static void keep_all_but(struct arena *a, struct json *object, const struct json *old, const char *changed)
{
	for (struct json *next, *it = object->first; it; it = next) {
		next = it->next;
		if (!is_head(it->key) && !slice_is(it->key, changed))
			json_remove(object, it);
	}
	JSON_FOREACH (it, old)
		if (!is_head(it->key) && !slice_is(it->key, changed)) {
			struct json *v = json_copy(a, it);
			v->key = (struct slice){arena_memdup(a, it->key.ptr, it->key.len), it->key.len};
			json_append(object, v); /* not there any more */
		}
}

static bool same_spec(const struct json *x, const struct json *y, bool has_status)
{
	struct json_index members;
	bool same = true;
	json_index_init(&members, (struct json *)y);
	for (const struct json *it = x->first; it && same; it = it->next) {
		if (is_head(it->key) || (has_status && slice_is(it->key, "status")))
			continue;
		struct json *other = json_index_get(&members, it->key);
		same = other && json_equal(it, other);
	}
	json_index_release(&members);
	return same;
}

/* A custom resource without a subresource for its status has none: there status is a member like others. */
static bool spec_changed(const struct resource *r, const struct json *object, const struct json *old)
{
	bool has_status = !r->is_custom || resource_sub_find(r, SLICE("status"));
	return !same_spec(object, old, has_status) || !same_spec(old, object, has_status);
}

void prepare_update(
        struct arena *a, const struct resource *r, const char *sub, struct json *object, const struct json *old)
{
	const struct kind_ops *ops = resource_ops(r);
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT), *old_meta = json_get(old, "metadata");
	bool status = strcmp(sub, "status") == 0 || strcmp(sub, "approval") == 0;
	keep_metadata(a, meta, old_meta);
	if (!*sub)
		defaults_apply(a, r, object); /* what the client left out is no change */
	if (status) {
		keep_all_but(a, object, old, "status");
		keep_listed(a, meta, old_meta, ops->status_keeps);
	} else if (resource_sub_find(r, SLICE("status")))
		keep(a, object, old, "status");
	if (ops->prepare_update)
		ops->prepare_update(a, object, old, sub);
	if (r->has_generation && !status && spec_changed(r, object, old))
		json_set_int(a, meta, "generation", json_get_int(old_meta, "generation", 0) + 1);
}
