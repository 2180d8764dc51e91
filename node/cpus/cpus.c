/* See cpus.h. Each change of the ledger is written to DATA/agent/kubelet/cpu_manager_state before anybody is told, and
 * then every running container that has none of its own is moved to what is left to share. After a start the ledger is
 * read again; pods that went meanwhile give back when the API's pods are known and the next one takes.
 *
 * What can go wrong: the file cannot be written (the pod is refused: after a start nobody would know); the runtime does
 * not move a container (it is told in the log; the container stays on CPUs that are another's now, until the next
 * change). */
#include "node/cpus/cpus.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/log.h"
#include "node/config/kubelet_config.h"
#include "node/cpus/cpu_ledger_int.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/runtime/cri.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATE_BYTES_MAX = 1 << 20, CALL_MS = 30000 };

#define CPU_DIR "/sys/devices/system/cpu"

struct cpus {
	struct node *n;
	struct cpu_topology topology;
	struct cpu_ledger ledger;
	const struct numa *numa;
	char *file;
};

/* ---- the machine ---- */

static unsigned read_id(unsigned cpu, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, CPU_DIR "/cpu%u/topology/%s", cpu, name);
	size_t len = 0;
	uint64_t id;
	CLEANUP(cleanup_free) char *text = file_read(path, 16, false, &len);
	bool is = text && slice_to_u64(slice_trim((struct slice){text, len}), &id) && id < CPU_SET_MAX;
	return is ? (unsigned)id : 0; /* the kernel of some says -1 */
}

static int read_topology(struct cpu_topology *t, struct err *err)
{
	CHECK(!t->count);
	_Static_assert(COUNT_OF(t->list) == CPU_SET_MAX, "a place for each CPU that a set can name");
	size_t len = 0;
	struct cpu_set online;
	CLEANUP(cleanup_free) char *text = file_read(CPU_DIR "/online", 4096, false, &len);
	if (!text || !cpu_set_parse((struct slice){text, len}, &online) || !cpu_set_count(&online))
		return err_set(err, ERR_IO, "cpuManagerPolicy: " CPU_DIR "/online does not say which CPUs there are");
	for (unsigned i = 0; i < CPU_SET_MAX; i++)
		if (cpu_set_has(&online, i)) {
			unsigned socket = read_id(i, "physical_package_id");
			/* core ids begin anew in each socket */
			t->list[t->count++] =
			        (struct cpu_place){i, socket * CPU_SET_MAX + read_id(i, "core_id"), socket};
		}
	return 0;
}

static int64_t reserved_milli(const struct node *n)
{
	return quantity_json_milli(json_get(kubelet_config_get(n->config, "systemReserved"), "cpu")) +
	       quantity_json_milli(json_get(kubelet_config_get(n->config, "kubeReserved"), "cpu"));
}

static int choose_reserved(const struct node *n, const struct cpu_topology *t, struct cpu_set *ret, struct err *err)
{
	struct cpu_set all = cpu_topology_all(t), outside;
	struct slice named = json_str(kubelet_config_get(n->config, "reservedSystemCPUs"));
	int64_t whole = (reserved_milli(n) + 999) / 1000;
	if (named.len && !cpu_set_parse(named, ret))
		return err_set(
		        err, ERR_INVAL, "reserved-cpus: \"%.*s\" is no set of CPUs like 0,2-3", SLICE_FMT(named));
	if (!named.len && (whole <= 0 || whole >= CPU_SET_MAX || !cpu_plan_take(t, &all, (unsigned)whole, ret)))
		return err_set(err, ERR_INVAL,
		        "cpuManagerPolicy static keeps some CPUs for all: name them in reserved-cpus, or reserve a "
		        "part of "
		        "what there is with cpu in system-reserved or kube-reserved");
	outside = cpu_set_without(ret, &all);
	if (cpu_set_count(&outside))
		return err_set(
		        err, ERR_INVAL, "reserved-cpus: \"%.*s\" names CPUs that are not there", SLICE_FMT(named));
	return 0;
}

/* ---- the state file ---- */

