/* `k3x agent`: a node of a cluster whose servers run elsewhere. The same node and service proxy as a server has, which
 * reach the API through a balancer on loopback.
 *
 * Start: settings -> joining, or what it left on the disk -> parts (uplink, node, proxy).
 * While it runs: certificates are renewed on a thread of their own, long before they end; whoever uses one is told.
 * Stop (SIGTERM, SIGINT): the same in reverse; pods keep running, also while no agent and no server does. When the
 * node's address has moved it stops the same way, and begins anew in its place.
 *
 * What can go wrong at the start is told and ends it (agent_join.h); later everything is tried again for as long as it
 * takes: no server, no containerd, a certificate that can't be renewed yet. */
#include "tools/k3x/address_follow.h"
#include "tools/k3x/join/agent_follow.h"
#include "tools/k3x/join/agent_join.h"
#include "tools/k3x/keys/node_id.h"
#include "tools/k3x/parts/part_client.h"
#include "tools/k3x/server_check.h"
#include "tools/k3x/keys/server_pki.h"
#include "tools/k3x/service.h"
#include "tools/k3x/startup.h"
#include "tools/programs.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/spare.h"
#include "base/proc/process.h"
#include "base/rt/cond.h"
#include "base/rt/signals.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Files of certificates are looked at when their folder changes, and now and then; what failed sooner again. */
enum { LOOK_MS = 3600 * 1000, RETRY_MS = 30 * 1000 };

/* Owned by the thread of certificates but for what `lock` guards. */
struct renewal {
	struct server_settings settings; /* a copy, for an arena is one thread's */
	const struct agent_access *access;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping, has_changed;
};

struct agent {
	struct server_settings settings;
	struct loop loop;
	struct agent_access access;
	struct renewal renewal;
	struct service service;
	struct signals signals;
	struct address_follow *address; /* NULL: it was given */
	uv_fs_event_t folder;
	bool stopping, begins_anew; /* the latter: once it has stopped */
};

/* ---- certificates ---- */

/* The settings count from a start on: services and pods of one half of a node must not be those of the other. */
static bool follow(struct renewal *r)
{
	struct agent_news news;
	struct err err = ERR_INIT;
	if (agent_follow(&r->settings, r->access->url, &news, &err) != 0)
		return false; /* told by whoever needs a server */
	if (news.settings)
		log_warn("agent", "the cluster's settings are others than those this agent runs with",
		        "mend=\"restart it\"");
	return news.cas;
}

static void renew(struct renewal *r, bool *failed)
{
	struct err err = ERR_INIT;
	bool renewed = false, has_new_ca = follow(r);
	*failed = agent_certificates_renew(&r->settings, r->access->url, &renewed, &err) != 0;
	if (*failed)
		log_warn("agent", "certificates can't be renewed yet, it is tried again", "error=\"%s\"", err.msg);
	arena_release(&r->settings.arena);
	r->settings.arena = ARENA_INIT;
	err = ERR_INIT;
	if (!renewed && !has_new_ca)
		return;
	if (tls_context_reload(r->access->kubelet, &err) != 0 || tls_context_reload(r->access->proxy, &err) != 0)
		log_error("agent", "the renewed certificates can't be loaded", "error=\"%s\"", err.msg);
	else
		log_info("agent", "certificates are renewed", "node=%s", r->settings.node_name);
}

static bool wait_for_change(struct renewal *r, int64_t ms)
{
	struct timespec limit = cond_limit(ms);
	pthread_mutex_lock(&r->lock);
	while (!r->stopping && !r->has_changed && cond_wait_until(&r->wake, &r->lock, &limit))
		;
	r->has_changed = false;
	bool go_on = !r->stopping;
	pthread_mutex_unlock(&r->lock);
	return go_on;
}

static void *renewal_main(void *arg)
{
	struct renewal *r = arg;
	bool failed = false;
	pthread_setname_np(pthread_self(), "certificates");
	do
		renew(r, &failed);
	while (wait_for_change(r, failed ? RETRY_MS : LOOK_MS));
	return NULL;
}

static void tell_renewal(struct renewal *r, bool stop)
{
	pthread_mutex_lock(&r->lock);
	r->stopping |= stop;
	r->has_changed = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

static void start_renewal(struct agent *a)
{
	struct renewal *r = &a->renewal;
	r->settings = a->settings;
	r->settings.arena = ARENA_INIT;
	r->access = &a->access;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	CHECK(pthread_create(&r->thread, NULL, renewal_main, r) == 0);
}

/* Somebody has removed or replaced a certificate; or it was us. */
static void folder_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct agent *a = h->data;
	struct slice file = slice_of(name);
	if (slice_ends(file, ".crt") || slice_ends(file, ".key"))
		tell_renewal(&a->renewal, false);
}

/* ---- stopping ---- */

/* Returns when it can't be. */
static void begin_anew(void)
{
	struct err err = ERR_INIT;
	if (process_restart(&err) != 0)
		log_error("agent", "cannot begin anew", "error=\"%s\"", err.msg);
}

