/* The drivers that have registered, and what the API is told of them.
 *
 *     registers -> NodeGetInfo -> NodeGetCapabilities -> known -> Node and CSINode say so -> registered
 *
 * What the API should say is made of all drivers that are known and of those that went, and compared with what it says:
 * GET Node, PATCH it, GET CSINode, PUT or POST it, one step after the other, again when something changed meanwhile,
 * later when something failed. At the start it is done without any driver too, for every node has a CSINode.
 *
 * What can go wrong: a driver that does not answer, or says that the node lies in another zone than its labels: it is
 * refused, and asked again later by who watches its socket; one whose socket goes is taken off. */
#include "node/csi/csi_int.h"

#include "base/check.h"
#include "base/log.h"
#include "node/csi/csi_node_int.h"
#include "node/csi/plugin_watch_int.h"
#include "node/ground/api_call.h"
#include "node/ground/node_record.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE "/csi.v1.Node/"
#define CSI_NODES "/apis/storage.k8s.io/v1/csinodes"

static const struct retry_rule tell_rule = {500, 60000};

struct drivers {
	struct csi *csi;
	struct plugin_watch *watch;
	struct list_link list;
	uv_timer_t timer;
	bool is_telling, is_stale; /* stale: something changed since the telling under way began */
	struct retry retry;
	char *node_uid;     /* of the Node that was told */
	struct arena arena; /* of the telling */
	struct json *node;
	struct csi_node_driver *told;
	size_t told_count;
	struct closing parts;
};

static void tell(struct drivers *d);

struct csi_driver *driver_find(struct drivers *d, const char *name, struct err *err)
{
	LIST_FOREACH (it, &d->list) {
		struct csi_driver *x = CONTAINER_OF(it, struct csi_driver, link);
		if (x->is_told && !x->is_gone && strcmp(x->name, name) == 0)
			return x;
	}
	err_set(err, ERR_UNAVAILABLE, "driver name %s not found in the list of registered CSI drivers", name);
	return NULL;
}

/* ---- comings and goings ---- */

/* Its calls have ended by now, heard by nobody. */
static void driver_closed(void *arg)
{
	struct csi_driver *x = arg;
	struct drivers *d = x->drivers;
	CHECK(x->is_dropped);
	arena_release(&x->arena);
	free(x->name);
	free(x);
	closing_part_done(&d->parts);
}

static void drop(struct csi_driver *x)
{
	LOOP_CHECK_OWNER(x->drivers->csi->n->loop);
	CHECK(!x->is_dropped);
	x->is_dropped = true;
	list_del(&x->link);
	closing_hold(&x->drivers->parts);
	rpc_client_close(x->rpc, driver_closed, x);
}

static void answer(struct csi_driver *x, const struct err *err)
{
	if (x->is_answered || !x->plugin)
		return;
	x->is_answered = true;
	plugin_watch_answer(x->plugin, err);
}

static void refuse(struct csi_driver *x, const struct err *err)
{
	answer(x, err);
	drop(x);
}

static void got_capabilities(void *arg, const void *message, const struct err *err)
{
	struct csi_driver *x = arg;
	const CSI(NodeGetCapabilitiesResponse) *m = message;
	if (x->is_dropped)
		return;
	if (err) {
		refuse(x, err);
		return;
	}
	for (size_t i = 0; i < m->n_capabilities; i++)
		if (m->capabilities[i]->rpc && m->capabilities[i]->rpc->type > 0 && m->capabilities[i]->rpc->type < 32)
			x->capabilities |= 1u << m->capabilities[i]->rpc->type;
	x->is_known = true;
	tell(x->drivers);
}

static int compare_entries(const void *a, const void *b)
{
	const CSI(Entry) *const *x = a, *const *y = b;
	return strcmp((*x)->key, (*y)->key);
}

static void got_info(void *arg, const void *message, const struct err *err)
{
	struct csi_driver *x = arg;
	const CSI(NodeGetInfoResponse) *m = message;
	struct err e = ERR_INIT;
	CSI(Empty) nothing = CSI__V1__EMPTY__INIT;
	if (x->is_dropped)
		return;
	if (!err && !*m->node_id)
		err_set(&e, ERR_INVAL, "error adding CSI driver node info: driverNodeID must not be empty");
	if (err || e.code) {
		refuse(x, err ? err : &e);
		return;
	}
	x->node_id = arena_strdup(&x->arena, m->node_id);
	x->volumes_max = m->max_volumes_per_node;
	if (m->accessible_topology) {
		CSI(Entry) **list = m->accessible_topology->segments;
		size_t count = m->accessible_topology->n_segments;
		x->topology = json_new(&x->arena, JSON_OBJECT);
		if (count)
			qsort(list, count, sizeof *list, compare_entries);
		for (size_t i = 0; i < count; i++)
			json_set_cstr(&x->arena, x->topology, list[i]->key, list[i]->value);
	}
	rpc_call(x->rpc, NODE "NodeGetCapabilities", &nothing.base,
	        &csi__v1__node_get_capabilities_response__descriptor, CSI_CALL_MS, got_capabilities, x);
}

