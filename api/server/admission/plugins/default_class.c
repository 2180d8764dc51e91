/* DefaultStorageClass and DefaultIngressClass: a claim, or an ingress, that names no class is of the one that is marked
 * as the default. Of several the newest, and of those the first by name. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/json/scan.h"

struct best {
	const char *const *marks; /* annotations that say "true" */
	struct slice name, made;
};

static void look_at(struct best *b, struct object *o)
{
	struct slice meta = json_find(object_text(o), "metadata", NULL),
	             made = json_find(meta, "creationTimestamp", NULL);
	bool is_default = false;
	for (const char *const *m = b->marks; *m; m++)
		is_default = is_default || slice_is(json_find(meta, "annotations", *m, NULL), "true");
	if (is_default && (!b->name.len || slice_cmp(made, b->made) > 0)) {
		b->name = object_name(o);
		b->made = made;
	}
}

/* Objects come in the order of their names. */
static struct slice default_of(struct admission *a, const char *group, const char *plural, const char *const *marks)
{
	struct best b = {.marks = marks};
	const struct resource *r = resource_find_preferred(slice_of(group), slice_of(plural));
	struct omap_node *n = omap_seek(&cache_resource(a->call->server->cache, r)->objects, SLICE(""));
	for (; n; n = omap_next(n))
		look_at(&b, n->value);
	return b.name;
}

int admit_storage_class(struct admission *a, struct err *err)
{
	static const char *const marks[] = {"storageclass.kubernetes.io/is-default-class",
	        "storageclass.beta.kubernetes.io/is-default-class", NULL};
	struct json *spec = json_need(a->arena, a->object, "spec", JSON_OBJECT);
	if (json_get(spec, "storageClassName") || json_get(json_path(a->object, "metadata", "annotations", NULL),
	                                                  "volume.beta.kubernetes.io/storage-class"))
		return 0;
	struct slice name = default_of(a, "storage.k8s.io", "storageclasses", marks);
	if (name.len)
		json_set_str(a->arena, spec, "storageClassName", name);
	return 0;
}

int admit_ingress_class(struct admission *a, struct err *err)
{
	static const char *const marks[] = {"ingressclass.kubernetes.io/is-default-class", NULL};
	struct json *spec = json_need(a->arena, a->object, "spec", JSON_OBJECT);
	if (json_get(spec, "ingressClassName") ||
	        json_get(json_path(a->object, "metadata", "annotations", NULL), "kubernetes.io/ingress.class"))
		return 0;
	struct slice name = default_of(a, "networking.k8s.io", "ingressclasses", marks);
	if (name.len)
		json_set_str(a->arena, spec, "ingressClassName", name);
	return 0;
}
