/* See memory.h. Each change of the ledger is written to DATA/agent/kubelet/memory_manager_state before the pod goes on;
 * after a start it is read again, and pods that went meanwhile give back when the API's pods are known and the next one
 * takes.
 *
 * What can go wrong: the file cannot be written: the pod is refused, for after a start nobody would know. */
#include "node/memory/memory.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/log.h"
#include "node/config/kubelet_config.h"
#include "node/config/reserved.h"
#include "node/ground/files.h"
#include "node/ground/machine.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/memory/memory_ledger_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATE_BYTES_MAX = 4 << 20 };

struct memory {
	struct node *n;
	struct memory_ledger ledger;
	char *file;
};

/* ---- the state file ---- */

static int save(struct memory *m, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	memory_ledger_write(&m->ledger, &b);
	file_replace(m->file, strbuf_slice(&b), 0600, true, err);
	strbuf_release(&b);
	return err->code;
}

static int refuse_state(const char *file, const char *why, struct err *err)
{
	return err_set(err, ERR_INVAL,
	        "%s is not of this node's memory manager (%s): drain the node, remove the file and start again", file,
	        why);
}

static int restore(struct memory *m, struct err *err)
{
	size_t len = 0;
	struct err why = ERR_INIT;
	CLEANUP(cleanup_free) char *text = file_read(m->file, STATE_BYTES_MAX, false, &len);
	if (!text)
		return errno == ENOENT ? save(m, err) : err_errno(err, errno, "read %s", m->file);
	if (memory_ledger_read(&m->ledger, (struct slice){text, len}, &why) != 0)
		return refuse_state(m->file, why.msg, err);
	return 0;
}

static void drop_strangers(struct memory *m)
{
	bool again = node_is_server_known(m->n);
	while (again) {
		again = false;
		for (size_t i = 0; i < m->ledger.count && !again; i++)
			if (!node_pod(m->n, slice_of(m->ledger.blocks[i].uid))) {
				CLEANUP(cleanup_free) char *uid = xstrdup(m->ledger.blocks[i].uid);
				again = memory_ledger_give_back(&m->ledger, uid);
			}
	}
}

/* ---- pods ---- */

static struct memory_asker asker(const struct pod *p, const struct json *container)
{
	return (struct memory_asker){p->uid, p->spec, container};
}

void memory_wish(const struct memory *m, const struct pod *p, const struct json *container, struct numa_wishes *w)
{
	struct numa_hint list[1 << NUMA_WEIGHED_MAX];
	struct memory_asker who = asker(p, container);
	struct memory_want *wants;
	size_t n = m ? memory_ledger_hints(&m->ledger, &who, list) : 0, count;
	CHECK(n <= COUNT_OF(list));
	if (!n) /* as upstream: who takes it will say why not */
		return;
	count = memory_ledger_wants(&who, w->arena, &wants);
	for (size_t i = 0; i < count; i++)
		numa_wish_add(w, list, n);
}

int memory_take(
        struct memory *m, const struct pod *p, const struct json *container, struct numa_hint where, struct err *err)
{
	if (!m)
		return 0;
	LOOP_CHECK_OWNER(m->n->loop);
	struct memory_asker who = asker(p, container);
	drop_strangers(m);
	size_t had = m->ledger.count;
	if (memory_ledger_take(&m->ledger, &who, where, err) != 0)
		return err->code;
	if (m->ledger.count != had && save(m, err) != 0)
		memory_ledger_give_back(&m->ledger, p->uid);
	return err->code;
}

void memory_give_back(struct memory *m, const struct pod *p)
{
	struct err err = ERR_INIT;
	if (!m || !memory_ledger_give_back(&m->ledger, p->uid))
		return;
	LOOP_CHECK_OWNER(m->n->loop);
	if (save(m, &err) != 0)
		log_error("node", "cannot write the state of memory", "error=\"%s\"", err.msg);
}

const char *memory_nodes_of(const struct memory *m, const struct pod *p, const char *container, struct arena *a)
{
	uint64_t nodes = m ? memory_ledger_nodes_of(&m->ledger, p->uid, container) : 0;
	struct cpu_set as_cpus = {{nodes}}; /* they are written alike */
	_Static_assert(sizeof as_cpus.bits[0] == sizeof nodes, "a word of CPUs is as wide as a set of nodes");
	return nodes ? cpu_set_text(&as_cpus, a) : "";
}

void memory_each_of(const struct memory *m, const struct pod *p, const char *container,
        void (*fn)(void *arg, const struct memory_use *use), void *arg)
{
	for (size_t i = 0; m && i < m->ledger.count; i++) {
		const struct memory_block *b = &m->ledger.blocks[i];
		if (strcmp(b->uid, p->uid) == 0 && strcmp(b->container, container) == 0)
			fn(arg, &(struct memory_use){b->type, b->bytes, b->nodes});
	}
}

void memory_each(const struct memory *m, void (*fn)(void *arg, const struct memory_use *use), void *arg)
{
	for (size_t i = 0; m && i < m->ledger.nodes_count; i++) {
		const struct memory_node *n = &m->ledger.nodes[i];
		for (size_t k = 0; k < n->pools_count; k++)
			fn(arg, &(struct memory_use){n->pools[k].type, n->pools[k].total - n->pools[k].reserved,
			                UINT64_C(1) << n->id});
	}
}

