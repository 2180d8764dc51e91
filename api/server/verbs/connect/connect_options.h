/* What a stream is asked for with, as the object that admission sees (core/v1 PodExecOptions, PodAttachOptions,
 * PodPortForwardOptions, and the options of proxies), and back again as a kubelet is asked. API loop. */
#ifndef K3X_API_SERVER_VERBS_CONNECT_CONNECT_OPTIONS_H
#define K3X_API_SERVER_VERBS_CONNECT_CONNECT_OPTIONS_H

#include "api/server/call.h"
#include "base/json/json.h"

/* Of the call's query, in its arena. */
struct json *connect_options_read(struct call *c);
/* Appends them as the query that kubelets take for streams: "?input=1&command=ls". */
void connect_options_write(struct strbuf *out, const struct json *options);

#endif
