/* See daemon.h. */
#include "api/controllers/daemon.h"

#include "api/controllers/controllers_int.h"
#include "api/machinery/schema/node_selector.h"

enum { BACKOFF_MS_MIN = 1000, BACKOFF_MS_MAX = 15 * 60 * 1000 };

/* ---- one node ---- */

static bool is_tolerated(const struct json *spec, const struct json *taint)
{
	JSON_FOREACH (t, json_get(spec, "tolerations"))
		if (toleration_covers(
		            t, json_get_str(taint, "key"), json_get_str(taint, "value"), json_get_str(taint, "effect")))
			return true;
	return false;
}

struct daemon_verdict daemon_judge_node(const struct json *spec, struct slice node)
{
	struct arena a = ARENA_INIT;
	struct daemon_verdict v = {true, true};
	struct meta m;
	meta_read(node, &m);
	struct slice wanted = json_get_str(spec, "nodeName"), text = json_find(node, "spec", "taints", NULL);
	struct json *required =
	        json_path(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", NULL);
	if ((wanted.len && !slice_eq(wanted, m.name)) ||
	        !node_selector_labels_match(json_get(spec, "nodeSelector"), m.labels) ||
	        (required && !node_selector_terms_match(json_get(required, "nodeSelectorTerms"), m.name, m.labels)))
		return (struct daemon_verdict){false, false};
	struct json *taints = text.len ? json_parse(&a, text, NULL, NULL) : NULL;
	JSON_FOREACH (taint, taints) {
		bool evicts = slice_is(json_get_str(taint, "effect"), "NoExecute");
		if ((evicts || slice_is(json_get_str(taint, "effect"), "NoSchedule")) && !is_tolerated(spec, taint)) {
			v.runs = false;
			v.stays = v.stays && !evicts;
		}
	}
	arena_release(&a);
	return v;
}

/* ---- pods ---- */

static bool has_toleration(const struct json *list, const char *key, const char *effect)
{
	JSON_FOREACH (t, list)
		if (slice_is(json_get_str(t, "key"), key) && slice_is(json_get_str(t, "effect"), effect) &&
		        slice_is(json_get_str(t, "operator"), "Exists"))
			return true;
	return false;
}

void daemon_tolerate(struct arena *a, struct json *spec)
{
	static const struct {
		const char *key, *effect;
		bool host_network; /* only for pods that do without the pod network */
	} rows[] = {
	        {"node.kubernetes.io/not-ready", "NoExecute", false},
	        {"node.kubernetes.io/unreachable", "NoExecute", false},
	        {"node.kubernetes.io/disk-pressure", "NoSchedule", false},
	        {"node.kubernetes.io/memory-pressure", "NoSchedule", false},
	        {"node.kubernetes.io/pid-pressure", "NoSchedule", false},
	        {"node.kubernetes.io/unschedulable", "NoSchedule", false},
	        {"node.kubernetes.io/network-unavailable", "NoSchedule", true},
	};
	struct json *list = json_need(a, spec, "tolerations", JSON_ARRAY);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if ((rows[i].host_network && !json_get_bool(spec, "hostNetwork", false)) ||
		        has_toleration(list, rows[i].key, rows[i].effect))
			continue;
		struct json *t = json_new(a, JSON_OBJECT);
		json_set_cstr(a, t, "key", rows[i].key);
		json_set_cstr(a, t, "operator", "Exists");
		json_set_cstr(a, t, "effect", rows[i].effect);
		json_append(list, t);
	}
}

void daemon_pin(struct arena *a, struct json *spec, struct slice name)
{
	struct json *affinity = json_need(a, spec, "affinity", JSON_OBJECT);
	struct json *node = json_need(a, affinity, "nodeAffinity", JSON_OBJECT);
	struct json *required = json_need(a, node, "requiredDuringSchedulingIgnoredDuringExecution", JSON_OBJECT);
	struct json *terms = json_set(a, required, "nodeSelectorTerms", json_new(a, JSON_ARRAY));
	struct json *term = json_new(a, JSON_OBJECT), *field = json_new(a, JSON_OBJECT);
	json_set_cstr(a, field, "key", "metadata.name");
	json_set_cstr(a, field, "operator", "In");
	json_append(json_need(a, field, "values", JSON_ARRAY), json_new_str(a, name));
	json_append(json_need(a, term, "matchFields", JSON_ARRAY), field);
	json_append(terms, term);
}

