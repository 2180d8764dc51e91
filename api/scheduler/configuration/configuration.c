/* See configuration.h. Each object is read by a table of its members: what is in no table is an error. */
#include "api/scheduler/configuration/configuration_int.h"

#include "base/check.h"
#include "base/json/json.h"
#include "base/yaml.h"

#define GROUP_VERSION "kubescheduler.config.k8s.io/v1"

enum { NOTES_MAX = 16, BACKOFF_S = 1, BACKOFF_S_MAX = 10, SECONDS_MAX = INT32_MAX, WEIGHT_MAX = 1000000 };

static const struct fit_resource default_resources[] = {{"cpu", 1}, {"memory", 1}};

/* Upstream's system defaults, for pods that a service or a controller selects. */
static const struct spread_default system_spread[] = {
        {.topology_key = "kubernetes.io/hostname", .max_skew = 3},
        {.topology_key = "topology.kubernetes.io/zone", .max_skew = 5},
};

#define DEFAULT_PROFILE \
	{ \
		.name = "default-scheduler", \
		.weights = {[SCORE_FIT] = 1, \
		        [SCORE_BALANCED] = 1, \
		        [SCORE_IMAGES] = 1, \
		        [SCORE_TAINTS] = 3, \
		        [SCORE_NODE_AFFINITY] = 2, \
		        [SCORE_POD_AFFINITY] = 2, \
		        [SCORE_SPREAD] = 2}, \
		.filters = FILTER_ALL, .preempts = true, .resources = default_resources, .n_resources = 2, \
		.balanced = default_resources, .n_balanced = 2, .hard_affinity_weight = 1, .candidates_percent = 10, \
		.candidates_min = 100, .volume_timeout_ms = 600 * 1000, .spread = system_spread, \
		.n_spread = COUNT_OF(system_spread), .spreads_by_system = true \
	}

static const struct scheduler_profile default_profile = DEFAULT_PROFILE;

const struct scheduler_configuration scheduler_configuration_default = {.profiles = &default_profile,
        .n_profiles = 1,
        .backoff_ms = BACKOFF_S * 1000,
        .backoff_max_ms = BACKOFF_S_MAX * 1000};

static const struct plugin {
	const char *name;
	int score;       /* of enum score_plugin; -1: it has none */
	unsigned filter; /* of enum filter_plugin; 0: it has none that can be left out */
	bool is_fixed;   /* no profile is without it */
} plugins[] = {
        {"NodeUnschedulable", -1, FILTER_UNSCHEDULABLE, false},
        {"NodeName", -1, 0, true},
        {"TaintToleration", SCORE_TAINTS, FILTER_TAINTS, false},
        {"NodeAffinity", SCORE_NODE_AFFINITY, FILTER_NODE_AFFINITY, false},
        {"NodePorts", -1, FILTER_PORTS, false},
        {"NodeResourcesFit", SCORE_FIT, FILTER_FIT, false},
        {"NodeResourcesBalancedAllocation", SCORE_BALANCED, 0, false},
        {"ImageLocality", SCORE_IMAGES, 0, false},
        {"InterPodAffinity", SCORE_POD_AFFINITY, FILTER_POD_AFFINITY, false},
        {"PodTopologySpread", SCORE_SPREAD, FILTER_SPREAD, false},
        {"DefaultPreemption", -1, 0, false},
        {"PrioritySort", -1, 0, true},
        {"SchedulingGates", -1, 0, true},
        {"DefaultBinder", -1, 0, true},
        {"VolumeBinding", -1, 0, true},
        {"VolumeRestrictions", -1, 0, true},
        {"VolumeZone", -1, 0, true},
        {"NodeVolumeLimits", -1, 0, true},
};

int configuration_bad(struct reading *r, const char *where, const char *want)
{
	return err_set(r->err, ERR_INVAL, "scheduler configuration: %s is to be %s", where, want);
}

void configuration_note(struct reading *r, const char *where)
{
	if (r->all->n_notes < NOTES_MAX)
		r->all->notes[r->all->n_notes++] = where;
}

