/* See cpu_ledger_int.h. Upstream: pkg/kubelet/cm/cpumanager/policy_static.go. What an init container has had, the
 * containers after it get first. The state has upstream's names (policyName, defaultCpuSet, entries by uid and
 * container), and no checksum: it is written whole and put in its place.
 *
 * What can go wrong: fewer CPUs are free than the scheduler believed, for it counts, and what is reserved or shared out
 * in parts cannot be given whole; a state in which one CPU is two containers'. */
#include "node/cpus/cpu_ledger_int.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "node/cgroup/resources.h"

#include <stdlib.h>

void cpu_ledger_init(struct cpu_ledger *l, const struct cpu_topology *t, const struct cpu_set *reserved)
{
	*l = (struct cpu_ledger){.topology = t, .reserved = *reserved, .shared = cpu_topology_all(t)};
}

static void entry_release(struct cpu_entry *e)
{
	free(e->uid);
	free(e->container);
}

void cpu_ledger_release(struct cpu_ledger *l)
{
	for (size_t i = 0; i < l->count; i++)
		entry_release(&l->entries[i]);
	free(l->entries);
	*l = (struct cpu_ledger){.count = 0};
}

unsigned cpu_ledger_wants(const struct json *pod_spec, const struct json *container)
{
	int64_t milli = quantity_json_milli(json_path(container, "resources", "requests", "cpu", NULL));
	if (!milli)
		milli = quantity_json_milli(json_path(container, "resources", "limits", "cpu", NULL));
	if (pod_qos(pod_spec) != QOS_GUARANTEED || milli <= 0 || milli % 1000 || milli / 1000 > CPU_SET_MAX)
		return 0;
	return (unsigned)(milli / 1000);
}

static void add(struct cpu_ledger *l, const char *uid, struct slice container, const struct cpu_set *set)
{
	CHECK(*uid && cpu_set_count(set));
	l->entries = xrealloc(l->entries, (l->count + 1) * sizeof *l->entries);
	l->entries[l->count++] =
	        (struct cpu_entry){xstrdup(uid), xmemdup(container.ptr ? container.ptr : "", container.len), *set};
	l->shared = cpu_set_without(&l->shared, set);
}

struct cpu_set cpu_ledger_reusable(
        const struct cpu_ledger *l, const char *uid, const struct json *spec, const struct json *container)
{
	static const char *const lists[] = {"initContainers", "containers"};
	struct cpu_set reuse = {{0}};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(spec, lists[i])) {
			struct arena a = ARENA_INIT;
			const struct cpu_set *has = cpu_ledger_of(l, uid, json_cstr(&a, json_get(c, "name")));
			bool ends = i == 0 && !slice_is(json_get_str(c, "restartPolicy"), "Always");
			arena_release(&a);
			if (c == container)
				return reuse;
			if (has)
				reuse = ends ? cpu_set_union(&reuse, has) : cpu_set_without(&reuse, has);
		}
	return reuse;
}

/* Of the near ones first, and of what the pod had before what is free: so many that `left` is 0, or all there are. */
static struct cpu_set choose(const struct cpu_ledger *l, const struct cpu_set *free_, const struct cpu_set *reuse,
        const struct cpu_set *near, unsigned left)
{
	struct cpu_set set = {{0}}, more;
	struct cpu_set pools[] = {cpu_set_common(reuse, near), cpu_set_common(free_, near), *reuse, *free_};
	for (size_t i = 0; i < COUNT_OF(pools) && left; i++) {
		struct cpu_set rest = cpu_set_without(&pools[i], &set);
		unsigned n = cpu_set_count(&rest) < left ? cpu_set_count(&rest) : left;
		if (n && cpu_plan_take(l->topology, &rest, n, &more)) {
			set = cpu_set_union(&set, &more);
			left -= n;
		}
	}
	return set;
}

