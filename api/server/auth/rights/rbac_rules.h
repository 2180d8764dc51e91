/* The rules of roles, and what they match. Pure; any thread. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_RBAC_RULES_H
#define K3X_API_SERVER_AUTH_RIGHTS_RBAC_RULES_H

#include "api/server/auth/rights/authorize.h"
#include "base/json/json.h"

struct rbac_list {
	const struct slice *items;
	size_t count;
};

/* rbac.authorization.k8s.io/v1 PolicyRule. */
struct rbac_rule {
	struct rbac_list verbs, groups, resources, names, urls;
};

struct rbac_rules {
	struct rbac_rule *items;
	size_t count;
};

/* Of a role's `rules`: NULL and null are none. What is no rule or no text is left out. The texts are copied. */
struct rbac_rules rbac_rules_of_json(struct arena *a, const struct json *rules);
/* A PolicyRule as the API shows it. */
struct json *rbac_rule_to_json(struct arena *a, const struct rbac_rule *r);
bool rbac_rule_equal(const struct rbac_rule *a, const struct rbac_rule *b);

/* Is this what the rule allows? */
bool rbac_rule_allows(const struct rbac_rule *r, const struct attributes *a);
bool rbac_rules_allow(const struct rbac_rules *r, const struct attributes *a);

/* The parts of `wanted` that no single rule of `held` covers, each with one verb, group, resource and name, or one verb
 * and path; in the arena. None: whoever holds the ones may grant the others. */
struct rbac_rules rbac_rules_missing(struct arena *a, const struct rbac_rules *held, const struct rbac_rules *wanted);
/* Joins rules that differ in their verbs alone, as upstream does before it names them. */
struct rbac_rules rbac_rules_compact(struct arena *a, const struct rbac_rules *rules);
/* Appends one as upstream writes it in refusals: {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}. */
void rbac_rule_describe(const struct rbac_rule *r, struct strbuf *out);

#endif
