/* See csi.h. The volumes of the node and who uses them: found on disk at the start, made by wishes of pods, undone when
 * no pod has them any more.
 *
 *     a pod wishes -> use -> staged -> published            (mount.c)
 *     its pod is taken down, or nobody knows it -> unpublished -> the last one: unstaged -> forgotten    (release.c)
 *
 * Nothing here depends on having been told: reconcile() looks at all volumes whenever something may have changed, and
 * undoes what nobody wants, each with a pause of its own when it fails. One piece of work at a time is done to a
 * volume, so a driver that hangs holds that volume, and the pods that want it, and nobody else.
 *
 * What can go wrong: a driver that is away when its volumes are to be undone: they stay, and are told as in use, until
 * it is back. */
#include "node/csi/csi_int.h"

#include "base/check.h"
#include "base/log.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/runtime/view.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- volumes and uses ---- */

struct csi_volume *csi_volume_find(struct csi *c, const char *driver, const char *handle)
{
	LIST_FOREACH (it, &c->volumes) {
		struct csi_volume *v = CONTAINER_OF(it, struct csi_volume, link);
		if (strcmp(v->driver, driver) == 0 && strcmp(v->handle, handle) == 0)
			return v;
	}
	return NULL;
}

struct csi_volume *csi_volume_need(struct csi *c, const struct csi_record *r)
{
	struct csi_volume *v = csi_volume_find(c, r->driver, r->handle);
	if (v)
		return v;
	v = xcalloc(1, sizeof *v);
	*v = (struct csi_volume){.csi = c,
	        .driver = xstrdup(r->driver),
	        .handle = xstrdup(r->handle),
	        .name = xstrdup(r->name),
	        .attachment = xstrdup(r->attachment ? r->attachment : ""),
	        .is_block = r->is_block,
	        .is_inline = r->is_inline};
	list_init(&v->uses);
	list_init(&v->turns);
	list_push_back(&c->volumes, &v->link);
	return v;
}

struct csi_use *csi_use_of(const struct csi_volume *v, const char *uid, const char *name)
{
	LIST_FOREACH (it, &v->uses) {
		struct csi_use *u = CONTAINER_OF(it, struct csi_use, link);
		if (strcmp(u->uid, uid) == 0 && (!name || strcmp(u->name, name) == 0))
			return u;
	}
	return NULL;
}

struct csi_use *csi_use_need(struct csi_volume *v, const char *uid, const char *name)
{
	struct csi_use *u = csi_use_of(v, uid, name);
	if (u)
		return u;
	u = xcalloc(1, sizeof *u);
	*u = (struct csi_use){.volume = v, .uid = xstrdup(uid), .name = xstrdup(name)};
	list_push_back(&v->uses, &u->link);
	return u;
}

void csi_use_free(struct csi_use *u)
{
	list_del(&u->link);
	free(u->alias);
	free(u->claim_ns);
	free(u->claim);
	free(u->name);
	free(u->uid);
	free(u);
}

static void volume_free(struct csi_volume *v)
{
	CHECK(!v->turn && list_empty(&v->turns));
	struct list_link *use;
	while ((use = list_pop_front(&v->uses)) != NULL)
		csi_use_free(CONTAINER_OF(use, struct csi_use, link));
	list_del(&v->link);
	free(v->driver);
	free(v->handle);
	free(v->name);
	free(v->attachment);
	free(v);
}

void csi_volume_settle(struct csi_volume *v)
{
	struct csi *c = v->csi;
	bool was_attached = *v->attachment;
	if (v->turn || !list_empty(&v->turns) || !list_empty(&v->uses) || v->may_be_staged || v->holds)
		return;
	volume_free(v);
	if (was_attached && !c->is_closing)
		c->callbacks->in_use_changed(c->n);
}

struct csi_record csi_staged_record(const struct csi_volume *v)
{
	return (struct csi_record){.driver = v->driver,
	        .handle = v->handle,
	        .name = v->name,
	        .node = v->csi->n->o.node_name,
	        .attachment = v->attachment,
	        .is_inline = v->is_inline,
	        .is_block = v->is_block};
}

struct csi_record csi_use_record(const struct csi_use *u)
{
	struct csi_record r = csi_staged_record(u->volume);
	r.uid = u->uid;
	r.name = u->name;
	return r;
}

/* ---- turns ---- */

void csi_turn_take(struct csi_volume *v, struct csi_turn *t)
{
	LOOP_CHECK_OWNER(v->csi->n->loop);
	list_init(&t->link);
	if (v->turn) {
		list_push_back(&v->turns, &t->link);
		return;
	}
	v->turn = t;
	t->run(t);
}

void csi_turn_give(struct csi_volume *v)
{
	struct csi *c = v->csi;
	CHECK(v->turn);
	v->turn = NULL;
	struct list_link *next = list_pop_front(&v->turns);
	if (next) {
		v->turn = CONTAINER_OF(next, struct csi_turn, link);
		v->turn->run(v->turn);
		return;
	}
	csi_volume_settle(v);
	csi_reconcile_soon(c);
}

