/* The flowcontrol.apiserver.k8s.io group: FlowSchemas and PriorityLevelConfigurations. Their status is nobody's but the
 * server's. Upstream: pkg/apis/flowcontrol/v1/defaults.go and validation. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/groups/flow_presets.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

#include <math.h>

enum {
	PRECEDENCE_MAX = 10000,
	PRECEDENCE_DEFAULT = 1000,
	SHARES_DEFAULT = 30,
	QUEUES_DEFAULT = 64,
	HAND_DEFAULT = 8,
	QUEUE_LENGTH_DEFAULT = 50,
	QUEUES_MAX = 4096, /* what shuffle sharding deals from: api/server/fairness/shuffle.h */
	HAND_MAX = 10,
	HASH_BITS_MAX = 60, /* of a flow's hash */
};

/* What a cluster cannot do without is what it was from the start. */
static void check_mandatory(struct field_errors *e, const struct json *o, bool is_schema)
{
	struct slice name = json_str(json_path(o, "metadata", "name", NULL));
	const struct preset *p = preset_mandatory(is_schema, name);
	const char *but = !is_schema && slice_is(name, "exempt") ? " except the 'spec.exempt' field" : "";
	if (p && !preset_spec_is_right(e->arena, p, json_get(o, "spec")))
		bad_value(e, "spec", SLICE("..."), at(e, "spec of '%s'%s must equal the fixed value", p->name, but));
}

static const struct json *spec_of(const struct json *o)
{
	return json_get(o, "spec");
}

/* ---- defaults ---- */

static void schema_defaults(struct arena *a, struct json *o)
{
	default_int_zero(a, json_get(o, "spec"), "matchingPrecedence", PRECEDENCE_DEFAULT);
}

static void level_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	if (slice_is(json_get_str(spec, "type"), "Exempt")) {
		struct json *exempt = json_need(a, spec, "exempt", JSON_OBJECT);
		default_int(a, exempt, "nominalConcurrencyShares", 0);
		default_int(a, exempt, "lendablePercent", 0);
		return;
	}
	struct json *limited = json_get(spec, "limited"), *response = json_get(limited, "limitResponse"),
	            *queuing = json_get(response, "queuing");
	default_int(a, limited, "nominalConcurrencyShares", SHARES_DEFAULT);
	default_int(a, limited, "lendablePercent", 0);
	default_int_zero(a, queuing, "queues", QUEUES_DEFAULT);
	default_int_zero(a, queuing, "handSize", HAND_DEFAULT);
	default_int_zero(a, queuing, "queueLengthLimit", QUEUE_LENGTH_DEFAULT);
}

/* ---- what both have ---- */

static bool has_any(const struct json *list)
{
	return list && list->first;
}

static bool has_wildcard(const struct json *list)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), "*"))
			return true;
	return false;
}

static bool is_named(const struct json *o, const char *name)
{
	return slice_is(json_str(json_path(o, "metadata", "name", NULL)), name);
}

/* Conditions of a status: each type once, and named. */
static void validate_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL)) {
		struct slice type = json_get_str(it, "type");
		const char *field = at(e, "status.conditions[%d].type", i++);
		if (!name_set_add(&seen, type))
			bad_duplicate(e, field, type);
		if (!type.len)
			bad_required(e, field, "must not be empty");
	}
	name_set_release(&seen);
}

/* ---- schemas ---- */

static void check_account(struct field_errors *e, const char *field, const struct json *account)
{
	struct slice name = json_get_str(account, "name"), ns = json_get_str(account, "namespace");
	const char *bad = name.len && !slice_is(name, "*") ? validate_dns1123_subdomain(name) : NULL;
	if (bad)
		bad_value(e, at(e, "%s.name", field), name, bad);
	if (!ns.len)
		bad_required(e, at(e, "%s.namespace", field), "must specify namespace for service account");
	else if ((bad = validate_dns1123_label(ns)))
		bad_value(e, at(e, "%s.namespace", field), ns, bad);
}

