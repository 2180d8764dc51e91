/* DenyServiceExternalIPs: nobody gives a Service an external address that it did not have, for who may make Services
 * could else draw traffic to addresses that are not his (CVE-2020-8554). What was there before stays. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

static bool has(const struct json *list, struct slice address)
{
	JSON_FOREACH (it, list)
		if (slice_eq(json_str(it), address))
			return true;
	return false;
}

int admit_external_ips(struct admission *a, struct err *err)
{
	const struct json *before = json_path(a->old, "spec", "externalIPs", NULL);
	JSON_FOREACH (it, json_path(a->object, "spec", "externalIPs", NULL))
		if (!has(before, json_str(it)))
			return admission_forbid(a, err, "Use of external IPs is denied by admission control.");
	return 0;
}
