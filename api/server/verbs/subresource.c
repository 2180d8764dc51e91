/* Subresources that are more than a plain read or write of a part: a row each. status, finalize and approval go the way
 * of updates. */
#include "api/server/verbs/verbs.h"

#include "base/check.h"

static const struct {
	const char *name;
	void (*run)(struct call *c);
} rows[] = {
        {"scale", api_scale},
        {"binding", api_bind},
        {"eviction", api_evict},
        {"token", api_token},
        {"log", api_connect},
};

bool api_subresource(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].name, c->route.sub->name) == 0) {
			rows[i].run(c);
			return true;
		}
	return false;
}
