/* Sandboxes without a process: a network namespace that the zygote holds, a resolv.conf, and the list of its
 * containers. No pause container: what keeps the namespace is a descriptor.
 *
 *     RunPodSandbox --> refused? --> folder and files --> BOX --> BOXED: ready
 *     StopPodSandbox --> its containers are killed --> UNBOX --> not ready
 *
 * After a restart of the node the zygote still has the namespace, and gives it again when a container starts. When the
 * zygote died, a namespace lives on as long as a container is in it; a box without one is then not ready, and the
 * kubelet makes another. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/cni.h"
#include "node/runtime/view.h"
#include "node/wasm/network.h"
#include "node/wasm/protocol/traces.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { ID_BYTES = 16 };

struct box *box_find(struct wasm *w, const char *id)
{
	return map_get(&w->boxes, slice_of(id));
}

struct box *box_new(struct wasm *w, const char *id, CRI(RunPodSandboxRequest) * request)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct box *b = xcalloc(1, sizeof *b);
	*b = (struct box){.w = w, .id = xstrdup(id), .request = request, .ip = xstrdup(""), .network = -1};
	list_init(&b->containers);
	map_put(&w->boxes, slice_of(b->id), b);
	return b;
}

void box_free(struct box *b)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	CHECK(!b->running && !b->asking);
	while (!list_empty(&b->containers))
		wasm_container_free(CONTAINER_OF(b->containers.next, struct wasm_container, in_box));
	map_del(&b->w->boxes, slice_of(b->id));
	if (b->network >= 0)
		close(b->network);
	protobuf_c_message_free_unpacked(&b->request->base, NULL);
	free(b->id);
	free(b->ip);
	free(b);
}

static bool wants_host_network(const CRI(RunPodSandboxRequest) * r)
{
	const CRI(LinuxPodSandboxConfig) *l = r->config->linux;
	const CRI(NamespaceOption) *o = l && l->security_context ? l->security_context->namespace_options : NULL;
	return o && o->network == RUNTIME__V1__NAMESPACE_MODE__NODE;
}

bool box_uses_host_network(const struct box *b)
{
	return wants_host_network(b->request);
}

const char *box_cgroup(const struct box *b)
{
	return b->request->config->linux ? b->request->config->linux->cgroup_parent : "/";
}

/* ---- run ---- */

/* What is not served is said, not passed over. */
static const char *refusal(const CRI(RunPodSandboxRequest) * r)
{
	const CRI(LinuxPodSandboxConfig) *l = r->config ? r->config->linux : NULL;
	if (!r->config || !r->config->metadata)
		return "the request has no metadata";
	if (l && l->n_sysctls)
		return "securityContext.sysctls are not supported in a WebAssembly pod";
	if (l && l->security_context && l->security_context->privileged)
		return "a WebAssembly container cannot be privileged";
	if (r->config->n_port_mappings)
		return "hostPort is not supported in a WebAssembly pod: use a Service, or hostNetwork";
	return NULL;
}

static void disconnect(struct box *b);

static void give_up(struct box *b, const struct err *err)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	CHECK(b->running && err->code);
	struct call *c = TAKE(b->running);
	disconnect(b);
	wasm_link_send(b->w->link, WASM_UNBOX, b->id, 0, SLICE_NULL, NULL, 0);
	store_remove(b->w, "boxes", b->id);
	box_free(b);
	wasm_call_fail(c, err);
}

static void is_run(struct box *b)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	CHECK(b->running && !b->is_ready);
	CRI(RunPodSandboxResponse) r = RUNTIME__V1__RUN_POD_SANDBOX_RESPONSE__INIT;
	b->is_ready = true;
	r.pod_sandbox_id = b->id;
	wasm_call_answer(TAKE(b->running), &r);
	view_look(b->w->n);
}

int box_write_resolv_conf(const struct box *b, struct err *err)
{
	const CRI(DNSConfig) *d = b->request->config->dns_config;
	struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; d && i < d->n_servers; i++)
		strbuf_addf(&text, "nameserver %s\n", d->servers[i]);
	for (size_t i = 0; d && i < d->n_searches; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "search ", d->searches[i]);
	for (size_t i = 0; d && i < d->n_options; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "\noptions ", d->options[i]);
	strbuf_addc(&text, '\n');
	char *path = xprintf("%s/boxes/%s/resolv.conf", b->w->state, b->id);
	file_write(path, strbuf_slice(&text), 0644, err);
	free(path);
	strbuf_release(&text);
	return err->code;
}

