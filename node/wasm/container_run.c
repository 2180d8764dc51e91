/* What happens to a container once it is made.
 *
 *     StartContainer --> its box's network is at hand --> cgroup, mounts, specification (on the pool) --> START
 *                    --> STARTED: running      (FAILED: it has ended, StartError)
 *     StopContainer  --> SIGTERM, and SIGKILL when the time is over --> it has ended
 *     EXITED, or the trace of it when the node was away --> how it ended is read --> the view looks
 *
 * Mounts go to the zygote as descriptors of detached mounts, made here, where the volumes are (runner.c says why). */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "node/cgroup/container_group.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/view.h"
#include "node/wasm/protocol/spec.h"
#include "node/wasm/protocol/traces.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not all C libraries have these. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
enum { ATTR_READ_ONLY = 0x1, ATTR_NO_SUID = 0x2, ATTR_NO_DEVICES = 0x4, PAGE_BYTES = 65536 };
struct attributes {
	uint64_t set, clear, propagation, user_namespace;
};

struct starting {
	struct wasm_container *c; /* NULL: it was cancelled */
	struct wasm *w;
	struct call *call; /* NULL: it has been answered */
	struct errand errand;
	struct arena arena;
	struct wasm_spec spec;
	struct resource_limits limits;
	const char **sources; /* of the mounts */
	bool *read_only;
	const char *id, *cgroup, *files, *log, *resolv_conf, *base;
	int fds[WASM_DESCRIPTORS_MAX];
	size_t fds_count;
	bool is_away; /* on the pool, or sent */
	struct err err;
};

static void starting_free(struct starting *s)
{
	for (size_t i = 0; i < s->fds_count; i++)
		close(s->fds[i]);
	if (s->c)
		s->c->starting = NULL;
	arena_release(&s->arena);
	free(s);
}

/* ---- the specification ---- */

static void set_text(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* The image's, and the pod's in their place. */
static void set_env(struct starting *s)
{
	const CRI(ContainerConfig) *c = s->c->request->config;
	const struct module_image *i = s->c->image;
	struct wasm_spec *p = &s->spec;
	p->env = ARENA_ARRAY(&s->arena, const char *, i->env_count + c->n_envs + 2);
	for (size_t k = 0; k < i->env_count; k++)
		p->env[p->env_count++] = arena_strdup(&s->arena, i->env[k]);
	p->env[p->env_count++] = arena_printf(&s->arena, "HOSTNAME=%s", s->c->box->request->config->hostname);
	for (size_t k = 0; k < c->n_envs; k++) {
		const char *text = arena_printf(&s->arena, "%s=%s", c->envs[k]->key, c->envs[k]->value);
		size_t at = 0;
		while (at < p->env_count && !same_name(text, p->env[at]))
			at++;
		p->env[at] = text;
		p->env_count += at == p->env_count;
	}
}

static void set_user(struct starting *s)
{
	const CRI(LinuxContainerConfig) *l = s->c->request->config->linux;
	const CRI(LinuxContainerSecurityContext) *x = l ? l->security_context : NULL;
	if (!x)
		return;
	s->spec.uid = x->run_as_user ? x->run_as_user->value : 0;
	s->spec.gid = x->run_as_group ? x->run_as_group->value : 0;
	s->spec.is_root_read_only = x->readonly_rootfs;
	s->spec.groups = ARENA_ARRAY(&s->arena, int64_t, x->n_supplemental_groups + 1);
	memcpy(s->spec.groups, x->supplemental_groups, x->n_supplemental_groups * sizeof *s->spec.groups);
	s->spec.groups_count = x->n_supplemental_groups;
}

static void set_limits(struct starting *s)
{
	const CRI(LinuxContainerConfig) *l = s->c->request->config->linux;
	const CRI(LinuxContainerResources) *r = l ? l->resources : NULL;
	if (!r)
		return;
	s->limits = (struct resource_limits){.cpu_shares = r->cpu_shares,
	        .cpu_period_us = r->cpu_period,
	        .cpu_quota_us = r->cpu_quota,
	        .memory_bytes = r->memory_limit_in_bytes};
	s->spec.oom_score_adj = r->oom_score_adj;
	/* What the module may take as its memory: more would be the kernel's to refuse, and less gently. */
	s->spec.memory_pages_max =
	        r->memory_limit_in_bytes > 0 ? (r->memory_limit_in_bytes + PAGE_BYTES - 1) / PAGE_BYTES : 0;
	if (s->spec.memory_pages_max > PAGE_BYTES)
		s->spec.memory_pages_max = PAGE_BYTES;
}

static void add_mount(struct starting *s, const char *source, const char *to, bool read_only)
{
	size_t i = s->spec.mounts_count++;
	s->sources[i] = arena_strdup(&s->arena, source);
	s->read_only[i] = read_only;
	s->spec.mounts[i].to = arena_strdup(&s->arena, to);
}

static bool mounts_at(const CRI(ContainerConfig) * c, const char *path)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (strcmp(c->mounts[i]->container_path, path) == 0)
			return true;
	return false;
}

