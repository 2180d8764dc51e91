/* Bringing up a sandbox, and bringing up one container:
 *
 *     sandbox:   runtime class -> (a WebAssembly pod: what its images are) -> cgroup -> RunPodSandbox
 *     container: configMaps and secrets of the environment -> image -> CreateContainer -> StartContainer -> postStart
 * hook
 *
 * Each is one open operation of the pod with a struct start that holds the way. A failure leaves a waiting reason in
 * the slot (ErrImagePull, ImagePullBackOff, CreateContainerConfigError, CreateContainerError, RunContainerError) and a
 * time for the next try; a pod that is deleted meanwhile gives up the pull, the only long step. */
#include "node/worker/pod_start_int.h"

#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "node/allocation/allocation.h"
#include "node/cgroup/cgroup.h"
#include "node/devices/devices.h"
#include "node/events/events.h"
#include "node/ground/api_call.h"
#include "node/ground/errand.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/ground/refs.h"
#include "node/probe/probe.h"
#include "node/runtime/cri.h"
#include "node/runtime/image.h"
#include "node/volume/nfs_mount.h"
#include "node/wasm/wasm.h"
#include "node/worker/operation.h"
#include "node/worker/pod_config_int.h"
#include "node/worker/pod_files_int.h"
#include "node/worker/pod_kill_int.h"
#include "node/worker/pod_pull_int.h"

#include <stdlib.h>

enum { CALL_MS = 120000, SANDBOX_MS = 240000, HOOK_MS = 0 };

static const struct retry_rule start_rule = {5000, 60000};

/* A sandbox: CLASSING (the runtime class, if it names one) --> LOOKING (of a WebAssembly pod: whether all its
 * containers are modules) --> PREPARING (cgroup and folders, on the pool) --> RUNNING.
 * A container: FETCHING (configMaps, secrets) --> PULLING --> CONFIGURING (files, on the pool) --> CREATING -->
 * STARTING --> HOOK. Any of them may be the last. */
enum start_state {
	START_CLASSING,
	START_LOOKING,
	START_PREPARING,
	START_RUNNING,
	START_FETCHING,
	START_PULLING,
	START_CONFIGURING,
	START_CREATING,
	START_STARTING,
	START_HOOK
};

static bool holds(const struct sm *m, int before);

static const struct sm_state states[] = {
        [START_CLASSING] = {"classing", SM_TO(START_LOOKING) | SM_TO(START_PREPARING)},
        [START_LOOKING] = {"looking", SM_TO(START_PREPARING)},
        [START_PREPARING] = {"preparing", SM_TO(START_RUNNING)},
        [START_RUNNING] = {"running", 0},
        [START_FETCHING] = {"fetching", SM_TO(START_PULLING)},
        [START_PULLING] = {"pulling", SM_TO(START_CONFIGURING)},
        [START_CONFIGURING] = {"configuring", SM_TO(START_CREATING)},
        [START_CREATING] = {"creating", SM_TO(START_STARTING)},
        [START_STARTING] = {"starting", SM_TO(START_HOOK)},
        [START_HOOK] = {"hook", 0},
};
static const struct sm_kind machine = SM_KIND("pod-start", states, holds);

struct start {
	struct pod *pod;
	struct slot *slot; /* NULL: a sandbox */
	struct sm sm;      /* enum start_state */
	struct arena arena;
	struct errand errand;
	struct pod_files files;
	size_t asked; /* so many of them lie on no server that was not asked whether it is there */
	CRI(ContainerConfig) * config;
	struct err err;
	struct pod_pull pull;
	struct wasm_look look;
	size_t looked;  /* so many of the pod's images were looked at */
	bool is_beside; /* the sandbox is containerd's, and modules run in it beside its containers */
	char *container_id;
	const char *handler; /* of the runtime class; "": the runtime's default */
	unsigned attempt;
};

static bool holds(const struct sm *m, int before)
{
	const struct start *s = CONTAINER_OF(m, struct start, sm);
	bool has_container = sm_state(m) == START_STARTING || sm_state(m) == START_HOOK;
	return s->pod->start == s && s->pod->operations && (s->slot || sm_state(m) <= START_RUNNING) &&
	       has_container == (s->container_id != NULL);
}

static void start_end(struct start *s)
{
	LOOP_CHECK_OWNER(s->pod->n->loop);
	CHECK(s->pod->start == s && !s->pull.request);
	struct pod *p = s->pod;
	p->start = NULL;
	free(s->container_id);
	arena_release(&s->arena);
	free(s);
	pod_end(p);
}

static struct start *start_new(struct pod *p, struct slot *slot)
{
	LOOP_CHECK_OWNER(p->n->loop);
	struct start *s = xcalloc(1, sizeof *s);
	s->pod = p;
	s->slot = slot;
	s->handler = "";
	sm_init(&s->sm, &machine, slot ? START_FETCHING : START_CLASSING, p->name);
	CHECK(!p->start);
	p->start = s;
	pod_begin(p);
	return s;
}

