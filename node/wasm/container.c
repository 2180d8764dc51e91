/* Making a container: which module it is, and that it is at hand, compiled.
 *
 *     CreateContainer --> refused? --> image ready --> its module is found, checked, and copied to the cache by its
 * digest
 *                     --> compiled, once per digest --> record on disk --> created
 *
 * The cache is shared by all images and pods. A module that the engine cannot compile is interpreted: a mark beside it
 * says so, and why, so that nobody tries again. What can go wrong is answered with a sentence for the pod's author. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/runtime/view.h"
#include "node/wasm/module/module.h"
#include "node/wasm/module/module_cache.h"
#include "node/wasm/protocol/traces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_BYTES = 16 };

struct wasm_container *container_find(struct wasm *w, const char *id)
{
	return map_get(&w->containers, slice_of(id));
}

struct wasm_container *wasm_container_new(struct box *b, const char *id, CRI(CreateContainerRequest) * request)
{
	LOOP_CHECK_OWNER(b->w->n->loop);
	struct wasm_container *c = xcalloc(1, sizeof *c);
	*c = (struct wasm_container){
	        .box = b, .id = xstrdup(id), .request = request, .reason = xstrdup(""), .message = xstrdup("")};
	list_push_back(&b->containers, &c->in_box);
	list_init(&c->stopping);
	map_put(&b->w->containers, slice_of(c->id), c);
	return c;
}

void wasm_container_free(struct wasm_container *c)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	CHECK(!c->starting && list_empty(&c->stopping));
	list_del(&c->in_box);
	map_del(&c->box->w->containers, slice_of(c->id));
	if (c->image)
		module_image_leave(c->image);
	protobuf_c_message_free_unpacked(&c->request->base, NULL);
	for (size_t i = 0; c->args && c->args[i]; i++)
		free(c->args[i]);
	free(c->args);
	free(c->module);
	free(c->reason);
	free(c->message);
	free(c->id);
	free(c);
}

/* ---- in the making ---- */

struct making {
	struct call *call;
	struct wasm *w;
	struct module_image *image;
	struct image_wait wait;
	struct errand errand;
	struct list_link compiling; /* in the list of those that wait for the compiler */
	struct arena arena;
	char **args;        /* in the arena; args[0] is the module's name */
	const char *path;   /* of the module in the image, absolute there */
	const char *module; /* its name in the cache, without a suffix; known when it was found */
	bool needs_compiler, is_ordinary;
	struct err err;
};

static CRI(CreateContainerRequest) * request_of(const struct making *m)
{
	return (CRI(CreateContainerRequest) *)m->call->request;
}

static void making_end(struct making *m, const struct err *err)
{
	LOOP_CHECK_OWNER(m->w->n->loop);
	struct call *call = m->call;
	struct err e = err ? *err : ERR_INIT;
	list_del(&m->compiling);
	if (m->image)
		module_image_leave(m->image);
	arena_release(&m->arena);
	free(m);
	if (err)
		wasm_call_fail(call, &e);
}

