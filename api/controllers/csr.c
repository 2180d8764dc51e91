/* See csr.h. */
#include "api/controllers/csr.h"

#include "api/client/meta.h"
#include "base/base64.h"
#include "base/pki/pki.h"

enum { PENDING_S = 24 * 3600, DECIDED_S = 3600 };

static const struct json *find(const struct json *object, const char *type)
{
	const struct json *c = condition_find(json_path(object, "status", "conditions", NULL), type);
	return c && slice_is(json_get_str(c, "status"), "True") ? c : NULL;
}

bool csr_has(const struct json *object, const char *type)
{
	return find(object, type) != NULL;
}

void csr_say(struct arena *a, struct json *object, const char *type, const char *reason, const char *message)
{
	struct json *list = json_need(a, json_need(a, object, "status", JSON_OBJECT), "conditions", JSON_ARRAY);
	condition_set(a, list, type, "True", reason, message, "lastUpdateTime");
}

static int64_t certificate_end(struct arena *a, const struct json *object)
{
	struct slice pem;
	struct pki_info info;
	struct err unused = ERR_INIT;
	if (!base64_decode(a, json_str(json_path(object, "status", "certificate", NULL)), &pem) || !pem.len ||
	        pki_info(arena_memdup(a, pem.ptr, pem.len), &info, &unused) != 0)
		return INT64_MAX;
	return info.not_after_s;
}

int64_t csr_ends_at(struct arena *a, const struct json *object)
{
	static const char *const decided[] = {"Denied", "Failed", "Approved"};
	int64_t made_s = kube_time_parse(json_str(json_path(object, "metadata", "creationTimestamp", NULL)));
	int64_t end_s = certificate_end(a, object);
	bool is_issued = json_str(json_path(object, "status", "certificate", NULL)).len > 0;
	int64_t over_s = made_s + PENDING_S;
	for (size_t i = 0; i < 3; i++) {
		const struct json *c = find(object, decided[i]);
		if (!c || (i == 2 && !is_issued)) /* approved and never signed is pending */
			continue;
		int64_t then_s = kube_time_parse(json_get_str(c, "lastUpdateTime"));
		over_s = (then_s ? then_s : made_s) + DECIDED_S;
		break;
	}
	return over_s < end_s ? over_s : end_s;
}
