/* See pod_record.h: a pod's machine, and reading a pod. */
#include "node/ground/pod_record.h"

#include "base/check.h"
#include "node/ground/node_record.h"

/* ---- how it goes ---- */

static bool is_alive(const struct pod *p)
{
	LIST_FOREACH (it, &p->containers) {
		enum container_state state = CONTAINER_OF(it, struct container, in_pod)->state;
		if (state == CONTAINER_RUNNING || state == CONTAINER_UNKNOWN)
			return true;
	}
	return false;
}

static bool holds(const struct sm *m, int before)
{
	const struct pod *p = CONTAINER_OF(m, struct pod, sm);
	switch (sm_state(m)) {
	case POD_STOPPING:
		return p->is_deleting || p->end_reason;
	case POD_FINISHED:
	case POD_CLEANING:
		return !is_alive(p) && !p->volumes && !p->start;
	case POD_GONE:
		return p->cleaned && !p->operations && list_empty(&p->containers) && list_empty(&p->sandboxes);
	default:
		return !p->cleaned;
	}
}

static const struct sm_state states[] = {
        [POD_RUNNING] = {"running", SM_TO(POD_STOPPING) | SM_TO(POD_FINISHING)},
        [POD_STOPPING] = {"stopping", SM_TO(POD_FINISHED) | SM_TO(POD_CLEANING)},
        [POD_FINISHING] = {"finishing", SM_TO(POD_FINISHED) | SM_TO(POD_STOPPING)},
        [POD_FINISHED] = {"finished", SM_TO(POD_CLEANING) | SM_TO(POD_FINISHING)},
        [POD_CLEANING] = {"cleaning", SM_TO(POD_GONE)},
        [POD_GONE] = {"gone", 0},
};
const struct sm_kind pod_machine = SM_KIND("pod", states, holds);

/* ---- reading ---- */

struct slot *pod_slot(const struct pod *p, const char *name)
{
	for (size_t i = 0; i < p->slots_count; i++)
		if (strcmp(p->slots[i].name, name) == 0)
			return &p->slots[i];
	return NULL;
}

struct json *pod_container_spec(const struct pod *p, const char *name)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (it, json_get(p->spec, lists[i]))
			if (slice_is(json_get_str(it, "name"), name))
				return it;
	return NULL;
}

static struct container *nth_container(const struct pod *p, const char *name, unsigned nth)
{
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (strcmp(c->name, name) == 0 && nth-- == 0)
			return c;
	}
	return NULL;
}

struct container *pod_container(const struct pod *p, const char *name)
{
	return nth_container(p, name, 0);
}

struct container *pod_container_before(const struct pod *p, const char *name)
{
	return nth_container(p, name, 1);
}

struct sandbox *pod_sandbox(const struct pod *p)
{
	return list_empty(&p->sandboxes) ? NULL : CONTAINER_OF(p->sandboxes.next, struct sandbox, in_pod);
}

bool pod_uses_host_network(const struct pod *p)
{
	return json_get_bool(p->spec, "hostNetwork", false);
}

const char *pod_ip(const struct pod *p)
{
	struct sandbox *s = pod_sandbox(p);
	if (!s || !s->is_known)
		return "";
	return pod_uses_host_network(p) ? p->n->o.node_ip : s->ip;
}

size_t pod_host_ips(const struct pod *p, const char *ret[2])
{
	ret[0] = p->n->o.node_ip;
	ret[1] = p->n->o.node_ip_other;
	return ret[1] ? 2 : 1;
}

size_t pod_ips(const struct pod *p, const char *ret[2])
{
	struct sandbox *s = pod_sandbox(p);
	if (!s || !s->is_known)
		return 0;
	if (pod_uses_host_network(p))
		return pod_host_ips(p, ret);
	ret[0] = s->ip;
	ret[1] = s->ip_other;
	return !*s->ip ? 0 : *s->ip_other ? 2 : 1;
}

const char *pod_restart_policy(const struct pod *p)
{
	struct slice s = json_get_str(p->spec, "restartPolicy");
	return slice_is(s, "Never") ? "Never" : slice_is(s, "OnFailure") ? "OnFailure" : "Always";
}

const char *pod_dir(const struct pod *p, struct arena *a)
{
	CHECK(*p->uid && p->n->pods_dir);
	return arena_printf(a, "%s/%s", p->n->pods_dir, p->uid);
}

const char *pod_log_dir(const struct pod *p, struct arena *a)
{
	CHECK(*p->uid && p->n->logs_dir);
	return arena_printf(a, "%s/%s_%s_%s", p->n->logs_dir, p->ns, p->name, p->uid);
}

struct container *pod_container_by_id(const struct pod *p, const char *id)
{
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

struct sandbox *pod_sandbox_by_id(const struct pod *p, const char *id)
{
	LIST_FOREACH (it, &p->sandboxes) {
		struct sandbox *s = CONTAINER_OF(it, struct sandbox, in_pod);
		if (strcmp(s->id, id) == 0)
			return s;
	}
	return NULL;
}

/* ---- what probes have said ---- */

struct json *pod_old_status(const struct pod *p, const char *container)
{
	static const char *const lists[] = {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (it, json_path(p->object, "status", lists[i], NULL))
			if (slice_is(json_get_str(it, "name"), container))
				return it;
	return NULL;
}

/* "containerd://ID" */
static bool is_of_container(const struct json *status, const struct container *c)
{
	struct slice rest = json_get_str(status, "containerID");
	return slice_is(slice_cut(&rest, ':'), "containerd") && slice_starts(rest, "//") &&
	       slice_is((struct slice){rest.ptr + 2, rest.len - 2}, c->id);
}

static bool verdict(
        const struct pod *p, const struct container *c, enum container_verdict v, const char *probe, const char *field)
{
	if (v != VERDICT_NONE)
		return v == VERDICT_YES;
	if (!json_get(pod_container_spec(p, c->name), probe))
		return true;
	const struct json *old = pod_old_status(p, c->name);
	return old && is_of_container(old, c) && json_get_bool(old, field, false);
}

bool pod_container_is_started(const struct pod *p, const struct container *c)
{
	return c && c->state == CONTAINER_RUNNING && verdict(p, c, c->started, "startupProbe", "started");
}

bool pod_container_is_ready(const struct pod *p, const struct container *c)
{
	return pod_container_is_started(p, c) && verdict(p, c, c->ready, "readinessProbe", "ready");
}
