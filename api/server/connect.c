/* pods/log, exec, attach, portforward and the proxies: streams that the API server passes through to a kubelet. */
#include "api/server/server_int.h"

void api_connect(struct call *c)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_UNIMPLEMENTED, "%s/%s is not built yet", c->route.resource->plural, c->route.sub->name);
	call_respond_err(c, &err);
}