static char **copy_args(char *const *args)
{
	size_t n = 0;
	while (args[n])
		n++;
	char **copy = xcalloc(n + 1, sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(args[i]);
	return copy;
}

/* It is in the cache, as a library or with the mark that says why not. */
static void know(struct making *m)
{
	struct module_image *i = m->image;
	if (i->known_path && strcmp(i->known_path, m->path) == 0)
		return;
	i->known_path = arena_strdup(&i->arena, m->path);
	i->known_module = arena_strdup(&i->arena, m->module);
}

static void made(struct making *m)
{
	LOOP_CHECK_OWNER(m->w->n->loop);
	CHECK(m->module && m->args && m->args[0]);
	know(m);
	CRI(CreateContainerResponse) r = RUNTIME__V1__CREATE_CONTAINER_RESPONSE__INIT;
	CRI(CreateContainerRequest) *q = request_of(m);
	struct box *b = box_find(m->w, q->pod_sandbox_id);
	struct strbuf id = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (!b || !b->is_ready) {
		err_set(&err, ERR_NOT_FOUND, "the sandbox ended meanwhile");
		making_end(m, &err);
		return;
	}
	strbuf_adds(&id, "wasm-");
	pki_random_hex(&id, ID_BYTES);
	m->call->request = NULL;
	/* The sandbox's configuration is the box's. */
	if (q->sandbox_config)
		protobuf_c_message_free_unpacked(&TAKE(q->sandbox_config)->base, NULL);
	struct wasm_container *c = wasm_container_new(b, strbuf_cstr(&id), q);
	strbuf_release(&id);
	c->created_ns = wasm_now_ns();
	c->module = xstrdup(m->module);
	c->args = copy_args(m->args);
	c->image = TAKE(m->image);
	if (store_container(c, &err) != 0) {
		store_remove(m->w, "containers", c->id);
		wasm_container_free(c);
		making_end(m, &err);
		return;
	}
	r.container_id = c->id;
	struct call *call = m->call;
	struct node *n = m->w->n;
	making_end(m, NULL);
	wasm_call_answer(call, &r);
	view_look(n);
}

/* ---- compiling ---- */

static void compile(struct making *m)
{
	LOOP_CHECK_OWNER(m->w->n->loop);
	CHECK(m->module && list_empty(&m->compiling));
	if (!wasm_link_is_up(m->w->link)) {
		err_set(&m->err, ERR_UNAVAILABLE, "%s", wasm_link_trouble(m->w->link));
		making_end(m, &m->err);
		return;
	}
	list_push_back(&m->w->compiling, &m->compiling);
	wasm_link_send(m->w->link, WASM_COMPILE, m->module, 0, SLICE_NULL, NULL, 0);
}

static void mark_plain(struct wasm *w, const char *module, const struct err *why)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	log_warn("node", "a WebAssembly module is interpreted, for it cannot be compiled", "module=%s error=\"%s\"",
	        module, why->msg);
	if (file_replace(arena_printf(&a, "%s/cache/%s.plain", w->state, module), slice_of(why->msg), 0600, false,
	            &err) != 0)
		log_warn("node", "cannot note it", "error=\"%s\"", err.msg);
	arena_release(&a);
}

void makings_compiled(struct wasm *w, const char *id, const struct err *err)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct list_link mine, *it;
	list_init(&mine);
	LIST_FOREACH (at, &w->compiling)
		if (!id || strcmp(CONTAINER_OF(at, struct making, compiling)->module, id) == 0) {
			list_del(at);
			list_push_back(&mine, at);
		}
	if (id && err && !list_empty(&mine))
		mark_plain(w, id, err);
	if (id)
		wasm_sweep(w);
	while ((it = list_pop_front(&mine))) {
		struct making *m = CONTAINER_OF(it, struct making, compiling);
		if (id)
			made(m);
		else
			making_end(m, err);
	}
}

/* ---- finding the module, on the pool ---- */

static int read_module(struct making *m, char **text, size_t *len)
{
	struct stat st;
	int fd = m->image->blob ? open(m->image->blob, O_RDONLY | O_CLOEXEC) : image_file_open(m->image->root, m->path);
	m->is_ordinary = !m->image->blob && !wasm_file_is_module(fd, m->path);
	if (fd < 0 || fstat(fd, &st) != 0) {
		err_errno(&m->err, errno, "the image has no file %s to run", m->path);
	} else if (!S_ISREG(st.st_mode) || st.st_size > WASM_MODULE_BYTES_MAX) {
		err_set(&m->err, ERR_TOO_BIG, "%s in the image is no file of at most %u bytes", m->path,
		        WASM_MODULE_BYTES_MAX);
	} else {
		*text = xmalloc((size_t)st.st_size + 1);
		ssize_t n = pread(fd, *text, (size_t)st.st_size, 0);
		*len = n < 0 ? 0 : (size_t)n;
		if (n != st.st_size)
			err_errno(&m->err, errno, "read %s of the image", m->path);
	}
	if (fd >= 0)
		close(fd);
	return m->err.code;
}

static void keep_module(struct making *m, struct slice bytes)
{
	char hex[65];
	pki_sha256_hex(bytes.ptr, bytes.len, hex);
	m->module = arena_printf(&m->arena, "%s-%s", hex, m->w->engine);
	module_cache_keep(arena_printf(&m->arena, "%s/cache/%s", m->w->state, m->module), bytes, m->image->id,
	        &m->needs_compiler, &m->err);
}

