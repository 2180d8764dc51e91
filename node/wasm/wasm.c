/* The door: takes the calls that are about our pods, and begins them a little later, so that nobody is called back from
 * inside of a call.
 *
 *     cri_call() --> is it ours? by the id ("wasm-..."), or RunPodSandbox by its handler --> queue --> box.c,
 * container.c zygote     --> STARTED, EXITED, ... --> container.c, box.c --> the view looks again
 *
 * Which sandboxes are ours: handler `wasm` or `wasmedge`, or the annotation that crun knows, module.wasm.image/variant.
 * What can go wrong: the zygote is away (calls fail with the reason, and the kubelet tries again), see link.c. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/log.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/view.h"
#include "node/wasm/protocol/traces.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- calls ---- */

struct call_kind {
	const char *method;
	const ProtobufCMessageDescriptor *request, *answer; /* answer NULL: it is never put to the runtime */
	const char *(*id_of)(const ProtobufCMessage *request);
	void (*begin)(struct wasm *w, struct call *c);
};

static void end(struct call *c, const void *message, const struct err *err)
{
	list_del(&c->link);
	cri_answer(c->cri, message, err);
	if (c->request)
		protobuf_c_message_free_unpacked(c->request, NULL);
	free(c);
}

void wasm_call_answer(struct call *c, const void *message)
{
	end(c, message, NULL);
}

void wasm_call_fail(struct call *c, const struct err *err)
{
	end(c, NULL, err);
}