static int by_depth(const void *a, const void *b, void *arg)
{
	CRI(Mount) *const *x = a, *const *y = b;
	return strcmp((*x)->container_path, (*y)->container_path);
}

/* A mount inside of another comes after it. */
static void set_mounts(struct starting *s)
{
	const CRI(ContainerConfig) *c = s->c->request->config;
	CRI(Mount) **sorted = ARENA_ARRAY(&s->arena, CRI(Mount) *, c->n_mounts + 1);
	memcpy(sorted, c->mounts, c->n_mounts * sizeof *sorted);
	qsort_r(sorted, c->n_mounts, sizeof *sorted, by_depth, NULL);
	s->sources = ARENA_ARRAY(&s->arena, const char *, c->n_mounts + 2);
	s->read_only = ARENA_ARRAY(&s->arena, bool, c->n_mounts + 2);
	s->spec.mounts = ARENA_ARRAY(&s->arena, struct wasm_mount, c->n_mounts + 2);
	if (!mounts_at(c, "/etc/resolv.conf"))
		add_mount(s, s->resolv_conf, "/etc/resolv.conf", false);
	for (size_t i = 0; i < c->n_mounts; i++)
		add_mount(s, sorted[i]->host_path, sorted[i]->container_path, sorted[i]->readonly);
}

static void specify(struct starting *s)
{
	struct wasm_container *c = s->c;
	struct arena *a = &s->arena;
	s->id = arena_strdup(a, c->id);
	s->cgroup = arena_strdup(a, box_cgroup(c->box));
	s->files = c->image->has_files ? arena_strdup(a, c->image->root) : NULL;
	s->log = arena_printf(a, "%s/%s", c->box->request->config->log_directory, c->request->config->log_path);
	s->resolv_conf = arena_printf(a, "%s/boxes/%s/resolv.conf", s->w->state, c->box->id);
	s->base = arena_printf(a, "%s/cache/%s", s->w->state, c->module);
	s->spec.has_network = !box_uses_host_network(c->box);
	s->spec.has_files = s->files != NULL;
	size_t n = 0;
	while (c->args[n])
		n++;
	s->spec.args = ARENA_ARRAY(a, const char *, n + 1);
	for (s->spec.args_count = 0; s->spec.args_count < n; s->spec.args_count++)
		s->spec.args[s->spec.args_count] = arena_strdup(a, c->args[s->spec.args_count]);
	set_env(s);
	set_user(s);
	set_limits(s);
	set_mounts(s);
}

/* ---- on the pool ---- */

