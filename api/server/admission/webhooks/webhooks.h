/* The webhooks in force: Mutating- and ValidatingWebhookConfigurations as the watch cache has them, their selectors and
 * conditions compiled. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_WEBHOOKS_WEBHOOKS_H
#define K3X_API_SERVER_ADMISSION_WEBHOOKS_WEBHOOKS_H

#include "api/machinery/cel/policy_env.h"
#include "api/server/admission/match.h"
#include "api/server/passing/hook_place.h"

struct api_server;

struct webhook {
	const char *name, *id; /* id: "CONFIGURATION/NAME", which no other of its kind has */
	const char *fault;     /* why it cannot be asked whether it is for a request; NULL: it can */
	const struct admission_matcher *matcher;
	const struct match_conditions *conditions; /* NULL: none */
	const char *version;                       /* of reviews: "v1", "v1beta1"; NULL: none that we speak */
	bool ignores_failure, reinvokes;
	unsigned timeout_s;
	struct hook_place place;
	uint64_t warned_ms;
};

/* All of one kind, in the order in which they are asked: by the configurations' names, then as they stand there. */
struct webhooks {
	unsigned refs;
	struct arena arena;
	struct webhook *items;
	size_t count;
};

/* As fresh as the cache; a reference. */
struct webhooks *webhooks_get(struct api_server *s, bool mutating);
void webhooks_unref(struct webhooks *w); /* NULL is allowed */
/* With the server: its own references. */
void webhooks_free(struct api_server *s);

/* 1: it wants to be asked about the request; *ret_resource is the row in whose form. 0: it does not. Below 0: nobody
 * can tell, and the request is refused so. */
int webhook_wants(const struct webhook *w, struct admission *a, const struct resource **ret_resource, struct err *err);

#endif
