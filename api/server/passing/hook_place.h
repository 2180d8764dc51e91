/* Where a webhook is: at its URL, or at a Service, as a configuration's clientConfig says it. API loop. */
#ifndef K3X_API_SERVER_PASSING_HOOK_PLACE_H
#define K3X_API_SERVER_PASSING_HOOK_PLACE_H

#include "base/wire/outgoing.h"
#include "base/json/json.h"

struct api_server;

/* Endpoints of one Service to which connections are kept. */
enum { HOOK_TARGETS_KEPT = 8 };

/* Zeroed before it is read into; texts lie in the arena. */
struct hook_place {
	const char *url; /* NULL: a path at a Service */
	struct slice service_ns, service_name;
	int service_port;
	const char *path;                            /* begins with a slash */
	const char *ca_pem;                          /* NULL: the system's roots */
	struct outgoing *targets[HOOK_TARGETS_KEPT]; /* of former calls, for their connections; NULL: none yet */
	unsigned turns;                              /* of the service's endpoints */
};

void hook_place_read(struct arena *a, struct hook_place *p, const struct json *client_config);
/* Where a call goes, as things stand now; a reference, to be given back. An error says what is missing. Texts are made
 * in the arena. */
int hook_place_target(struct hook_place *p, struct api_server *s, struct arena *a, unsigned timeout_s,
        struct outgoing **ret, struct err *err);
/* Lets its connections go. */
void hook_place_release(struct hook_place *p);

#endif
