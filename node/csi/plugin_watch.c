/* See plugin_watch_int.h. The folder is looked at when something in it changes. A socket that is new is a plugin:
 *
 *     NEW --> ASKED (GetInfo) --> TAKEN (the handler's) --> TOLD (NotifyRegistrationStatus) --> REGISTERED
 *      ^         |                    |
 *      |         v                    v  (told why)
 *      +----- PAUSED <----------------+
 *
 * A socket that goes takes the plugin with it; one that was made anew is another plugin. Folders within are not looked
 * into.
 *
 * What can go wrong: nobody listens yet (between bind and listen), or answers: it is asked again, at longer and longer
 * intervals. Upstream: pkg/kubelet/pluginmanager. */
#include "node/csi/plugin_watch_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/rt/closing.h"
#include "base/rt/sm.h"
#include "node/csi/rpc_int.h"
#include "node/ground/files.h"
#include "node/ground/retry.h"
#include "node/runtime/proto/plugin_registration.pb-c.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ASK_MS = 10000 };
static const struct retry_rule again_rule = {250, 120000};

#define SERVICE "/pluginregistration.Registration/"

enum plugin_state { PLUGIN_NEW, PLUGIN_ASKED, PLUGIN_TAKEN, PLUGIN_TOLD, PLUGIN_REGISTERED, PLUGIN_PAUSED };

static const struct sm_state states[] = {
        [PLUGIN_NEW] = {"new", SM_TO(PLUGIN_ASKED)},
        [PLUGIN_ASKED] = {"asked", SM_TO(PLUGIN_TAKEN) | SM_TO(PLUGIN_TOLD) | SM_TO(PLUGIN_PAUSED)},
        [PLUGIN_TAKEN] = {"taken", SM_TO(PLUGIN_TOLD)},
        [PLUGIN_TOLD] = {"told", SM_TO(PLUGIN_REGISTERED) | SM_TO(PLUGIN_PAUSED)},
        [PLUGIN_REGISTERED] = {"registered", 0},
        [PLUGIN_PAUSED] = {"paused", SM_TO(PLUGIN_ASKED)},
};
static const struct sm_kind machine = SM_KIND("plugin-registration", states, NULL);

struct watched_plugin {
	struct list_link link;
	struct plugin_watch *watch;
	struct sm sm;
	struct retry retry;
	char *file, *path; /* the socket: its name, its path */
	ino_t inode;
	struct timespec made;
	bool is_seen, is_refused, is_dropped, was_offered; /* offered: the handler knows its name */
	struct rpc_client *rpc;
	struct arena arena; /* of info */
	struct plugin_info info;
};

