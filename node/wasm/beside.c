/* Sandboxes of the runtime's with our containers in them: where a pod has modules and ordinary containers, the sandbox
 * is containerd's, with its pause and its network, and modules run in that network.
 *
 *     CreateContainer in a marked sandbox (cri.h) --> module? --> ours: container.c
 *                                                     no?     --> put to the runtime, whose answer is the answer
 *     start of one of ours --> PodSandboxStatus: where its network is --> opened
 *     StopPodSandbox, RemovePodSandbox --> our containers first, then the runtime
 *
 * The mark travels in the sandbox's annotations, so that nothing has to be remembered between its making and its first
 * container. What can go wrong: the runtime is away (its error is passed on), or has lost the sandbox: then the kubelet
 * removes our containers as it does others of a sandbox that is gone, and the record here goes with the next list. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/json/json.h"
#include "base/log.h"
#include "node/ground/node_record.h"
#include "node/runtime/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PASS_MS = 240000, ASK_MS = 30000 };

/* ---- putting calls to the runtime ---- */

struct passing {
	struct list_link link;
	struct wasm *w;
	struct call *call;
	struct cri_call *inner;
	char *removes; /* the box that is gone when it succeeds; NULL: none */
};

static void passing_free(struct passing *p)
{
	list_del(&p->link);
	free(p->removes);
	free(p);
}

static void forget(struct wasm *w, const char *id)
{
	struct box *b = box_find(w, id);
	if (!b || !list_empty(&b->containers))
		return;
	if (b->asking)
		cri_forget(TAKE(b->asking));
	store_remove(w, "boxes", b->id);
	box_free(b);
}

static void passed(void *arg, const void *answer, const struct err *err)
{
	struct passing *p = arg;
	struct call *call = p->call;
	if (!err && p->removes)
		forget(p->w, p->removes);
	passing_free(p);
	if (err)
		wasm_call_fail(call, err);
	else
		wasm_call_answer(call, answer);
}

static void pass(struct wasm *w, struct call *c, const char *removes)
{
	LOOP_CHECK_OWNER(w->n->loop);
	CHECK(!w->passes);
	struct err err = ERR_INIT;
	if (!w->n->cri) {
		err_set(&err, ERR_CANCELED, "the node is closing");
		wasm_call_fail(c, &err);
		return;
	}
	struct passing *p = xcalloc(1, sizeof *p);
	*p = (struct passing){.w = w, .call = c, .removes = removes ? xstrdup(removes) : NULL};
	list_push_back(&w->passing, &p->link);
	w->passes = true;
	p->inner = cri_call(w->n->cri, wasm_call_method(c), c->request, wasm_call_answer_kind(c), PASS_MS, passed, p);
	w->passes = false;
}

void beside_pass(struct wasm *w, struct call *c)
{
	pass(w, c, NULL);
}

void beside_close(struct wasm *w, const struct err *err)
{
	LOOP_CHECK_OWNER(w->n->loop);
	while (!list_empty(&w->passing)) {
		struct passing *p = CONTAINER_OF(w->passing.next, struct passing, link);
		struct call *call = p->call;
		cri_forget(p->inner);
		passing_free(p);
		wasm_call_fail(call, err);
	}
	MAP_FOREACH (it, &w->boxes) {
		struct box *b = it->value;
		if (b->asking)
			cri_forget(TAKE(b->asking));
	}
}

/* ---- the box ---- */

struct box *beside_box(struct wasm *w, const CRI(CreateContainerRequest) * request, struct err *err)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct box *b = box_find(w, request->pod_sandbox_id);
	if (b)
		return b;
	if (!wasm_id_is_good(slice_of(request->pod_sandbox_id)) || !request->sandbox_config->metadata) {
		err_set(err, ERR_UNIMPLEMENTED, "the runtime's sandbox has a name that cannot be used here: %s",
		        request->pod_sandbox_id);
		return NULL;
	}
	CRI(RunPodSandboxRequest) r = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
	r.config = request->sandbox_config;
	b = box_new(w, request->pod_sandbox_id, (CRI(RunPodSandboxRequest) *)wasm_copy(&r.base));
	b->is_beside = b->is_ready = true;
	b->created_ns = wasm_now_ns();
	if (store_box(b, err) == 0 && box_write_resolv_conf(b, err) == 0)
		return b;
	store_remove(w, "boxes", b->id);
	box_free(b);
	return NULL;
}

void beside_stop(struct box *b, struct call *c)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	if (b->network >= 0)
		close(b->network);
	b->network = -1;
	view_look(b->w->n);
	pass(b->w, c, NULL);
}

void beside_remove(struct box *b, struct call *c)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	CHECK(list_empty(&b->containers));
	pass(b->w, c, b->id);
}

void beside_forget_gone(struct wasm *w, const CRI(ListPodSandboxResponse) * list)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct map there = MAP_INIT;
	struct arena a = ARENA_INIT;
	const char **gone = ARENA_ARRAY(&a, const char *, w->boxes.count + 1);
	size_t count = 0, beside = 0;
	MAP_FOREACH (it, &w->boxes)
		beside += ((struct box *)it->value)->is_beside;
	for (size_t i = 0; beside && i < list->n_items; i++)
		map_put(&there, slice_of(list->items[i]->id), list->items[i]);
	MAP_FOREACH (it, &w->boxes)
		if (((struct box *)it->value)->is_beside && !map_get(&there, it->key))
			gone[count++] = arena_memdup(&a, it->key.ptr, it->key.len);
	for (size_t i = 0; i < count; i++)
		forget(w, gone[i]);
	map_release(&there);
	arena_release(&a);
}

/* ---- its network ---- */

/* By the specification that the runtime made it with: the network's path, or else that of its first process. */
const char *beside_network_path(struct arena *a, struct slice info)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(a, info, NULL, &err);
	JSON_FOREACH (it, json_path(v, "runtimeSpec", "linux", "namespaces", NULL)) {
		const char *path = json_cstr(a, json_get(it, "path"));
		if (slice_is(json_get_str(it, "type"), "network") && *path == '/')
			return path;
	}
	int64_t pid = json_get_int(v, "pid", 0);
	return pid > 0 ? arena_printf(a, "/proc/%lld/ns/net", (long long)pid) : "";
}

static void have_status(void *arg, const void *answer, const struct err *err)
{
	struct box *b = arg;
	const CRI(PodSandboxStatusResponse) *r = answer;
	struct arena a = ARENA_INIT;
	struct err e = err ? *err : ERR_INIT;
	const char *path = "";
	b->asking = NULL;
	for (size_t i = 0; r && i < r->n_info; i++)
		if (strcmp(r->info[i]->key, "info") == 0)
			path = beside_network_path(&a, slice_of(r->info[i]->value));
	int fd = *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (!err && !*path)
		err_set(&e, ERR_NOT_FOUND, "the runtime does not say where the sandbox's network is");
	else if (!err && fd < 0)
		err_errno(&e, errno, "open the sandbox's network %s", path);
	arena_release(&a);
	box_told(b, fd, e.code ? &e : NULL);
}

void beside_need_network(struct box *b)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	CHECK(b->is_beside && b->w->n->cri);
	CRI(PodSandboxRequest) r = RUNTIME__V1__POD_SANDBOX_REQUEST__INIT;
	if (b->asking)
		return;
	r.pod_sandbox_id = b->id;
	r.verbose = true;
	b->asking = cri_call(b->w->n->cri, "RuntimeService/PodSandboxStatus", &r.base,
	        &runtime__v1__pod_sandbox_status_response__descriptor, ASK_MS, have_status, b);
}
