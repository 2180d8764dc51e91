/* containerd's own event service, which tells when a task has ended: the reason that we need not poll. */
#ifndef K3X_NODE_RUNTIME_EVENTS_TOPIC_H
#define K3X_NODE_RUNTIME_EVENTS_TOPIC_H

#include "node/runtime/cri.h"

/* on_message as in cri_stream(). */
struct cri_call *events_subscribe(
        struct cri *c, void (*on_message)(void *arg, struct slice message, const struct err *err), void *arg);

#endif
