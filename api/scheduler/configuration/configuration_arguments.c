/* Arguments of plugins (profiles[].pluginConfig[].args), see configuration.h. Each is read by a table of its members,
 * then checked as a whole as upstream checks it, in its words (pkg/scheduler/apis/config/validation,
 * validation_pluginargs.go): types and unknown members end the reading where they stand, what is checked is told by the
 * first that is wrong. Node affinity is checked as a pod's is. */
#include "api/scheduler/configuration/configuration_int.h"

#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/pod/pod.h"
#include "base/check.h"

#define NOT_IN_RANGE "not in valid range "
#define META \
	{"apiVersion", configuration_ignore}, \
	{ \
		"kind", configuration_ignore \
	}

/* ---- values ---- */

static int read_number(struct reading *r, const struct json *value, const char *where, int64_t *ret)
{
	return configuration_read_count(r, value, where, INT32_MIN, INT32_MAX, ret);
}

/* max < 0: without an end. */
static int read_range(
        struct reading *r, const struct json *value, const char *where, int64_t max, const char *range, int64_t *ret)
{
	if (read_number(r, value, where, ret) != 0)
		return r->err->code;
	if (*ret < 0 || (max >= 0 && *ret > max))
		bad_number(r->e, where, *ret, range);
	return 0;
}

static int read_flag(struct reading *r, const struct json *value, const char *where, bool *ret)
{
	if (!json_is(value, JSON_BOOL))
		return configuration_bad(r, where, "true or false");
	*ret = value->boolean;
	return 0;
}

static int need_string(struct reading *r, const struct json *value, const char *where)
{
	return json_is(value, JSON_STRING) ? 0 : configuration_bad(r, where, "a text");
}

static int need_list(struct reading *r, const struct json *value, const char *where)
{
	return json_is(value, JSON_ARRAY) ? 0 : configuration_bad(r, where, "a list");
}

/* ---- resources ---- */

static int read_resource(struct reading *r, const struct json *value, const char *where, struct fit_resource *ret)
{
	const struct json *weight = json_get(value, "weight");
	if (!json_is(value, JSON_OBJECT) || !json_get_str(value, "name").len)
		return configuration_bad(r, where, "an object with a name");
	JSON_FOREACH (it, value)
		if (!slice_is(it->key, "name") && !slice_is(it->key, "weight"))
			return configuration_bad(r, where, "made of name and weight");
	*ret = (struct fit_resource){json_cstr(r->a, json_get(value, "name")), 0};
	if (weight && read_number(r, weight, arena_printf(r->a, "%s.weight", where), &ret->weight) != 0)
		return r->err->code;
	ret->weight = ret->weight ? ret->weight : 1;
	return 0;
}

/* An empty list is as none. */
static int read_resources(
        struct reading *r, const struct json *value, const char *where, const struct fit_resource **ret, size_t *ret_n)
{
	size_t n = 0;
	if (need_list(r, value, where) != 0)
		return r->err->code;
	struct fit_resource *list = ARENA_ARRAY(r->a, struct fit_resource, value->count + 1);
	JSON_FOREACH (it, value) {
		if (read_resource(r, it, arena_printf(r->a, "%s[%zu]", where, n), &list[n]) != 0)
			return r->err->code;
		n++;
	}
	if (n) {
		*ret = list;
		*ret_n = n;
	}
	return 0;
}

static int read_weighted(struct reading *r, const struct json *value, const char *where)
{
	struct scheduler_profile *p = r->profile;
	struct field_errors *e = r->e;
	if (read_resources(r, value, where, &p->resources, &p->n_resources) != 0)
		return r->err->code;
	for (size_t i = 0; value->count && i < p->n_resources; i++)
		if (p->resources[i].weight <= 0 || p->resources[i].weight > 100)
			bad_number(e, at(e, "%s[%zu].weight", where, i), p->resources[i].weight,
			        at(e, "resource weight of %s " NOT_IN_RANGE "(0, 100]", p->resources[i].name));
	return 0;
}

