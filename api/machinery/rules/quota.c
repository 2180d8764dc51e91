/* See quota.h. Upstream: pkg/quota/v1/evaluator/core. */
#include "api/machinery/rules/quota.h"

#include "api/machinery/codec/scalar.h"
#include "api/machinery/schema/kind_ops.h"
#include "base/check.h"

#include <stdlib.h>

static struct quantity whole(int64_t n)
{
	return quantity_from_value(n, QUANTITY_DECIMAL_SI);
}

static void count(struct resource_list *u, const char *name, int64_t n)
{
	struct quantity q = whole(n);
	resource_list_set(u, slice_of(name), &q);
}

/* ---- pods ---- */

static bool is_over(const struct json *pod, int64_t now_s)
{
	struct slice phase = json_str(json_path(pod, "status", "phase", NULL));
	const struct json *meta = json_get(pod, "metadata");
	struct slice deleted = json_get_str(meta, "deletionTimestamp");
	int64_t at = 0;
	int32_t nanos;
	struct err unused = ERR_INIT;
	if (slice_is(phase, "Succeeded") || slice_is(phase, "Failed"))
		return true;
	/* The time of deletion has the grace in it. */
	return deleted.len && scalar_time_parse(deleted, &at, &nanos, &unused) == 0 && now_s > at;
}

static bool is_native(struct slice name)
{
	return slice_is(name, "cpu") || slice_is(name, "memory") || slice_is(name, "ephemeral-storage");
}

static void add_prefixed(struct resource_list *u, const char *prefix, const struct named_quantity *x)
{
	resource_list_set(u, slice_of(arena_printf(u->arena, "%s.%.*s", prefix, SLICE_FMT(x->name))), &x->q);
}

static void count_pod(struct resource_list *u, const struct json *pod, int64_t now_s)
{
	const struct json *spec = json_get(pod, "spec");
	if (is_over(pod, now_s))
		return;
	struct resource_list requests = resource_list_of_pod(u->arena, spec, "requests"),
	                     limits = resource_list_of_pod(u->arena, spec, "limits"),
	                     overhead = resource_list_read(u->arena, json_get(spec, "overhead"));
	resource_list_add(&requests, &overhead);
	count(u, "pods", 1);
	for (size_t i = 0; i < requests.n; i++) {
		const struct named_quantity *x = &requests.list[i];
		if (is_native(x->name) || slice_starts(x->name, "hugepages-"))
			resource_list_set(u, x->name, &x->q);
		add_prefixed(u, "requests", x);
	}
	for (size_t i = 0; i < limits.n; i++) {
		const struct named_quantity *more = NULL;
		for (size_t k = 0; k < overhead.n; k++)
			more = slice_eq(overhead.list[k].name, limits.list[i].name) ? &overhead.list[k] : more;
		if (more && quantity_sign(&limits.list[i].q))
			quantity_add(&limits.list[i].q, &more->q);
		if (is_native(limits.list[i].name))
			add_prefixed(u, "limits", &limits.list[i]);
	}
}

/* ---- services and claims ---- */

static int64_t ports_with_node_port(const struct json *service)
{
	int64_t n = 0;
	JSON_FOREACH (it, json_path(service, "spec", "ports", NULL))
		n += json_get_int(it, "nodePort", 0) != 0;
	return n;
}

static void count_service(struct resource_list *u, const struct json *service)
{
	const struct json *spec = json_get(service, "spec"), *ports = json_get(spec, "ports");
	struct slice type = json_get_str(spec, "type");
	bool balanced = slice_is(type, "LoadBalancer");
	int64_t n = slice_is(type, "NodePort") || balanced ? (ports ? ports->count : 0) : 0;
	if (balanced && !json_get_bool(spec, "allocateLoadBalancerNodePorts", true))
		n = ports_with_node_port(service);
	count(u, "services", 1);
	count(u, "services.nodeports", n);
	count(u, "services.loadbalancers", balanced);
}

static struct quantity whole_bytes(const struct quantity *q)
{
	return quantity_from_value(quantity_value(q), q->format);
}

/* What is asked for, or what a growing volume has taken on its way, whichever is more; whole bytes, for so a quota
 * counts what has a class. */
static struct quantity held_storage(struct arena *a, const struct json *claim, const struct quantity *requested)
{
	struct resource_list taken = resource_list_read(a, json_path(claim, "status", "allocatedResources", NULL));
	const struct quantity *more = resource_list_get(&taken, SLICE("storage"));
	struct quantity asked = whole_bytes(requested);
	return more && quantity_cmp(more, &asked) > 0 ? whole_bytes(more) : asked;
}

