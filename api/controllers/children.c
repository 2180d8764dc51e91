/* See children.h. */
#include "api/controllers/children.h"

#include "api/controllers/controllers_int.h"
#include "api/machinery/schema/selector.h"

struct informer_object *children_owner(const struct children *x, struct slice ns, const struct owner_ref *ref)
{
	if (!slice_is(ref->kind, x->kind))
		return NULL;
	struct informer_object *o = informer_get_named(shared_informer_base(x->owners), ns, ref->name);
	return o && slice_eq(json_find(informer_text(o), "metadata", "uid", NULL), ref->uid) ? o : NULL;
}

/* ---- owners ---- */

static void owner_changed(void *arg, struct informer_object *o)
{
	struct children *x = arg;
	work_queue_add(x->queue, o->key);
}

static void owner_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	owner_changed(arg, o);
}

static void owner_deleted(void *arg, struct informer_object *o)
{
	struct children *x = arg;
	if (x->expectations)
		expectations_forget(x->expectations, o->key);
	work_queue_add(x->queue, o->key);
}

/* ---- children ---- */

struct json *children_selector_of_map(struct arena *a, const struct json *labels)
{
	struct json *selector = json_new(a, JSON_OBJECT);
	if (labels)
		json_set(a, selector, "matchLabels", json_copy(a, labels));
	return selector;
}

/* Owners that might adopt an orphan. */
static void wake_matching(struct children *x, const struct meta *child)
{
	struct arena a = ARENA_INIT;
	if (!child->labels.len)
		return;
	INFORMER_GROUP_FOREACH(o, informer_index_group(x->owners_by_namespace, child->ns))
	{
		struct label_selector selector;
		bool nothing = true;
		struct slice text = json_find(informer_text(o), "spec", "selector", NULL);
		struct json *tree = text.len ? json_parse(&a, text, NULL, NULL) : NULL;
		if (tree && x->selector_is_map)
			tree = children_selector_of_map(&a, tree);
		if (label_selector_from_json(&a, tree, &selector, &nothing, NULL) == 0 && !nothing &&
		        label_selector_matches(&selector, child->labels))
			work_queue_add(x->queue, o->key);
		arena_reset(&a);
	}
	arena_release(&a);
}

static struct informer_object *wake_owner(struct children *x, const struct meta *child, const struct owner_ref *ref)
{
	struct informer_object *owner = children_owner(x, child->ns, ref);
	if (owner)
		work_queue_add(x->queue, owner->key);
	return owner;
}

static void child_deleted(void *arg, struct informer_object *o)
{
	struct children *x = arg;
	struct meta m;
	struct owner_ref ref;
	meta_read(informer_text(o), &m);
	struct informer_object *owner = owner_ref_controller(m.owners, &ref) ? wake_owner(x, &m, &ref) : NULL;
	if (owner && x->expectations)
		expectations_delete_seen(x->expectations, owner->key, m.uid);
}

static void child_added(void *arg, struct informer_object *o)
{
	struct children *x = arg;
	struct meta m;
	struct owner_ref ref;
	meta_read(informer_text(o), &m);
	if (m.deletion_timestamp.len) {
		child_deleted(arg, o);
		return;
	}
	if (!owner_ref_controller(m.owners, &ref)) {
		wake_matching(x, &m);
		return;
	}
	struct informer_object *owner = wake_owner(x, &m, &ref);
	if (owner && x->expectations)
		expectations_create_seen(x->expectations, owner->key);
}

static void child_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct children *x = arg;
	struct meta m, old;
	struct owner_ref ref, old_ref = {0};
	meta_read(informer_text(o), &m);
	meta_read((struct slice){before->data, before->len}, &old);
	bool owned = owner_ref_controller(m.owners, &ref), was_owned = owner_ref_controller(old.owners, &old_ref);
	if (was_owned && (!owned || !slice_eq(ref.uid, old_ref.uid)))
		wake_owner(x, &old, &old_ref);
	if (owned) {
		struct informer_object *owner = wake_owner(x, &m, &ref);
		if (owner && x->expectations && m.deletion_timestamp.len)
			expectations_delete_seen(x->expectations, owner->key, m.uid);
	} else if (was_owned || !slice_eq(m.labels, old.labels)) {
		wake_matching(x, &m);
	}
}

static void follow_children(struct controllers *c, struct children *x, const char *owners_path, const char *path)
{
	x->owners = informer_set_get(c->informers, owners_path);
	x->children = informer_set_get(c->informers, path);
	x->owners_by_namespace = informer_index_get(x->owners, "namespace", informer_index_namespace);
	x->by_owner = informer_index_get(x->children, "owner", informer_index_owner);
	controllers_listen(c, path,
	        &(struct informer_handler){
	                .added = child_added, .updated = child_updated, .deleted = child_deleted, .arg = x});
}

void children_follow(struct controllers *c, struct children *x, const char *owners_path, const char *children_path)
{
	controllers_listen(c, owners_path,
	        &(struct informer_handler){
	                .added = owner_changed, .updated = owner_updated, .deleted = owner_deleted, .arg = x});
	follow_children(c, x, owners_path, children_path);
}

void children_follow_also(struct controllers *c, struct children *x, const char *owners_path, const char *children_path)
{
	follow_children(c, x, owners_path, children_path);
}