static void find_module(struct errand *e)
{
	struct making *m = CONTAINER_OF(e, struct making, errand);
	char *text = NULL;
	size_t len = 0;
	if (read_module(m, &text, &len) == 0) {
		struct slice bytes = {text, len};
		if (wasm_module_check(bytes, &m->err) == 0)
			keep_module(m, bytes);
		else
			err_wrap(&m->err, "%s in the image cannot run as WebAssembly", m->path);
	}
	free(text);
}

/* The kubelet saw something else when it made the sandbox. One for both kinds is made now, unless the container came
 * later than all others, to look at them: nobody is ended for it. */
static void is_ordinary(struct making *m)
{
	const CRI(CreateContainerRequest) *q = request_of(m);
	struct box *b = box_find(m->w, q->pod_sandbox_id);
	if (!b || b->is_beside)
		return;
	const struct pod *p = node_pod(m->w->n, slice_of(b->request->config->metadata->uid));
	const struct slot *slot = p ? pod_slot(p, q->config->metadata->name) : NULL;
	m->err = ERR_INIT;
	if (!slot || slot->kind == SLOT_EPHEMERAL) {
		err_set(&m->err, ERR_UNIMPLEMENTED,
		        "%s is no WebAssembly, and the pod's sandbox holds modules alone: an ordinary container can "
		        "be added only to a pod that has one from the start",
		        m->path);
		return;
	}
	err_set(&m->err, ERR_BUSY, "%s is no WebAssembly: the pod gets a sandbox for ordinary containers, too",
	        m->path);
	wasm_forget_verdicts(m->w);
	box_give_up(b);
}

static void module_found(struct errand *e)
{
	struct making *m = CONTAINER_OF(e, struct making, errand);
	if (m->w->n->closing)
		err_set(&m->err, ERR_CANCELED, "the node is closing");
	else if (m->is_ordinary)
		is_ordinary(m);
	if (m->err.code)
		making_end(m, &m->err);
	else if (m->needs_compiler)
		compile(m);
	else
		made(m);
}

/* ---- what is to run ---- */

static void add_args(struct making *m, size_t *n, char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		m->args[(*n)++] = arena_strdup(&m->arena, list[i]);
}

/* As for any container: a command goes before the image's entrypoint and its arguments, arguments before the image's.
 */
static void set_args(struct making *m)
{
	const CRI(ContainerConfig) *c = request_of(m)->config;
	const struct module_image *i = m->image;
	size_t n = 0;
	m->args = ARENA_ARRAY(&m->arena, char *, c->n_command + c->n_args + i->entrypoint_count + i->command_count + 1);
	if (c->n_command)
		add_args(m, &n, c->command, c->n_command);
	else
		add_args(m, &n, i->entrypoint, i->entrypoint_count);
	if (c->n_args)
		add_args(m, &n, c->args, c->n_args);
	else if (!c->n_command)
		add_args(m, &n, i->command, i->command_count);
}

static void image_ready(struct image_wait *wait, const struct err *err)
{
	struct making *m = CONTAINER_OF(wait, struct making, wait);
	if (err) {
		making_end(m, err);
		return;
	}
	set_args(m);
	if (!m->args[0])
		err_set(&m->err, ERR_INVAL, "neither the image nor the pod says which module to run: set command");
	else
		m->path = module_image_path(m->image, &m->arena, m->args[0]);
	if (!m->err.code && m->image->known_path && strcmp(m->image->known_path, m->path) == 0) {
		m->module = arena_strdup(&m->arena, m->image->known_module);
		made(m);
		return;
	}
	/* From then on m->err is the pool's. */
	if (!m->err.code && errand_start(m->w->n, &m->errand, find_module, module_found))
		return;
	if (!m->err.code)
		err_set(&m->err, ERR_BUSY, "too much blocking work is queued");
	making_end(m, &m->err);
}

/* ---- refusals ---- */