static void count_claim(struct resource_list *u, const struct json *claim)
{
	static const char old_class[] = "volume.beta.kubernetes.io/storage-class";
	const struct json *spec = json_get(claim, "spec");
	struct resource_list requests = resource_list_read(u->arena, json_path(spec, "resources", "requests", NULL));
	const struct quantity *requested = resource_list_get(&requests, SLICE("storage"));
	struct slice class = json_str(json_path(claim, "metadata", "annotations", old_class, NULL));
	if (!class.len)
		class = json_get_str(spec, "storageClassName");
	count(u, "persistentvolumeclaims", 1);
	if (class.len)
		count(u,
		        arena_printf(
		                u->arena, "%.*s.storageclass.storage.k8s.io/persistentvolumeclaims", SLICE_FMT(class)),
		        1);
	if (!requested)
		return;
	struct quantity storage = held_storage(u->arena, claim, requested);
	resource_list_set(u, SLICE("requests.storage"), &storage);
	if (class.len)
		resource_list_set(u,
		        slice_of(arena_printf(
		                u->arena, "%.*s.storageclass.storage.k8s.io/requests.storage", SLICE_FMT(class))),
		        &storage);
}

/* ---- all kinds ---- */

static bool has_plain_name(const struct resource *r)
{
	static const char *const plain[] = {"replicationcontrollers", "resourcequotas", "secrets", "configmaps"};
	for (size_t i = 0; i < COUNT_OF(plain); i++)
		if (!*r->group && strcmp(r->plural, plain[i]) == 0)
			return true;
	return false;
}

struct resource_list quota_usage(struct arena *a, const struct resource *r, const struct json *object, int64_t now_s)
{
	struct resource_list u = {.arena = a};
	count(&u, arena_printf(a, "count/%s%s%s", r->plural, *r->group ? "." : "", r->group), 1);
	if (resource_has(r, KIND_IS_POD))
		count_pod(&u, object, now_s);
	else if (resource_has(r, KIND_IS_SERVICE))
		count_service(&u, object);
	else if (resource_has(r, KIND_IS_CLAIM))
		count_claim(&u, object);
	else if (has_plain_name(r))
		count(&u, r->plural, 1);
	return u;
}

const struct resource *quota_counted(struct arena *a, struct slice name)
{
	static const char *const plain[] = {"pods", "services", "persistentvolumeclaims", "replicationcontrollers",
	        "resourcequotas", "secrets", "configmaps"};
	if (slice_starts(name, "count/")) {
		struct slice plural = {name.ptr + 6, name.len - 6}, group = SLICE("");
		const char *dot = memchr(plural.ptr, '.', plural.len);
		if (dot) {
			group = (struct slice){dot + 1, (size_t)(plural.ptr + plural.len - dot - 1)};
			plural.len = (size_t)(dot - plural.ptr);
		}
		return resource_find_preferred(group, plural);
	}
	for (size_t i = 0; i < COUNT_OF(plain); i++)
		if (slice_is(name, plain[i]))
			return resource_find_preferred(SLICE(""), name);
	if (slice_starts(name, "services."))
		return resource_find_preferred(SLICE(""), SLICE("services"));
	if (slice_is(name, "requests.storage") ||
	        memmem(name.ptr, name.len, ".storageclass.storage.k8s.io/", strlen(".storageclass.storage.k8s.io/")))
		return resource_find_preferred(SLICE(""), SLICE("persistentvolumeclaims"));
	return resource_find_preferred(SLICE(""), SLICE("pods"));
}

/* ---- scopes ---- */

static bool names_other_namespaces(const struct json *terms)
{
	JSON_FOREACH (it, terms) {
		const struct json *term = json_get(it, "podAffinityTerm") ? json_get(it, "podAffinityTerm") : it;
		const struct json *list = json_get(term, "namespaces");
		if ((list && list->first) || json_get(term, "namespaceSelector"))
			return true;
	}
	return false;
}

static bool crosses_namespaces(const struct json *pod)
{
	static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
	static const char *const lists[] = {
	        "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"};
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		for (size_t k = 0; k < COUNT_OF(lists); k++)
			if (names_other_namespaces(json_path(pod, "spec", "affinity", kinds[i], lists[k], NULL)))
				return true;
	return false;
}

/* Nothing is asked for and nothing limited. */
static bool is_best_effort(const struct json *pod)
{
	struct arena a = ARENA_INIT;
	struct resource_list requests = resource_list_of_pod(&a, json_get(pod, "spec"), "requests"),
	                     limits = resource_list_of_pod(&a, json_get(pod, "spec"), "limits");
	static const char *const names[] = {"cpu", "memory"};
	bool best = true;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct quantity *x = resource_list_get(&requests, slice_of(names[i])),
		                      *y = resource_list_get(&limits, slice_of(names[i]));
		best &= (!x || !quantity_sign(x)) && (!y || !quantity_sign(y));
	}
	arena_release(&a);
	return best;
}