int configuration_read_object(
        struct reading *r, const struct json *object, const char *where, const struct member *members, size_t n)
{
	if (!json_is(object, JSON_OBJECT))
		return configuration_bad(r, *where ? where : "it", "an object");
	JSON_FOREACH (it, object) {
		const char *here = arena_printf(r->a, "%s%s%.*s", where, *where ? "." : "", SLICE_FMT(it->key));
		size_t i = 0;
		while (i < n && !slice_is(it->key, members[i].name))
			i++;
		if (i == n)
			return err_set(r->err, ERR_INVAL,
			        "scheduler configuration: %s: there is no such member, or it is not served", here);
		if (json_is(it, JSON_NULL))
			continue; /* as if it were not there, as in Go */
		if (!members[i].read)
			configuration_note(r, here);
		else if (members[i].read(r, it, here) != 0)
			return r->err->code;
	}
	return 0;
}

int configuration_read_list(struct reading *r, const struct json *list, const char *where,
        int (*read)(struct reading *r, const struct json *value, const char *where))
{
	size_t i = 0;
	if (!json_is(list, JSON_ARRAY))
		return configuration_bad(r, where, "a list");
	JSON_FOREACH (it, list)
		if (read(r, it, arena_printf(r->a, "%s[%zu]", where, i++)) != 0)
			return r->err->code;
	return 0;
}

int configuration_read_count(
        struct reading *r, const struct json *value, const char *where, int64_t min, int64_t max, int64_t *ret)
{
	*ret = json_int(value, INT64_MIN);
	if (!json_is(value, JSON_NUMBER) || *ret < min || *ret > max)
		return configuration_bad(r, where,
		        arena_printf(r->a, "a whole number from %lld to %lld", (long long)min, (long long)max));
	return 0;
}

int configuration_ignore(struct reading *r, const struct json *value, const char *where)
{
	return 0;
}

/* ---- plugins of a profile ---- */

static const struct plugin *plugin_find(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(plugins); i++)
		if (slice_is(name, plugins[i].name))
			return &plugins[i];
	return NULL;
}

/* Which of a plugin's parts an extension point is about. */
struct point {
	const char *name;
	bool filters, scores, preempts;
};

static const struct point points[] = {{"multiPoint", true, true, true}, {"preEnqueue", false, false, false},
        {"queueSort", false, false, false}, {"preFilter", true, false, false}, {"filter", true, false, false},
        {"postFilter", false, false, true}, {"preScore", false, true, false}, {"score", false, true, false},
        {"reserve", false, false, false}, {"permit", false, false, false}, {"preBind", false, false, false},
        {"bind", false, false, false}, {"postBind", false, false, false}};

static void leave_out(struct scheduler_profile *p, const struct point *at, const struct plugin *x)
{
	if (at->filters)
		p->filters &= ~x->filter;
	if (at->scores && x->score >= 0)
		p->weights[x->score] = 0;
	if (at->preempts && strcmp(x->name, "DefaultPreemption") == 0)
		p->preempts = false;
}

static void take_in(struct scheduler_profile *p, const struct point *at, const struct plugin *x, int64_t weight)
{
	if (at->filters)
		p->filters |= x->filter;
	if (at->scores && x->score >= 0)
		p->weights[x->score] = weight ? weight : default_profile.weights[x->score];
	if (at->preempts && strcmp(x->name, "DefaultPreemption") == 0)
		p->preempts = true;
}

static int unknown_plugin(struct reading *r, const char *where, struct slice name)
{
	return err_set(
	        r->err, ERR_INVAL, "scheduler configuration: %s: there is no plugin \"%.*s\"", where, SLICE_FMT(name));
}

static int read_disabled(struct reading *r, const struct point *at, const struct json *list, const char *where)
{
	JSON_FOREACH (it, list) {
		struct slice name = json_get_str(it, "name");
		const struct plugin *x = plugin_find(name);
		if (slice_is(name, "*")) {
			for (size_t i = 0; i < COUNT_OF(plugins); i++)
				leave_out(r->profile, at, &plugins[i]);
			continue;
		}
		if (!x)
			return unknown_plugin(r, where, name);
		if (x->is_fixed)
			return err_set(r->err, ERR_INVAL, "scheduler configuration: %s: no profile can be without %s",
			        where, x->name);
		leave_out(r->profile, at, x);
	}
	return 0;
}

static int read_enabled(struct reading *r, const struct point *at, const struct json *list, const char *where)
{
	JSON_FOREACH (it, list) {
		const struct plugin *x = plugin_find(json_get_str(it, "name"));
		int64_t weight = 0;
		if (!x)
			return unknown_plugin(r, where, json_get_str(it, "name"));
		if (json_get(it, "weight") &&
		        configuration_read_count(r, json_get(it, "weight"),
		                arena_printf(r->a, "%s: weight of %s", where, x->name), 0, WEIGHT_MAX, &weight) != 0)
			return r->err->code;
		take_in(r->profile, at, x, weight);
	}
	return 0;
}