static bool is_repeated(const struct fit_resource *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(list[k].name, list[i].name) == 0)
			return true;
	return false;
}

static int read_balanced(struct reading *r, const struct json *value, const char *where)
{
	struct scheduler_profile *p = r->profile;
	struct field_errors *e = r->e;
	if (read_resources(r, value, where, &p->balanced, &p->n_balanced) != 0)
		return r->err->code;
	for (size_t i = 0; i < p->n_balanced; i++) {
		if (is_repeated(p->balanced, i))
			bad_duplicate(e, at(e, "%s[%zu].name", where, i), slice_of(p->balanced[i].name));
		if (p->balanced[i].weight != 1)
			bad_number(e, at(e, "%s[%zu].weight", where, i), p->balanced[i].weight, "must be 1");
	}
	return 0;
}

/* ---- NodeResourcesFit ---- */

/* Names or, for groups, what stands before a slash. */
static int read_names(struct reading *r, const struct json *value, const char *where, bool is_group,
        const char *const **ret, size_t *ret_n)
{
	struct field_errors *e = r->e;
	size_t n = 0;
	if (need_list(r, value, where) != 0)
		return r->err->code;
	const char **list = ARENA_ARRAY(r->a, const char *, value->count + 1);
	JSON_FOREACH (it, value) {
		const char *here = at(e, "%s[%zu]", where, n);
		if (need_string(r, it, here) != 0)
			return r->err->code;
		const char *why = check_qualified_name(json_str(it));
		if (is_group && it->text.len && memchr(it->text.ptr, '/', it->text.len))
			bad_value(e, here, it->text, "resource group name can't contain '/'");
		if (why)
			bad_value(e, here, it->text, why);
		list[n++] = json_cstr(r->a, it);
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

static int read_ignored(struct reading *r, const struct json *value, const char *where)
{
	return read_names(r, value, where, false, &r->profile->left_out, &r->profile->n_left_out);
}

static int read_ignored_groups(struct reading *r, const struct json *value, const char *where)
{
	return read_names(r, value, where, true, &r->profile->left_out_groups, &r->profile->n_left_out_groups);
}

static int read_strategy_type(struct reading *r, const struct json *value, const char *where)
{
	static const char *const names[] = {"LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"};
	if (need_string(r, value, where) != 0)
		return r->err->code;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_is(value->text, names[i])) {
			r->profile->strategy = (enum fit_strategy)i;
			return 0;
		}
	bad_choice(r->e, where, value->text, "LeastAllocated,MostAllocated,RequestedToCapacityRatio");
	return 0;
}

static int read_point(struct reading *r, const struct json *value, const char *where, struct fit_point *ret)
{
	const struct json *utilization = json_get(value, "utilization"), *score = json_get(value, "score");
	if (!json_is(value, JSON_OBJECT))
		return configuration_bad(r, where, "an object");
	JSON_FOREACH (it, value)
		if (!slice_is(it->key, "utilization") && !slice_is(it->key, "score"))
			return configuration_bad(r, where, "made of utilization and score");
	if (utilization && read_range(r, utilization, arena_printf(r->a, "%s.utilization", where), 100,
	                           NOT_IN_RANGE "[0, 100]", &ret->utilization) != 0)
		return r->err->code;
	return score ? read_range(
	                       r, score, arena_printf(r->a, "%s.score", where), 10, NOT_IN_RANGE "[0, 10]", &ret->score)
	             : 0;
}

static int read_shape(struct reading *r, const struct json *value, const char *where)
{
	struct field_errors *e = r->e;
	size_t n = 0;
	if (need_list(r, value, where) != 0)
		return r->err->code;
	struct fit_point *list = ARENA_ARRAY(r->a, struct fit_point, value->count + 1);
	JSON_FOREACH (it, value) {
		const char *here = at(e, "%s[%zu]", where, n);
		if (read_point(r, it, here, &list[n]) != 0)
			return r->err->code;
		if (n && list[n].utilization <= list[n - 1].utilization)
			bad_number(e, at(e, "%s.utilization", here), list[n].utilization,
			        "values must be sorted in increasing order");
		n++;
	}
	if (!n)
		bad_required(e, where, "at least one point must be specified");
	r->profile->shape = list;
	r->profile->n_shape = n;
	return 0;
}

static int read_ratio(struct reading *r, const struct json *value, const char *where)
{
	static const struct member members[] = {{"shape", read_shape}};
	if (configuration_read_object(r, value, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	if (!r->profile->n_shape)
		bad_required(r->e, at(r->e, "%s.shape", where), "at least one point must be specified");
	return 0;
}

static int read_strategy(struct reading *r, const struct json *value, const char *where)
{
	static const struct member members[] = {
	        {"type", read_strategy_type}, {"resources", read_weighted}, {"requestedToCapacityRatio", read_ratio}};
	struct field_errors *e = r->e;
	if (configuration_read_object(r, value, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	if (r->profile->strategy == FIT_RATIO && !r->profile->n_shape)
		bad_required(e, at(e, "%s.requestedToCapacityRatio", where),
		        "must be specified when type is RequestedToCapacityRatio");
	return 0;
}

/* ---- PodTopologySpread ---- */

static int read_policy(
        struct reading *r, const struct json *value, const char *where, const char *unusual, bool *ret_is_unusual)
{
	if (need_string(r, value, where) != 0)
		return r->err->code;
	check_choice(r->e, where, value->text, "Honor,Ignore", true);
	*ret_is_unusual = slice_is(value->text, unusual);
	return 0;
}

#define SPREAD_READER(name, read_value, ...) \
	static int name(struct reading *r, const struct json *value, const char *where) \
	{ \
		return read_value(r, value, where, __VA_ARGS__); \
	}
SPREAD_READER(read_skew, read_number, &r->spread->max_skew)
SPREAD_READER(read_affinity_policy, read_policy, "Ignore", &r->spread->ignores_affinity)
SPREAD_READER(read_taints_policy, read_policy, "Honor", &r->spread->honors_taints)
#undef SPREAD_READER

static int read_min_domains(struct reading *r, const struct json *value, const char *where)
{
	if (read_number(r, value, where, &r->spread->min_domains) != 0)
		return r->err->code;
	if (r->spread->min_domains <= 0)
		bad_number(r->e, where, r->spread->min_domains, "must be greater than zero");
	return 0;
}

static int read_topology_key(struct reading *r, const struct json *value, const char *where)
{
	if (need_string(r, value, where) != 0)
		return r->err->code;
	const char *why = value->text.len ? check_qualified_name(value->text) : NULL;
	if (why)
		bad_value(r->e, where, value->text, why);
	r->spread->topology_key = json_cstr(r->a, value);
	return 0;
}

static int read_action(struct reading *r, const struct json *value, const char *where)
{
	if (need_string(r, value, where) != 0)
		return r->err->code;
	if (value->text.len)
		check_choice(r->e, where, value->text, "DoNotSchedule,ScheduleAnyway", true);
	r->spread->is_hard = slice_is(value->text, "DoNotSchedule");
	return 0;
}

static int read_selector(struct reading *r, const struct json *value, const char *where)
{
	bad_forbidden(r->e, where, "constraint must not define a selector, as they deduced for each pod");
	return 0;
}

static void check_constraint(struct reading *r, const struct json *value, const char *where, size_t i)
{
	struct field_errors *e = r->e;
	const struct spread_default *all = r->profile->spread, *x = r->spread;
	const char *action = x->is_hard ? "DoNotSchedule" : "ScheduleAnyway";
	if (x->max_skew <= 0)
		bad_number(e, at(e, "%s.maxSkew", where), x->max_skew, NOT_IN_RANGE "(0, inf)");
	if (!*x->topology_key)
		bad_required(e, at(e, "%s.topologyKey", where), "can not be empty");
	if (!json_get_str(value, "whenUnsatisfiable").len)
		bad_required(e, at(e, "%s.whenUnsatisfiable", where), "can not be empty");
	for (size_t k = 0; k < i; k++)
		if (all[k].is_hard == x->is_hard && strcmp(all[k].topology_key, x->topology_key) == 0) {
			bad_duplicate(e, where, slice_of(at(e, "{%s, %s}", x->topology_key, action)));
			return;
		}
}

/* matchLabelKeys have no effect, as upstream: the selector that is found for the pod takes their place. */
static int read_constraint(struct reading *r, const struct json *value, const char *where)
{
	static const struct member members[] = {{"maxSkew", read_skew}, {"topologyKey", read_topology_key},
	        {"whenUnsatisfiable", read_action}, {"labelSelector", read_selector}, {"minDomains", read_min_domains},
	        {"nodeAffinityPolicy", read_affinity_policy}, {"nodeTaintsPolicy", read_taints_policy},
	        {"matchLabelKeys", NULL}};
	size_t i = r->profile->n_spread++;
	r->spread = &r->spreads[i];
	r->spread->topology_key = "";
	if (configuration_read_object(r, value, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	check_constraint(r, value, where, i);
	return 0;
}

static int read_constraints(struct reading *r, const struct json *value, const char *where)
{
	if (need_list(r, value, where) != 0)
		return r->err->code;
	r->profile->spread = r->spreads = ARENA_ARRAY(r->a, struct spread_default, value->count + 1);
	r->profile->n_spread = 0;
	return configuration_read_list(r, value, where, read_constraint);
}

static int read_defaulting(struct reading *r, const struct json *value, const char *where)
{
	if (need_string(r, value, where) != 0)
		return r->err->code;
	if (value->text.len)
		check_choice(r->e, where, value->text, "List,System", true);
	r->profile->spreads_by_system = !slice_is(value->text, "List");
	return 0;
}

/* A list is the whole of it, also when it is empty; with the system's there is none. */
static int read_spread(struct reading *r, const struct json *args, const char *where)
{
	static const struct member members[] = {
	        META, {"defaultConstraints", read_constraints}, {"defaultingType", read_defaulting}};
	struct scheduler_profile *p = r->profile;
	const struct spread_default *system = p->spread;
	size_t n_system = p->n_spread;
	struct field_errors *e = r->e;
	p->n_spread = 0;
	if (configuration_read_object(r, args, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	if (p->spreads_by_system && p->n_spread)
		bad_value(e, at(e, "%s.defaultingType", where), SLICE("System"),
		        "when .defaultConstraints are not empty");
	if (p->spreads_by_system) {
		p->spread = system;
		p->n_spread = n_system;
	}
	return 0;
}

/* ---- NodeAffinity ---- */

static int read_affinity_terms(struct reading *r, const struct json *value, const char *where)
{
	if (!json_is(value, JSON_OBJECT))
		return configuration_bad(r, where, "an object");
	r->profile->added_terms = json_get(value, "nodeSelectorTerms");
	return 0;
}

static int read_affinity_wishes(struct reading *r, const struct json *value, const char *where)
{
	r->profile->added_preferences = value;
	return need_list(r, value, where);
}

static int read_added(struct reading *r, const struct json *value, const char *where)
{
	static const struct member members[] = {{"requiredDuringSchedulingIgnoredDuringExecution", read_affinity_terms},
	        {"preferredDuringSchedulingIgnoredDuringExecution", read_affinity_wishes}};
	if (configuration_read_object(r, value, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	validate_node_affinity(r->e, where, value);
	return 0;
}

/* ---- the others ---- */

static int read_hard_weight(struct reading *r, const struct json *value, const char *where)
{
	return read_range(r, value, where, 100, NOT_IN_RANGE "[0, 100]", &r->profile->hard_affinity_weight);
}

static int read_ignores_wishes(struct reading *r, const struct json *value, const char *where)
{
	return read_flag(r, value, where, &r->profile->ignores_wishes);
}

static int read_candidates_percent(struct reading *r, const struct json *value, const char *where)
{
	return read_range(r, value, where, 100, NOT_IN_RANGE "[0, 100]", &r->profile->candidates_percent);
}

static int read_candidates_min(struct reading *r, const struct json *value, const char *where)
{
	return read_range(r, value, where, -1, NOT_IN_RANGE "[0, inf)", &r->profile->candidates_min);
}

static int read_preemption(struct reading *r, const struct json *args, const char *where)
{
	static const struct member members[] = {META, {"minCandidateNodesPercentage", read_candidates_percent},
	        {"minCandidateNodesAbsolute", read_candidates_min}};
	struct field_errors *e = r->e;
	if (configuration_read_object(r, args, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	if (!r->profile->candidates_percent && !r->profile->candidates_min)
		bad_number(e, at(e, "%s.minCandidateNodesPercentage", where), 0,
		        "cannot be zero at the same time as minCandidateNodesAbsolute");
	return 0;
}

static int read_volume_timeout(struct reading *r, const struct json *value, const char *where)
{
	int64_t s;
	if (configuration_read_count(r, value, where, INT32_MIN, INT32_MAX, &s) != 0)
		return r->err->code;
	if (s < 0)
		bad_number(r->e, where, s, "invalid BindTimeoutSeconds, should not be a negative value");
	r->profile->volume_timeout_ms = s < 0 ? 0 : (uint64_t)s * 1000;
	return 0;
}

static int read_volume_shape(struct reading *r, const struct json *value, const char *where)
{
	bad_forbidden(r->e, where, "unexpected field `shape`, feature VolumeCapacityPriority is disabled");
	return 0;
}

/* ---- by plugin ---- */

static int read_members(struct reading *r, struct slice plugin, const struct json *args, const char *where)
{
	static const struct member fit[] = {META, {"scoringStrategy", read_strategy},
	        {"ignoredResources", read_ignored}, {"ignoredResourceGroups", read_ignored_groups}};
	static const struct member balanced[] = {META, {"resources", read_balanced}};
	static const struct member near[] = {META, {"hardPodAffinityWeight", read_hard_weight},
	        {"ignorePreferredTermsOfExistingPods", read_ignores_wishes}};
	static const struct member node[] = {META, {"addedAffinity", read_added}};
	static const struct member volumes[] = {
	        META, {"bindTimeoutSeconds", read_volume_timeout}, {"shape", read_volume_shape}};
	static const struct {
		const char *plugin;
		const struct member *members;
		size_t n;
	} rows[] = {{"NodeResourcesFit", fit, COUNT_OF(fit)},
	        {"NodeResourcesBalancedAllocation", balanced, COUNT_OF(balanced)},
	        {"InterPodAffinity", near, COUNT_OF(near)}, {"NodeAffinity", node, COUNT_OF(node)},
	        {"VolumeBinding", volumes, COUNT_OF(volumes)}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(plugin, rows[i].plugin))
			return configuration_read_object(r, args, where, rows[i].members, rows[i].n);
	if (slice_is(plugin, "PodTopologySpread"))
		return read_spread(r, args, where);
	if (slice_is(plugin, "DefaultPreemption"))
		return read_preemption(r, args, where);
	configuration_note(r, where); /* it has no arguments, and upstream does not look at what is given */
	return 0;
}

static int check_kind(struct reading *r, struct slice plugin, const struct json *args, const char *where)
{
	const char *kind = arena_printf(r->a, "%.*sArgs", SLICE_FMT(plugin));
	struct slice given = json_get_str(args, "kind");
	if (given.len && !slice_is(given, kind))
		return configuration_bad(r, arena_printf(r->a, "%s.kind", where), kind);
	return 0;
}

int configuration_read_arguments(struct reading *r, struct slice plugin, const struct json *args, const char *where)
{
	struct field_errors *e = r->e = ARENA_NEW(r->a, struct field_errors);
	field_errors_init(e, r->a);
	if (check_kind(r, plugin, args, where) != 0 || read_members(r, plugin, args, where) != 0)
		return r->err->code;
	if (e->count)
		return err_set(
		        r->err, ERR_INVAL, "scheduler configuration: %s: %s", e->items[0].field, e->items[0].message);
	return 0;
}
