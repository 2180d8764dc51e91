/* Requests that change no object of their path, or not as a body says, and that admission is asked about all the same:
 * evictions, bindings, tokens, reviews, and streams to pods (CONNECT). Upstream: admission.Attributes of the rest
 * handlers.
 *
 * What the client sent (or, of a stream, its options) is the object that plugins, policies and webhooks see, mutating
 * ones first; what they made of it is what the verb goes on with. A mutation that follows from the request is marked
 * as asked about (mutation_verb.was_asked), so that nobody is asked twice.
 *
 * A petition is embedded by its verb, in the call's arena, and holds a reference to the call until it is granted or
 * refused. API loop. */
#ifndef K3X_API_SERVER_VERBS_PETITION_H
#define K3X_API_SERVER_VERBS_PETITION_H

#include "api/server/admission/admission.h"
#include "api/server/cache/cache.h"
#include "api/server/call.h"

struct petition {
	struct admission admission; /* .object: what was asked, and then what was granted */
	struct field_errors errors;
	struct cache_wait wait; /* for what this server has done before */
	void (*granted)(struct petition *p);
};

/* Asks. `as`: the subresource whose kind the object is of; NULL: the resource's own kind. granted() is called once,
 * never from inside, with the call still there; else the call is answered with the refusal. */
void petition_start(struct petition *p, struct call *c, enum admission_operation operation,
        const struct resource_sub *as, struct json *object, bool is_dry_run, void (*granted)(struct petition *p));

#endif