static int check_point(struct reading *r, const struct json *point, const char *where)
{
	if (!json_is(point, JSON_OBJECT))
		return configuration_bad(r, where, "an object");
	JSON_FOREACH (it, point)
		if ((!slice_is(it->key, "enabled") && !slice_is(it->key, "disabled")) || !json_is(it, JSON_ARRAY))
			return configuration_bad(r, where, "made of two lists, enabled and disabled");
	return 0;
}

/* Points in the order of upstream: multiPoint is the ground on which the others stand, and what is left out goes first.
 */
static int read_plugins(struct reading *r, const struct json *value, const char *where)
{
	if (!json_is(value, JSON_OBJECT))
		return configuration_bad(r, where, "an object");
	JSON_FOREACH (it, value) {
		bool is_known = false;
		for (size_t i = 0; i < COUNT_OF(points); i++)
			is_known |= slice_is(it->key, points[i].name);
		if (!is_known)
			return err_set(r->err, ERR_INVAL,
			        "scheduler configuration: %s.%.*s: there is no such extension point", where,
			        SLICE_FMT(it->key));
		if (check_point(r, it, arena_printf(r->a, "%s.%.*s", where, SLICE_FMT(it->key))) != 0)
			return r->err->code;
	}
	for (size_t i = 0; i < COUNT_OF(points); i++) {
		const struct json *point = json_get(value, points[i].name);
		const char *here = arena_printf(r->a, "%s.%s", where, points[i].name);
		if (read_disabled(r, &points[i], json_get(point, "disabled"), here) != 0 ||
		        read_enabled(r, &points[i], json_get(point, "enabled"), here) != 0)
			return r->err->code;
	}
	return 0;
}

/* ---- profiles ---- */

static int read_name(struct reading *r, const struct json *value, const char *where)
{
	if (!json_str(value).len)
		return configuration_bad(r, where, "a name");
	r->profile->name = json_cstr(r->a, value);
	return 0;
}

static int read_nodes_percent(struct reading *r, const struct json *value, const char *where)
{
	int64_t n;
	if (configuration_read_count(r, value, where, 0, 100, &n) != 0)
		return r->err->code;
	if (r->profile)
		r->profile->nodes_percent = n;
	return 0;
}

static int check_plugin_config(struct reading *r, const struct json *value, const char *where)
{
	struct slice name = json_get_str(value, "name");
	if (!plugin_find(name))
		return unknown_plugin(r, where, name);
	JSON_FOREACH (it, value)
		if (!slice_is(it->key, "name") && !slice_is(it->key, "args"))
			return configuration_bad(r, where, "made of name and args");
	for (const struct json *it = value->prev; it; it = it->prev)
		if (slice_eq(json_get_str(it, "name"), name))
			return err_set(r->err, ERR_INVAL, "scheduler configuration: %s: Duplicate value: \"%.*s\"",
			        where, SLICE_FMT(name));
	return 0;
}

static int read_plugin_config(struct reading *r, const struct json *value, const char *where)
{
	const struct json *args = json_get(value, "args");
	if (check_plugin_config(r, value, where) != 0)
		return r->err->code;
	if (!args || json_is(args, JSON_NULL))
		return 0;
	return configuration_read_arguments(r, json_get_str(value, "name"), args, arena_printf(r->a, "%s.args", where));
}

static int read_plugin_configs(struct reading *r, const struct json *value, const char *where)
{
	return configuration_read_list(r, value, where, read_plugin_config);
}