static int detached_mount(const char *path, bool read_only, struct err *err)
{
	struct attributes attributes = {.set = ATTR_NO_SUID | ATTR_NO_DEVICES | (read_only ? ATTR_READ_ONLY : 0)};
	int fd = (int)syscall(
	        __NR_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | (read_only ? 0 : AT_RECURSIVE));
	if (fd < 0) {
		err_errno(err, errno, "take hold of %s", path);
		return -1;
	}
	if (syscall(__NR_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
		err_errno(err, errno, "make the mount of %s %s", path, read_only ? "read-only" : "safe");
		close(fd);
		return -1;
	}
	return fd;
}

static int add_descriptor(struct starting *s, int fd)
{
	if (fd >= 0)
		s->fds[s->fds_count++] = fd;
	return fd < 0 ? s->err.code : 0;
}

static int write_spec(struct starting *s)
{
	struct strbuf b = STRBUF_INIT;
	bool is_compiled = access(arena_printf(&s->arena, "%s.so", s->base), R_OK) == 0;
	s->spec.module = arena_printf(&s->arena, "%s.%s", s->base, is_compiled ? "so" : "wasm");
	wasm_spec_write(&b, &s->spec);
	if (b.len > WASM_SPEC_BYTES_MAX)
		err_set(&s->err, ERR_TOO_BIG, "arguments and environment take more than %u bytes", WASM_SPEC_BYTES_MAX);
	else
		file_replace(wasm_container_path(&s->arena, s->w->state, s->id, "spec.json"), strbuf_slice(&b), 0600,
		        false, &s->err);
	strbuf_release(&b);
	return s->err.code;
}

static void prepare(struct errand *e)
{
	struct starting *s = CONTAINER_OF(e, struct starting, errand);
	struct stat st;
	int network = s->fds_count ? s->fds[0] : -1;
	s->fds_count = 0;
	if (container_group_open(s->cgroup, s->id, &s->limits, s->fds, &s->fds_count, &s->err) == 0)
		s->spec.cgroups = s->fds_count;
	if (network >= 0)
		s->fds[s->fds_count++] = network;
	if (s->err.code || (s->files && add_descriptor(s, detached_mount(s->files, true, &s->err)) != 0))
		return;
	for (size_t i = 0; i < s->spec.mounts_count; i++) {
		if (stat(s->sources[i], &st) != 0) {
			err_errno(&s->err, errno, "mount %s", s->sources[i]);
			return;
		}
		s->spec.mounts[i].is_file = !S_ISDIR(st.st_mode);
		if (add_descriptor(s, detached_mount(s->sources[i], s->read_only[i], &s->err)) != 0)
			return;
	}
	write_spec(s);
}

/* ---- start ---- */

static void start_failed(struct starting *s, const struct err *err)
{
	LOOP_CHECK_OWNER(s->w->n->loop);
	CHECK(err->code);
	struct call *call = TAKE(s->call);
	struct err e = *err;
	if (s->c) {
		/* It may be the module: it is looked at again for the next one. */
		s->c->image->known_path = NULL;
		container_set_exited(s->c, 128, wasm_now_ns(), "StartError", e.msg);
	}
	starting_free(s);
	if (call)
		wasm_call_fail(call, &e);
}

static void prepared(struct errand *e)
{
	struct starting *s = CONTAINER_OF(e, struct starting, errand);
	s->is_away = false;
	if (!s->c) {
		starting_free(s); /* cancelled meanwhile */
		return;
	}
	if (!s->err.code && !wasm_link_is_up(s->w->link))
		err_set(&s->err, ERR_UNAVAILABLE, "%s", wasm_link_trouble(s->w->link));
	if (s->err.code) {
		start_failed(s, &s->err);
		return;
	}
	struct strbuf text = STRBUF_INIT;
	strbuf_addf(&text, "%s\n%s", s->c->box->id, s->log);
	wasm_link_send(
	        s->w->link, WASM_START, s->id, s->spec.memory_pages_max, strbuf_slice(&text), s->fds, s->fds_count);
	strbuf_release(&text);
}

static void go_on(struct starting *s)
{
	LOOP_CHECK_OWNER(s->w->n->loop);
	CHECK(!s->is_away && s->c && s->c->starting == s);
	struct wasm_container *c = s->c;
	specify(s);
	if (s->spec.has_network) {
		s->fds[0] = fcntl(c->box->network, F_DUPFD_CLOEXEC, 3);
		s->fds_count = 1;
	}
	s->is_away = true;
	if (errand_start(s->w->n, &s->errand, prepare, prepared))
		return;
	s->is_away = false;
	err_set(&s->err, ERR_BUSY, "too much blocking work is queued");
	start_failed(s, &s->err);
}

void container_network_there(struct wasm_container *c, const struct err *err)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	struct starting *s = c->starting;
	if (!s || s->is_away || s->spec.args)
		return;
	if (err)
		start_failed(s, err);
	else
		go_on(s);
}

void container_start(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct wasm_container *c = container_find(w, ((CRI(ContainerRequest) *)call->request)->container_id);
	if (!c || c->state != IS_CREATED || c->starting || !wasm_link_is_up(w->link)) {
		wasm_call_refuse(call, !c ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s",
		        !c                          ? "there is no such container"
		        : !wasm_link_is_up(w->link) ? wasm_link_trouble(w->link)
		                                    : "the container was started already");
		return;
	}
	struct starting *s = xcalloc(1, sizeof *s);
	*s = (struct starting){.c = c, .w = w, .call = call};
	c->starting = s;
	if (box_uses_host_network(c->box) || c->box->network >= 0)
		go_on(s);
	else
		box_need_network(c->box);
}

void container_told(struct wasm_container *c, const struct err *err)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	struct starting *s = c->starting;
	if (!s || s->is_away)
		return;
	if (err) {
		start_failed(s, err);
		return;
	}
	struct call *call = TAKE(s->call);
	starting_free(s);
	c->state = IS_RUNNING;
	c->started_ns = wasm_now_ns();
	container_look(c); /* it may have ended already */
	wasm_call_done(call);
	view_look(c->box->w->n);
}

/* ---- the end ---- */

struct stopping {
	struct list_link link;
	struct wasm_container *c;
	struct call *call;
	uv_timer_t timer;
};

static void stopping_freed(uv_handle_t *h)
{
	free(h->data);
}

static void stopping_end(struct stopping *s, const struct err *err)
{
	list_del(&s->link);
	if (err)
		wasm_call_fail(s->call, err);
	else
		wasm_call_done(s->call);
	uv_close((uv_handle_t *)&s->timer, stopping_freed);
}