/* ---- sandboxes ---- */

static void sandbox_failed(struct start *s, const struct err *err)
{
	CHECK(!s->slot && err->code);
	struct pod *p = s->pod;
	bool due = pod_bring_up_failed(p);
	pod_event(p, NULL, true, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", err->msg);
	if (due)
		log_warn("node", "cannot create a pod sandbox", "pod=%s/%s failures=%u error=\"%s\"", p->ns, p->name,
		        p->bring_up.failures, err->msg);
}

static void sandbox_run(void *arg, const void *answer, const struct err *err)
{
	struct start *s = arg;
	if (err && err->code != ERR_CANCELED)
		sandbox_failed(s, err);
	else
		retry_succeeded(&s->pod->bring_up);
	start_end(s);
}

static void prepare_on_pool(struct errand *e)
{
	struct start *s = CONTAINER_OF(e, struct start, errand);
	if (cgroup_make(s->pod, &s->err) == 0)
		pod_files_make(&s->files, &s->err);
}

static void prepared(struct errand *e)
{
	struct start *s = CONTAINER_OF(e, struct start, errand);
	struct pod *p = s->pod;
	struct sandbox *old = pod_sandbox(p);
	if (p->n->closing || p->is_deleting) {
		start_end(s);
		return;
	}
	if (s->err.code) {
		sandbox_failed(s, &s->err);
		start_end(s);
		return;
	}
	if (old)
		pod_event(p, NULL, false, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
	CRI(RunPodSandboxRequest) r = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
	r.config = pod_sandbox_config(p, &s->arena, old ? old->attempt + 1 : 0, s->is_beside);
	r.runtime_handler = s->is_beside ? "" : (char *)s->handler;
	sm_move(&s->sm, START_RUNNING);
	cri_call(p->n->cri, "RuntimeService/RunPodSandbox", &r.base, &runtime__v1__run_pod_sandbox_response__descriptor,
	        SANDBOX_MS, sandbox_run, s);
}

static void prepare(struct start *s)
{
	struct pod_file logs = {.kind = POD_FILE_FOLDER, .path = pod_log_dir(s->pod, &s->arena), .mode = 0755};
	sm_move(&s->sm, START_PREPARING);
	pod_files_add(&s->files, &s->arena, &logs);
	if (errand_start(s->pod->n, &s->errand, prepare_on_pool, prepared))
		return;
	err_set(&s->err, ERR_BUSY, "too much blocking work is queued");
	sandbox_failed(s, &s->err);
	start_end(s);
}

/* ---- what a WebAssembly pod's images are ---- */

static void look_next(struct start *s);

static void is_looked_at(struct wasm_look *look)
{
	struct start *s = CONTAINER_OF(look, struct start, look);
	s->is_beside = look->verdict == WASM_IS_ORDINARY;
	s->looked++;
	look_next(s);
}

static void early_image_there(struct pod_pull *pull, const struct image_result *result, const struct err *err)
{
	struct start *s = CONTAINER_OF(pull, struct start, pull);
	if (err) {
		if (err->code != ERR_CANCELED)
			retry_failed(&s->pod->bring_up, &pod_pull_rule, loop_now_ms(s->pod->n->loop));
		start_end(s);
		return;
	}
	slot_clear_waiting(pull->slot);
	s->look.image_id = arena_strdup(&s->arena, result->reference);
	wasm_look_begin(s->pod->n->wasm, &s->look);
}

/* What its secrets are may not be known: then the pull says so. */
static void refs_there_early(struct pod *p, const struct err *err)
{
	struct start *s = p->start;
	if (p->is_deleting || p->n->closing || (err && err->code == ERR_CANCELED)) {
		start_end(s);
		return;
	}
	s->pull.is_early = true;
	s->pull.done = early_image_there;
	pod_pull_begin(&s->pull, p, &p->slots[s->looked], &s->arena);
}

/* One ordinary container is enough: the others are looked at when they are made. */
static void look_next(struct start *s)
{
	struct pod *p = s->pod;
	CHECK(sm_state(&s->sm) == START_LOOKING);
	if (p->is_deleting || p->n->closing) {
		start_end(s);
		return;
	}
	for (; !s->is_beside && s->looked < p->slots_count; s->looked++) {
		const struct slot *slot = &p->slots[s->looked];
		struct json *spec = pod_container_spec(p, slot->name);
		if (slot->kind == SLOT_EPHEMERAL || !spec)
			continue;
		s->look = (struct wasm_look){.image = json_cstr(&s->arena, json_get(spec, "image")),
		        .command = json_cstr(&s->arena, json_at(json_get(spec, "command"), 0)),
		        .argument = json_cstr(&s->arena, json_at(json_get(spec, "args"), 0)),
		        .done = is_looked_at};
		if (!wasm_is_known(p->n->wasm, &s->look)) {
			refs_fetch(p, refs_there_early);
			return;
		}
		s->is_beside = s->look.verdict == WASM_IS_ORDINARY;
	}
	prepare(s);
}

/* What a sandbox of the second runtime cannot give. */
static bool needs_ordinary_sandbox(const struct pod *p)
{
	bool has_own_network = p->n->o.has_own_network && !pod_uses_host_network(p);
	struct json *sysctls = json_path(p->spec, "securityContext", "sysctls", NULL);
	return has_own_network || (sysctls && sysctls->count) || pod_asks_for_host_port(p);
}

static void prepare_of_kind(struct start *s)
{
	struct pod *p = s->pod;
	struct slice variant = json_str(json_path(p->meta, "annotations", WASM_VARIANT_ANNOTATION, NULL));
	if (!p->n->wasm || !wasm_is_asked_for(s->handler, variant)) {
		prepare(s);
		return;
	}
	s->is_beside = needs_ordinary_sandbox(p);
	sm_move(&s->sm, START_LOOKING);
	look_next(s);
}

static void class_there(void *arg, int status, struct slice body, const struct err *err)
{
	struct start *s = arg;
	const char *name = json_cstr(&s->arena, json_get(s->pod->spec, "runtimeClassName"));
	struct slice handler = err ? SLICE_NULL : json_find(body, "handler", NULL);
	if (s->pod->n->closing || (err && err->code == ERR_CANCELED)) {
		start_end(s);
		return;
	}
	if (err)
		err_set(&s->err, err->code, "failed to get sandbox runtime: runtime class \"%s\": %s", name, err->msg);
	else if (!handler.len)
		err_set(&s->err, ERR_INVAL, "failed to get sandbox runtime: runtime class \"%s\" names no handler",
		        name);
	if (s->err.code) {
		sandbox_failed(s, &s->err);
		start_end(s);
		return;
	}
	s->handler = arena_printf(&s->arena, "%.*s", SLICE_FMT(handler));
	prepare_of_kind(s);
}

void pod_start_sandbox(struct pod *p)
{
	struct start *s = start_new(p, NULL);
	const char *class = json_cstr(&s->arena, json_get(p->spec, "runtimeClassName"));
	if (pod_name_check(p, &s->arena, &s->err) != 0) {
		sandbox_failed(s, &s->err);
		start_end(s);
	} else if (*class)
		api_send(
		        p->n, "GET", NULL, SLICE_NULL, class_there, s, "/apis/node.k8s.io/v1/runtimeclasses/%s", class);
	else
		prepare_of_kind(s);
}

/* ---- containers ---- */

static void fail(struct start *s, const char *reason, const struct err *err)
{
	CHECK(s->slot && err->code);
	if (err->code != ERR_CANCELED) {
		slot_wait_with(s->pod, s->slot, reason, err->msg, &start_rule);
		pod_event(s->pod, s->slot->name, true, "Failed", "Error: %s", err->msg);
	}
	start_end(s);
}

static void post_start_done(void *arg, const struct err *err)
{
	struct start *s = arg;
	if (err && err->code != ERR_CANCELED) {
		/* The look has not shown it yet: only its id is known, which is all that stopping needs. */
		struct container c = {.id = s->container_id,
		        .name = s->slot->name,
		        .state = CONTAINER_RUNNING,
		        .pre_stop_begun = true};
		pod_event(s->pod, s->slot->name, true, "FailedPostStartHook", "PostStartHook failed: %s", err->msg);
		pod_stop_container(s->pod, &c, s->pod->grace_s);
	}
	start_end(s);
}

/* The hook's records: it is known by its id only until the next look. */
static void run_post_start(struct start *s, const struct json *hook)
{
	struct container c = {.id = s->container_id, .name = s->slot->name};
	sm_move(&s->sm, START_HOOK);
	hook_run(s->pod, &c, hook, HOOK_MS, post_start_done, s);
}

static void started(void *arg, const void *answer, const struct err *err)
{
	CHECK(sm_state(&((struct start *)arg)->sm) == START_STARTING);
	struct start *s = arg;
	struct json *hook = json_path(pod_container_spec(s->pod, s->slot->name), "lifecycle", "postStart", NULL);
	if (err) {
		fail(s, "RunContainerError", err);
		return;
	}
	slot_clear_waiting(s->slot);
	pod_event(s->pod, s->slot->name, false, "Started", "Started container %s", s->slot->name);
	if (hook)
		run_post_start(s, hook);
	else
		start_end(s);
}

static void created(void *arg, const void *answer, const struct err *err)
{
	CHECK(sm_state(&((struct start *)arg)->sm) == START_CREATING);
	struct start *s = arg;
	if (err) {
		fail(s, "CreateContainerError", err);
		return;
	}
	s->container_id = xstrdup(((const CRI(CreateContainerResponse) *)answer)->container_id);
	allocation_told(s->pod->n->allocations, s->pod, s->slot->name);
	sm_move(&s->sm, START_STARTING);
	pod_event(s->pod, s->slot->name, false, "Created", "Created container: %s", s->slot->name);
	CRI(ContainerRequest) r = RUNTIME__V1__CONTAINER_REQUEST__INIT;
	r.container_id = s->container_id;
	cri_call(s->pod->n->cri, "RuntimeService/StartContainer", &r.base, &runtime__v1__empty__descriptor, CALL_MS,
	        started, s);
}

static void create(struct start *s)
{
	struct pod *p = s->pod;
	struct sandbox *box = pod_sandbox(p);
	CRI(CreateContainerRequest) r = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
	if (!box || p->n->closing) {
		start_end(s);
		return;
	}
	sm_move(&s->sm, START_CREATING);
	r.config = s->config;
	r.pod_sandbox_id = box->id;
	r.sandbox_config = pod_sandbox_config(p, &s->arena, box->attempt, box->is_beside);
	cri_call(p->n->cri, "RuntimeService/CreateContainer", &r.base,
	        &runtime__v1__create_container_response__descriptor, CALL_MS, created, s);
}

static void pre_started(void *arg, const struct err *err)
{
	struct start *s = arg;
	if (err)
		fail(s, "PreStartHookError", err);
	else
		create(s);
}

static void make_files(struct errand *e)
{
	struct start *s = CONTAINER_OF(e, struct start, errand);
	pod_files_make(&s->files, &s->err);
}

static void files_made(struct errand *e)
{
	struct start *s = CONTAINER_OF(e, struct start, errand);
	if (s->err.code)
		fail(s, "CreateContainerConfigError", &s->err);
	else if (!devices_pre_start(s->pod->n->devices, s->pod, s->slot->name, pre_started, s))
		create(s);
}

/* The next volume of a server in which a sub-path is to be opened. NULL: there is none. */
static const char *server_to_ask(struct start *s)
{
	while (s->asked < s->files.count) {
		const struct pod_file *f = &s->files.items[s->asked++];
		if (f->kind == POD_FILE_SUB_PATH && nfs_is_path(slice_of(f->volume)))
			return f->volume;
	}
	return NULL;
}

static void make_files_when_asked(struct start *s);

static void server_answered(void *arg, const struct err *err)
{
	if (err)
		fail(arg, "CreateContainerConfigError", err);
	else
		make_files_when_asked(arg);
}

static void make_files_when_asked(struct start *s)
{
	struct node *n = s->pod->n;
	const char *volume = server_to_ask(s);
	if (volume) {
		nfs_ask(n->nfs, volume, server_answered, s);
		return;
	}
	if (errand_start(n, &s->errand, make_files, files_made))
		return;
	err_set(&s->err, ERR_BUSY, "too much blocking work is queued");
	fail(s, "CreateContainerConfigError", &s->err);
}

static void configure(struct start *s, const struct image_result *image)
{
	struct pod *p = s->pod;
	struct json *spec = pod_container_spec(p, s->slot->name);
	if (!spec) {
		start_end(s);
		return;
	}
	sm_move(&s->sm, START_CONFIGURING);
	if (pod_container_config(p, &s->arena, spec, s->attempt, image, &s->config, &s->files, &s->err) == 0)
		make_files_when_asked(s);
	else
		fail(s, "CreateContainerConfigError", &s->err);
}

static void image_there(struct pod_pull *pull, const struct image_result *result, const struct err *err)
{
	struct start *s = CONTAINER_OF(pull, struct start, pull);
	CHECK(sm_state(&s->sm) == START_PULLING);
	if (err)
		start_end(s);
	else
		configure(s, result);
}

static void refs_there(struct pod *p, const struct err *err)
{
	CHECK(p->start && p->start->slot);
	struct start *s = p->start;
	if (err) {
		fail(s, "CreateContainerConfigError", err);
		return;
	}
	if (p->is_deleting || p->n->closing) {
		start_end(s);
		return;
	}
	sm_move(&s->sm, START_PULLING);
	s->pull.done = image_there;
	pod_pull_begin(&s->pull, p, s->slot, &s->arena);
}

void pod_start_container(struct pod *p, struct slot *slot)
{
	CHECK(pod_state(p) == POD_RUNNING);
	struct container *before = pod_container(p, slot->name);
	struct start *s = start_new(p, slot);
	s->attempt = before ? before->attempt + 1 : 0;
	refs_fetch(p, refs_there);
}

void pod_start_cancel(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	struct start *s = p->start;
	if (s && pod_pull_cancel(&s->pull))
		start_end(s);
}
