/* See events_topic.h. The service is containerd's and no part of CRI: other runtimes answer that they have none. */
#include "node/runtime/events_topic.h"

#include "node/runtime/proto/events.pb-c.h"

struct cri_call *events_subscribe(
        struct cri *c, void (*on_message)(void *arg, struct slice message, const struct err *err), void *arg)
{
	static char *filters[] = {"topic==\"/tasks/exit\"", "topic==\"/tasks/oom\""};
	Containerd__Services__Events__V1__SubscribeRequest r =
	        CONTAINERD__SERVICES__EVENTS__V1__SUBSCRIBE_REQUEST__INIT;
	r.filters = filters;
	r.n_filters = 2;
	return cri_stream(c, "/containerd.services.events.v1.Events/Subscribe", &r.base, on_message, arg);
}