static const char *refusal_of_security(const CRI(LinuxContainerSecurityContext) * s)
{
	if (s->privileged)
		return "it cannot be privileged";
	if (s->capabilities && s->capabilities->n_add_capabilities)
		return "it has no capabilities, and gets none: remove securityContext.capabilities.add";
	if (s->seccomp && s->seccomp->profile_type == RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost)
		return "it has a seccomp filter of its own: a Localhost profile is not supported";
	if (s->apparmor && s->apparmor->profile_type == RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost)
		return "an AppArmor profile is not supported";
	if (s->selinux_options)
		return "seLinuxOptions are not supported";
	if (*s->run_as_username && strcmp(s->run_as_username, "root") != 0)
		return "its image names a user by a name: set securityContext.runAsUser to a number";
	return NULL;
}

static const char *refusal(const CRI(ContainerConfig) * c)
{
	if (!c || !c->metadata || !c->image)
		return "the request has no metadata or image";
	if (c->tty || c->stdin)
		return "nobody can attach to it: stdin and tty are not supported";
	if (c->n_devices)
		return "it cannot use devices";
	if (*c->working_dir && strcmp(c->working_dir, "/") != 0)
		return "WASI has no working directory: workingDir must be / or absent";
	if (c->n_mounts + CONTAINER_OWN_DESCRIPTORS > WASM_DESCRIPTORS_MAX)
		return "it has too many volume mounts";
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i]->propagation != RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_PRIVATE)
			return "mountPropagation is not supported";
	return c->linux && c->linux->security_context ? refusal_of_security(c->linux->security_context) : NULL;
}

/* Of a module, in a box that is known. */
static void create(struct wasm *w, struct call *call)
{
	CRI(CreateContainerRequest) *q = (CRI(CreateContainerRequest) *)call->request;
	const char *no = refusal(q->config);
	if (no || !box_find(w, q->pod_sandbox_id)) {
		wasm_call_refuse(call, no ? ERR_UNIMPLEMENTED : ERR_NOT_FOUND,
		        no ? "a WebAssembly container: %s" : "%s", no ? no : "there is no such sandbox");
		return;
	}
	if (!*w->engine) {
		wasm_call_refuse(call, ERR_UNAVAILABLE, "%s", wasm_link_trouble(w->link));
		return;
	}
	struct making *m = xcalloc(1, sizeof *m);
	m->call = call;
	m->w = w;
	m->wait.done = image_ready;
	list_init(&m->compiling);
	list_init(&m->wait.link);
	m->image = module_image_use(w, q->config->image->image);
	module_image_wait(m->image, &m->wait);
}

/* ---- in a sandbox of the runtime's: whose is it? ---- */

struct sorting {
	struct wasm_look look;
	struct wasm *w;
	struct call *call;
};

static void is_sorted(struct wasm_look *look)
{
	struct sorting *s = CONTAINER_OF(look, struct sorting, look);
	struct wasm *w = s->w;
	struct call *call = s->call;
	struct err err = ERR_INIT;
	enum wasm_verdict verdict = look->verdict;
	free(s);
	if (verdict == WASM_IS_ORDINARY)
		beside_pass(w, call);
	else if (!beside_box(w, (CRI(CreateContainerRequest) *)call->request, &err))
		wasm_call_fail(call, &err);
	else
		create(w, call);
}

/* What cannot be looked at is taken for a module: making it says why. */
static void sort(struct wasm *w, struct call *call)
{
	const CRI(ContainerConfig) *c = ((CRI(CreateContainerRequest) *)call->request)->config;
	struct sorting *s = xcalloc(1, sizeof *s);
	const char *image = c->image ? c->image->image : "";
	*s = (struct sorting){.w = w,
	        .call = call,
	        .look = {.image = image,
	                .image_id = image,
	                .command = c->n_command ? c->command[0] : "",
	                .argument = c->n_args ? c->args[0] : "",
	                .done = is_sorted}};
	if (wasm_is_known(w, &s->look))
		is_sorted(&s->look);
	else
		wasm_look_begin(w, &s->look);
}

void container_create(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	const CRI(CreateContainerRequest) *q = (CRI(CreateContainerRequest) *)call->request;
	if (strncmp(q->pod_sandbox_id, "wasm-", 5) == 0)
		create(w, call);
	else if (q->config && q->config->image && *q->config->image->image)
		sort(w, call);
	else
		wasm_call_refuse(call, ERR_INVAL, "the request names no image");
}
