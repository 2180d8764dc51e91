/* See cpu_plan_int.h. Upstream: pkg/kubelet/cm/cpumanager/cpu_assignment.go (packed). A whole socket is taken when it
 * is free and no more than what is asked for; then whole cores, of the sockets with the fewest free CPUs first, so that
 * sockets stay whole for others; then what is left, next to what was taken. */
#include "node/cpus/cpu_plan_int.h"

#include "base/check.h"

struct cpu_set cpu_topology_all(const struct cpu_topology *t)
{
	struct cpu_set s = {{0}};
	for (size_t i = 0; i < t->count; i++)
		cpu_set_add(&s, t->list[i].cpu);
	return s;
}

/* The CPUs of the socket, or of the core, of a place. */
static struct cpu_set unit_of(const struct cpu_topology *t, const struct cpu_place *p, bool is_socket)
{
	struct cpu_set s = {{0}};
	for (size_t i = 0; i < t->count; i++)
		if (is_socket ? t->list[i].socket == p->socket : t->list[i].core == p->core)
			cpu_set_add(&s, t->list[i].cpu);
	return s;
}

static unsigned free_in(
        const struct cpu_topology *t, const struct cpu_place *p, bool is_socket, const struct cpu_set *from)
{
	struct cpu_set unit = unit_of(t, p, is_socket), free_ = cpu_set_common(&unit, from);
	return cpu_set_count(&free_);
}

struct taking {
	const struct cpu_topology *t;
	struct cpu_set from, taken;
	unsigned left;
};

static void take(struct taking *k, const struct cpu_set *set)
{
	k->taken = cpu_set_union(&k->taken, set);
	k->from = cpu_set_without(&k->from, set);
	CHECK(cpu_set_count(set) <= k->left);
	k->left -= cpu_set_count(set);
}

/* Is x a better beginning than y? */
static bool is_better(const struct taking *k, const struct cpu_place *x, const struct cpu_place *y)
{
	struct cpu_set sx = unit_of(k->t, x, true), sy = unit_of(k->t, y, true);
	struct cpu_set ax = cpu_set_common(&sx, &k->taken), ay = cpu_set_common(&sy, &k->taken);
	unsigned fx = free_in(k->t, x, true, &k->from), fy = free_in(k->t, y, true, &k->from);
	if (cpu_set_count(&ax) != cpu_set_count(&ay))
		return cpu_set_count(&ax) > cpu_set_count(&ay);
	if (fx != fy)
		return fx < fy;
	fx = free_in(k->t, x, false, &k->from), fy = free_in(k->t, y, false, &k->from);
	if (fx != fy)
		return fx < fy;
	return x->socket != y->socket ? x->socket < y->socket
	       : x->core != y->core   ? x->core < y->core
	                              : x->cpu < y->cpu;
}

/* The best free place; with `whole`, of a unit that is all free and no more than is asked for. NULL: none. */
static const struct cpu_place *best(const struct taking *k, bool is_socket, bool whole)
{
	const struct cpu_place *found = NULL;
	for (size_t i = 0; i < k->t->count; i++) {
		const struct cpu_place *p = &k->t->list[i];
		struct cpu_set unit = unit_of(k->t, p, is_socket);
		unsigned size = cpu_set_count(&unit);
		if (!cpu_set_has(&k->from, p->cpu) ||
		        (whole && (size > k->left || free_in(k->t, p, is_socket, &k->from) != size)))
			continue;
		if (!found || is_better(k, p, found))
			found = p;
	}
	return found;
}

bool cpu_plan_take(const struct cpu_topology *t, const struct cpu_set *from, unsigned n, struct cpu_set *ret)
{
	struct taking k = {.t = t, .from = *from, .left = n};
	const struct cpu_place *p;
	if (cpu_set_count(from) < n)
		return false;
	for (int is_socket = 1; is_socket >= 0; is_socket--)
		while (k.left && (p = best(&k, is_socket, true))) {
			struct cpu_set unit = unit_of(t, p, is_socket);
			take(&k, &unit);
		}
	while (k.left && (p = best(&k, false, false))) {
		struct cpu_set one = {{0}};
		cpu_set_add(&one, p->cpu);
		take(&k, &one);
	}
	if (k.left) /* `from` names CPUs that the machine does not have */
		return false;
	*ret = k.taken;
	return true;
}