static bool has_value(const struct json *values, struct slice s)
{
	JSON_FOREACH (it, values)
		if (slice_eq(it->text, s))
			return true;
	return false;
}

static bool matches_priority(const struct json *pod, struct slice op, const struct json *values)
{
	struct slice class = json_str(json_path(pod, "spec", "priorityClassName", NULL));
	if (slice_is(op, "Exists"))
		return class.len > 0;
	if (slice_is(op, "DoesNotExist"))
		return class.len == 0;
	if (slice_is(op, "NotIn"))
		return !has_value(values, class);
	return class.len && has_value(values, class);
}

static bool matches_scope(const struct json *pod, struct slice scope, struct slice op, const struct json *values)
{
	bool ends = json_path(pod, "spec", "activeDeadlineSeconds", NULL) != NULL;
	if (slice_is(scope, "Terminating"))
		return ends;
	if (slice_is(scope, "NotTerminating"))
		return !ends;
	if (slice_is(scope, "BestEffort"))
		return is_best_effort(pod);
	if (slice_is(scope, "NotBestEffort"))
		return !is_best_effort(pod);
	if (slice_is(scope, "PriorityClass"))
		return matches_priority(pod, op, values);
	return slice_is(scope, "CrossNamespacePodAffinity") && crosses_namespaces(pod);
}

bool quota_matches(const struct json *quota, const struct resource *r, const struct json *object)
{
	const struct json *scopes = json_path(quota, "spec", "scopes", NULL),
	                  *terms = json_path(quota, "spec", "scopeSelector", "matchExpressions", NULL);
	bool is_scoped = (scopes && scopes->first) || (terms && terms->first);
	if (!resource_has(r, KIND_IS_POD))
		return !is_scoped; /* scopes are of pods */
	JSON_FOREACH (it, scopes)
		if (!matches_scope(object, it->text, SLICE("Exists"), NULL))
			return false;
	JSON_FOREACH (it, terms)
		if (!matches_scope(object, json_get_str(it, "scopeName"), json_get_str(it, "operator"),
		            json_get(it, "values")))
			return false;
	return true;
}

/* ---- what must be said ---- */

/* "requests.cpu", "cpu" and "limits.cpu" are of a container's list. */
static const char *list_of(struct slice *name)
{
	static const char *const known[] = {"cpu", "memory"};
	const char *list = "requests";
	if (slice_starts(*name, "limits.") || slice_starts(*name, "requests.")) {
		list = slice_starts(*name, "limits.") ? "limits" : "requests";
		slice_cut(name, '.');
	}
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (slice_is(*name, known[i]))
			return list;
	return NULL;
}

static int compare_names(const void *x, const void *y)
{
	return slice_cmp(*(const struct slice *)x, *(const struct slice *)y);
}

static void sort_names(struct slice *names, size_t n)
{
	if (n > 1)
		qsort(names, n, sizeof *names, compare_names);
}

/* "a,b", in order; "": all say it. */
static const char *containers_without(struct arena *a, const struct json *pod, const char *list, struct slice name)
{
	const struct json *all[] = {
	        json_path(pod, "spec", "containers", NULL), json_path(pod, "spec", "initContainers", NULL)};
	struct slice *names =
	        ARENA_ARRAY(a, struct slice, (all[0] ? all[0]->count : 0) + (all[1] ? all[1]->count : 0) + 1);
	const char *text = "";
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(all); i++)
		JSON_FOREACH (c, all[i])
			if (!json_get_slice(json_path(c, "resources", list, NULL), name))
				names[n++] = json_get_str(c, "name");
	sort_names(names, n);
	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%.*s", text, i ? "," : "", SLICE_FMT(names[i]));
	return text;
}

const char *quota_missing(struct arena *a, const struct resource_list *hard, const struct json *pod)
{
	struct slice *names = ARENA_ARRAY(a, struct slice, hard->n + 1);
	const char *text = NULL;
	for (size_t i = 0; i < hard->n; i++)
		names[i] = hard->list[i].name;
	sort_names(names, hard->n);
	for (size_t i = 0; i < hard->n; i++) {
		struct slice name = names[i];
		const char *list = list_of(&name);
		const char *without = list ? containers_without(a, pod, list, name) : "";
		if (*without)
			text = arena_printf(a, "%s%s%.*s for: %s", text ? text : "must specify ", text ? "; " : "",
			        SLICE_FMT(names[i]), without);
	}
	return text;
}
