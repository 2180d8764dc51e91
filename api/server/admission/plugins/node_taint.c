/* TaintNodesByCondition: a new node takes no pods until it has said that it is ready. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

int admit_node_taint(struct admission *adm, struct err *err)
{
	struct arena *a = adm->arena;
	struct json *object = adm->object;
	static const char key[] = "node.kubernetes.io/not-ready";
	struct json *taints = json_need(a, json_need(a, object, "spec", JSON_OBJECT), "taints", JSON_ARRAY);
	JSON_FOREACH (t, taints)
		if (slice_is(json_get_str(t, "key"), key) && slice_is(json_get_str(t, "effect"), "NoSchedule"))
			return 0;
	struct json *t = json_new(a, JSON_OBJECT);
	json_set_cstr(a, t, "key", key);
	json_set_cstr(a, t, "effect", "NoSchedule");
	json_append(taints, t);
	return 0;
}
