/* ConfigMaps that many clients change at once: each create, update and delete is based on the resourceVersion it names,
 * none that was acknowledged is lost, and resourceVersions grow with real time, whichever server is asked. */
#include "jepsen/api_objects.h"

static void step(struct worker *w)
{
	int64_t revision;
	struct history_item *items;
	unsigned count;
	uint32_t dice = rng_below(&w->rng, 100);
	if (dice < 10)
		api_objects_list(w, api_client(w, sizeof(struct api_state)), &items, &count, &revision);
	else
		api_object_step(w, rng_below(&w->rng, API_OBJECTS), dice < 45, 0, &revision);
}

static bool last(struct worker *w)
{
	int64_t revision;
	struct history_item *items;
	unsigned count;
	for (unsigned i = 0; i < API_OBJECTS; i++)
		if (!api_object_step(w, i, true, HISTORY_FINAL, &revision))
			return false;
	return api_objects_list(w, api_client(w, sizeof(struct api_state)), &items, &count, &revision);
}

const struct workload workload_api_objects = {.name = "api-objects",
        .what = "ConfigMaps changed by compare-and-swap on resourceVersion: linearizable each",
        .prepare = api_prepare,
        .step = step,
        .last = last,
        .end = api_end,
        .wants_kube = true,
        .is_paced = true};
