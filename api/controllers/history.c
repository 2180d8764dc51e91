/* See history.h. */
#include "api/controllers/history.h"

#include "api/controllers/controllers_int.h"
#include "api/controllers/rollout.h"

static const char api_version[] = "apps/v1", plural[] = "controllerrevisions";

static const char *path_of(struct history *h, struct slice name)
{
	return kube_path(&h->work->arena, api_version, plural, h->owner.ns, name, NULL);
}

/* ---- finding ---- */

static void read_revision(struct history *h, struct informer_object *o, struct revision *r)
{
	struct arena *a = &h->work->arena;
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	struct json *tree = informer_parse(a, o);
	meta_read(informer_text(o), &r->meta);
	r->data = json_get(tree, "data");
	r->number = json_get_int(tree, "revision", 0);
	r->hash = json_get_str(json_path(tree, "metadata", "labels", NULL), h->hash_label);
}

bool history_load(struct history *h)
{
	struct arena *a = &h->work->arena;
	bool changes;
	struct claim c = {.work = h->work,
	        .api_version = api_version,
	        .kind = h->kind,
	        .child_api_version = api_version,
	        .child_plural = plural,
	        .owner = h->owner,
	        .selector = h->selector,
	        .by_owner = h->by_owner,
	        .adopts_inactive = true};
	struct informer_object **objects = claim_children(&c, &h->count, &changes);
	h->list = ARENA_ARRAY(a, struct revision, h->count + 1);
	for (size_t i = 0; i < h->count; i++)
		read_revision(h, objects[i], &h->list[i]);
	revisions_sort(h->list, h->count);
	h->data = revisions_data(a, json_path(h->object, "spec", "template", NULL));
	h->fresh = revisions_find(h->list, h->count, h->data);
	return !changes;
}

struct revision *history_named(struct history *h, struct slice name)
{
	for (size_t i = 0; i < h->count; i++)
		if (slice_eq(h->list[i].meta.name, name))
			return &h->list[i];
	return NULL;
}

/* ---- making ---- */

static struct json *new_revision(struct history *h, const char *hash)
{
	struct arena *a = &h->work->arena;
	struct json *r = json_new(a, JSON_OBJECT), *meta = json_need(a, r, "metadata", JSON_OBJECT);
	struct json *labels = json_path(h->object, "spec", "template", "metadata", "labels", NULL);
	struct json *annotations = json_path(h->object, "metadata", "annotations", NULL);
	json_set_cstr(a, meta, "name", arena_printf(a, "%.*s-%s", SLICE_FMT(h->owner.name), hash));
	if (labels)
		json_set(a, meta, "labels", json_copy(a, labels));
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), h->hash_label, hash);
	if (annotations)
		json_set(a, meta, "annotations", json_copy(a, annotations));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, api_version, h->kind, h->owner.name, h->owner.uid));
	json_set(a, r, "data", json_copy(a, h->data));
	json_set_int(a, r, "revision", revisions_next(h->list, h->count));
	return r;
}

static void write_collisions(struct history *h)
{
	struct arena *a = &h->work->arena;
	struct json *patch = patch_new(a, h->owner.resource_version);
	json_set_int(a, json_need(a, patch, "status", JSON_OBJECT), "collisionCount", h->collisions);
	work_patch(h->work, kube_path(a, api_version, h->plural, h->owner.ns, h->owner.name, "status"), merge_patch,
	        patch, work_done_ignore_missing);
}

/* The name is taken: by ours and the same (its event is on the way), or by another template. */
static void existing_read(struct work_call *call)
{
	struct history *h = call->arg;
	struct owner_ref ref;
	struct meta m;
	if (call->request.err.code) {
		work_fail(h->work, &call->request.err);
		return;
	}
	struct json *tree = json_parse(&h->work->arena, work_call_text(call), NULL, NULL);
	meta_read(work_call_text(call), &m);
	bool ours = owner_ref_controller(m.owners, &ref) && slice_eq(ref.uid, h->owner.uid);
	if (ours && json_equal(json_get(tree, "data"), h->data))
		return;
	h->collisions++;
	write_collisions(h);
	work_again(h->work, 5);
}

static void created(struct work_call *call)
{
	struct history *h = call->arg;
	struct err *err = &call->request.err;
	if (err->code == ERR_EXISTS)
		work_send(h->work, "GET", h->path, NULL, existing_read)->arg = h;
	else if (err->code && err->code != ERR_TERMINATING)
		work_fail(h->work, err);
}

static void create(struct history *h)
{
	char hash[ROLLOUT_HASH_MAX];
	rollout_template_hash(json_path(h->object, "spec", "template", NULL), h->collisions, hash);
	struct json *r = new_revision(h, hash);
	h->path = path_of(h, json_str(json_path(r, "metadata", "name", NULL)));
	work_send(h->work, "POST", path_of(h, SLICE_NULL), r, created)->arg = h;
}

bool history_settle(struct history *h)
{
	struct arena *a = &h->work->arena;
	if (!h->fresh) {
		create(h);
		return false;
	}
	if (h->fresh == &h->list[h->count - 1])
		return true;
	/* an old template is back: its revision is the newest now */
	struct json *patch = patch_new(a, h->fresh->meta.resource_version);
	json_set_int(a, patch, "revision", revisions_next(h->list, h->count));
	work_patch(h->work, path_of(h, h->fresh->meta.name), merge_patch, patch, work_done_ignore_missing);
	return false;
}

/* ---- cutting ---- */

void history_delete(struct history *h, const struct revision *r)
{
	work_send(h->work, "DELETE", path_of(h, r->meta.name), NULL, work_done_ignore_missing);
}

void history_truncate(struct history *h, int64_t limit)
{
	revisions_excess(h->list, h->count, h->fresh, limit);
	for (size_t i = 0; i < h->count; i++)
		if (h->list[i].is_doomed && !h->list[i].meta.deletion_timestamp.len)
			history_delete(h, &h->list[i]);
}
