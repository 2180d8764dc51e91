/* Events in the words of core/v1, in which they are stored, and of events.k8s.io/v1: they differ in names alone. */
#include "api/machinery/rules/groups/core_int.h"

#include "base/check.h"

struct rename {
	const char *core;
	const char *events;
};

static const struct rename event_renames[] = {
        {"involvedObject", "regarding"},
        {"message", "note"},
        {"reportingComponent", "reportingController"},
        {"source", "deprecatedSource"},
        {"firstTimestamp", "deprecatedFirstTimestamp"},
        {"lastTimestamp", "deprecatedLastTimestamp"},
        {"count", "deprecatedCount"},
};

static void rename_member(struct arena *a, struct json *object, const char *from, const char *to)
{
	struct json *v = json_get(object, from);
	if (!v)
		return;
	json_remove(object, v);
	json_set(a, object, to, v);
}

int event_convert(struct arena *a, struct json *object, const struct resource *to, struct err *err)
{
	bool to_core = *to->group == 0;
	for (size_t i = 0; i < COUNT_OF(event_renames); i++) {
		const struct rename *r = &event_renames[i];
		rename_member(a, object, to_core ? r->events : r->core, to_core ? r->core : r->events);
	}
	return 0;
}
