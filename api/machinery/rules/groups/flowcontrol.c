/* The flowcontrol.apiserver.k8s.io group: FlowSchemas and PriorityLevelConfigurations. Their status is nobody's but the
 * server's. Upstream: pkg/apis/flowcontrol/v1/defaults.go and validation. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"

enum {
	PRECEDENCE_MAX = 10000,
	PRECEDENCE_DEFAULT = 1000,
	SHARES_DEFAULT = 30,
	QUEUES_DEFAULT = 64,
	HAND_DEFAULT = 8,
	QUEUE_LENGTH_DEFAULT = 50,
	QUEUES_MAX = 4096, /* what shuffle sharding deals from: api/server/fairness/shuffle.h */
	HAND_MAX = 10,
};

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

/* ---- schemas ---- */

static void validate_subject(struct field_errors *e, const char *field, const struct json *v)
{
	static const char *const members[][2] = {
	        {"User", "user"}, {"Group", "group"}, {"ServiceAccount", "serviceAccount"}};
	struct slice kind = json_get_str(v, "kind");
	check_choice(e, at(e, "%s.kind", field), kind, "Group,ServiceAccount,User", true);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const struct json *of = json_get(v, members[i][1]);
		const char *where = at(e, "%s.%s", field, members[i][1]);
		if (slice_is(kind, members[i][0])) {
			if (!of)
				bad_required(e, where,
				        at(e, "%s is required when subject kind is '%s'", members[i][1],
				                members[i][0]));
			else if (!json_get_str(of, "name").len)
				bad_required(e, at(e, "%s.name", where), "");
			if (of && i == 2 && !json_get_str(of, "namespace").len)
				bad_required(
				        e, at(e, "%s.namespace", where), "must specify namespace for service account");
		} else if (of) {
			bad_forbidden(e, where,
			        at(e, "%s is forbidden when subject kind is not '%s'", members[i][1], members[i][0]));
		}
	}
}

static void need_some(struct field_errors *e, const char *field, const struct json *v, const char *name)
{
	const struct json *list = json_get(v, name);
	if (!list || !list->count)
		bad_required(e, at(e, "%s.%s", field, name), "must contain at least one");
}

static void validate_resource_rule(struct field_errors *e, const char *field, const struct json *v)
{
	need_some(e, field, v, "verbs");
	need_some(e, field, v, "apiGroups");
	need_some(e, field, v, "resources");
	if (!json_get_bool(v, "clusterScope", false) &&
	        !(json_get(v, "namespaces") && json_get(v, "namespaces")->count))
		bad_required(e, at(e, "%s.namespaces", field),
		        "resource rules that are not cluster scoped must supply at least one namespace");
}

static void validate_rule(struct field_errors *e, const char *field, const struct json *v)
{
	const struct json *resources = json_get(v, "resourceRules"), *paths = json_get(v, "nonResourceRules");
	size_t i = 0;
	need_some(e, field, v, "subjects");
	JSON_FOREACH (it, json_get(v, "subjects"))
		validate_subject(e, at(e, "%s.subjects[%zu]", field, i++), it);
	if (!(resources && resources->count) && !(paths && paths->count))
		bad_required(e, field, "at least one of resourceRules and nonResourceRules has to be non-empty");
	i = 0;
	JSON_FOREACH (it, resources)
		validate_resource_rule(e, at(e, "%s.resourceRules[%zu]", field, i++), it);
	i = 0;
	JSON_FOREACH (it, paths) {
		const char *where = at(e, "%s.nonResourceRules[%zu]", field, i++);
		need_some(e, where, it, "verbs");
		need_some(e, where, it, "nonResourceURLs");
	}
}

static bool is_named(const struct json *o, const char *name)
{
	return slice_is(json_str(json_path(o, "metadata", "name", NULL)), name);
}

static void validate_schema(struct field_errors *e, const struct json *o, const struct json *old)
{
	const struct json *spec = spec_of(o);
	int64_t precedence = json_get_int(spec, "matchingPrecedence", 0);
	const struct json *method = json_get(spec, "distinguisherMethod");
	size_t i = 0;
	if (precedence <= 0)
		bad_number(e, "spec.matchingPrecedence", precedence, "must be a positive value");
	if (precedence > PRECEDENCE_MAX)
		bad_number(e, "spec.matchingPrecedence", precedence, "must not be greater than 10000");
	if (precedence == 1 && !is_named(o, "exempt"))
		bad_number(e, "spec.matchingPrecedence", precedence,
		        "only the schema named 'exempt' may have matchingPrecedence 1");
	if (method)
		check_choice(
		        e, "spec.distinguisherMethod.type", json_get_str(method, "type"), "ByNamespace,ByUser", true);
	if (!json_str(json_path(spec, "priorityLevelConfiguration", "name", NULL)).len)
		bad_required(e, "spec.priorityLevelConfiguration.name", "must reference a priority level");
	JSON_FOREACH (it, json_get(spec, "rules"))
		validate_rule(e, at(e, "spec.rules[%zu]", i++), it);
}