void wasm_call_refuse(struct call *c, int code, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	char text[ERR_MSG_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	err_set(&err, code, "%s", text);
	wasm_call_fail(c, &err);
}

void wasm_call_done(struct call *c)
{
	CRI(Empty) empty = RUNTIME__V1__EMPTY__INIT;
	wasm_call_answer(c, &empty.base);
}

const char *wasm_call_method(const struct call *c)
{
	return c->kind->method;
}

const ProtobufCMessageDescriptor *wasm_call_answer_kind(const struct call *c)
{
	CHECK(c->kind->answer);
	return c->kind->answer;
}

void wasm_calls_fail(struct list_link *calls, const struct err *err)
{
	while (!list_empty(calls))
		wasm_call_fail(CONTAINER_OF(calls->next, struct call, link), err);
}

static void no_exec(struct wasm *w, struct call *c)
{
	wasm_call_refuse(c, ERR_UNIMPLEMENTED,
	        "a WebAssembly container has no programs beside its module: exec and attach do not work in it; probe "
	        "it with "
	        "httpGet or tcpSocket");
}

static void no_forward(struct wasm *w, struct call *c)
{
	wasm_call_refuse(c, ERR_UNIMPLEMENTED,
	        "port-forward to a WebAssembly pod is not supported: go by its address or a Service");
}

/* The id lies where the message says. */
#define ID_OF(name, type, field) \
	static const char *name(const ProtobufCMessage *m) \
	{ \
		return ((const type *)m)->field; \
	}
ID_OF(box_of, CRI(PodSandboxRequest), pod_sandbox_id)
ID_OF(container_of, CRI(ContainerRequest), container_id)
ID_OF(box_of_create, CRI(CreateContainerRequest), pod_sandbox_id)
ID_OF(container_of_exec, CRI(ExecRequest), container_id)
ID_OF(container_of_exec_sync, CRI(ExecSyncRequest), container_id)
ID_OF(container_of_attach, CRI(AttachRequest), container_id)
ID_OF(box_of_forward, CRI(PortForwardRequest), pod_sandbox_id)

static const char *all_of_them(const ProtobufCMessage *m)
{
	return "";
}

static const struct call_kind kinds[] = {
        {"RuntimeService/RunPodSandbox", &runtime__v1__run_pod_sandbox_request__descriptor, NULL, NULL, box_run},
        {"RuntimeService/StopPodSandbox", &runtime__v1__pod_sandbox_request__descriptor,
                &runtime__v1__empty__descriptor, box_of, box_stop},
        {"RuntimeService/RemovePodSandbox", &runtime__v1__pod_sandbox_request__descriptor,
                &runtime__v1__empty__descriptor, box_of, box_remove},
        {"RuntimeService/PodSandboxStatus", &runtime__v1__pod_sandbox_request__descriptor, NULL, box_of, box_status},
        {"RuntimeService/CreateContainer", &runtime__v1__create_container_request__descriptor,
                &runtime__v1__create_container_response__descriptor, box_of_create, container_create},
        {"RuntimeService/StartContainer", &runtime__v1__container_request__descriptor, NULL, container_of,
                container_start},
        {"RuntimeService/StopContainer", &runtime__v1__container_request__descriptor, NULL, container_of,
                container_stop},
        {"RuntimeService/RemoveContainer", &runtime__v1__container_request__descriptor, NULL, container_of,
                container_remove},
        {"RuntimeService/ContainerStatus", &runtime__v1__container_request__descriptor, NULL, container_of,
                container_status},
        {"RuntimeService/ReopenContainerLog", &runtime__v1__container_request__descriptor, NULL, container_of,
                container_reopen_log},
        {"RuntimeService/Exec", &runtime__v1__exec_request__descriptor, NULL, container_of_exec, no_exec},
        {"RuntimeService/ExecSync", &runtime__v1__exec_sync_request__descriptor, NULL, container_of_exec_sync, no_exec},
        {"RuntimeService/Attach", &runtime__v1__attach_request__descriptor, NULL, container_of_attach, no_exec},
        {"RuntimeService/ListContainerStats", &runtime__v1__list_container_stats_request__descriptor, NULL, all_of_them,
                wasm_stats},
        {"RuntimeService/PortForward", &runtime__v1__port_forward_request__descriptor, NULL, box_of_forward,
                no_forward},
};

bool wasm_is_asked_for(const char *handler, struct slice variant)
{
	return strcmp(handler, "wasm") == 0 || strcmp(handler, "wasmedge") == 0 || slice_starts(variant, "compat");
}

static const char *annotation(const CRI(PodSandboxConfig) * c, const char *key)
{
	for (size_t i = 0; c && i < c->n_annotations; i++)
		if (strcmp(c->annotations[i]->key, key) == 0)
			return c->annotations[i]->value;
	return "";
}

static bool asks_for_box(const CRI(RunPodSandboxRequest) * r)
{
	return !*annotation(r->config, CRI_BESIDE_ANNOTATION) &&
	       wasm_is_asked_for(r->runtime_handler, slice_of(annotation(r->config, WASM_VARIANT_ANNOTATION)));
}

/* Of the runtime's sandboxes we know those that we have containers in. */
static bool is_ours(const struct wasm *w, const struct call_kind *k, const ProtobufCMessage *request)
{
	if (w->passes)
		return false;
	if (k->id_of == all_of_them)
		return w->containers.count > 0;
	if (!k->id_of)
		return asks_for_box((const CRI(RunPodSandboxRequest) *)request);
	if (strncmp(k->id_of(request), "wasm-", 5) == 0)
		return true;
	if (k->begin == container_create)
		return *annotation(
		        ((const CRI(CreateContainerRequest) *)request)->sandbox_config, CRI_BESIDE_ANNOTATION);
	return (k->begin == box_stop || k->begin == box_remove) && map_get(&w->boxes, slice_of(k->id_of(request)));
}

ProtobufCMessage *wasm_copy(const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = xmalloc(size + 1);
	protobuf_c_message_pack(m, bytes);
	ProtobufCMessage *copy = protobuf_c_message_unpack(m->descriptor, NULL, size, bytes);
	CHECK(copy);
	free(bytes);
	return copy;
}

static bool take(void *arg, const char *method, const ProtobufCMessage *request, struct cri_call *cri)
{
	struct wasm *w = arg;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].method, method) != 0)
			continue;
		if (!is_ours(w, &kinds[i], request))
			return false;
		struct call *c = xcalloc(1, sizeof *c);
		*c = (struct call){.cri = cri, .kind = &kinds[i], .request = wasm_copy(request)};
		list_push_back(&w->calls, &c->link);
		loop_defer(w->n->loop, &w->begin);
		return true;
	}
	return false;
}

static void begin(struct loop_defer *d)
{
	struct wasm *w = CONTAINER_OF(d, struct wasm, begin);
	struct list_link now, *it;
	list_init(&now);
	while ((it = list_pop_front(&w->calls)))
		list_push_back(&now, it);
	while ((it = list_pop_front(&now))) {
		struct call *c = CONTAINER_OF(it, struct call, link);
		c->kind->begin(w, c);
	}
}

/* ---- the zygote ---- */

static void look_at_all(struct wasm *w)
{
	MAP_FOREACH (it, &w->containers) {
		container_recall(it->value);
	}
}

static void zygote_up(void *arg, bool is_new, struct slice version)
{
	struct wasm *w = arg;
	char *engine = arena_printf(&w->arena, "v%.*s", SLICE_FMT(version));
	for (char *at = engine; *at; at++)
		if (!(*at >= 'a' && *at <= 'z') && !(*at >= '0' && *at <= '9'))
			*at = '-';
	w->engine = strlen(engine) > 12 ? "other" : engine;
	look_at_all(w);
	/* What it held for boxes where nothing runs is gone with it. */
	MAP_FOREACH (it, &w->boxes)
		if (is_new)
			box_is_lost(it->value);
	view_look(w->n);
	w->changed(w->n);
}