static void check_subject(struct field_errors *e, const char *field, const struct json *v)
{
	static const struct {
		const char *kind, *member;
	} kinds[] = {{"ServiceAccount", "serviceAccount"}, {"User", "user"}, {"Group", "group"}};
	struct slice kind = json_get_str(v, "kind");
	check_supported(e, at(e, "%s.kind", field), kind, "Group,ServiceAccount,User");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const struct json *of = json_get(v, kinds[i].member);
		const char *where = at(e, "%s.%s", field, kinds[i].member);
		bool is_meant = slice_is(kind, kinds[i].kind);
		if (is_meant && !of)
			bad_required(e, where,
			        at(e, "%s is required when subject kind is '%s'", kinds[i].member, kinds[i].kind));
		else if (is_meant && !json_get_str(of, "name").len)
			bad_required(e, at(e, "%s.name", where), "");
		else if (!is_meant && of)
			bad_forbidden(e, where,
			        at(e, "%s is forbidden when subject kind is not '%s'", kinds[i].member, kinds[i].kind));
		if (is_meant && of && i == 0)
			check_account(e, where, of);
	}
}

/* A list that is there; `*` stands alone in it. False: there is no more to say of its members. */
static bool check_list(struct field_errors *e, const char *rule, const struct json *v, const char *name,
        const char *needed, const char *others)
{
	const struct json *list = json_get(v, name);
	const char *field = at(e, "%s.%s", rule, name);
	if (!has_any(list) && needed)
		bad_required(e, field, needed);
	if (list && list->count > 1 && has_wildcard(list))
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: %s: if '*' is present, must not specify other %s",
		        go_list_text(e->arena, "[]string", list), others);
	return has_any(list) && !has_wildcard(list);
}

static void check_verbs(struct field_errors *e, const char *rule, const struct json *v)
{
	static const char *const known[] = {
	        "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"};
	const struct json *verbs = json_get(v, "verbs");
	bool all_known = true;
	if (!check_list(e, rule, v, "verbs", "verbs must contain at least one value", "verbs"))
		return;
	JSON_FOREACH (it, verbs)
		all_known &= slice_is_any(json_str(it), known, COUNT_OF(known));
	if (!all_known)
		field_error_add(e, "FieldValueNotSupported", at(e, "%s.verbs", rule),
		        "Unsupported value: %s: supported values: \"create\", \"delete\", \"deletecollection\", "
		        "\"get\", "
		        "\"list\", \"patch\", \"proxy\", \"update\", \"watch\"",
		        go_list_text(e->arena, "[]string", verbs));
}

static void check_namespaces(struct field_errors *e, const char *rule, const struct json *v)
{
	bool is_of_cluster = json_get_bool(v, "clusterScope", false);
	int i = 0;
	if (!check_list(e, rule, v, "namespaces",
	            is_of_cluster ? NULL
	                          : "resource rules that are not cluster scoped must supply at least one namespace",
	            "namespaces"))
		return;
	JSON_FOREACH (it, json_get(v, "namespaces")) {
		const char *bad = validate_dns1123_label(json_str(it));
		if (bad)
			bad_value(e, at(e, "%s.namespaces[%d]", rule, i), json_str(it),
			        at(e, "each member of this list must be '*' or a DNS-1123 label; %s", bad));
		i++;
	}
}

static void check_resource_rule(struct field_errors *e, const char *rule, const struct json *v)
{
	check_verbs(e, rule, v);
	check_list(e, rule, v, "apiGroups", "resource rules must supply at least one api group", "api groups");
	check_list(e, rule, v, "resources", "resource rules must supply at least one resource", "resources");
	check_namespaces(e, rule, v);
}

/* NULL: fine. */
static const char *path_error(struct slice path)
{
	const char *star = path.len ? memchr(path.ptr, '*', path.len) : NULL;
	bool is_last = star && star == path.ptr + path.len - 1 && star > path.ptr && star[-1] == '/';
	return !path.len                                             ? "must not be empty"
	       : *path.ptr != '/'                                    ? "must start with slash"
	       : memchr(path.ptr, ' ', path.len)                     ? "must not contain white-space"
	       : path.len > 1 && memmem(path.ptr, path.len, "//", 2) ? "must not contain double slash"
	       : star && !is_last                                    ? "wildcard can only do suffix matching"
	                                                             : NULL;
}

