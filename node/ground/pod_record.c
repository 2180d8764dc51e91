/* See pod_record.h: reading a pod. */
#include "node/ground/pod_record.h"

#include "base/check.h"
#include "node/ground/node_record.h"

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

const char *pod_restart_policy(const struct pod *p)
{
	struct slice s = json_get_str(p->spec, "restartPolicy");
	return slice_is(s, "Never") ? "Never" : slice_is(s, "OnFailure") ? "OnFailure" : "Always";
}

const char *pod_dir(const struct pod *p, struct arena *a)
{
	return arena_printf(a, "%s/%s", p->n->pods_dir, p->uid);
}

const char *pod_log_dir(const struct pod *p, struct arena *a)
{
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