/* ---- what is reserved ---- */

static bool has_node(const struct numa *numa, int64_t id)
{
	for (size_t i = 0; i < numa->count; i++)
		if (numa->list[i].id == id)
			return true;
	return false;
}

static int add_limits(const struct json *limits, struct json *sums, struct arena *a, struct err *err)
{
	JSON_FOREACH (it, limits) {
		struct quantity q;
		struct err why = ERR_INIT;
		if (!slice_is(it->key, "memory") && !slice_starts(it->key, "hugepages-"))
			return err_set(err, ERR_INVAL,
			        "reservedMemory: \"%.*s\" is no memory; memory and hugepages-2Mi are",
			        SLICE_FMT(it->key));
		if (quantity_parse(json_str(it), &q, &why) != 0 || quantity_sign(&q) <= 0)
			return err_set(err, ERR_INVAL, "reservedMemory: %.*s: \"%.*s\" is no amount like 1Gi",
			        SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
		int64_t before = json_int(json_get_slice(sums, it->key), 0);
		json_set_slice(a, sums, it->key, json_new_int(a, before + quantity_value(&q)));
	}
	return 0;
}

static int sum_up(
        const struct numa *numa, const struct json *reserved, struct json *sums, struct arena *a, struct err *err)
{
	uint64_t seen = 0;
	JSON_FOREACH (it, reserved) {
		int64_t id = json_get_int(it, "numaNode", -1);
		if (!has_node(numa, id))
			return err_set(err, ERR_INVAL,
			        "reservedMemory: numaNode %lld is not there; `lscpu` says which the machine has",
			        (long long)id);
		if (seen >> id & 1)
			return err_set(err, ERR_INVAL, "reservedMemory: numaNode %lld is named twice", (long long)id);
		seen |= UINT64_C(1) << id;
		if (add_limits(json_get(it, "limits"), sums, a, err) != 0)
			return err->code;
	}
	return 0;
}

int memory_check_reserved(
        const struct numa *numa, const struct json *reserved_memory, int64_t reserved_bytes, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *sums = json_new(&a, JSON_OBJECT);
	json_set_int(&a, sums, "memory", 0);
	sum_up(numa, reserved_memory, sums, &a, err);
	JSON_FOREACH (it, sums) {
		int64_t wanted = slice_is(it->key, "memory") ? reserved_bytes : 0, has = json_int(it, 0);
		if (!err->code && has != wanted)
			err_set(err, ERR_INVAL,
			        "reservedMemory: %lld bytes of \"%.*s\" in all, and %lld are reserved by "
			        "systemReserved, "
			        "kubeReserved and the hard threshold of eviction: make them the same",
			        (long long)has, SLICE_FMT(it->key), (long long)wanted);
	}
	if (!err->code && !reserved_bytes)
		err_set(err, ERR_INVAL,
		        "memoryManagerPolicy Static keeps some memory for the system: reserve it with systemReserved "
		        "and "
		        "say of which nodes in reservedMemory");
	arena_release(&a);
	return err->code;
}

/* ---- life ---- */

static int check_policy(const struct node *n, bool *ret_is_static, const char *file, struct err *err)
{
	struct slice policy = json_str(kubelet_config_get(n->config, "memoryManagerPolicy"));
	*ret_is_static = slice_is(policy, "Static");
	if (!*ret_is_static && !slice_is(policy, "None"))
		return err_set(err, ERR_INVAL, "memoryManagerPolicy: there is no policy \"%.*s\"; None and Static are",
		        SLICE_FMT(policy));
	if (!*ret_is_static && access(file, F_OK) == 0)
		return refuse_state(file, "the policy is None now", err);
	return 0;
}

static int open_it(struct memory *m, const struct numa *numa, struct err *err)
{
	const struct json *reserved = kubelet_config_get(m->n->config, "reservedMemory"), *tree = m->n->config->tree;
	int64_t bytes = config_reserved(tree, "memory") +
	                config_hard_threshold(tree, SIGNAL_MEMORY_AVAILABLE, node_memory_bytes());
	if (numa->count > NUMA_WEIGHED_MAX)
		return err_set(err, ERR_INVAL,
		        "memoryManagerPolicy Static: the machine has %zu nodes of memory, %d can be weighed",
		        numa->count, NUMA_WEIGHED_MAX);
	if (memory_check_reserved(numa, reserved, bytes, err) != 0)
		return err->code;
	memory_ledger_init(&m->ledger, numa, reserved);
	return restore(m, err);
}

int memory_new(struct node *n, const struct numa *numa, struct memory **ret, struct err *err)
{
	struct memory *m = xcalloc(1, sizeof *m);
	bool is_static = false;
	m->n = n;
	m->file = xprintf("%s/agent/kubelet/memory_manager_state", n->o.data_dir);
	if (check_policy(n, &is_static, m->file, err) != 0 || !is_static || open_it(m, numa, err) != 0) {
		memory_free(m);
		return err->code;
	}
	*ret = m;
	return 0;
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	memory_ledger_release(&m->ledger);
	free(m->file);
	free(m);
}