/* Versions of the interface: "1.0.0", or of old with a v. */
static int check_plugin(const struct plugin_info *i, struct err *err)
{
	for (const char *c = i->name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-.", *c))
			return err_set(err, ERR_INVAL, "invalid driver name %.80s", i->name);
	if (!*i->name || i->name[0] == '.' || strlen(i->name) > 63)
		return err_set(err, ERR_INVAL, "invalid driver name %.80s", i->name);
	for (size_t v = 0; v < i->versions_count; v++) {
		const char *text = i->versions[v] + (i->versions[v][0] == 'v');
		if (text[0] == '1' && (!text[1] || text[1] == '.'))
			return 0;
	}
	return err_set(err, ERR_INVAL,
	        "error validating CSI driver %s: none of its versions is supported: this kubelet speaks 1.x", i->name);
}

static struct csi_driver *find_named(struct drivers *d, const char *name)
{
	LIST_FOREACH (it, &d->list) {
		struct csi_driver *x = CONTAINER_OF(it, struct csi_driver, link);
		if (strcmp(x->name, name) == 0)
			return x;
	}
	return NULL;
}

static void register_plugin(void *arg, struct watched_plugin *p, const struct plugin_info *info)
{
	struct drivers *d = arg;
	struct err err = ERR_INIT;
	CSI(Empty) nothing = CSI__V1__EMPTY__INIT;
	if (check_plugin(info, &err) != 0) {
		plugin_watch_answer(p, &err);
		return;
	}
	struct csi_driver *old = find_named(d, info->name), *x = xcalloc(1, sizeof *x);
	if (old)
		drop(old);
	*x = (struct csi_driver){.drivers = d, .plugin = p, .name = xstrdup(info->name)};
	x->rpc = rpc_client_new(d->csi->n->loop, info->endpoint);
	list_push_back(&d->list, &x->link);
	rpc_call(x->rpc, NODE "NodeGetInfo", &nothing.base, &csi__v1__node_get_info_response__descriptor, CSI_CALL_MS,
	        got_info, x);
}

static void plugin_gone(void *arg, struct watched_plugin *p, const char *name)
{
	struct drivers *d = arg;
	struct csi_driver *x = find_named(d, name);
	if (!x || x->plugin != p)
		return;
	x->plugin = NULL;
	log_info("node", "a CSI driver is gone", "driver=%s", name);
	x->is_gone = true; /* until the API has been told */
	tell(d);
}

/* ---- telling the API ---- */

static void tell_timer(uv_timer_t *t)
{
	tell(t->data);
}

static void tell_failed(struct drivers *d, const char *what, const struct err *err)
{
	CHECK(d->is_telling && err->code);
	d->is_telling = false;
	arena_release(&d->arena);
	if (err->code == ERR_CANCELED || d->csi->is_closing)
		return;
	/* The Node may not be there yet: that is no fault. */
	if (retry_failed(&d->retry, &tell_rule, loop_now_ms(d->csi->n->loop)) && err->code != ERR_NOT_FOUND)
		log_warn("node", "cannot tell the API of CSI drivers", "step=\"%s\" failures=%u error=\"%s\"", what,
		        d->retry.failures, err->msg);
	uv_timer_start(&d->timer, tell_timer, retry_wait_ms(&d->retry, loop_now_ms(d->csi->n->loop)) + 1, 0);
}

static bool was_told(const struct drivers *d, const struct csi_driver *x)
{
	for (size_t i = 0; i < d->told_count; i++)
		if (strcmp(d->told[i].name, x->name) == 0 && d->told[i].is_gone == x->is_gone)
			return true;
	return false;
}

static void all_told(struct drivers *d)
{
	struct slice uid = json_str(json_path(d->node, "metadata", "uid", NULL));
	CHECK(d->is_telling);
	d->is_telling = false;
	free(d->node_uid);
	d->node_uid = xmemdup(uid.ptr ? uid.ptr : "", uid.len);
	retry_succeeded(&d->retry);
	LIST_FOREACH (it, &d->list) {
		struct csi_driver *x = CONTAINER_OF(it, struct csi_driver, link);
		if (!was_told(d, x))
			continue;
		x->is_told = true;
		if (x->is_gone)
			drop(x);
		else
			answer(x, NULL);
	}
	arena_release(&d->arena);
	if (d->is_stale)
		tell(d);
	csi_reconcile_soon(d->csi);
}

static void csi_node_written(void *arg, int status, struct slice body, const struct err *err)
{
	struct drivers *d = arg;
	if (err)
		tell_failed(d, "write the CSINode", err);
	else
		all_told(d);
}

static void got_csi_node(void *arg, int status, struct slice body, const struct err *err)
{
	struct drivers *d = arg;
	const char *name = d->csi->n->o.node_name;
	if (err && err->code != ERR_NOT_FOUND) {
		tell_failed(d, "get the CSINode", err);
		return;
	}
	struct json *have = err ? NULL : json_parse(&d->arena, body, NULL, NULL);
	struct json *want = csi_node_object(&d->arena, have, d->node, d->told, d->told_count);
	if (!want)
		all_told(d);
	else if (have)
		api_send_json(d->csi->n, "PUT", NULL, want, csi_node_written, d, CSI_NODES "/%s", name);
	else
		api_send_json(d->csi->n, "POST", NULL, want, csi_node_written, d, CSI_NODES);
}

static void node_written(void *arg, int status, struct slice body, const struct err *err)
{
	struct drivers *d = arg;
	if (err)
		tell_failed(d, "write the Node", err);
	else
		api_send(d->csi->n, "GET", NULL, SLICE_NULL, got_csi_node, d, CSI_NODES "/%s", d->csi->n->o.node_name);
}

/* Those whose topology does not fit are refused here, before anything is written of them. */
static void collect(struct drivers *d)
{
	size_t count = 0;
	LIST_FOREACH (it, &d->list)
		count++;
	d->told = ARENA_ARRAY(&d->arena, struct csi_node_driver, count + 1);
	d->told_count = 0;
	LIST_FOREACH (it, &d->list) {
		struct csi_driver *x = CONTAINER_OF(it, struct csi_driver, link);
		struct err err = ERR_INIT;
		struct csi_node_driver t = {.name = arena_strdup(&d->arena, x->name),
		        .id = x->node_id ? arena_strdup(&d->arena, x->node_id) : "",
		        .topology = x->topology ? json_copy(&d->arena, x->topology) : NULL,
		        .volumes_max = x->volumes_max,
		        .is_gone = x->is_gone};
		if (!x->is_known && !x->is_gone)
			continue;
		if (!x->is_gone && csi_node_check(d->node, &t, &err) != 0)
			refuse(x, &err);
		else
			d->told[d->told_count++] = t;
	}
	CHECK(d->told_count <= count);
}

static void got_node(void *arg, int status, struct slice body, const struct err *err)
{
	struct drivers *d = arg;
	if (err) {
		tell_failed(d, "get the Node", err);
		return;
	}
	d->node = json_parse(&d->arena, body, NULL, NULL);
	collect(d);
	struct json *patch = csi_node_patch(&d->arena, d->node, d->told, d->told_count);
	if (patch)
		api_send_json(d->csi->n, "PATCH", API_MERGE_PATCH, patch, node_written, d, "/api/v1/nodes/%s",
		        d->csi->n->o.node_name);
	else
		node_written(d, 0, SLICE_NULL, NULL);
}

static void tell(struct drivers *d)
{
	LOOP_CHECK_OWNER(d->csi->n->loop);
	d->is_stale = d->is_telling;
	if (d->is_telling || d->csi->is_closing)
		return;
	d->is_telling = true;
	api_send(d->csi->n, "GET", NULL, SLICE_NULL, got_node, d, "/api/v1/nodes/%s", d->csi->n->o.node_name);
}

/* The Node is there at last: what waits for it need not wait on. Or it is another one: its CSINode goes with the old.
 */
void drivers_node_changed(struct drivers *d, struct slice uid)
{
	if (uv_is_active((uv_handle_t *)&d->timer))
		uv_timer_start(&d->timer, tell_timer, 1, 0);
	else if (d->node_uid && !slice_is(uid, d->node_uid))
		tell(d);
}

/* ---- life ---- */

int drivers_new(struct csi *c, struct drivers **ret, struct err *err)
{
	struct drivers *d = xcalloc(1, sizeof *d);
	struct plugin_handler handler = {
	        .type = "CSIPlugin", .register_plugin = register_plugin, .plugin_gone = plugin_gone, .arg = d};
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/plugins_registry", c->root);
	d->csi = c;
	list_init(&d->list);
	closing_hold(&d->parts); /* it is open */
	if (plugin_watch_new(c->n->loop, dir, &handler, &d->watch, err) != 0) {
		free(d);
		return err->code;
	}
	uv_timer_init(loop_uv(c->n->loop), &d->timer);
	d->timer.data = d;
	uv_timer_start(&d->timer, tell_timer, 1, 0);
	*ret = d;
	return 0;
}

static void all_closed(struct closing *parts)
{
	struct drivers *d = CONTAINER_OF(parts, struct drivers, parts);
	closing_part_done(&d->csi->parts);
}

static void part_closed(void *arg)
{
	closing_part_done(&((struct drivers *)arg)->parts);
}

static void timer_closed(uv_handle_t *h)
{
	part_closed(h->data);
}

void drivers_close(struct drivers *d)
{
	d->parts.all_closed = all_closed;
	closing_hold(&d->parts);
	plugin_watch_close(d->watch, part_closed, d);
	closing_hold(&d->parts);
	uv_close((uv_handle_t *)&d->timer, timer_closed);
	LIST_FOREACH (it, &d->list)
		drop(CONTAINER_OF(it, struct csi_driver, link));
	closing_part_done(&d->parts);
}

void drivers_free(struct drivers *d)
{
	CHECK(list_empty(&d->list) && !d->is_telling);
	arena_release(&d->arena);
	free(d->node_uid);
	free(d);
}
