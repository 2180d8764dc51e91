/* PersistentVolumeClaimResize: a claim grows only when it is bound, and of a class that says its volumes can. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/machinery/codec/quantity.h"

static const struct json *size_of(const struct json *claim)
{
	return json_path(claim, "spec", "resources", "requests", "storage", NULL);
}

static bool grows(const struct json *now, const struct json *before)
{
	struct quantity x, y;
	struct err unread = ERR_INIT;
	return now && before && quantity_parse(now->text, &x, &unread) == 0 &&
	       quantity_parse(before->text, &y, &unread) == 0 && quantity_cmp(&x, &y) > 0;
}

static bool may_grow(struct admission *a)
{
	struct slice name = json_str(json_path(a->old, "spec", "storageClassName", NULL));
	struct object *o = name.len ? admission_lookup(a, "storage.k8s.io", "storageclasses", name) : NULL;
	const struct json *class = o ? json_parse(a->arena, object_text(o), NULL, NULL) : NULL;
	return json_get_bool(class, "allowVolumeExpansion", false);
}

int admit_claim_resize(struct admission *a, struct err *err)
{
	if (!grows(size_of(a->object), size_of(a->old)))
		return 0;
	if (!slice_is(json_str(json_path(a->old, "status", "phase", NULL)), "Bound"))
		return admission_forbid(a, err, "Only bound persistent volume claims can be expanded");
	if (!may_grow(a))
		return admission_forbid(a, err,
		        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
		        "must "
		        "support resize");
	return 0;
}