struct slice daemon_node_of(struct arena *a, struct slice pod)
{
	struct slice on = json_find(pod, "spec", "nodeName", NULL);
	struct slice text =
	        on.len ? SLICE_NULL
	               : json_find(pod, "spec", "affinity", "nodeAffinity",
	                         "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", NULL);
	struct json *terms = text.len ? json_parse(a, text, NULL, NULL) : NULL;
	JSON_FOREACH (term, terms)
		JSON_FOREACH (f, json_get(term, "matchFields"))
			if (slice_is(json_get_str(f, "key"), "metadata.name") &&
			        slice_is(json_get_str(f, "operator"), "In") && json_get(f, "values") &&
			        json_get(f, "values")->count == 1)
				return json_str(json_at(json_get(f, "values"), 0));
	return on;
}

static int by_node(const void *x, const void *y)
{
	const struct daemon_pod *a = x, *b = y;
	int d = slice_cmp(a->node, b->node);
	if (d != 0)
		return d;
	if ((a->view.node.len > 0) != (b->view.node.len > 0))
		return a->view.node.len > 0 ? -1 : 1;
	int64_t made_a = kube_time_parse(a->view.meta.creation_timestamp),
	        made_b = kube_time_parse(b->view.meta.creation_timestamp);
	if (made_a != made_b)
		return made_a < made_b ? -1 : 1;
	if (a->view.is_ready != b->view.is_ready)
		return a->view.is_ready ? -1 : 1;
	return slice_cmp(a->view.meta.name, b->view.meta.name);
}

void daemon_sort(struct daemon_pod *pods, size_t n)
{
	qsort(pods, n, sizeof *pods, by_node);
}

/* ---- what is missing and what is too much ---- */

static void doom(struct daemon_pod *p, enum daemon_why why)
{
	p->is_doomed = true;
	p->why = why;
}

static bool is_dying(const struct daemon_pod *p)
{
	return p->view.meta.deletion_timestamp.len > 0;
}

/* With a surge there may be two: the oldest old one while it is ready, and the oldest new one until it is available. */
static void prune_surge(struct daemon_pod **running, size_t n)
{
	struct daemon_pod *fresh = NULL, *old = NULL;
	for (size_t i = 0; i < n; i++) {
		struct daemon_pod **first = running[i]->is_new ? &fresh : &old;
		if (*first)
			doom(running[i], DAEMON_EXTRA);
		else
			*first = running[i];
	}
	if (fresh && old && (!old->view.is_ready || fresh->is_available))
		doom(old, DAEMON_UPDATE);
}

static void manage_staying(struct daemon_node *node, bool surges, daemon_may_delete *may_delete, void *arg)
{
	struct daemon_pod **running = xcalloc(node->count + 1, sizeof(struct daemon_pod *));
	size_t n = 0;
	for (size_t i = 0; i < node->count; i++) {
		struct daemon_pod *p = &node->pods[i];
		if (is_dying(p))
			continue;
		if (slice_is(p->view.phase, "Succeeded"))
			doom(p, DAEMON_SUCCEEDED);
		else if (!slice_is(p->view.phase, "Failed"))
			running[n++] = p;
		else if (may_delete(arg, p))
			doom(p, DAEMON_FAILED);
	}
	if (!surges)
		for (size_t i = 1; i < n; i++)
			doom(running[i], DAEMON_EXTRA);
	else if (n == 0)
		node->makes = node->verdict.runs;
	else if (n > 1)
		prune_surge(running, n);
	free(running);
}

void daemon_manage(struct daemon_node *nodes, size_t n, bool surges, daemon_may_delete *may_delete, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		struct daemon_node *node = &nodes[i];
		if (node->exists && node->verdict.runs && !node->count)
			node->makes = true;
		else if (node->exists && node->verdict.stays)
			manage_staying(node, surges, may_delete, arg);
		else
			for (size_t j = 0; j < node->count; j++)
				if (!is_dying(&node->pods[j]) && (node->exists || !node->pods[j].view.node.len))
					doom(&node->pods[j], DAEMON_EXTRA);
	}
}

/* ---- updates ---- */

void daemon_fenceposts(const struct json *strategy, int64_t desired, int64_t *surge, int64_t *unavailable)
{
	struct json *rolling = json_get(strategy, "rollingUpdate");
	*surge = int_or_percent(json_get(rolling, "maxSurge"), desired, true, 0);
	*unavailable = int_or_percent(json_get(rolling, "maxUnavailable"), desired, true, 0);
	if (*surge == 0 && *unavailable == 0)
		*unavailable = 1;
}