static void end_stops(struct wasm_container *c, const struct err *err)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	while (!list_empty(&c->stopping))
		stopping_end(CONTAINER_OF(c->stopping.next, struct stopping, link), err);
}

void container_set_exited(
        struct wasm_container *c, int code, int64_t finished_ns, const char *reason, const char *message)
{
	c->state = HAS_EXITED;
	c->exit_code = code;
	c->finished_ns = finished_ns;
	set_text(&c->reason, *reason ? reason : code == 0 ? "Completed" : "Error");
	set_text(&c->message, message);
	end_stops(c, NULL);
	view_look(c->box->w->n);
}

void container_look(struct wasm_container *c)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct wasm_exit x;
	if (wasm_exit_read(&a, c->box->w->state, c->id, &x, &err) == 0) {
		bool is_unknown = strcmp(x.message, WASM_EXIT_UNKNOWN) == 0;
		bool no_memory = container_group_was_out_of_memory(box_cgroup(c->box), c->id);
		container_set_exited(c, x.code, x.finished_ns,
		        is_unknown  ? "ContainerStatusUnknown"
		        : no_memory ? "OOMKilled"
		                    : "",
		        x.message);
		container_group_remove(box_cgroup(c->box), c->id);
	} else if (err.code != ERR_NOT_FOUND) {
		container_set_exited(c, WASM_EXIT_CODE_UNKNOWN, wasm_now_ns(), "ContainerStatusUnknown", err.msg);
	}
	arena_release(&a);
}

void container_signal(struct wasm_container *c, int number)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	if (c->state == IS_RUNNING)
		wasm_link_send(c->box->w->link, WASM_SIGNAL, c->id, number, SLICE_NULL, NULL, 0);
}

static void grace_is_over(uv_timer_t *t)
{
	container_signal(((struct stopping *)t->data)->c, SIGKILL);
}

void container_stop(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	const CRI(ContainerRequest) *q = (CRI(ContainerRequest) *)call->request;
	struct wasm_container *c = container_find(w, q->container_id);
	if (!c || c->state != IS_RUNNING) {
		if (c && c->starting)
			wasm_call_refuse(call, ERR_BUSY, "the container is being started");
		else
			wasm_call_done(call);
		return;
	}
	if (!wasm_link_is_up(w->link)) {
		wasm_call_refuse(call, ERR_UNAVAILABLE, "%s", wasm_link_trouble(w->link));
		return;
	}
	struct stopping *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->call = call;
	s->timer.data = s;
	list_push_back(&c->stopping, &s->link);
	uv_timer_init(loop_uv(w->n->loop), &s->timer);
	if (q->timeout > 0)
		uv_timer_start(&s->timer, grace_is_over, (uint64_t)q->timeout * 1000, 0);
	container_signal(c, q->timeout > 0 ? SIGTERM : SIGKILL);
}

void container_cancel(struct wasm_container *c, const struct err *err)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	CHECK(err->code);
	struct starting *s = c->starting;
	end_stops(c, err);
	if (!s)
		return;
	/* It may run for all we know: then its trace says so (container_recall()). */
	struct call *call = TAKE(s->call);
	c->starting = NULL;
	s->c = NULL;
	if (!s->is_away)
		starting_free(s);
	wasm_call_fail(call, err);
}

void container_recall(struct wasm_container *c)
{
	LOOP_CHECK_OWNER(c->box->w->n->loop);
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct wasm_process p;
	if (c->state == IS_CREATED && !c->starting && wasm_process_read(&a, c->box->w->state, c->id, &p, &err) == 0) {
		c->state = IS_RUNNING;
		c->started_ns = p.started_ns;
	}
	if (c->state == IS_RUNNING)
		container_look(c);
	arena_release(&a);
}

void container_remove(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct wasm_container *c = container_find(w, ((CRI(ContainerRequest) *)call->request)->container_id);
	if (!c) {
		wasm_call_done(call); /* the CRI: removing what is not there succeeds */
		return;
	}
	if (c->state == IS_RUNNING || c->starting) {
		container_signal(c, SIGKILL);
		wasm_call_refuse(call, ERR_BUSY, "the container runs, and is being ended");
		return;
	}
	/* Whether one whose start was cancelled runs is not known. */
	wasm_link_send(w->link, WASM_SIGNAL, c->id, SIGKILL, SLICE_NULL, NULL, 0);
	container_group_remove(box_cgroup(c->box), c->id);
	store_remove(w, "containers", c->id);
	wasm_container_free(c);
	wasm_call_done(call);
	view_look(w->n);
}

void container_reopen_log(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	const char *id = ((CRI(ContainerRequest) *)call->request)->container_id;
	wasm_link_send(w->link, WASM_REOPEN, id, 0, SLICE_NULL, NULL, 0);
	wasm_call_done(call);
}
