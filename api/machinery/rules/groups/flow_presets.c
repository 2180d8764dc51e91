/* See flow_presets.h.
 *
 * Rules of schemas are written short: subjects, a bar, and what they ask for:
 *
 *     "g:GROUP u:USER s:ACCOUNT-OF-KUBE-SYSTEM | *"                               everything
 *     "... | VERB,VERB GROUP RESOURCE,RESOURCE [cluster]; /PATH,/PATH"            these, in all namespaces; and paths
 * (get) */
#include "api/machinery/rules/groups/flow_presets.h"

#include "base/check.h"

#include <stdio.h>

#define LEVELS "prioritylevelconfigurations"
#define SCHEMAS "flowschemas"
#define QUEUES(shares, lendable, queues, hand) \
	"{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":" #shares ",\"lendablePercent\":" #lendable \
	",\"limitResponse\":{\"type\":\"Queue\",\"queuing\":{\"queues\":" #queues ",\"handSize\":" #hand \
	",\"queueLengthLimit\":50}}}}"
#define SCHEMA(precedence, level, by) \
	"{\"priorityLevelConfiguration\":{\"name\":\"" level "\"},\"matchingPrecedence\":" #precedence by "}"
#define BY_USER ",\"distinguisherMethod\":{\"type\":\"ByUser\"}"
#define BY_NAMESPACE ",\"distinguisherMethod\":{\"type\":\"ByNamespace\"}"
#define EVERYBODY "g:system:unauthenticated g:system:authenticated"
#define LEASES "get,create,update coordination.k8s.io leases"

const struct preset presets[] = {
        {LEVELS, "exempt", true,
                "{\"type\":\"Exempt\",\"exempt\":{\"nominalConcurrencyShares\":0,\"lendablePercent\":0}}", NULL},
        {LEVELS, "catch-all", true,
                "{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":5,\"lendablePercent\":0,"
                "\"limitResponse\":{\"type\":\"Reject\"}}}",
                NULL},
        {LEVELS, "system", false, QUEUES(30, 33, 64, 6), NULL},
        {LEVELS, "node-high", false, QUEUES(40, 25, 64, 6), NULL},
        {LEVELS, "leader-election", false, QUEUES(10, 0, 16, 4), NULL},
        {LEVELS, "workload-high", false, QUEUES(40, 50, 128, 6), NULL},
        {LEVELS, "workload-low", false, QUEUES(100, 90, 128, 6), NULL},
        {LEVELS, "global-default", false, QUEUES(20, 50, 128, 6), NULL},
        {SCHEMAS, "exempt", true, SCHEMA(1, "exempt", ""), "g:system:masters | *"},
        {SCHEMAS, "catch-all", true, SCHEMA(10000, "catch-all", BY_USER), EVERYBODY " | *"},
        {SCHEMAS, "probes", false, SCHEMA(2, "exempt", ""), EVERYBODY " | /healthz,/readyz,/livez"},
        {SCHEMAS, "system-leader-election", false, SCHEMA(100, "leader-election", BY_USER),
                "u:system:kube-controller-manager u:system:kube-scheduler s:* | " LEASES},
        {SCHEMAS, "endpoint-controller", false, SCHEMA(150, "workload-high", BY_USER),
                "u:system:kube-controller-manager s:endpoint-controller s:endpointslicemirroring-controller | "
                "get,create,update core endpoints"},
        {SCHEMAS, "workload-leader-election", false, SCHEMA(200, "leader-election", BY_USER),
                "s:* | get,create,update core endpoints,configmaps; " LEASES},
        {SCHEMAS, "system-node-high", false, SCHEMA(400, "node-high", BY_USER),
                "g:system:nodes | * core nodes,nodes/status cluster; * coordination.k8s.io leases"},
        {SCHEMAS, "system-nodes", false, SCHEMA(500, "system", BY_USER), "g:system:nodes | *"},
        {SCHEMAS, "kube-controller-manager", false, SCHEMA(800, "workload-high", BY_NAMESPACE),
                "u:system:kube-controller-manager | *"},
        {SCHEMAS, "kube-scheduler", false, SCHEMA(800, "workload-high", BY_NAMESPACE), "u:system:kube-scheduler | *"},
        {SCHEMAS, "kube-system-service-accounts", false, SCHEMA(900, "workload-high", BY_NAMESPACE), "s:* | *"},
        {SCHEMAS, "service-accounts", false, SCHEMA(9000, "workload-low", BY_USER), "g:system:serviceaccounts | *"},
        {SCHEMAS, "global-default", false, SCHEMA(9900, "global-default", BY_USER), EVERYBODY " | *"},
        {0},
};

/* ---- rules ---- */

static struct slice word(struct slice *rest)
{
	*rest = slice_trim(*rest);
	return slice_cut(rest, ' ');
}

static struct json *list(struct arena *a, struct slice words)
{
	struct json *array = json_new(a, JSON_ARRAY);
	while (words.ptr)
		json_append(array, json_new_str(a, slice_cut(&words, ',')));
	return array;
}

