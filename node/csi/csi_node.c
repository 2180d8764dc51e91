/* See csi_node_int.h. Upstream: pkg/volume/csi/nodeinfomanager. */
#include "node/csi/csi_node_int.h"

#include "base/check.h"

#define NODE_ID_ANNOTATION "csi.volume.kubernetes.io/nodeid"

/* ---- the Node ---- */

int csi_node_check(const struct json *node, const struct csi_node_driver *d, struct err *err)
{
	const struct json *labels = json_path(node, "metadata", "labels", NULL);
	JSON_FOREACH (it, d->topology) {
		struct slice have = json_str(json_get_slice(labels, it->key));
		if (have.ptr && !slice_eq(have, json_str(it)))
			return err_set(err, ERR_CONFLICT,
			        "detected topology value collision: driver reported \"%.*s\":\"%.*s\" but existing "
			        "label is \"%.*s\":\"%.*s\"",
			        SLICE_FMT(it->key), SLICE_FMT(json_str(it)), SLICE_FMT(it->key), SLICE_FMT(have));
	}
	return 0;
}

/* {"driver":"id",...} with those that are there already. */
static struct json *node_ids(struct arena *a, struct slice old, const struct csi_node_driver *drivers, size_t count)
{
	struct json *ids = old.len ? json_parse(a, old, NULL, NULL) : NULL;
	if (!json_is(ids, JSON_OBJECT))
		ids = json_new(a, JSON_OBJECT);
	for (size_t i = 0; i < count; i++) {
		if (drivers[i].is_gone)
			json_del(ids, drivers[i].name);
		else
			json_set_cstr(a, ids, drivers[i].name, drivers[i].id);
	}
	return ids;
}

static void add_annotation(struct arena *a, struct json *meta, const struct json *node,
        const struct csi_node_driver *drivers, size_t count)
{
	struct slice old = json_str(json_path(node, "metadata", "annotations", NODE_ID_ANNOTATION, NULL));
	struct json *ids = node_ids(a, old, drivers, count);
	struct strbuf b = STRBUF_INIT;
	json_write(&b, ids);
	if (!ids->count && old.ptr)
		json_set(a, json_need(a, meta, "annotations", JSON_OBJECT), NODE_ID_ANNOTATION, json_new(a, JSON_NULL));
	else if (ids->count && !slice_eq(strbuf_slice(&b), old))
		json_set_str(a, json_need(a, meta, "annotations", JSON_OBJECT), NODE_ID_ANNOTATION, strbuf_slice(&b));
	strbuf_release(&b);
}

struct json *csi_node_patch(
        struct arena *a, const struct json *node, const struct csi_node_driver *drivers, size_t count)
{
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	const struct json *labels = json_path(node, "metadata", "labels", NULL);
	add_annotation(a, meta, node, drivers, count);
	for (size_t i = 0; i < count; i++)
		JSON_FOREACH (it, drivers[i].is_gone ? NULL : drivers[i].topology)
			if (!json_get_slice(labels, it->key))
				json_set_slice(a, json_need(a, meta, "labels", JSON_OBJECT), it->key,
				        json_new_str(a, json_str(it)));
	return meta->count ? patch : NULL;
}

/* ---- the CSINode ---- */

static struct json *driver_object(struct arena *a, const struct csi_node_driver *d)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_set_cstr(a, o, "name", d->name);
	json_set_cstr(a, o, "nodeID", d->id);
	struct json *keys = json_set(a, o, "topologyKeys", json_new(a, d->topology ? JSON_ARRAY : JSON_NULL));
	JSON_FOREACH (it, d->topology)
		json_append(keys, json_new_str(a, it->key));
	if (d->volumes_max > 0)
		json_set_int(a, json_need(a, o, "allocatable", JSON_OBJECT), "count", d->volumes_max);
	return o;
}

static bool is_same(const struct json *have, const struct json *want)
{
	static const char *const fields[] = {"nodeID", "topologyKeys", "allocatable"};
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		const struct json *h = json_get(have, fields[i]), *w = json_get(want, fields[i]);
		bool has_none = !h || json_is(h, JSON_NULL), wants_none = !w || json_is(w, JSON_NULL);
		if (has_none != wants_none || (!has_none && !json_equal(h, w)))
			return false;
	}
	return true;
}

/* True when the list was changed. */
static bool put_driver(struct arena *a, struct json *list, const struct csi_node_driver *d)
{
	CHECK(*d->name);
	struct json *have = NULL, *want = driver_object(a, d);
	JSON_FOREACH (it, list)
		if (slice_is(json_get_str(it, "name"), d->name))
			have = it;
	if ((!have && d->is_gone) || (have && !d->is_gone && is_same(have, want)))
		return false;
	if (have)
		json_remove(list, have);
	if (!d->is_gone)
		json_append(list, want);
	return true;
}

static struct json *new_object(struct arena *a, const struct json *node)
{
	struct json *o = json_new(a, JSON_OBJECT), *meta, *owner = json_new(a, JSON_OBJECT);
	json_set_cstr(a, o, "apiVersion", "storage.k8s.io/v1");
	json_set_cstr(a, o, "kind", "CSINode");
	meta = json_need(a, o, "metadata", JSON_OBJECT);
	json_set_str(a, meta, "name", json_str(json_path(node, "metadata", "name", NULL)));
	json_set_cstr(a, owner, "apiVersion", "v1");
	json_set_cstr(a, owner, "kind", "Node");
	json_set_str(a, owner, "name", json_get_str(meta, "name"));
	json_set_str(a, owner, "uid", json_str(json_path(node, "metadata", "uid", NULL)));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY), owner);
	return o;
}

struct json *csi_node_object(struct arena *a, struct json *csi_node, const struct json *node,
        const struct csi_node_driver *drivers, size_t count)
{
	bool is_changed = !csi_node;
	CHECK(drivers || !count);
	struct json *o = csi_node ? csi_node : new_object(a, node);
	struct json *list = json_need(a, json_need(a, o, "spec", JSON_OBJECT), "drivers", JSON_ARRAY);
	for (size_t i = 0; i < count; i++)
		is_changed = put_driver(a, list, &drivers[i]) || is_changed;
	return is_changed ? o : NULL;
}
