/* The variables of expressions in admission: object, oldObject, request, namespaceObject, params, authorizer,
 * variables. What ValidatingAdmissionPolicies and the match conditions of webhooks are compiled against. */
#ifndef K3X_API_MACHINERY_CEL_POLICY_ENV_H
#define K3X_API_MACHINERY_CEL_POLICY_ENV_H

#include "base/cel/cel.h"

enum policy_variable {
	POLICY_OBJECT,     /* null: a deletion */
	POLICY_OLD_OBJECT, /* null: a creation */
	POLICY_REQUEST,
	POLICY_NAMESPACE,        /* null: of a cluster-scoped object */
	POLICY_PARAMS,           /* null: none */
	POLICY_AUTHORIZER,       /* see authorizer.h */
	POLICY_REQUEST_RESOURCE, /* authorizer.requestResource */
	POLICY_VARIABLES,
	POLICY_VARIABLES_MAX,
};

struct policy_env {
	struct cel_variable vars[POLICY_VARIABLES_MAX]; /* those that are not there have no name */
};

/* With what every expression of admission has, and params and authorizer if they are wanted; `variables` is added by
 * whoever has some. */
void policy_env_init(struct policy_env *env, bool has_params, bool has_authorizer);

/* Compiles one expression. NULL: `words` got upstream's "compilation failed: ..." or "must evaluate to ...". `results`:
 * kinds that it may have, ending with CEL_ERROR; NULL: any. */
const struct cel_program *policy_compile(struct arena *a, const struct policy_env *env, struct slice expression,
        const enum cel_kind *results, struct strbuf *words);

/* The type of `request`: values are views of an AdmissionRequest's JSON. */
extern const struct cel_type policy_request_type;
/* The type of a user: values are views of authentication.k8s.io's UserInfo. */
extern const struct cel_type kube_user_type;

/* ---- conditions that must all hold before a policy or webhook is asked ---- */

struct match_conditions;

/* Where `list` is a list of {name, expression}. `bad` (NULL is fine) is told of each that does not compile; such ones
 * are errors when they are asked. In the arena, where all is copied. */
const struct match_conditions *match_conditions_new(struct arena *a, const struct policy_env *env,
        const struct json *list, void (*bad)(void *arg, size_t index, const char *words), void *arg);

enum match_verdict { MATCH_HOLDS, MATCH_FAILS, MATCH_ERROR };
/* Asks them by the run's variables. One that is false decides, whatever the others are; else an error does, with its
 * words in *ret_words. On a budget of their own. */
enum match_verdict match_conditions_ask(
        const struct match_conditions *m, struct arena *a, const struct cel_value *variables, const char **ret_words);

#endif