static void end_at_once(const struct agent *a)
{
	if (a->begins_anew)
		begin_anew();
	_exit(1);
}

static void stop(struct agent *a)
{
	if (a->stopping)
		return;
	a->stopping = true;
	log_info("agent", "stopping", "%s", "");
	address_follow_close(a->address);
	service_stop(&a->service, a->begins_anew);
	if (!parts_stop())
		end_at_once(a);
	signals_close(&a->signals);
	uv_close((uv_handle_t *)&a->folder, NULL);
	loop_stop(&a->loop);
}

static void told(void *arg, int number)
{
	struct agent *a = arg;
	a->begins_anew = false;
	stop(a);
}

static void moved(void *arg)
{
	struct agent *a = arg;
	a->begins_anew = true;
	stop(a);
}

static void part_hangs(void *arg)
{
	_exit(1);
}

/* ---- starting ---- */

static int open_identities(struct agent *a, struct err *err)
{
	struct server_settings *s = &a->settings;
	const char *ca = server_file(s, "agent/server-ca.crt");
	struct tls_options kubelet = {.ca_file = ca,
	        .certificate_file = server_file(s, "agent/client-kubelet.crt"),
	        .key_file = server_file(s, "agent/client-kubelet.key")};
	struct tls_options proxy = {.ca_file = ca,
	        .certificate_file = server_file(s, "agent/client-kube-proxy.crt"),
	        .key_file = server_file(s, "agent/client-kube-proxy.key")};
	if (tls_context_new(&kubelet, &a->access.kubelet, err) != 0 ||
	        tls_context_new(&proxy, &a->access.proxy, err) != 0)
		return err_wrap(err, "the node's certificates");
	return 0;
}

static int prepare_access(struct agent *a, struct err *err)
{
	struct server_settings *s = &a->settings;
	struct url url;
	if (url_parse(&s->arena, s->join_url, 6443, &url, err) != 0)
		return err_wrap(err, "--server");
	a->access.fallback = url_authority(&s->arena, url.host, url.port);
	a->access.url = arena_printf(&s->arena, "https://127.0.0.1:%d", (int)s->lb_port);
	return open_identities(a, err);
}

static void watch_folder(struct agent *a)
{
	uv_fs_event_init(loop_uv(&a->loop), &a->folder);
	a->folder.data = a;
	uv_fs_event_start(&a->folder, folder_changed, server_file(&a->settings, "agent"), 0);
}

static int start_parts(struct agent *a, struct err *err)
{
	struct part_env env = {.settings = &a->settings, .agent = &a->access};
	if (parts_start(&a->loop, &env, NULL, part_hangs, a, err) != 0)
		return err->code;
	service_begin(&a->service, &a->loop, NULL);
	service_ready(&a->service, false);
	a->address = address_follow_new(&a->loop, &a->settings, moved, a);
	return 0;
}

static int start(struct agent *a, int argc, char **argv, struct err *err)
{
	struct server_settings *s = &a->settings;
	int rc = server_settings_load(s, true, argc, argv, err);
	if (rc != 0)
		return rc;
	if (agent_check(s, err) != 0 || startup_open_log(s, err) != 0 || server_make_folders(s, err) != 0 ||
	        node_id_append(s, err) != 0 || agent_join(s, err) != 0 || startup_write_registries(s, err) != 0 ||
	        prepare_access(a, err) != 0)
		return err->code;
	startup_note_process(s);
	loop_init(&a->loop, "k3x");
	startup_go_last_when_memory_is_short();
	signals_watch(&a->signals, &a->loop, told, a);
	watch_folder(a);
	log_info("agent", "starting", "version=%s kubernetes=%s data=%s node=%s address=%s server=%s", K3X_VERSION,
	        K3X_KUBE_VERSION, s->data_dir, s->node_name, s->node_addresses, s->join_url);
	return start_parts(a, err);
}

int agent_main(int argc, char **argv)
{
	struct agent *a = xcalloc(1, sizeof *a);
	struct err err = ERR_INIT;
	spare_memory();
	process_raise_file_limit();
	int rc = start(a, argc, argv, &err);
	if (rc > 0) { /* help was asked for */
		arena_release(&a->settings.arena);
		free(a);
		return 0;
	}
	if (rc != 0) {
		fprintf(stderr, "k3x agent: %s\n", err.msg);
		return err_exit_code(rc); /* the process ends: what is open ends with it */
	}
	start_renewal(a);
	loop_run(&a->loop);
	tell_renewal(&a->renewal, true);
	CHECK(pthread_join(a->renewal.thread, NULL) == 0);
	loop_release(&a->loop);
	log_info("agent", "stopped", "%s", "");
	tls_context_unref(a->access.kubelet);
	tls_context_unref(a->access.proxy);
	arena_release(&a->renewal.settings.arena);
	bool begins_anew = a->begins_anew;
	arena_release(&a->settings.arena);
	free(a);
	if (begins_anew)
		begin_anew();
	return begins_anew; /* it couldn't */
}
