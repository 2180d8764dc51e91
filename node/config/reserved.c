/* See reserved.h. */
#include "node/config/reserved.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"

int64_t config_reserved(const struct json *tree, const char *resource)
{
	return quantity_json_value(json_path(tree, "systemReserved", resource, NULL)) +
	       quantity_json_value(json_path(tree, "kubeReserved", resource, NULL));
}

int64_t config_hard_threshold(const struct json *tree, enum eviction_signal s, int64_t capacity)
{
	struct eviction_thresholds t;
	struct err err = ERR_INIT;
	int64_t most = 0;
	if (eviction_thresholds_read(tree, &t, &err) != 0)
		return 0; /* it was read when it was loaded */
	for (size_t i = 0; i < t.count; i++)
		if (t.list[i].is_hard && t.list[i].signal == s)
			most = eviction_amount_of(&t.list[i].below, capacity);
	return most;
}