/* ---- what nobody wants any more ---- */

enum { LOOK_AGAIN_MS = 1000 };

/* Nothing of it runs, and it is not in the API. */
static bool is_unknown(const struct csi *c, const struct csi_use *u)
{
	return c->may_clean && view_generation(c->n) >= c->clean_generation && !node_pod(c->n, slice_of(u->uid));
}

struct cleaning {
	struct csi *csi;
	char uid[];
};

static void orphan_released(void *arg, const struct err *err)
{
	struct cleaning *o = arg;
	if (!err && !o->csi->is_closing && !csi_has_uses(o->csi, o->uid))
		o->csi->callbacks->pod_is_clean(o->csi->n, o->uid);
	free(o);
}

static void release_orphan(struct csi_use *u)
{
	struct csi *c = u->volume->csi;
	struct cleaning *o = xcalloc(1, sizeof *o + strlen(u->uid) + 1);
	o->csi = c;
	memcpy(o->uid, u->uid, strlen(u->uid) + 1);
	log_info(
	        "node", "a CSI volume of a pod that is no more is undone", "volume=%s uid=%s", u->volume->name, u->uid);
	csi_release_use(u, orphan_released, o);
}

/* What is to be undone of the volume is begun, or how long it is still to be left alone. */
static uint64_t reconcile_volume(struct csi_volume *v, uint64_t now)
{
	uint64_t first = UINT64_MAX;
	if (v->turn)
		return first;
	LIST_FOREACH (it, &v->uses) {
		struct csi_use *u = CONTAINER_OF(it, struct csi_use, link);
		uint64_t wait = retry_wait_ms(&u->unpublish, now);
		if (node_pod(v->csi->n, slice_of(u->uid)))
			continue;
		if (!is_unknown(v->csi, u))
			wait = LOOK_AGAIN_MS; /* the runtime may not have been asked yet */
		if (!wait) {
			release_orphan(u);
			return UINT64_MAX;
		}
		first = wait < first ? wait : first;
	}
	if (!list_empty(&v->uses) || !v->may_be_staged)
		return first;
	if (!retry_wait_ms(&v->unstage, now)) {
		csi_release_volume(v);
		return UINT64_MAX;
	}
	return retry_wait_ms(&v->unstage, now);
}

static void reconcile(uv_timer_t *t)
{
	struct csi *c = t->data;
	uint64_t now = loop_now_ms(c->n->loop), first = UINT64_MAX;
	LIST_FOREACH (it, &c->volumes) {
		struct csi_volume *v = CONTAINER_OF(it, struct csi_volume, link);
		uint64_t wait = reconcile_volume(v, now);
		first = wait < first ? wait : first;
	}
	if (first != UINT64_MAX)
		uv_timer_start(&c->timer, reconcile, first + 1, 0);
}

void csi_reconcile_soon(struct csi *c)
{
	if (!c->is_closing)
		uv_timer_start(&c->timer, reconcile, 1, 0);
}

void csi_pods_known(struct csi *c)
{
	LOOP_CHECK_OWNER(c->n->loop);
	c->may_clean = true;
	c->clean_generation = c->n->cri ? view_look(c->n) : view_generation(c->n) + 1;
	csi_reconcile_soon(c);
}

/* ---- a pod's end ---- */

bool csi_has_uses(const struct csi *c, const char *uid)
{
	LIST_FOREACH (it, &c->volumes)
		if (csi_use_of(CONTAINER_OF(it, struct csi_volume, link), uid, NULL))
			return true;
	return false;
}

struct unmounting {
	struct pod *pod;
	struct loop_task task;
	unsigned open;
	struct err err; /* the first */
	void (*done)(struct pod *p, const struct err *err);
};

static void use_released(void *arg, const struct err *err)
{
	struct unmounting *m = arg;
	if (err && !m->err.code)
		m->err = *err;
	if (--m->open)
		return;
	struct node *n = m->pod->n;
	m->done(m->pod, m->err.code ? &m->err : NULL);
	free(m);
	closing_part_done(&n->parts);
}

static void release_uses(struct unmounting *m, struct csi_volume *v)
{
	v->holds++; /* it may go with its last use, at once */
	LIST_FOREACH (it, &v->uses) {
		struct csi_use *u = CONTAINER_OF(it, struct csi_use, link);
		if (strcmp(u->uid, m->pod->uid) != 0)
			continue;
		m->open++;
		csi_release_use(u, use_released, m);
	}
	v->holds--;
	csi_volume_settle(v);
}

static void unmount_begins(struct loop_task *t)
{
	struct unmounting *m = CONTAINER_OF(t, struct unmounting, task);
	struct csi *c = m->pod->n->csi;
	struct err err = ERR_INIT;
	LIST_FOREACH (it, &c->volumes)
		if (!c->is_closing)
			release_uses(m, CONTAINER_OF(it, struct csi_volume, link));
	if (c->is_closing)
		err_set(&err, ERR_CANCELED, "the node closes");
	use_released(m, err.code ? &err : NULL);
}

