/* See topology.h. Container by container: the wishes of those who give out CPUs, devices and memory, one answer, and
 * then each takes its part there (with the scope "pod" the answer is one for all containers). The answers are kept
 * while the pod is let in, for a plugin may be asked meanwhile and the rest goes on when it has answered; what was
 * taken each part keeps for itself, over a start too.
 *
 * What can go wrong: no place that the policy lets in; a part that gives less than it wished for, because of what is
 * shared between containers. */
#include "node/topology/topology.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "node/config/kubelet_config.h"
#include "node/cpus/cpus.h"
#include "node/devices/devices.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/memory/memory.h"
#include "node/topology/merge_int.h"

#include <stdlib.h>

/* Where a container is to lie. */
struct place {
	char *uid, *container;
	struct numa_hint where;
};

struct topology {
	struct node *n;
	const struct numa *numa;
	enum topology_policy policy;
	bool is_of_pods; /* the scope */
	struct place *places;
	size_t count;
};

static const struct place *place_of(const struct topology *t, const struct pod *p, struct slice container)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->places[i].uid, p->uid) == 0 && slice_is(container, t->places[i].container))
			return &t->places[i];
	return NULL;
}

static void keep(struct topology *t, const struct pod *p, struct slice container, struct numa_hint where)
{
	t->places = xrealloc(t->places, (t->count + 1) * sizeof *t->places);
	t->places[t->count++] = (struct place){xstrdup(p->uid), xmemdup(container.ptr, container.len), where};
}

static void forget(struct topology *t, const char *uid)
{
	size_t kept = 0, had = t->count;
	for (size_t i = 0; i < had; i++)
		if (strcmp(t->places[i].uid, uid) != 0) {
			t->places[kept++] = t->places[i];
		} else {
			free(t->places[i].uid);
			free(t->places[i].container);
		}
	t->count = kept;
}

/* container NULL: the pod as a whole. */
static int decide(const struct topology *t, const struct pod *p, const struct json *container, struct numa_hint *ret,
        struct err *err)
{
	struct arena a = ARENA_INIT;
	struct numa_wishes w = {.arena = &a};
	if (t->policy != TOPOLOGY_NONE) {
		cpus_wish(t->n->cpus, p, container, &w);
		devices_wish(t->n->devices, p, container, &w);
		memory_wish(t->n->memory, p, container, &w);
	}
	bool may = topology_merge(t->policy, &w, numa_all(t->numa), ret);
	arena_release(&a);
	return may ? 0 : err_set(err, ERR_BUSY, "Resources cannot be allocated with Topology locality");
}

static int find_place(
        struct topology *t, const struct pod *p, const struct json *container, struct numa_hint *ret, struct err *err)
{
	struct slice name = json_get_str(container, "name");
	const struct place *known = place_of(t, p, name);
	const struct place *of_pod = t->is_of_pods ? place_of(t, p, SLICE("")) : NULL;
	if (known || of_pod) {
		*ret = known ? known->where : of_pod->where;
		return 0;
	}
	if (decide(t, p, t->is_of_pods ? NULL : container, ret, err) == 0)
		keep(t, p, t->is_of_pods ? SLICE("") : name, *ret);
	return err->code;
}

static enum topology_answer take(struct topology *t, struct pod *p, const struct json *container, struct err *err)
{
	struct numa_hint where;
	if (find_place(t, p, container, &where, err) != 0)
		return TOPOLOGY_APART;
	enum devices_answer devices = devices_take(t->n->devices, p, container, where.nodes, err);
	if (devices == DEVICES_PENDING)
		return TOPOLOGY_PENDING;
	if (devices == DEVICES_REFUSED || cpus_take(t->n->cpus, p, container, where.nodes, err) != 0 ||
	        memory_take(t->n->memory, p, container, where, err) != 0)
		return TOPOLOGY_REFUSED;
	return TOPOLOGY_TAKEN;
}

enum topology_answer topology_take(struct topology *t, struct pod *p, struct err *err)
{
	static const char *const lists[] = {"initContainers", "containers"};
	LOOP_CHECK_OWNER(t->n->loop);
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(p->spec, lists[i])) {
			enum topology_answer answer = take(t, p, c, err);
			if (answer != TOPOLOGY_TAKEN)
				return answer;
		}
	forget(t, p->uid); /* each part knows the rest */
	return TOPOLOGY_TAKEN;
}

void topology_give_back(struct topology *t, const struct pod *p)
{
	LOOP_CHECK_OWNER(t->n->loop);
	forget(t, p->uid);
	cpus_give_back(t->n->cpus, p);
	memory_give_back(t->n->memory, p);
	devices_give_back(t->n->devices, p);
}

/* ---- life ---- */

static int read_policy(struct topology *t, struct err *err)
{
	static const char *const names[] = {"none", "best-effort", "restricted", "single-numa-node"};
	struct slice policy = json_str(kubelet_config_get(t->n->config, "topologyManagerPolicy")),
	             scope = json_str(kubelet_config_get(t->n->config, "topologyManagerScope"));
	bool is_known = false;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_is(policy, names[i])) {
			t->policy = (enum topology_policy)i;
			is_known = true;
		}
	if (!is_known)
		return err_set(err, ERR_INVAL,
		        "topologyManagerPolicy: there is no policy \"%.*s\"; none, best-effort, restricted and "
		        "single-numa-node are",
		        SLICE_FMT(policy));
	t->is_of_pods = slice_is(scope, "pod");
	if (!t->is_of_pods && !slice_is(scope, "container"))
		return err_set(err, ERR_INVAL,
		        "topologyManagerScope: there is no scope \"%.*s\"; container and pod are", SLICE_FMT(scope));
	if (t->policy != TOPOLOGY_NONE && t->numa->count > NUMA_WEIGHED_MAX)
		return err_set(err, ERR_INVAL,
		        "topologyManagerPolicy: the machine has %zu nodes of memory, %d can be weighed", t->numa->count,
		        NUMA_WEIGHED_MAX);
	return 0;
}

int topology_new(struct node *n, const struct numa *numa, struct topology **ret, struct err *err)
{
	struct topology *t = xcalloc(1, sizeof *t);
	t->n = n;
	t->numa = numa;
	if (read_policy(t, err) != 0) {
		topology_free(t);
		return err->code;
	}
	*ret = t;
	return 0;
}

void topology_free(struct topology *t)
{
	for (size_t i = 0; t && i < t->count; i++) {
		free(t->places[i].uid);
		free(t->places[i].container);
	}
	if (t)
		free(t->places);
	free(t);
}