static void check_path_rule(struct field_errors *e, const char *rule, const struct json *v)
{
	int i = 0;
	check_verbs(e, rule, v);
	if (!check_list(e, rule, v, "nonResourceURLs", "nonResourceURLs must contain at least one value",
	            "non-resource URLs"))
		return;
	JSON_FOREACH (it, json_get(v, "nonResourceURLs")) {
		const char *bad = path_error(json_str(it));
		if (bad)
			bad_value(e, at(e, "%s.nonResourceURLs[%d]", rule, i), json_str(it), bad);
		i++;
	}
}

static void check_rule(struct field_errors *e, const char *field, const struct json *v)
{
	const struct json *resources = json_get(v, "resourceRules"), *paths = json_get(v, "nonResourceRules");
	size_t i = 0;
	if (!has_any(json_get(v, "subjects")))
		bad_required(e, at(e, "%s.subjects", field), "subjects must contain at least one value");
	JSON_FOREACH (it, json_get(v, "subjects"))
		check_subject(e, at(e, "%s.subjects[%zu]", field, i++), it);
	if (!has_any(resources) && !has_any(paths))
		bad_required(e, field, "at least one of resourceRules and nonResourceRules has to be non-empty");
	i = 0;
	JSON_FOREACH (it, resources)
		check_resource_rule(e, at(e, "%s.resourceRules[%zu]", field, i++), it);
	i = 0;
	JSON_FOREACH (it, paths)
		check_path_rule(e, at(e, "%s.nonResourceRules[%zu]", field, i++), it);
}

static void check_level_name(struct field_errors *e, struct slice name)
{
	const char *field = "spec.priorityLevelConfiguration.name", *bad = validate_dns1123_subdomain(name);
	if (!name.len)
		bad_required(e, field, "must reference a priority level");
	else if (bad)
		bad_value(e, field, name, bad);
}

static void validate_schema(struct field_errors *e, const struct json *o, const struct json *old)
{
	const struct json *spec = spec_of(o), *method = json_get(spec, "distinguisherMethod");
	int64_t precedence = json_get_int(spec, "matchingPrecedence", 0);
	size_t i = 0;
	if (precedence <= 0)
		bad_number(e, "spec.matchingPrecedence", precedence, "must be a positive value");
	if (precedence > PRECEDENCE_MAX)
		bad_number(e, "spec.matchingPrecedence", precedence, "must not be greater than 10000");
	if (precedence == 1 && !is_named(o, "exempt"))
		bad_number(e, "spec.matchingPrecedence", precedence,
		        "only the schema named 'exempt' may have matchingPrecedence 1");
	if (method)
		check_supported(e, "spec.distinguisherMethod.type", json_get_str(method, "type"), "ByNamespace,ByUser");
	check_level_name(e, json_str(json_path(spec, "priorityLevelConfiguration", "name", NULL)));
	JSON_FOREACH (it, json_get(spec, "rules"))
		check_rule(e, at(e, "spec.rules[%zu]", i++), it);
	check_mandatory(e, o, true);
}

/* ---- levels ---- */

static void check_shares(struct field_errors *e, const char *base, const struct json *v)
{
	int64_t shares = json_get_int(v, "nominalConcurrencyShares", 0), lent = json_get_int(v, "lendablePercent", 0);
	if (shares < 0)
		bad_number(e, at(e, "%s.nominalConcurrencyShares", base), shares, "must be a non-negative integer");
	if (lent < 0 || lent > 100)
		bad_number(e, at(e, "%s.lendablePercent", base), lent, "must be between 0 and 100, inclusive");
}

/* How many bits of a flow's hash a hand takes; more than 60 of them a hash has not got to give. */
static int entropy_bits(int64_t deck, int64_t hand)
{
	return (int)ceil(log2((double)deck) * (double)hand);
}