static int save(struct cpus *c, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	cpu_ledger_write(&c->ledger, &b);
	file_replace(c->file, strbuf_slice(&b), 0600, true, err);
	strbuf_release(&b);
	return err->code;
}

static int refuse_state(const char *file, const char *why, struct err *err)
{
	return err_set(err, ERR_INVAL,
	        "%s is not of this node's CPU manager (%s): drain the node, remove the file and start again", file,
	        why);
}

static int restore(struct cpus *c, struct err *err)
{
	size_t len = 0;
	struct err why = ERR_INIT;
	CLEANUP(cleanup_free) char *text = file_read(c->file, STATE_BYTES_MAX, false, &len);
	if (!text)
		return errno == ENOENT ? save(c, err) : err_errno(err, errno, "read %s", c->file);
	if (cpu_ledger_read(&c->ledger, (struct slice){text, len}, &why) != 0)
		return refuse_state(c->file, why.msg, err);
	return 0;
}

/* ---- those who share ---- */

static void moved(void *arg, const void *answer, const struct err *err)
{
	if (err && err->code != ERR_CANCELED && err->code != ERR_NOT_FOUND)
		log_warn("node", "cannot move a container to other CPUs", "error=\"%s\"", err->msg);
}

static void move_shared(struct cpus *c)
{
	struct arena a = ARENA_INIT;
	const char *shared = cpu_set_text(&c->ledger.shared, &a);
	LOOP_CHECK_OWNER(c->n->loop);
	MAP_FOREACH (it, &c->n->pods) {
		const struct pod *p = it->value;
		LIST_FOREACH (link, &p->containers) {
			const struct container *k = CONTAINER_OF(link, struct container, in_pod);
			CRI(UpdateContainerResourcesRequest) q = RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_REQUEST__INIT;
			CRI(LinuxContainerResources) r = RUNTIME__V1__LINUX_CONTAINER_RESOURCES__INIT;
			if (k->state != CONTAINER_RUNNING || cpu_ledger_of(&c->ledger, p->uid, k->name) || !c->n->cri)
				continue;
			r.cpuset_cpus = (char *)shared;
			q.container_id = k->id;
			q.linux = &r;
			cri_call(c->n->cri, "RuntimeService/UpdateContainerResources", &q.base,
			        &runtime__v1__empty__descriptor, CALL_MS, moved, NULL);
		}
	}
	arena_release(&a);
}

static void drop_strangers(struct cpus *c)
{
	bool again = node_is_server_known(c->n);
	while (again) {
		again = false;
		for (size_t i = 0; i < c->ledger.count && !again; i++)
			if (!node_pod(c->n, slice_of(c->ledger.entries[i].uid))) {
				CLEANUP(cleanup_free) char *uid = xstrdup(c->ledger.entries[i].uid);
				again = cpu_ledger_give_back(&c->ledger, uid);
			}
	}
}

int cpus_take(struct cpus *c, const struct pod *p, const struct json *container, uint64_t nodes, struct err *err)
{
	if (!c)
		return 0;
	LOOP_CHECK_OWNER(c->n->loop);
	struct cpu_set before = c->ledger.shared, near = numa_cpus(c->numa, nodes);
	size_t had = c->ledger.count;
	drop_strangers(c);
	if (cpu_ledger_take(&c->ledger, p->uid, p->spec, container, &near, err) != 0)
		return err->code;
	if (c->ledger.count == had && cpu_set_equal(&before, &c->ledger.shared))
		return 0;
	if (save(c, err) != 0) {
		cpu_ledger_give_back(&c->ledger, p->uid);
		return err->code;
	}
	move_shared(c);
	return 0;
}

/* Of a pod as a whole: what its containers want together, or what one of its init containers wants more. */
static unsigned wanted_by_all(const struct json *spec)
{
	unsigned sum = 0, most = 0;
	JSON_FOREACH (it, json_get(spec, "initContainers")) {
		unsigned n = cpu_ledger_wants(spec, it);
		if (slice_is(json_get_str(it, "restartPolicy"), "Always"))
			sum += n;
		else if (sum + n > most)
			most = sum + n;
	}
	JSON_FOREACH (it, json_get(spec, "containers"))
		sum += cpu_ledger_wants(spec, it);
	return sum > most ? sum : most;
}