/* The one old and the one new pod of a node; false: there are more, which is not an update's to mend. */
static bool find_pair(const struct daemon_node *node, struct daemon_pod **fresh, struct daemon_pod **old)
{
	*fresh = *old = NULL;
	for (size_t i = 0; i < node->count; i++) {
		struct daemon_pod *p = &node->pods[i], **slot = p->is_new ? fresh : old;
		if (is_dying(p))
			continue;
		if (*slot)
			return false;
		*slot = p;
	}
	return true;
}

/* Old pods that are not available go at once; of the others as many as maxUnavailable leaves. */
static void roll_in_place(struct daemon_node *nodes, size_t n, int64_t unavailable)
{
	struct daemon_pod *fresh, *old;
	for (size_t i = 0; i < n; i++) {
		if (!nodes[i].exists || (!nodes[i].count && !nodes[i].verdict.runs))
			continue;
		if (!find_pair(&nodes[i], &fresh, &old) || !fresh == !old)
			unavailable--;
		else if (fresh)
			unavailable -= !fresh->is_available;
		else if (!old->is_available)
			doom(old, DAEMON_UPDATE);
	}
	for (size_t i = 0; i < n && unavailable > 0; i++) {
		if (!nodes[i].exists || !find_pair(&nodes[i], &fresh, &old) || fresh || !old || !old->is_available)
			continue;
		doom(old, DAEMON_UPDATE);
		unavailable--;
	}
}

/* A new pod beside each old one that is not available, and beside as many others as maxSurge leaves; an old one goes
 * when the new one is available. */
static void roll_with_surge(struct daemon_node *nodes, size_t n, int64_t surge)
{
	struct daemon_pod *fresh, *old;
	for (size_t i = 0; i < n; i++) {
		if (!nodes[i].exists)
			continue;
		if (!find_pair(&nodes[i], &fresh, &old))
			surge--;
		else if (!old)
			continue;
		else if (!fresh)
			nodes[i].makes = nodes[i].makes || (nodes[i].verdict.runs && !old->is_available);
		else if (!fresh->is_available)
			surge--;
		else
			doom(old, DAEMON_UPDATE);
	}
	for (size_t i = 0; i < n && surge > 0; i++) {
		if (!find_pair(&nodes[i], &fresh, &old) || fresh || !old || !old->is_available ||
		        !nodes[i].verdict.runs)
			continue;
		nodes[i].makes = true;
		surge--;
	}
}

void daemon_roll(struct daemon_node *nodes, size_t n, int64_t surge, int64_t unavailable)
{
	if (surge > 0)
		roll_with_surge(nodes, n, surge);
	else
		roll_in_place(nodes, n, unavailable);
}

/* ---- counts ---- */

struct daemon_counts daemon_count(const struct daemon_node *nodes, size_t n)
{
	struct daemon_counts k = {0};
	for (size_t i = 0; i < n; i++) {
		const struct daemon_node *node = &nodes[i];
		if (!node->exists)
			continue;
		k.desired += node->verdict.runs;
		k.misscheduled += !node->verdict.runs && node->count;
		if (!node->verdict.runs || !node->count)
			continue;
		const struct daemon_pod *p = &node->pods[0];
		k.current++;
		k.ready += p->view.is_ready;
		k.available += p->is_available;
		k.updated += p->is_new;
	}
	return k;
}

/* ---- back-off ---- */

bool daemon_backoff_is_over(const struct daemon_backoff *b, uint64_t now_ms)
{
	return now_ms - b->since_ms > 2 * (uint64_t)BACKOFF_MS_MAX;
}

int64_t daemon_backoff_next(struct daemon_backoff *b, uint64_t now_ms)
{
	int64_t passed = (int64_t)(now_ms - b->since_ms);
	if (b->delay_ms && passed < b->delay_ms)
		return b->delay_ms - passed;
	bool starts_anew = !b->delay_ms || daemon_backoff_is_over(b, now_ms);
	b->delay_ms = starts_anew ? BACKOFF_MS_MIN : b->delay_ms * 2;
	if (b->delay_ms > BACKOFF_MS_MAX)
		b->delay_ms = BACKOFF_MS_MAX;
	b->since_ms = now_ms;
	return 0;
}
