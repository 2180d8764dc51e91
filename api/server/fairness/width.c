/* See width.h. */
#include "api/server/fairness/width.h"

#include "api/server/state.h"
#include "base/check.h"

enum { OBJECTS_PER_SEAT = 100, WIDTH_MAX = 10 };

static uint64_t objects_seen(const struct call *c, uint64_t stored)
{
	uint64_t limit = stored, given;
	struct slice version = call_param(c, "resourceVersion");
	bool selects = call_param(c, "labelSelector").len || call_param(c, "fieldSelector").len;
	if (slice_to_u64(call_param(c, "limit"), &given) && given && given < stored)
		limit = given;
	if (slice_is(version, "0") && !call_param(c, "continue").len)
		return stored;
	return selects ? stored + limit : 2 * limit;
}

unsigned width_of(const struct call *c)
{
	const struct route *r = &c->route;
	if (!r->is_resource || r->verb != RESOURCE_LIST || r->sub || !r->resource->storage_prefix)
		return 1;
	CHECK(c->server != NULL);
	uint64_t stored = cache_resource(c->server->cache, r->resource)->objects.count;
	uint64_t width = (objects_seen(c, stored) + OBJECTS_PER_SEAT - 1) / OBJECTS_PER_SEAT;
	return width < 1 ? 1 : width > WIDTH_MAX ? WIDTH_MAX : (unsigned)width;
}