int cpu_ledger_take(struct cpu_ledger *l, const char *uid, const struct json *spec, const struct json *container,
        const struct cpu_set *near, struct err *err)
{
	static const struct cpu_set nowhere;
	struct arena a = ARENA_INIT;
	bool has = cpu_ledger_of(l, uid, json_cstr(&a, json_get(container, "name"))) != NULL;
	unsigned n = has ? 0 : cpu_ledger_wants(spec, container);
	arena_release(&a);
	if (!n)
		return 0;
	struct cpu_set free_ = cpu_set_without(&l->shared, &l->reserved),
	               reuse = cpu_ledger_reusable(l, uid, spec, container),
	               set = choose(l, &free_, &reuse, near ? near : &nowhere, n);
	CHECK(cpu_set_count(&set) <= n);
	if (cpu_set_count(&set) < n)
		return err_set(err, ERR_BUSY,
		        "Allocate failed due to not enough cpus available to satisfy request: requested=%u, "
		        "available=%u, which is unexpected",
		        n, cpu_set_count(&set));
	add(l, uid, json_get_str(container, "name"), &set);
	return 0;
}

bool cpu_ledger_give_back(struct cpu_ledger *l, const char *uid)
{
	size_t kept = 0, had = l->count;
	for (size_t i = 0; i < l->count; i++) {
		struct cpu_entry *e = &l->entries[i];
		if (strcmp(e->uid, uid) != 0) {
			l->entries[kept++] = *e;
			continue;
		}
		DCHECK(cpu_set_count(&e->set));
		l->shared = cpu_set_union(&l->shared, &e->set);
		entry_release(e);
	}
	l->count = kept;
	return kept != had;
}

const struct cpu_set *cpu_ledger_of(const struct cpu_ledger *l, const char *uid, const char *container)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->entries[i].uid, uid) == 0 && strcmp(l->entries[i].container, container) == 0)
			return &l->entries[i].set;
	return NULL;
}

/* ---- the state ---- */

void cpu_ledger_write(const struct cpu_ledger *l, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_new(&a, JSON_OBJECT), *entries = json_new(&a, JSON_OBJECT);
	json_set_cstr(&a, o, "policyName", "static");
	json_set_cstr(&a, o, "defaultCpuSet", cpu_set_text(&l->shared, &a));
	for (size_t i = 0; i < l->count; i++)
		json_set_cstr(&a, json_need(&a, entries, l->entries[i].uid, JSON_OBJECT), l->entries[i].container,
		        cpu_set_text(&l->entries[i].set, &a));
	json_set(&a, o, "entries", entries);
	json_write(out, o);
	arena_release(&a);
}

/* Those of one pod may overlap: an init container gave on what it had. */
static int read_pod(struct cpu_ledger *l, const struct json *pod, struct cpu_set *others, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *uid = arena_memdup(&a, pod->key.ptr, pod->key.len);
	struct cpu_set own = {{0}}, all = cpu_topology_all(l->topology);
	JSON_FOREACH (it, pod) {
		struct cpu_set set, outside, twice;
		if (!cpu_set_parse(json_str(it), &set) || !cpu_set_count(&set)) {
			err_set(err, ERR_INVAL, "\"%.*s\" is no set of CPUs", SLICE_FMT(json_str(it)));
			break;
		}
		outside = cpu_set_without(&set, &all);
		twice = cpu_set_common(&set, others);
		if (cpu_set_count(&outside) || cpu_set_count(&twice)) {
			err_set(err, ERR_INVAL, "CPUs %s are not there, or given out twice", cpu_set_text(&set, &a));
			break;
		}
		own = cpu_set_union(&own, &set);
		add(l, uid, it->key, &set);
	}
	*others = cpu_set_union(others, &own);
	arena_release(&a);
	return err->code;
}

int cpu_ledger_read(struct cpu_ledger *l, struct slice text, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_parse(&a, text, NULL, err);
	struct cpu_set shared, others = {{0}};
	CHECK(!l->count);
	if (o && !slice_is(json_get_str(o, "policyName"), "static"))
		err_set(err, ERR_INVAL, "it is of policy \"%.*s\"", SLICE_FMT(json_get_str(o, "policyName")));
	JSON_FOREACH (pod, err->code ? NULL : json_get(o, "entries"))
		if (read_pod(l, pod, &others, err) != 0)
			break;
	if (!err->code &&
	        (!cpu_set_parse(json_get_str(o, "defaultCpuSet"), &shared) || !cpu_set_equal(&shared, &l->shared)))
		err_set(err, ERR_INVAL, "the machine has other CPUs than are in it");
	arena_release(&a);
	return err->code;
}