void box_run(struct wasm *w, struct call *c)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct strbuf id = STRBUF_INIT;
	struct err err = ERR_INIT;
	const char *no = refusal((CRI(RunPodSandboxRequest) *)c->request);
	if (!no && w->n->o.has_own_network && !wants_host_network((CRI(RunPodSandboxRequest) *)c->request))
		no = "WebAssembly pods know k3x's own pod network alone: without it they need hostNetwork";
	if (no || !wasm_link_is_up(w->link)) {
		wasm_call_refuse(
		        c, no ? ERR_UNIMPLEMENTED : ERR_UNAVAILABLE, "%s", no ? no : wasm_link_trouble(w->link));
		return;
	}
	strbuf_adds(&id, "wasm-");
	pki_random_hex(&id, ID_BYTES);
	struct box *b = box_new(w, strbuf_cstr(&id), (CRI(RunPodSandboxRequest) *)TAKE(c->request));
	strbuf_release(&id);
	b->created_ns = wasm_now_ns();
	b->running = c;
	if (store_box(b, &err) != 0 || box_write_resolv_conf(b, &err) != 0)
		give_up(b, &err);
	else if (box_uses_host_network(b))
		is_run(b);
	else
		wasm_link_send(w->link, WASM_BOX, b->id, 0, SLICE_NULL, NULL, 0);
}

/* ---- its network, on the pool ---- */

struct connecting {
	struct errand errand;
	struct wasm *w;
	struct arena arena;
	const char *box, *old_address; /* the one that goes; NULL: one comes */
	int fd;
	struct wasm_network network;
	char address[WASM_ADDRESS_BYTES];
	struct err err;
};

/* Modules speak IPv4: of two ranges theirs is that one; "": there is none. */
static const char *range_of(struct arena *a, const char *cidrs)
{
	struct slice rest = slice_of(cidrs);
	while (rest.ptr) {
		struct slice one = slice_cut(&rest, ',');
		if (!memchr(one.ptr, ':', one.len))
			return arena_memdup(a, one.ptr, one.len);
	}
	return "";
}

static struct connecting *connecting_new(struct box *b)
{
	struct connecting *c = xcalloc(1, sizeof *c);
	struct node *n = b->w->n;
	c->w = b->w;
	c->box = arena_strdup(&c->arena, b->id);
	c->fd = -1;
	c->network = (struct wasm_network){.pod_cidr = range_of(&c->arena, n->pod_cidr),
	        .addresses_dir = arena_printf(&c->arena, "%s/" CNI_NETWORK_NAME, cni_addresses_dir(n, &c->arena)),
	        .bridge = cni_bridge(n, &c->arena),
	        .mtu = n->o.pod_mtu};
	return c;
}

static void connecting_free(struct connecting *c)
{
	if (c->fd >= 0)
		close(c->fd);
	arena_release(&c->arena);
	free(c);
}

static void work_on_network(struct errand *e)
{
	struct connecting *c = CONTAINER_OF(e, struct connecting, errand);
	if (c->old_address)
		wasm_network_remove(&c->network, c->box, c->old_address);
	else
		wasm_network_add(&c->network, c->box, c->fd, c->address, &c->err);
}

static void is_disconnected(struct errand *e)
{
	connecting_free(CONTAINER_OF(e, struct connecting, errand));
}

static void disconnect(struct box *b)
{
	if (!*b->ip)
		return;
	struct connecting *c = connecting_new(b);
	c->old_address = arena_strdup(&c->arena, b->ip);
	free(b->ip);
	b->ip = xstrdup("");
	if (!errand_start(b->w->n, &c->errand, work_on_network, is_disconnected)) {
		work_on_network(&c->errand); /* late is worse than slow: the address would be lost */
		connecting_free(c);
	}
}