static int read_profile(struct reading *r, const struct json *value, const char *where)
{
	static const struct member members[] = {{"schedulerName", read_name}, {"plugins", read_plugins},
	        {"pluginConfig", read_plugin_configs}, {"percentageOfNodesToScore", read_nodes_percent}};
	struct scheduler_profile *list = r->profiles;
	r->profile = &list[r->all->n_profiles++];
	int64_t percent = r->profile->nodes_percent;
	*r->profile = default_profile;
	r->profile->nodes_percent = percent;
	if (configuration_read_object(r, value, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	for (size_t i = 0; i + 1 < r->all->n_profiles; i++)
		if (strcmp(list[i].name, r->profile->name) == 0)
			return err_set(r->err, ERR_INVAL,
			        "scheduler configuration: %s.schedulerName: \"%s\" is another profile's already", where,
			        r->profile->name);
	return 0;
}

static int read_seconds(struct reading *r, const struct json *value, const char *where, uint64_t *ret_ms)
{
	int64_t s = 0;
	int rc = configuration_read_count(r, value, where, 1, SECONDS_MAX, &s);
	if (rc == 0)
		*ret_ms = (uint64_t)s * 1000;
	return rc;
}

static int read_backoff(struct reading *r, const struct json *value, const char *where)
{
	return read_seconds(r, value, where, &r->all->backoff_ms);
}

static int read_backoff_max(struct reading *r, const struct json *value, const char *where)
{
	return read_seconds(r, value, where, &r->all->backoff_max_ms);
}

/* The list of profiles comes with a percentage of nodes that counts where a profile says none. */
static int read_profiles(struct reading *r, const struct json *root)
{
	const struct json *list = json_is(json_get(root, "profiles"), JSON_NULL) ? NULL : json_get(root, "profiles");
	struct scheduler_profile *profiles = ARENA_ARRAY(r->a, struct scheduler_profile, (list ? list->count : 0) + 1);
	int64_t percent = json_get_int(root, "percentageOfNodesToScore", 0);
	for (size_t i = 0; i <= (list ? list->count : 0); i++)
		profiles[i].nodes_percent = percent;
	r->all->profiles = r->profiles = profiles;
	r->all->n_profiles = 0;
	if (list && configuration_read_list(r, list, "profiles", read_profile) != 0)
		return r->err->code;
	if (!r->all->n_profiles) {
		profiles[0] = default_profile;
		profiles[0].nodes_percent = percent;
		r->all->n_profiles = 1;
	}
	return 0;
}

/* Upstream adds them to the ignored resources of each profile's NodeResourcesFit. */
static void leave_to_extenders(struct reading *r)
{
	for (size_t i = 0; r->n_left_out && i < r->all->n_profiles; i++) {
		struct scheduler_profile *p = &r->profiles[i];
		const char **both = ARENA_ARRAY(r->a, const char *, p->n_left_out + r->n_left_out);
		for (size_t k = 0; k < p->n_left_out; k++)
			both[k] = p->left_out[k];
		for (size_t k = 0; k < r->n_left_out; k++)
			both[p->n_left_out + k] = r->left_out[k];
		p->left_out = both;
		p->n_left_out += r->n_left_out;
	}
}

int scheduler_configuration_read(
        struct arena *a, struct slice text, struct scheduler_configuration *ret, struct err *err)
{
	static const struct member members[] = {{"apiVersion", configuration_ignore}, {"kind", configuration_ignore},
	        {"profiles", configuration_ignore}, {"percentageOfNodesToScore", read_nodes_percent},
	        {"podInitialBackoffSeconds", read_backoff}, {"podMaxBackoffSeconds", read_backoff_max},
	        {"extenders", configuration_read_extenders}, {"parallelism", NULL}, {"leaderElection", NULL},
	        {"clientConnection", NULL}, {"healthzBindAddress", NULL}, {"metricsBindAddress", NULL},
	        {"enableProfiling", NULL}, {"enableContentionProfiling", NULL}, {"delayCacheUntilActive", NULL}};
	struct reading r = {.a = a, .err = err, .all = ret};
	const struct json *root = yaml_parse(a, text, NULL, err);
	*ret = scheduler_configuration_default;
	ret->notes = ARENA_ARRAY(a, const char *, NOTES_MAX);
	if (!root)
		return err_wrap(err, "scheduler configuration");
	if (!slice_is(json_get_str(root, "kind"), "KubeSchedulerConfiguration") ||
	        !slice_is(json_get_str(root, "apiVersion"), GROUP_VERSION))
		return err_set(err, ERR_INVAL,
		        "scheduler configuration: it is to be a KubeSchedulerConfiguration of " GROUP_VERSION);
	if (configuration_read_object(&r, root, "", members, COUNT_OF(members)) != 0 || read_profiles(&r, root) != 0)
		return err->code;
	leave_to_extenders(&r);
	if (ret->backoff_max_ms < ret->backoff_ms)
		return configuration_bad(&r, "podMaxBackoffSeconds", "at least podInitialBackoffSeconds");
	return 0;
}
