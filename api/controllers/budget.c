/* See budget.h. */
#include "api/controllers/budget.h"

#include "api/controllers/controllers_int.h"

bool budget_asks_owners(const struct json *spec)
{
	return json_get(spec, "maxUnavailable") || json_str(json_get(spec, "minAvailable")).len;
}

void budget_compute(const struct json *spec, struct budget_counts *k)
{
	struct json *unavailable = json_get(spec, "maxUnavailable");
	k->desired = unavailable ? k->expected - int_or_percent(unavailable, k->expected, true, 0)
	                         : int_or_percent(json_get(spec, "minAvailable"), k->expected, true, 0);
	if (k->desired < 0)
		k->desired = 0;
	k->allowed = k->expected > 0 && k->healthy > k->desired ? k->healthy - k->desired : 0;
}

int64_t budget_disrupted_s_left(int64_t since_s, int64_t now_s)
{
	int64_t left = since_s + BUDGET_DISRUPTED_S_MAX - now_s;
	return left > 0 ? left : 0;
}
