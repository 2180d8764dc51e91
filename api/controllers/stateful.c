/* See stateful.h. */
#include "api/controllers/stateful.h"

#include <inttypes.h>

int64_t stateful_ordinal(struct slice set, struct slice pod)
{
	uint64_t n;
	if (pod.len <= set.len + 1 || memcmp(pod.ptr, set.ptr, set.len) != 0 || pod.ptr[set.len] != '-')
		return -1;
	struct slice digits = {pod.ptr + set.len + 1, pod.len - set.len - 1};
	if (digits.len > 10 || (digits.len > 1 && digits.ptr[0] == '0') || !slice_to_u64(digits, &n) || n > INT32_MAX)
		return -1;
	return (int64_t)n;
}

/* ---- one pod ---- */

static bool has_ended(const struct stateful_pod *p)
{
	return slice_is(p->view.phase, "Failed") || slice_is(p->view.phase, "Succeeded");
}

static bool is_dying(const struct stateful_pod *p)
{
	return p->view.meta.deletion_timestamp.len > 0;
}

static bool is_running_and_ready(const struct stateful_pod *p)
{
	return p->exists && slice_is(p->view.phase, "Running") && p->view.is_ready;
}

static bool is_healthy(const struct stateful_pod *p)
{
	return is_running_and_ready(p) && p->is_available && !is_dying(p);
}

struct slice stateful_revision(const struct stateful_rules *r, int64_t ordinal)
{
	return r->rolls && ordinal < r->start + r->partition ? r->current : r->updated;
}

/* ---- the plan ---- */

/* True: nothing further in this round. */
static bool plan_replica(const struct stateful_rules *r, struct stateful_pod *p)
{
	if (!p->exists) {
		if (!p->waits)
			p->action = STATEFUL_CREATE;
		return r->is_ordered || p->waits;
	}
	if (has_ended(p)) {
		if (!is_dying(p))
			p->action = STATEFUL_REPLACE;
		return true;
	}
	if (r->is_ordered && !is_healthy(p))
		return true;
	if (!p->is_itself && !is_dying(p))
		p->action = STATEFUL_MEND;
	return false;
}

/* The lowest pod that is not healthy may go even though others wait for it. */
static const struct stateful_pod *first_unhealthy(
        const struct stateful_pod *pods, size_t n, const struct stateful_pod *condemned, size_t n_condemned)
{
	for (size_t i = 0; i < n; i++)
		if (!is_running_and_ready(&pods[i]) || is_dying(&pods[i]))
			return &pods[i];
	for (size_t i = n_condemned; i-- > 0;)
		if (!is_running_and_ready(&condemned[i]) || is_dying(&condemned[i]))
			return &condemned[i];
	return NULL;
}

static bool plan_condemned(const struct stateful_rules *r, struct stateful_pod *p, const struct stateful_pod *unhealthy)
{
	if (is_dying(p))
		return r->is_ordered;
	if (r->is_ordered && !is_healthy(p) && p != unhealthy)
		return true;
	p->action = STATEFUL_DELETE;
	return r->is_ordered;
}

/* From the highest ordinal down: the first that is old goes, and those above it must be healthy by then. */
static void plan_update(const struct stateful_rules *r, struct stateful_pod *pods, size_t n)
{
	for (size_t i = n; i-- > 0 && (int64_t)i >= r->partition;) {
		if (!pods[i].exists)
			return;
		if (!slice_eq(pods[i].revision, r->updated) && !is_dying(&pods[i])) {
			pods[i].action = STATEFUL_UPDATE;
			return;
		}
		if (!is_healthy(&pods[i]))
			return;
	}
}

void stateful_plan(const struct stateful_rules *r, struct stateful_pod *pods, size_t n, struct stateful_pod *condemned,
        size_t n_condemned)
{
	const struct stateful_pod *unhealthy = first_unhealthy(pods, n, condemned, n_condemned);
	bool stop = false;
	for (size_t i = 0; i < n && !(stop && r->is_ordered); i++)
		stop = plan_replica(r, &pods[i]) || stop;
	for (size_t i = 0; i < n_condemned && !stop; i++)
		stop = plan_condemned(r, &condemned[i], unhealthy);
	if (!stop && r->rolls)
		plan_update(r, pods, n);
}

