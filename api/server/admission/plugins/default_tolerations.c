/* DefaultTolerationSeconds: pods stay for five minutes (or what the arguments say) on a node that is lost, unless they
 * say something else. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/arguments.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"

static bool tolerates(const struct json *tolerations, const char *key)
{
	JSON_FOREACH (t, tolerations) {
		struct slice k = json_get_str(t, "key"), effect = json_get_str(t, "effect");
		if ((slice_is(k, key) || !k.len) && (!effect.len || slice_is(effect, "NoExecute")))
			return true;
	}
	return false;
}

int admit_tolerations(struct admission *adm, struct err *err)
{
	struct arena *a = adm->arena;
	struct json *spec = json_get(adm->object, "spec");
	const struct api_admission_arguments *args = &adm->call->server->options.arguments->admission;
	const int64_t seconds[] = {args->not_ready_toleration_s, args->unreachable_toleration_s};
	static const char *const keys[] = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"};
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (tolerates(json_get(spec, "tolerations"), keys[i]))
			continue;
		struct json *t = json_new(a, JSON_OBJECT);
		json_set_cstr(a, t, "key", keys[i]);
		json_set_cstr(a, t, "operator", "Exists");
		json_set_cstr(a, t, "effect", "NoExecute");
		json_set_int(a, t, "tolerationSeconds", seconds[i]);
		json_append(json_need(a, spec, "tolerations", JSON_ARRAY), t);
	}
	return 0;
}