void cpus_wish(const struct cpus *c, const struct pod *p, const struct json *container, struct numa_wishes *w)
{
	DCHECK(!c || c->topology.count);
	unsigned n = !c ? 0 : container ? cpu_ledger_wants(p->spec, container) : wanted_by_all(p->spec);
	if (!n)
		return;
	const struct cpu_topology *t = &c->topology;
	struct numa_unit *units = ARENA_ARRAY(w->arena, struct numa_unit, t->count);
	struct cpu_set free_ = cpu_set_without(&c->ledger.shared, &c->ledger.reserved), reuse = {{0}};
	if (container)
		reuse = cpu_ledger_reusable(&c->ledger, p->uid, p->spec, container);
	for (size_t i = 0; i < t->count; i++)
		units[i] = (struct numa_unit){numa_of_cpu(c->numa, t->list[i].cpu), cpu_set_has(&free_, t->list[i].cpu),
		        cpu_set_has(&reuse, t->list[i].cpu)};
	numa_wish_add_units(w, numa_all(c->numa), units, t->count, n);
}

void cpus_give_back(struct cpus *c, const struct pod *p)
{
	struct err err = ERR_INIT;
	if (!c || !cpu_ledger_give_back(&c->ledger, p->uid))
		return;
	LOOP_CHECK_OWNER(c->n->loop);
	if (save(c, &err) != 0)
		log_error("node", "cannot write the state of CPUs", "error=\"%s\"", err.msg);
	move_shared(c);
}

const char *cpus_of(const struct cpus *c, const struct pod *p, const char *container, struct arena *a)
{
	const struct cpu_set *own = c ? cpu_ledger_of(&c->ledger, p->uid, container) : NULL;
	return !c ? "" : cpu_set_text(own ? own : &c->ledger.shared, a);
}

const struct cpu_set *cpus_own(const struct cpus *c, const struct pod *p, const char *container)
{
	return c ? cpu_ledger_of(&c->ledger, p->uid, container) : NULL;
}

struct cpu_set cpus_allocatable(const struct cpus *c)
{
	static const struct cpu_set none;
	struct cpu_set all = c ? cpu_topology_all(&c->topology) : none;
	return c ? cpu_set_without(&all, &c->ledger.reserved) : none;
}

/* ---- life ---- */

static int check_policy(const struct node *n, bool *ret_is_static, const char *file, struct err *err)
{
	struct slice policy = json_str(kubelet_config_get(n->config, "cpuManagerPolicy"));
	*ret_is_static = slice_is(policy, "static");
	if (!*ret_is_static && !slice_is(policy, "none"))
		return err_set(err, ERR_INVAL, "cpuManagerPolicy: there is no policy \"%.*s\"; none and static are",
		        SLICE_FMT(policy));
	if (!*ret_is_static && access(file, F_OK) == 0)
		return refuse_state(file, "the policy is none now", err);
	return 0;
}

int cpus_new(struct node *n, const struct numa *numa, struct cpus **ret, struct err *err)
{
	struct cpus *c = xcalloc(1, sizeof *c);
	struct cpu_set reserved;
	bool is_static = false;
	c->n = n;
	c->numa = numa;
	c->file = xprintf("%s/agent/kubelet/cpu_manager_state", n->o.data_dir);
	if (check_policy(n, &is_static, c->file, err) != 0 || !is_static) {
		cpus_free(c);
		return err->code;
	}
	if (read_topology(&c->topology, err) == 0 && choose_reserved(n, &c->topology, &reserved, err) == 0) {
		cpu_ledger_init(&c->ledger, &c->topology, &reserved);
		restore(c, err);
	}
	if (err->code) {
		cpus_free(c);
		return err->code;
	}
	*ret = c;
	return 0;
}

void cpus_free(struct cpus *c)
{
	if (!c)
		return;
	cpu_ledger_release(&c->ledger);
	free(c->file);
	free(c);
}