static void is_connected(struct errand *e)
{
	struct connecting *c = CONTAINER_OF(e, struct connecting, errand);
	struct box *b = box_find(c->w, c->box);
	struct err err = c->err;
	if (!b || !b->running) {
		/* The call was given up meanwhile. */
		if (!err.code)
			wasm_network_remove(&c->network, c->box, c->address);
		connecting_free(c);
		return;
	}
	b->is_connecting = false;
	if (!err.code) {
		free(b->ip);
		b->ip = xstrdup(c->address);
	}
	connecting_free(c);
	if (err.code || store_box(b, &err) != 0)
		give_up(b, &err);
	else
		is_run(b);
}

static void connect_box(struct box *b)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	CHECK(b->network >= 0 && !b->is_connecting);
	struct connecting *c = connecting_new(b);
	struct err err = ERR_INIT;
	c->fd = fcntl(b->network, F_DUPFD_CLOEXEC, 3);
	b->is_connecting = true;
	if (errand_start(b->w->n, &c->errand, work_on_network, is_connected))
		return;
	connecting_free(c);
	err_set(&err, ERR_BUSY, "too much blocking work is queued");
	give_up(b, &err);
}

void box_need_network(struct box *b)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	if (b->is_beside)
		beside_need_network(b);
	else
		wasm_link_send(b->w->link, WASM_BOX, b->id, 0, SLICE_NULL, NULL, 0);
}

void box_told(struct box *b, int network, const struct err *err)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	if (network >= 0) {
		if (b->network >= 0)
			close(b->network);
		b->network = network;
	}
	if (b->running && err) {
		give_up(b, err);
		return;
	}
	if (b->running) {
		if (!b->is_connecting)
			connect_box(b); /* which may free it */
		return;
	}
	LIST_FOREACH (it, &b->containers)
		container_network_there(CONTAINER_OF(it, struct wasm_container, in_box), err);
}

void box_is_lost(struct box *b)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	LIST_FOREACH (it, &b->containers)
		if (CONTAINER_OF(it, struct wasm_container, in_box)->state == IS_RUNNING)
			return;
	if (!b->is_ready || b->running || b->is_beside || box_uses_host_network(b))
		return;
	b->is_ready = false;
	store_box_is_lost(b);
	log_info("node", "a WebAssembly sandbox was lost with its zygote", "pod=%s/%s",
	        b->request->config->metadata->namespace_, b->request->config->metadata->name);
}

void box_give_up(struct box *b)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	CHECK(!b->running && !b->is_beside);
	b->is_ready = false;
	store_box_is_lost(b);
	view_look(b->w->n);
}

/* ---- stop and remove ---- */

void box_stop(struct wasm *w, struct call *c)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct box *b = box_find(w, ((CRI(PodSandboxRequest) *)c->request)->pod_sandbox_id);
	if (!b) {
		wasm_call_refuse(c, ERR_NOT_FOUND, "there is no such sandbox");
		return;
	}
	LIST_FOREACH (it, &b->containers)
		container_signal(CONTAINER_OF(it, struct wasm_container, in_box), SIGKILL);
	if (b->is_beside) {
		beside_stop(b, c);
		return;
	}
	wasm_link_send(w->link, WASM_UNBOX, b->id, 0, SLICE_NULL, NULL, 0);
	if (b->network >= 0)
		close(b->network);
	b->network = -1;
	b->is_ready = false;
	disconnect(b);
	store_box_is_lost(b);
	wasm_call_done(c);
	view_look(w->n);
}

void box_remove(struct wasm *w, struct call *c)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct box *b = box_find(w, ((CRI(PodSandboxRequest) *)c->request)->pod_sandbox_id);
	if (!b) {
		wasm_call_done(c); /* the CRI: removing what is not there succeeds */
		return;
	}
	LIST_FOREACH (it, &b->containers)
		if (CONTAINER_OF(it, struct wasm_container, in_box)->state == IS_RUNNING) {
			wasm_call_refuse(c, ERR_BUSY, "a container of the sandbox still runs");
			return;
		}
	while (!list_empty(&b->containers)) {
		struct wasm_container *last = CONTAINER_OF(b->containers.next, struct wasm_container, in_box);
		store_remove(w, "containers", last->id);
		wasm_container_free(last);
	}
	if (b->is_beside) {
		beside_remove(b, c);
		return;
	}
	disconnect(b);
	wasm_link_send(w->link, WASM_UNBOX, b->id, 0, SLICE_NULL, NULL, 0);
	store_remove(w, "boxes", b->id);
	box_free(b);
	wasm_call_done(c);
	view_look(w->n);
}
