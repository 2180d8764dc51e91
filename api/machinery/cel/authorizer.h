/* The variable `authorizer` of admission: expressions ask it who may do what.
 *
 *     authorizer.group("apps").resource("deployments").namespace("x").check("create").allowed()
 *
 * Whoever runs such an expression says how a question is answered. */
#ifndef K3X_API_MACHINERY_CEL_AUTHORIZER_H
#define K3X_API_MACHINERY_CEL_AUTHORIZER_H

#include "base/cel/cel.h"

struct kube_question {
	bool is_resource;
	struct slice service_account_ns, service_account; /* asked for it in the place of the user: both, or neither */
	struct slice group, resource, subresource, ns, name, path, verb;
	struct slice field_selector, label_selector;
};

struct kube_answer {
	bool allowed;
	const char *reason, *error; /* NULL: none. In the run's arena, or for ever */
};

struct kube_authorizer {
	/* At once. A check costs 350,000 of an evaluation's 1,000,000, so that there are two at most. */
	void (*check)(void *arg, struct arena *a, const struct kube_question *q, struct kube_answer *ret);
	void *arg;
};

/* Its type, for variables; and a value, which borrows the authorizer. */
extern const struct cel_type kube_authorizer_type, kube_resource_check_type;
struct cel_value kube_authorizer_value(struct arena *a, const struct kube_authorizer *z);
/* `authorizer.requestResource`: a question for the request's own resource. */
struct cel_value kube_resource_value(struct arena *a, const struct kube_authorizer *z, const struct kube_question *q);

#endif