struct plugin_watch {
	struct loop *loop;
	char *dir;
	struct plugin_handler handler;
	uv_fs_event_t events;
	uv_timer_t timer;
	struct list_link plugins;
	bool is_closing;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void ask(struct watched_plugin *p);

/* ---- the steps of one plugin ---- */

static void set_timer(struct plugin_watch *w);

static void pause_plugin(struct watched_plugin *p, const char *why)
{
	struct plugin_watch *w = p->watch;
	sm_move(&p->sm, PLUGIN_PAUSED);
	if (retry_failed(&p->retry, &again_rule, loop_now_ms(w->loop)))
		log_warn("node", "a plugin is not registered", "socket=%s failures=%u error=\"%s\"", p->path,
		        p->retry.failures, why);
	set_timer(w);
}

static void told(void *arg, const void *answer, const struct err *err)
{
	struct watched_plugin *p = arg;
	if (p->is_dropped)
		return;
	if (p->is_refused || err) {
		pause_plugin(p, err ? err->msg : "it was refused");
		return;
	}
	sm_move(&p->sm, PLUGIN_REGISTERED);
	log_info("node", "a plugin is registered", "type=%s name=%s endpoint=%s", p->info.type, p->info.name,
	        p->info.endpoint);
}

void plugin_watch_answer(struct watched_plugin *p, const struct err *err)
{
	LOOP_CHECK_OWNER(p->watch->loop);
	Pluginregistration__RegistrationStatus m = PLUGINREGISTRATION__REGISTRATION_STATUS__INIT;
	p->is_refused = err != NULL;
	m.plugin_registered = !err;
	if (err) {
		m.error = (char *)err->msg;
		log_warn("node", "a plugin is refused", "type=%s name=%s error=\"%s\"", p->info.type, p->info.name,
		        err->msg);
	}
	sm_move(&p->sm, PLUGIN_TOLD);
	rpc_call(p->rpc, SERVICE "NotifyRegistrationStatus", &m.base,
	        &pluginregistration__registration_status_response__descriptor, ASK_MS, told, p);
}

static void keep_info(struct watched_plugin *p, const Pluginregistration__PluginInfo *m)
{
	struct arena *a = &p->arena;
	const char **versions = ARENA_ARRAY(a, const char *, m->n_supported_versions + 1);
	for (size_t i = 0; i < m->n_supported_versions; i++)
		versions[i] = arena_strdup(a, m->supported_versions[i]);
	p->info = (struct plugin_info){.type = arena_strdup(a, m->type),
	        .name = arena_strdup(a, m->name),
	        .endpoint = *m->endpoint ? arena_strdup(a, m->endpoint) : p->path,
	        .versions = versions,
	        .versions_count = m->n_supported_versions};
}

static void got_info(void *arg, const void *answer, const struct err *err)
{
	struct watched_plugin *p = arg;
	struct plugin_watch *w = p->watch;
	struct err e = ERR_INIT;
	if (p->is_dropped)
		return;
	if (err) {
		pause_plugin(p, err->msg);
		return;
	}
	arena_release(&p->arena);
	keep_info(p, answer);
	if (strcmp(p->info.type, w->handler.type) != 0) {
		err_set(&e, ERR_UNIMPLEMENTED, "no handler registered for plugin type: %.80s at socket %s",
		        p->info.type, p->path);
		plugin_watch_answer(p, &e);
		return;
	}
	sm_move(&p->sm, PLUGIN_TAKEN);
	p->was_offered = true;
	w->handler.register_plugin(w->handler.arg, p, &p->info);
}

static void ask(struct watched_plugin *p)
{
	Pluginregistration__InfoRequest m = PLUGINREGISTRATION__INFO_REQUEST__INIT;
	sm_move(&p->sm, PLUGIN_ASKED);
	rpc_call(p->rpc, SERVICE "GetInfo", &m.base, &pluginregistration__plugin_info__descriptor, ASK_MS, got_info, p);
}

/* ---- which there are ---- */

/* Its calls have ended, with an error that nobody heeds. */
static void plugin_closed(void *arg)
{
	struct watched_plugin *p = arg;
	struct plugin_watch *w = p->watch;
	arena_release(&p->arena);
	free(p->file);
	free(p->path);
	free(p);
	closing_part_done(&w->parts);
}

static void drop(struct watched_plugin *p, bool tells)
{
	struct plugin_watch *w = p->watch;
	list_del(&p->link);
	p->is_dropped = true;
	if (tells && p->was_offered)
		w->handler.plugin_gone(w->handler.arg, p, p->info.name);
	closing_hold(&w->parts);
	rpc_client_close(p->rpc, plugin_closed, p);
}

static struct watched_plugin *find(struct plugin_watch *w, const char *file, size_t *count)
{
	struct watched_plugin *found = NULL;
	*count = 0;
	LIST_FOREACH (it, &w->plugins) {
		struct watched_plugin *p = CONTAINER_OF(it, struct watched_plugin, link);
		found = strcmp(p->file, file) == 0 ? p : found;
		++*count;
	}
	return found;
}

static void see(struct plugin_watch *w, const char *file, const struct stat *st)
{
	size_t count;
	struct watched_plugin *p = find(w, file, &count);
	if (p && (p->inode != st->st_ino || memcmp(&p->made, &st->st_ctim, sizeof p->made) != 0)) {
		drop(p, true);
		p = NULL;
	}
	if (!p && count >= NODE_PLUGIN_SOCKETS_MAX)
		return;
	if (!p) {
		p = xcalloc(1, sizeof *p);
		*p = (struct watched_plugin){.watch = w,
		        .file = xstrdup(file),
		        .path = xprintf("%s/%s", w->dir, file),
		        .inode = st->st_ino,
		        .made = st->st_ctim};
		sm_init(&p->sm, &machine, PLUGIN_NEW, p->file);
		p->rpc = rpc_client_new(w->loop, p->path);
		list_push_back(&w->plugins, &p->link);
		ask(p);
	}
	p->is_seen = true;
}

static void look(struct plugin_watch *w)
{
	LOOP_CHECK_OWNER(w->loop);
	DIR *folder = opendir(w->dir);
	struct stat st;
	LIST_FOREACH (it, &w->plugins)
		CONTAINER_OF(it, struct watched_plugin, link)->is_seen = false;
	for (struct dirent *e; folder && (e = readdir(folder));)
		if (e->d_name[0] != '.' && fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		        S_ISSOCK(st.st_mode))
			see(w, e->d_name, &st);
	if (folder)
		closedir(folder);
	LIST_FOREACH (it, &w->plugins) {
		struct watched_plugin *p = CONTAINER_OF(it, struct watched_plugin, link);
		if (!p->is_seen)
			drop(p, true);
	}
}

static void changed(uv_fs_event_t *h, const char *file, int events, int status)
{
	struct plugin_watch *w = h->data;
	if (!w->is_closing)
		look(w);
}

/* Asks those again whose pause is over, and sets the timer for the others. */
static void due(uv_timer_t *t)
{
	struct plugin_watch *w = t->data;
	uint64_t now = loop_now_ms(w->loop);
	LIST_FOREACH (it, &w->plugins) {
		struct watched_plugin *p = CONTAINER_OF(it, struct watched_plugin, link);
		if (sm_state(&p->sm) == PLUGIN_PAUSED && !retry_wait_ms(&p->retry, now))
			ask(p);
	}
	set_timer(w);
}

static void set_timer(struct plugin_watch *w)
{
	uint64_t now = loop_now_ms(w->loop), first = UINT64_MAX;
	LIST_FOREACH (it, &w->plugins) {
		struct watched_plugin *p = CONTAINER_OF(it, struct watched_plugin, link);
		uint64_t wait = retry_wait_ms(&p->retry, now);
		if (sm_state(&p->sm) == PLUGIN_PAUSED && wait < first)
			first = wait;
	}
	if (first != UINT64_MAX && !w->is_closing)
		uv_timer_start(&w->timer, due, first + 1, 0);
}

/* ---- life ---- */

static void all_closed(struct closing *parts)
{
	struct plugin_watch *w = CONTAINER_OF(parts, struct plugin_watch, parts);
	void (*closed)(void *) = w->closed;
	void *arg = w->closed_arg;
	free(w->dir);
	free(w);
	closed(arg);
}

static void handle_closed(uv_handle_t *h)
{
	struct plugin_watch *w = h->data;
	closing_part_done(&w->parts);
}

int plugin_watch_new(struct loop *loop, const char *dir, const struct plugin_handler *handler,
        struct plugin_watch **ret, struct err *err)
{
	LOOP_CHECK_OWNER(loop);
	if (file_make_dirs(dir, 0750, err) != 0)
		return err->code;
	struct plugin_watch *w = xcalloc(1, sizeof *w);
	*w = (struct plugin_watch){.loop = loop, .dir = xstrdup(dir), .handler = *handler};
	list_init(&w->plugins);
	w->parts.all_closed = all_closed;
	closing_hold(&w->parts); /* it is open */
	uv_timer_init(loop_uv(loop), &w->timer);
	uv_fs_event_init(loop_uv(loop), &w->events);
	w->timer.data = w->events.data = w;
	int rc = uv_fs_event_start(&w->events, changed, dir, 0);
	if (rc != 0)
		log_error("node", "plugins that come later are not seen: cannot watch their folder",
		        "dir=%s error=\"%s\"", dir, uv_strerror(rc));
	look(w);
	*ret = w;
	return 0;
}

void plugin_watch_close(struct plugin_watch *w, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(w->loop);
	w->closed = closed;
	w->closed_arg = arg;
	w->is_closing = true;
	LIST_FOREACH (it, &w->plugins)
		drop(CONTAINER_OF(it, struct watched_plugin, link), false);
	closing_hold(&w->parts);
	uv_close((uv_handle_t *)&w->timer, handle_closed);
	closing_hold(&w->parts);
	uv_close((uv_handle_t *)&w->events, handle_closed);
	closing_part_done(&w->parts);
}
