/* GET of one object, from the watch cache. See list.c for how fresh it is. */
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/converting/conversion.h"
#include "api/server/status.h"
#include "api/server/verbs/lists/list.h"
#include "base/check.h"

static void get_now(struct call *c)
{
	struct object *o = fresh_route_object(c);
	struct err err = ERR_INIT;
	if (o && conversion_awaits(c, o, get_now))
		return;
	if (o) {
		call_respond_object(c, 200, call_object_text(c, o), c->route.resource->storage);
		return;
	}
	status_not_found(&err, c->route.resource, c->route.name);
	call_respond_err(c, &err);
}

void api_get(struct call *c)
{
	struct slice version = call_param(c, "resourceVersion");
	struct err err = ERR_INIT;
	int64_t at = 0;
	LOOP_CHECK_OWNER(c->loop);
	if (!version.len) {
		fresh_wait(c, true, get_now);
	} else if (list_parse_version(version, &at, &err) != 0) {
		call_respond_err(c, &err);
	} else {
		fresh_wait_at(c, at, get_now);
	}
}
