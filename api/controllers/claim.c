/* See claim.h. An owner that is being deleted neither adopts nor releases. */
#include "api/controllers/claim.h"

#include "base/json/scan.h"

static const char *child_path(struct claim *c, const struct meta *child)
{
	return kube_path(&c->work->arena, c->child_api_version, c->child_plural, child->ns, child->name, NULL);
}

static void name_finalizer(struct claim *c, struct json *meta, const char *member)
{
	struct arena *a = &c->work->arena;
	if (c->finalizer)
		json_append(json_need(a, meta, member, JSON_ARRAY), json_new_cstr(a, c->finalizer));
}

static void adopt(struct claim *c, const struct meta *child)
{
	struct arena *a = &c->work->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	json_set_str(a, meta, "uid", child->uid);
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, c->api_version, c->kind, c->owner.name, c->owner.uid));
	name_finalizer(c, meta, "finalizers");
	work_patch(c->work, child_path(c, child), "application/strategic-merge-patch+json", patch,
	        work_done_ignore_missing);
}

static void release(struct claim *c, const struct meta *child)
{
	struct arena *a = &c->work->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	struct json *ref = json_new(a, JSON_OBJECT);
	json_set_cstr(a, ref, "$patch", "delete");
	json_set_str(a, ref, "uid", c->owner.uid);
	json_set_str(a, meta, "uid", child->uid);
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY), ref);
	name_finalizer(c, meta, "$deleteFromPrimitiveList/finalizers");
	work_patch(c->work, child_path(c, child), "application/strategic-merge-patch+json", patch,
	        work_done_ignore_missing);
}

static bool matches(const struct claim *c, const struct meta *child)
{
	return label_selector_matches(c->selector, child->labels) && (!c->is_member || c->is_member(c, child));
}

static bool may_adopt(struct claim *c, struct slice text, const struct meta *child)
{
	struct slice phase = c->adopts_inactive ? SLICE_NULL : json_find(text, "status", "phase", NULL);
	return !c->owner.deletion_timestamp.len && !child->deletion_timestamp.len && !slice_is(phase, "Failed") &&
	       !slice_is(phase, "Succeeded");
}

struct informer_object **claim_children(struct claim *c, size_t *count, bool *changes)
{
	struct arena *a = &c->work->arena;
	const char *orphans = arena_printf(a, "/%.*s", SLICE_FMT(c->owner.ns));
	const struct informer_group *own = informer_index_group(c->by_owner, c->owner.uid);
	const struct informer_group *free_ones = informer_index_group(c->by_owner, slice_of(orphans));
	struct informer_object **list = ARENA_ARRAY(a, struct informer_object *, informer_group_count(own) + 1);
	*count = 0;
	*changes = false;
	INFORMER_GROUP_FOREACH(o, own)
	{
		struct meta m;
		meta_read(informer_text(o), &m);
		if (matches(c, &m)) {
			list[(*count)++] = o;
		} else if (!c->owner.deletion_timestamp.len && !m.deletion_timestamp.len) {
			release(c, &m);
			*changes = true;
		}
	}
	INFORMER_GROUP_FOREACH(orphan, free_ones)
	{
		struct meta m;
		meta_read(informer_text(orphan), &m);
		if (!matches(c, &m) || !may_adopt(c, informer_text(orphan), &m))
			continue;
		adopt(c, &m);
		*changes = true;
	}
	return list;
}