void csi_unmount_pod(struct csi *c, struct pod *p, void (*done)(struct pod *p, const struct err *err))
{
	LOOP_CHECK_OWNER(c->n->loop);
	struct unmounting *m = xcalloc(1, sizeof *m);
	*m = (struct unmounting){.pod = p, .open = 1, .done = done, .task.run = unmount_begins};
	closing_hold(&c->n->parts);
	loop_post(c->n->loop, &m->task);
}

bool csi_is_path(struct slice path)
{
	static const char part[] = "/kubernetes.io~csi/";
	return memmem(path.ptr, path.len, part, sizeof part - 1) != NULL;
}

/* ---- what is told ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct json *csi_volumes_in_use(const struct csi *c, struct arena *a)
{
	struct json *list = json_new(a, JSON_ARRAY);
	size_t count = 0;
	LIST_FOREACH (it, &c->volumes)
		count++;
	const char **names = ARENA_ARRAY(a, const char *, count + 1);
	count = 0;
	LIST_FOREACH (it, &c->volumes) {
		const struct csi_volume *v = CONTAINER_OF(it, struct csi_volume, link);
		if (*v->attachment)
			names[count++] = arena_printf(a, CSI_PLUGIN "/%s^%s", v->driver, v->handle);
	}
	if (count)
		qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count; i++)
		json_append(list, json_new_cstr(a, names[i]));
	return list;
}

/* For an attachment. */
static bool waits(const struct csi *c, const char *uid)
{
	LIST_FOREACH (it, &c->volumes) {
		const struct csi_volume *v = CONTAINER_OF(it, struct csi_volume, link);
		LIST_FOREACH (at, &v->uses) {
			const struct csi_use *u = CONTAINER_OF(at, struct csi_use, link);
			if (u->waits_since_ms && strcmp(u->uid, uid) == 0)
				return true;
		}
	}
	return false;
}

void csi_node_changed(struct csi *c, struct slice uid)
{
	LOOP_CHECK_OWNER(c->n->loop);
	size_t count;
	drivers_node_changed(c->drivers, uid);
	if (list_empty(&c->volumes))
		return;
	struct pod **pods = node_pods(c->n, &count);
	for (size_t i = 0; i < count; i++)
		if (waits(c, pods[i]->uid))
			c->callbacks->pod_may_go_on(pods[i]);
	free(pods);
}

/* ---- life ---- */

static void found(void *arg, const struct csi_record *r)
{
	struct csi *c = arg;
	struct csi_volume *v = csi_volume_need(c, r);
	if (!r->uid) {
		v->may_be_staged = true;
		return;
	}
	struct csi_use *u = csi_use_need(v, r->uid, r->name);
	u->may_be_published = true;
	u->is_published = r->is_mounted;
}

int csi_new(struct node *n, const struct csi_callbacks *callbacks, struct csi **ret, struct err *err)
{
	LOOP_CHECK_OWNER(n->loop);
	struct csi *c = xcalloc(1, sizeof *c);
	*c = (struct csi){.n = n,
	        .callbacks = callbacks,
	        .root = n->o.is_default_data_dir ? xstrdup("/var/lib/kubelet")
	                                         : xprintf("%s/agent/kubelet", n->o.data_dir)};
	list_init(&c->volumes);
	closing_hold(&c->parts); /* it is open */
	if (drivers_new(c, &c->drivers, err) != 0) {
		free(c->root);
		free(c);
		return err_wrap(err, "CSI drivers");
	}
	uv_timer_init(loop_uv(n->loop), &c->timer);
	c->timer.data = c;
	record_walk(c->root, found, c);
	csi_stats_start(c);
	*ret = c;
	return 0;
}

static void all_closed(struct closing *parts)
{
	struct csi *c = CONTAINER_OF(parts, struct csi, parts);
	c->closed(c->closed_arg);
}

static void timer_closed(uv_handle_t *h)
{
	closing_part_done(&((struct csi *)h->data)->parts);
}

void csi_close(struct csi *c, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(c->n->loop);
	c->closed = closed;
	c->closed_arg = arg;
	c->is_closing = true;
	c->parts.all_closed = all_closed;
	closing_hold(&c->parts);
	uv_close((uv_handle_t *)&c->timer, timer_closed);
	closing_hold(&c->parts);
	uv_close((uv_handle_t *)&c->stats_timer, timer_closed);
	closing_hold(&c->parts);
	drivers_close(c->drivers);
	closing_part_done(&c->parts);
}

void csi_free(struct csi *c)
{
	struct list_link *l;
	while ((l = list_pop_front(&c->volumes)) != NULL)
		volume_free(CONTAINER_OF(l, struct csi_volume, link));
	drivers_free(c->drivers);
	free(c->root);
	free(c);
}