static void check_hand(struct field_errors *e, int64_t queues, int64_t hand)
{
	const char *field = "spec.limited.limitResponse.queuing.handSize";
	if (hand <= 0)
		bad_number(e, field, hand, "must be positive");
	else if (hand > queues)
		bad_number(e, field, hand, at(e, "should not be greater than queues (%lld)", (long long)queues));
	else if (entropy_bits(queues, hand) > HASH_BITS_MAX)
		bad_number(e, field, hand,
		        at(e,
		                "required entropy bits of deckSize %lld and handSize %lld should not be greater than "
		                "%d",
		                (long long)queues, (long long)hand, HASH_BITS_MAX));
	else if (hand > HAND_MAX) /* a limit of ours */
		bad_number(e, field, hand, at(e, "must not be greater than %d", HAND_MAX));
}

static void check_queuing(struct field_errors *e, const struct json *queuing)
{
	int64_t queues = json_get_int(queuing, "queues", 0), length = json_get_int(queuing, "queueLengthLimit", 0);
	if (length <= 0)
		bad_number(e, "spec.limited.limitResponse.queuing.queueLengthLimit", length, "must be positive");
	if (queues <= 0)
		bad_number(e, "spec.limited.limitResponse.queuing.queues", queues, "must be positive");
	else if (queues > QUEUES_MAX) /* a limit of ours: upstream's is 10000000 */
		bad_number(e, "spec.limited.limitResponse.queuing.queues", queues,
		        at(e, "must not be greater than %d", QUEUES_MAX));
	check_hand(e, queues, json_get_int(queuing, "handSize", 0));
}

static void check_limited(struct field_errors *e, const struct json *limited)
{
	const struct json *response = json_get(limited, "limitResponse"), *queuing = json_get(response, "queuing");
	struct slice type = json_get_str(response, "type");
	int64_t borrowed = json_get_int(limited, "borrowingLimitPercent", 0);
	check_shares(e, "spec.limited", limited);
	check_supported(e, "spec.limited.limitResponse.type", type, "Queue,Reject");
	if (slice_is(type, "Reject") && queuing)
		bad_forbidden(e, "spec.limited.limitResponse.queuing",
		        "must be nil if limited.limitResponse.type is not Limited");
	if (slice_is(type, "Queue") && !queuing)
		bad_required(e, "spec.limited.limitResponse.queuing",
		        "must not be empty if limited.limitResponse.type is Limited");
	else if (slice_is(type, "Queue"))
		check_queuing(e, queuing);
	if (borrowed < 0)
		bad_number(e, "spec.limited.borrowingLimitPercent", borrowed,
		        "if specified, must be a non-negative integer");
}

static void validate_level(struct field_errors *e, const struct json *o, const struct json *old)
{
	const struct json *spec = spec_of(o), *limited = json_get(spec, "limited"), *exempt = json_get(spec, "exempt");
	struct slice type = json_get_str(spec, "type");
	if (is_named(o, "exempt") != slice_is(type, "Exempt"))
		bad_value(e, "spec.type", type, "type must be 'Exempt' if and only if name is 'exempt'");
	check_supported(e, "spec.type", type, "Exempt,Limited");
	if (slice_is(type, "Exempt") && limited)
		bad_forbidden(e, "spec.limited", "must be nil if the type is not Limited");
	if (slice_is(type, "Exempt"))
		check_shares(e, "spec.exempt", exempt);
	if (slice_is(type, "Limited") && exempt)
		bad_forbidden(e, "spec.exempt", "must be nil if the type is Limited");
	if (slice_is(type, "Limited") && !limited)
		bad_required(e, "spec.limited", "must not be empty when type is Limited");
	else if (slice_is(type, "Limited"))
		check_limited(e, limited);
	check_mandatory(e, o, false);
}

const struct kind_ops kinds_flowcontrol[] = {
        {.kind = "FlowSchema",
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = schema_defaults,
                .validate = validate_schema,
                .validate_part = validate_status,
                .columns = "Name,PriorityLevel,MatchingPrecedence:integer,DistinguisherMethod,Age,MissingPL",
                .cells = table_flow_schema},
        {.kind = "PriorityLevelConfiguration",
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = level_defaults,
                .validate = validate_level,
                .validate_part = validate_status,
                .columns = "Name,Type,NominalConcurrencyShares,Queues,HandSize,QueueLengthLimit,Age",
                .cells = table_priority_level},
        {0},
};
