/* Is a request one that a policy or webhook is for? Its rules, its selectors, and its match policy; the conditions in
 * CEL come after (api/machinery/cel/policy_env.h, with the values that cel_request.h makes). API loop. */
#ifndef K3X_API_SERVER_ADMISSION_MATCH_H
#define K3X_API_SERVER_ADMISSION_MATCH_H

#include "api/server/admission/admission.h"

struct admission_matcher;

/* Of an object with namespaceSelector, objectSelector, matchPolicy, excludeResourceRules and a list of rules of the
 * name given: "resourceRules" of a policy's MatchResources, "rules" of a webhook. NULL object, or no rules: every
 * request. In the arena, where all is copied; ERR_INVAL when a selector is none. */
int admission_matcher_new(struct arena *a, const struct json *v, const char *rules,
        const struct admission_matcher **ret, struct err *err);

/* 1: it is for the request; *ret_resource is the row in whose form it wants to see the object: the request's own, or by
 * matchPolicy Equivalent another of the same objects, which lives as long as the call. 0: it is not. Below 0: nobody
 * can tell, as the namespace is not there. */
int admission_matcher_ask(
        const struct admission_matcher *m, struct admission *a, const struct resource **ret_resource, struct err *err);

/* Policies and webhooks are not asked about each other, lest nobody could mend them. */
bool admission_is_exempt(const struct admission *a);

/* The object in another row's form: a copy, or itself when it is that row's. NULL is NULL. */
struct json *admission_object_as(
        struct admission *a, const struct json *object, const struct resource *to, struct err *err);

#endif