static struct json *subject(struct arena *a, struct slice text)
{
	static const char *const kinds[][3] = {
	        {"u", "User", "user"}, {"g", "Group", "group"}, {"s", "ServiceAccount", "serviceAccount"}};
	struct json *o = json_new(a, JSON_OBJECT);
	struct slice kind = slice_cut(&text, ':');
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!slice_is(kind, kinds[i][0]))
			continue;
		json_set_cstr(a, o, "kind", kinds[i][1]);
		struct json *of = json_need(a, o, kinds[i][2], JSON_OBJECT);
		if (slice_is(kind, "s"))
			json_set_cstr(a, of, "namespace", "kube-system");
		json_set_str(a, of, "name", text);
	}
	CHECK(o->count == 2);
	return o;
}

static void add_paths(struct arena *a, struct json *rule, const char *verb, struct slice paths)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_append(json_need(a, rule, "nonResourceRules", JSON_ARRAY), o);
	json_set(a, o, "verbs", list(a, slice_of(verb)));
	json_set(a, o, "nonResourceURLs", list(a, paths));
}

static void add_resources(struct arena *a, struct json *rule, struct slice verbs, struct slice group,
        struct slice resources, bool has_cluster_scope)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_append(json_need(a, rule, "resourceRules", JSON_ARRAY), o);
	json_set(a, o, "verbs", list(a, verbs));
	json_set(a, o, "apiGroups", list(a, slice_is(group, "core") ? SLICE("") : group));
	json_set(a, o, "resources", list(a, resources));
	if (has_cluster_scope)
		json_set_bool(a, o, "clusterScope", true);
	json_set(a, o, "namespaces", list(a, SLICE("*")));
}

static void add_what(struct arena *a, struct json *rule, struct slice text)
{
	struct slice first = word(&text), group = word(&text), resources = word(&text), scope = word(&text);
	if (first.ptr[0] == '/') {
		add_paths(a, rule, "get", first);
	} else if (!group.len) {
		add_resources(a, rule, first, SLICE("*"), SLICE("*"), true);
		add_paths(a, rule, "*", first);
	} else {
		add_resources(a, rule, first, group, resources, slice_is(scope, "cluster"));
	}
}

static struct json *rules_of(struct arena *a, const char *text)
{
	struct json *rules = json_new(a, JSON_ARRAY), *rule = json_new(a, JSON_OBJECT);
	struct slice whats = slice_of(text), subjects = slice_trim(slice_cut(&whats, '|'));
	json_append(rules, rule);
	while (subjects.ptr)
		json_append(json_need(a, rule, "subjects", JSON_ARRAY), subject(a, slice_cut(&subjects, ' ')));
	while (whats.ptr)
		add_what(a, rule, slice_trim(slice_cut(&whats, ';')));
	return rules;
}

/* ---- objects ---- */

static struct json *spec_of(struct arena *a, const struct preset *p)
{
	struct json *spec = json_parse(a, slice_of(p->spec), NULL, NULL);
	CHECK(spec != NULL);
	if (p->rules)
		json_set(a, spec, "rules", rules_of(a, p->rules));
	return spec;
}

struct json *preset_object(struct arena *a, const struct preset *p)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_set_cstr(a, o, "kind", p->rules ? "FlowSchema" : "PriorityLevelConfiguration");
	json_set_cstr(a, o, "apiVersion", "flowcontrol.apiserver.k8s.io/v1");
	struct json *meta = json_need(a, o, "metadata", JSON_OBJECT);
	json_set_cstr(a, meta, "name", p->name);
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), PRESET_AUTOUPDATE, "true");
	json_set(a, o, "spec", spec_of(a, p));
	return o;
}

const struct preset *preset_mandatory(bool is_schema, struct slice name)
{
	for (const struct preset *p = presets; p->name; p++)
		if (p->is_mandatory && (p->rules != NULL) == is_schema && slice_is(name, p->name))
			return p;
	return NULL;
}

/* What the spec must be, where it is now this. */
static struct json *wanted_spec(struct arena *a, const struct preset *p, const struct json *spec)
{
	struct json *wanted = spec_of(a, p), *own = json_get(spec, "exempt");
	if (p->is_mandatory && json_get(wanted, "exempt") && json_is(own, JSON_OBJECT))
		json_set(a, wanted, "exempt", json_copy(a, own));
	return wanted;
}

bool preset_spec_is_right(struct arena *a, const struct preset *p, const struct json *spec)
{
	return json_equal(spec, wanted_spec(a, p, spec));
}

bool preset_reconcile(struct arena *a, const struct preset *p, struct json *stored)
{
	struct json *meta = json_need(a, stored, "metadata", JSON_OBJECT),
	            *wanted = wanted_spec(a, p, json_get(stored, "spec"));
	struct slice says = json_str(json_get(json_get(meta, "annotations"), PRESET_AUTOUPDATE));
	bool is_ours = p->is_mandatory || slice_is(says, "true") ||
	               (!slice_is(says, "false") && json_get_int(meta, "generation", 1) == 1);
	if (!is_ours || (json_equal(json_get(stored, "spec"), wanted) && slice_is(says, "true")))
		return false;
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), PRESET_AUTOUPDATE, "true");
	json_set(a, stored, "spec", wanted);
	return true;
}