/* ---- levels ---- */

static void in_range(struct field_errors *e, const char *field, const struct json *v, int64_t min, int64_t max)
{
	int64_t n = json_int(v, min);
	if (n < min || n > max)
		bad_number(
		        e, field, n, at(e, "must be between %lld and %lld, inclusive", (long long)min, (long long)max));
}

static void validate_queuing(struct field_errors *e, const struct json *queuing)
{
	int64_t queues = json_get_int(queuing, "queues", 0), hand = json_get_int(queuing, "handSize", 0);
	in_range(e, "spec.limited.limitResponse.queuing.queueLengthLimit", json_get(queuing, "queueLengthLimit"), 1,
	        UINT16_MAX);
	in_range(e, "spec.limited.limitResponse.queuing.queues", json_get(queuing, "queues"), 1, QUEUES_MAX);
	in_range(e, "spec.limited.limitResponse.queuing.handSize", json_get(queuing, "handSize"), 1, HAND_MAX);
	if (hand > queues)
		bad_number(e, "spec.limited.limitResponse.queuing.handSize", hand,
		        at(e, "should not be greater than queues (%lld)", (long long)queues));
}

static void validate_limited(struct field_errors *e, const struct json *limited)
{
	const struct json *response = json_get(limited, "limitResponse"), *queuing = json_get(response, "queuing");
	struct slice type = json_get_str(response, "type");
	in_range(e, "spec.limited.nominalConcurrencyShares", json_get(limited, "nominalConcurrencyShares"), 0,
	        UINT16_MAX);
	in_range(e, "spec.limited.lendablePercent", json_get(limited, "lendablePercent"), 0, 100);
	check_non_negative(e, "spec.limited.borrowingLimitPercent", json_get(limited, "borrowingLimitPercent"));
	check_choice(e, "spec.limited.limitResponse.type", type, "Queue,Reject", true);
	if (slice_is(type, "Reject") && queuing)
		bad_forbidden(e, "spec.limited.limitResponse.queuing",
		        "must be nil if limited.limitResponse.type is not Limited");
	if (slice_is(type, "Queue") && !queuing)
		bad_required(e, "spec.limited.limitResponse.queuing",
		        "must not be empty if limited.limitResponse.type is Queue");
	else if (slice_is(type, "Queue"))
		validate_queuing(e, queuing);
}

static void validate_level(struct field_errors *e, const struct json *o, const struct json *old)
{
	const struct json *spec = spec_of(o), *limited = json_get(spec, "limited"), *exempt = json_get(spec, "exempt");
	struct slice type = json_get_str(spec, "type");
	check_choice(e, "spec.type", type, "Exempt,Limited", true);
	if (is_named(o, "exempt") != slice_is(type, "Exempt"))
		bad_value(e, "spec.type", type,
		        is_named(o, "exempt") ? "must be 'Exempt' if and only if `name` is 'exempt'"
		                              : "only the priority level 'exempt' may be Exempt");
	if (slice_is(type, "Exempt") && limited)
		bad_forbidden(e, "spec.limited", "must be nil if the type is not Limited");
	if (slice_is(type, "Limited") && exempt)
		bad_forbidden(e, "spec.exempt", "must be nil if the type is Limited");
	if (slice_is(type, "Limited") && !limited)
		bad_required(e, "spec.limited", "must not be empty when type is Limited");
	else if (slice_is(type, "Limited"))
		validate_limited(e, limited);
	in_range(
	        e, "spec.exempt.nominalConcurrencyShares", json_get(exempt, "nominalConcurrencyShares"), 0, UINT16_MAX);
	in_range(e, "spec.exempt.lendablePercent", json_get(exempt, "lendablePercent"), 0, 100);
}

const struct kind_ops kinds_flowcontrol[] = {
        {.kind = "FlowSchema",
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = schema_defaults,
                .validate = validate_schema,
                .columns = "Name,PriorityLevel,MatchingPrecedence:integer,DistinguisherMethod,Age,MissingPL",
                .cells = table_flow_schema},
        {.kind = "PriorityLevelConfiguration",
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = level_defaults,
                .validate = validate_level,
                .columns = "Name,Type,NominalConcurrencyShares,Queues,HandSize,QueueLengthLimit,Age",
                .cells = table_priority_level},
        {0},
};
