/* Any bytes as a KubeSchedulerConfiguration: refused with a message, or profiles that can be used. */
#include "api/scheduler/configuration.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct scheduler_configuration c;
	if (scheduler_configuration_read(&a, (struct slice){(const char *)data, size}, &c, &err) != 0) {
		CHECK(err.code && *err.msg);
	} else {
		CHECK(c.n_profiles > 0 && c.backoff_ms > 0 && c.backoff_max_ms >= c.backoff_ms);
		for (size_t i = 0; i < c.n_profiles; i++) {
			const struct scheduler_profile *p = &c.profiles[i];
			CHECK(p->name && *p->name && p->n_resources > 0);
			CHECK(p->strategy != FIT_RATIO || p->n_shape > 0);
			CHECK(p->n_balanced > 0 && (p->n_spread > 0 || !p->spreads_by_system));
			CHECK(p->candidates_percent > 0 || p->candidates_min > 0);
			for (size_t k = 0; k < p->n_spread; k++)
				CHECK(*p->spread[k].topology_key && p->spread[k].max_skew > 0);
			CHECK(p->nodes_percent >= 0 && p->nodes_percent <= 100);
		}
	}
	arena_release(&a);
	return 0;
}