/* ---- status ---- */

static void count_pod(const struct stateful_rules *r, const struct stateful_pod *p, struct stateful_counts *k)
{
	if (!p->exists)
		return;
	k->replicas++;
	k->ready += is_running_and_ready(p);
	k->available += is_running_and_ready(p) && p->is_available;
	k->current += !is_dying(p) && slice_eq(p->revision, r->current);
	k->updated += !is_dying(p) && slice_eq(p->revision, r->updated);
}

struct stateful_counts stateful_count(const struct stateful_rules *r, const struct stateful_pod *pods, size_t n,
        const struct stateful_pod *condemned, size_t n_condemned)
{
	struct stateful_counts k = {0};
	for (size_t i = 0; i < n; i++)
		count_pod(r, &pods[i], &k);
	for (size_t i = 0; i < n_condemned; i++)
		count_pod(r, &condemned[i], &k);
	k.is_complete = r->rolls && k.updated == r->replicas && k.ready == r->replicas && k.replicas == r->replicas;
	if (k.is_complete)
		k.current = k.updated;
	return k;
}

/* ---- parts of a pod ---- */

const char *stateful_claim_name(struct arena *a, struct slice template, struct slice pod)
{
	return arena_printf(a, "%.*s-%.*s", SLICE_FMT(template), SLICE_FMT(pod));
}

static struct json *named(const struct json *list, struct slice name)
{
	JSON_FOREACH (it, list)
		if (slice_eq(json_get_str(it, "name"), name))
			return it;
	return NULL;
}

/* Claims come first, and take the place of volumes with their names. */
static void add_claims(struct arena *a, struct json *spec, const struct json *templates, struct slice pod)
{
	struct json *old = json_get(spec, "volumes"), *list = json_new(a, JSON_ARRAY);
	JSON_FOREACH (t, templates) {
		struct slice name = json_str(json_path(t, "metadata", "name", NULL));
		struct json *volume = json_new(a, JSON_OBJECT);
		json_set_str(a, volume, "name", name);
		json_set_cstr(a, json_need(a, volume, "persistentVolumeClaim", JSON_OBJECT), "claimName",
		        stateful_claim_name(a, name, pod));
		json_append(list, volume);
	}
	JSON_FOREACH (v, old)
		if (!named(list, json_get_str(v, "name")))
			json_append(list, json_copy(a, v));
	if (list->first)
		json_set(a, spec, "volumes", list);
}

struct json *stateful_pod_template(struct arena *a, const struct json *template, const struct json *claim_templates,
        struct slice pod, int64_t ordinal, struct slice service, struct slice revision)
{
	struct json *copy = json_copy(a, template), *spec = json_need(a, copy, "spec", JSON_OBJECT);
	struct json *labels = json_need(a, json_need(a, copy, "metadata", JSON_OBJECT), "labels", JSON_OBJECT);
	json_set_str(a, labels, POD_NAME_LABEL, pod);
	json_set_cstr(a, labels, POD_INDEX_LABEL, arena_printf(a, "%" PRId64, ordinal));
	json_set_str(a, labels, "controller-revision-hash", revision);
	json_set_str(a, spec, "hostname", pod);
	if (service.len)
		json_set_str(a, spec, "subdomain", service);
	add_claims(a, spec, claim_templates, pod);
	return copy;
}

enum stateful_claim_owner stateful_claim_owner(const struct json *policy, bool is_condemned)
{
	if (is_condemned && slice_is(json_get_str(policy, "whenScaled"), "Delete"))
		return STATEFUL_CLAIM_OF_POD;
	return slice_is(json_get_str(policy, "whenDeleted"), "Delete") ? STATEFUL_CLAIM_OF_SET : STATEFUL_CLAIM_FREE;
}
