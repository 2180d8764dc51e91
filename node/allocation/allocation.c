/* See allocation.h. The file is DATA/agent/kubelet/allocation_state, written before what it says is done, so that a pod
 * that was given more is not taken for one that still waits. What can go wrong: it cannot be written: it is told in the
 * log, and after a start the pod's wish is looked at again. */
#include "node/allocation/allocation.h"

#include "base/check.h"
#include "base/log.h"
#include "node/allocation/allocation_ledger_int.h"
#include "node/config/kubelet_config.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATE_BYTES_MAX = 16 << 20 };

struct allocations {
	struct node *n;
	struct allocation_ledger ledger;
	char *file;
};

/* ---- the file ---- */

static void save(struct allocations *l)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	allocation_ledger_write(&l->ledger, &b);
	if (file_replace(l->file, strbuf_slice(&b), 0600, true, &err) != 0)
		log_error("node", "cannot write what containers were given", "error=\"%s\"", err.msg);
	strbuf_release(&b);
}

static int restore(struct allocations *l, struct err *err)
{
	size_t len = 0;
	CLEANUP(cleanup_free) char *text = file_read(l->file, STATE_BYTES_MAX, false, &len);
	if (!text)
		return errno == ENOENT ? 0 : err_errno(err, errno, "read %s", l->file);
	if (allocation_ledger_read(&l->ledger, (struct slice){text, len}, err) != 0)
		return err_wrap(
		        err, "%s is not of this node: drain the node, remove the file and start again", l->file);
	return 0;
}

int allocations_new(struct node *n, struct allocations **ret, struct err *err)
{
	if (!kubelet_config_gate(n->config, "InPlacePodVerticalScaling"))
		return 0;
	struct allocations *l = xcalloc(1, sizeof *l);
	l->n = n;
	l->file = xprintf("%s/agent/kubelet/allocation_state", n->o.data_dir);
	if (restore(l, err) != 0) {
		allocations_free(l);
		return err->code;
	}
	*ret = l;
	return 0;
}

void allocations_free(struct allocations *l)
{
	if (!l)
		return;
	allocation_ledger_release(&l->ledger);
	free(l->file);
	free(l);
}

/* ---- pods ---- */

static const struct json *containers_of(const struct pod *p)
{
	return json_get(p->spec, "containers");
}

void allocation_lay_in(struct allocations *l, struct pod *p)
{
	struct json *wished = NULL;
	if (!l)
		return;
	LOOP_CHECK_OWNER(l->n->loop);
	JSON_FOREACH (c, containers_of(p)) {
		const struct allocation *g = allocation_ledger_of(&l->ledger, p->uid, json_get_str(c, "name"));
		struct json *now = json_get(c, "resources"), *given = g ? json_literal(&p->arena, g->given) : NULL;
		if (!g || (now && json_equal(now, given)) || (!now && !given->first))
			continue;
		wished = wished ? wished : json_new(&p->arena, JSON_OBJECT);
		json_set_slice(&p->arena, wished, json_get_str(c, "name"),
		        now ? json_copy(&p->arena, now) : json_new(&p->arena, JSON_OBJECT));
		json_set(&p->arena, c, "resources", given);
	}
	p->wished = wished;
}

/* Pods that went while we were away. */
static void drop_strangers(struct allocations *l)
{
	bool again = node_is_server_known(l->n);
	while (again) {
		again = false;
		for (size_t i = 0; i < l->ledger.count && !again; i++)
			if (!node_pod(l->n, slice_of(l->ledger.list[i].uid))) {
				CLEANUP(cleanup_free) char *uid = xstrdup(l->ledger.list[i].uid);
				again = allocation_ledger_give_back(&l->ledger, uid);
			}
	}
}

void allocation_admit(struct allocations *l, const struct pod *p, bool is_told)
{
	bool any = false;
	if (!l)
		return;
	drop_strangers(l);
	JSON_FOREACH (c, containers_of(p)) {
		struct slice name = json_get_str(c, "name");
		if (allocation_ledger_of(&l->ledger, p->uid, name))
			continue;
		struct allocation *g = allocation_ledger_give(&l->ledger, p->uid, name, json_get(c, "resources"));
		if (is_told)
			allocation_tell(g, json_get(c, "resources"));
		any = true;
	}
	if (any)
		save(l);
}

void allocation_grant(struct allocations *l, struct pod *p)
{
	struct json *wished = TAKE(p->wished);
	LOOP_CHECK_OWNER(l->n->loop);
	JSON_FOREACH (c, containers_of(p)) {
		struct slice name = json_get_str(c, "name");
		const struct json *resources = json_get_slice(wished, name);
		if (!resources)
			continue;
		json_set(&p->arena, c, "resources", json_copy(&p->arena, resources));
		allocation_ledger_give(&l->ledger, p->uid, name, resources);
	}
	save(l);
}

void allocation_told(struct allocations *l, const struct pod *p, const char *container)
{
	struct allocation *g = l ? allocation_ledger_of(&l->ledger, p->uid, slice_of(container)) : NULL;
	if (!g)
		return;
	allocation_tell(g, json_get(pod_container_spec(p, container), "resources"));
	save(l);
}

struct json *allocation_last_told(
        const struct allocations *l, const struct pod *p, const char *container, struct arena *a)
{
	const struct allocation *g = l ? allocation_ledger_of(&l->ledger, p->uid, slice_of(container)) : NULL;
	return g && g->told ? json_literal(a, g->told) : NULL;
}

void allocation_give_back(struct allocations *l, const struct pod *p)
{
	if (l && allocation_ledger_give_back(&l->ledger, p->uid))
		save(l);
}