/* A box that was being made is freed by it, so the map is not walked meanwhile. */
static void fail_what_waits(struct wasm *w, const struct err *err)
{
	size_t n = 0;
	struct box **boxes = xcalloc(w->boxes.count + 1, sizeof *boxes);
	MAP_FOREACH (it, &w->boxes)
		boxes[n++] = it->value;
	for (size_t i = 0; i < n; i++)
		box_told(boxes[i], -1, err);
	free(boxes);
	MAP_FOREACH (it, &w->containers)
		container_cancel(it->value, err);
	makings_compiled(w, NULL, err);
}

static void zygote_down(void *arg)
{
	struct wasm *w = arg;
	struct err err = ERR_INIT;
	err_set(&err, ERR_UNAVAILABLE, "the zygote of WebAssembly pods has ended; it is started again");
	fail_what_waits(w, &err);
	w->changed(w->n);
}

static void container_ended(struct wasm_container *c, int code)
{
	container_look(c);
	/* Its trace could not be written. */
	if (c->state == IS_RUNNING)
		container_set_exited(c, code, wasm_now_ns(), "", "");
}

static void zygote_spoke(void *arg, const struct wasm_frame *f, int fd)
{
	struct wasm *w = arg;
	struct box *b = box_find(w, f->id);
	struct wasm_container *c = container_find(w, f->id);
	struct err err = ERR_INIT;
	if (f->verb == WASM_FAILED)
		err_set(&err, ERR_INVAL, "%.*s", SLICE_FMT(f->text));
	if (b)
		box_told(b, fd, f->verb == WASM_FAILED ? &err : NULL), fd = -1;
	else if (c && f->verb == WASM_EXITED)
		container_ended(c, (int)f->number);
	else if (c)
		container_told(c, f->verb == WASM_FAILED ? &err : NULL);
	else if (f->verb == WASM_COMPILED || f->verb == WASM_FAILED)
		makings_compiled(w, f->id, f->verb == WASM_FAILED ? &err : NULL);
	if (fd >= 0)
		close(fd);
}

/* ---- life ---- */

int wasm_check(struct node *n, struct err *err)
{
	static const char *const folders[] = {"boxes", "containers", "cache", "images"};
	struct arena a = ARENA_INIT;
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !err->code; i++)
		file_make_dirs(arena_printf(&a, "%s/agent/wasm/%s", n->o.data_dir, folders[i]), 0711, err);
	arena_release(&a);
	return err->code;
}

struct wasm *wasm_new(struct node *n, void (*changed)(struct node *n))
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(n->view && changed);
	struct wasm *w = xcalloc(1, sizeof *w);
	w->n = n;
	w->changed = changed;
	w->state = arena_printf(&w->arena, "%s/agent/wasm", n->o.data_dir);
	w->logs = n->logs_dir;
	w->engine = "";
	list_init(&w->calls);
	list_init(&w->compiling);
	list_init(&w->passing);
	loop_defer_init(&w->begin, begin);
	uv_timer_init(loop_uv(n->loop), &w->idle_timer);
	w->idle_timer.data = w;
	store_load(w);
	struct wasm_link_options o = {.loop = n->loop,
	        .state = w->state,
	        .logs = w->logs,
	        .root = n->o.wasm_root,
	        .on_up = zygote_up,
	        .on_down = zygote_down,
	        .on_frame = zygote_spoke,
	        .arg = w};
	w->link = wasm_link_new(&o);
	return w;
}

void wasm_attach(struct wasm *w)
{
	struct cri_beside beside = {.take = take, .join = wasm_join, .arg = w};
	cri_set_beside(w->n->cri, &beside);
	wasm_sweep(w);
}

bool wasm_is_up(const struct wasm *w)
{
	return wasm_link_is_up(w->link);
}

static void timer_closed(uv_handle_t *h)
{
	struct wasm *w = h->data;
	wasm_link_close(TAKE(w->link), w->closed, w->closed_arg);
}

void wasm_close(struct wasm *w, void (*closed)(void *arg), void *arg)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_CANCELED, "the node is closing");
	loop_defer_cancel(&w->begin);
	wasm_calls_fail(&w->calls, &err);
	fail_what_waits(w, &err);
	beside_close(w, &err);
	w->closed = closed;
	w->closed_arg = arg;
	uv_close((uv_handle_t *)&w->idle_timer, timer_closed);
}

void wasm_free(struct wasm *w)
{
	while (w->boxes.count)
		MAP_FOREACH (it, &w->boxes) {
			box_free(it->value);
			break;
		}
	map_release(&w->boxes);
	map_release(&w->containers);
	module_images_free(w);
	wasm_forget_verdicts(w);
	map_release(&w->verdicts);
	arena_release(&w->arena);
	free(w);
}
