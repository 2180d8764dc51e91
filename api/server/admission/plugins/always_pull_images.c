/* AlwaysPullImages: every container's image is pulled anew, so that nobody runs an image that lies on a node because
 * somebody else, who may pull it, ran it there. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "base/check.h"

static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

/* Images that are mounted say so in another place. */
static void set_volumes(struct arena *a, const struct json *spec)
{
	JSON_FOREACH (it, json_get(spec, "volumes"))
		if (json_is(json_get(it, "image"), JSON_OBJECT))
			json_set_cstr(a, json_get(it, "image"), "pullPolicy", "Always");
}

int admit_pull_policy(struct admission *a, struct err *err)
{
	struct json *spec = json_get(a->object, "spec");
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (it, json_get(spec, lists[i]))
			json_set_cstr(a->arena, it, "imagePullPolicy", "Always");
	set_volumes(a->arena, spec);
	return 0;
}

int admit_pulled_images(struct admission *a, struct err *err)
{
	struct json *spec = json_get(a->object, "spec");
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (it, json_get(spec, lists[i]))
			if (!slice_is(json_get_str(it, "imagePullPolicy"), "Always"))
				return admission_forbid(a, err,
				        arena_printf(a->arena, "spec.%s[%.*s].imagePullPolicy: must be Always",
				                lists[i], SLICE_FMT(json_get_str(it, "name"))));
	return 0;
}
