/* `k3x server`: puts the house together and runs it until it is told to stop.
 *
 * Start, each step waiting for the one before:
 *     settings -> who this is -> keys and certificates, and beside them the store -> API server -> kubeconfig
 *             -> parts (see parts.h)
 * A server with peers opens its store when it has its certificate for them.
 * Stop (SIGTERM, SIGINT): the same in reverse; pods keep running. When the node's address has moved it stops the same
 * way, and begins anew in its place. The main thread runs a loop for signals and timers; the API server has a loop and
 * a thread of its own. */
#include "tools/k3x/addons.h"
#include "tools/k3x/address_follow.h"
#include "tools/k3x/keys/node_id.h"
#include "tools/k3x/parts/parts.h"
#include "tools/programs.h"
#include "tools/k3x/server_check.h"
#include "tools/k3x/keys/server_encryption.h"
#include "tools/k3x/server_events.h"
#include "tools/k3x/join/server_join.h"
#include "tools/k3x/keys/server_keeper.h"
#include "tools/k3x/server_operate.h"
#include "tools/k3x/keys/server_pki.h"
#include "tools/k3x/keys/server_share.h"
#include "tools/k3x/server_reset.h"
#include "tools/k3x/server_settings.h"
#include "tools/k3x/snapshots/server_snapshots.h"
#include "tools/k3x/snapshots/snapshot_records.h"
#include "tools/k3x/server_store.h"
#include "tools/k3x/service.h"
#include "tools/k3x/startup.h"

#include "api/server/join/join.h"
#include "api/server/server.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem/spare.h"
#include "base/proc/process.h"
#include "base/rt/signals.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STOP_DRAIN_MS = 3000 };

/* The store opens on a thread of its own while keys and certificates are looked at or made: each takes a third of a
 * start. Its settings are a copy, for an arena is one thread's. */
struct store_opening {
	pthread_t thread;
	struct server_settings settings;
	struct server_store *store;
	struct err err;
};

struct server {
	struct server_settings settings;
	struct loop main_loop;
	struct loop api_loop;
	struct store_opening opening;
	struct server_store store;
	struct keeper *keeper;
	struct snapshots *snapshots;
	struct snapshot_records *snapshot_records;
	struct server_events *events;
	struct server_operate operate;
	struct service service;
	struct api_join_options join;
	struct api_server *api;
	struct signals signals;
	bool has_parts;                      /* they were started */
	unsigned missed_leaves, missed_keys; /* renewed before that */
	struct loop_task ready_task;
	struct loop_task stopped_task;
	struct loop_task removed_task;
	struct err api_err;
	struct address_follow *address; /* NULL: it was given */
	bool stopping, begins_anew;     /* the latter: once it has stopped */
	int exit_code;
};

/* ---- stopping ---- */

static void close_handles(struct server *s)
{
	signals_close(&s->signals);
	loop_stop(&s->main_loop);
}

static void api_stopped(struct loop_task *t)
{
	close_handles(CONTAINER_OF(t, struct server, stopped_task));
}

static void api_closed(void *arg)
{
	struct server *s = arg;
	loop_stop(&s->api_loop);
	s->stopped_task.run = api_stopped;
	loop_post(&s->main_loop, &s->stopped_task);
}

static void close_api(void *arg)
{
	struct server *s = arg;
	api_server_close(s->api, STOP_DRAIN_MS, api_closed, s);
}

static void events_closed(void *arg)
{
	struct server *s = arg;
	loop_call(&s->api_loop, close_api, s);
}

static void records_closed(void *arg)
{
	struct server *s = arg;
	server_events_close(s->events, events_closed, s);
}

/* Returns when it can't be. */
static void begin_anew(void)
{
	struct err err = ERR_INIT;
	if (process_restart(&err) != 0)
		log_error("server", "cannot begin anew", "error=\"%s\"", err.msg);
}

static void end_at_once(const struct server *s)
{
	if (s->begins_anew)
		begin_anew();
	_exit(1);
}

static void stop(struct server *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	log_info("server", "stopping", "%s", "");
	address_follow_close(s->address);
	service_stop(&s->service, s->begins_anew);
	store_hurry(s->store.engine);
	snapshots_cancel(s->snapshots);
	if (!parts_stop()) /* what is acknowledged is on disk, as after any crash */
		end_at_once(s);
	snapshot_records_close(s->snapshot_records, records_closed, s);
}

static void told(void *arg, int number)
{
	struct server *s = arg;
	s->begins_anew = false;
	stop(s);
}

static void moved(void *arg)
{
	struct server *s = arg;
	s->begins_anew = true;
	stop(s);
}

static void stop_removed(struct loop_task *t)
{
	struct server *s = CONTAINER_OF(t, struct server, removed_task);
	s->exit_code = err_exit_code(ERR_FORBIDDEN);
	stop(s);
}

static void on_removed(void *arg)
{
	struct server *s = arg;
	s->removed_task.run = stop_removed;
	loop_post(&s->main_loop, &s->removed_task);
}

/* ---- what the keeper says ---- */

/* Keys or certificates have changed: on its way from the keeper's thread to those who use them. */
struct news {
	struct loop_task task;
	struct server *server;
	unsigned leaves, keys;
};

struct reload {
	struct api_server *api;
	struct err err;
};

static void reload_api(void *arg)
{
	struct reload *r = arg;
	api_server_reload(r->api, &r->err);
}

static void use_new_files(struct server *s, unsigned leaves, unsigned keys)
{
	struct reload r = {.api = s->api};
	server_store_reload_tls(&s->store);
	loop_call(&s->api_loop, reload_api, &r);
	if (!r.err.code && (leaves & 1u << SERVER_LEAF_ADMIN || keys & SERVER_KEYS_SERVER_CA))
		server_write_kubeconfig(&s->settings, api_server_port(s->api), &r.err);
	if (keys & SERVER_KEYS_SERVER_CA) /* the controllers hand the CA out */
		parts_restart_led();
	if (r.err.code)
		log_error(
		        "server", "not all that was renewed is in use: restart the server", "error=\"%s\"", r.err.msg);
}

static void take_news(struct loop_task *t)
{
	struct news *n = CONTAINER_OF(t, struct news, task);
	struct server *s = n->server;
	if (!s->stopping && s->has_parts) {
		use_new_files(s, n->leaves, n->keys);
	} else {
		s->missed_leaves |= n->leaves;
		s->missed_keys |= n->keys;
	}
	free(n);
}

static void keys_changed(void *arg, unsigned leaves, unsigned keys)
{
	struct server *s = arg;
	struct news *n = xcalloc(1, sizeof *n);
	*n = (struct news){.task.run = take_news, .server = s, .leaves = leaves, .keys = keys};
	loop_post(&s->main_loop, &n->task);
}

static void warn(void *arg, const char *reason, const char *message)
{
	struct server *s = arg;
	server_events_tell(s->events, "Warning", reason, message);
}

/* ---- starting ---- */

static void fail(struct server *s, const struct err *err)
{
	log_error("server", "cannot start", "error=\"%s\"", err->msg);
	s->exit_code = err_exit_code(err->code);
	stop(s);
}

static void part_hangs(void *arg)
{
	_exit(1); /* what is acknowledged is on disk, as after any crash; another server does its work already */
}

static void api_ready_on_main(struct loop_task *t)
{
	struct server *s = CONTAINER_OF(t, struct server, ready_task);
	struct err err = ERR_INIT;
	if (s->stopping) /* the signal came first */
		return;
	if (s->api_err.code) {
		fail(s, &s->api_err);
		return;
	}
	if (server_write_kubeconfig(&s->settings, api_server_port(s->api), &err) != 0)
		log_warn("server", "cannot write the admin kubeconfig", "error=\"%s\"", err.msg);
	log_info("server", "API is ready", "port=%d kubeconfig=%s", api_server_port(s->api),
	        s->settings.write_kubeconfig);
	struct part_env env = {.settings = &s->settings, .api = s->api};
	if (parts_start(&s->main_loop, &env, s->store.engine, part_hangs, s, &err) != 0) {
		fail(s, &err);
		return;
	}
	server_events_begin(s->events, s->api);
	snapshot_records_begin(s->snapshot_records, s->api);
	s->has_parts = true;
	service_begin(&s->service, &s->main_loop, &s->api_loop);
	service_ready(&s->service, true);
	s->address = address_follow_new(&s->main_loop, &s->settings, moved, s);
	if (s->missed_leaves || s->missed_keys)
		use_new_files(s, s->missed_leaves, s->missed_keys);
}

static void api_ready(void *arg, const struct err *err)
{
	struct server *s = arg;
	s->api_err = *err;
	s->ready_task.run = api_ready_on_main;
	loop_post(&s->main_loop, &s->ready_task);
}

struct api_start {
	struct server *server;
	struct err err;
};

static const char *or_else(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static void start_api_on_loop(void *arg)
{
	struct api_start *start = arg;
	struct server *s = start->server;
	struct server_settings *set = &s->settings;
	s->join = (struct api_join_options){
	        .settings = server_join_settings(set),
	        .cluster_id = set->cluster_id,
	        .access = set->has_peers ? &s->store.access : NULL,
	        .client_ca_file = server_file(set, "server/tls/client-ca.crt"),
	        .client_ca_key_file = server_file(set, "server/tls/client-ca.key"),
	        .server_ca_file = server_file(set, "server/tls/server-ca.crt"),
	        .server_ca_key_file = server_file(set, "server/tls/server-ca.key"),
	        .stale_mark_file = server_file(set, SERVER_OWN_KEYS_MARK),
	        .operator= {server_operate_run, &s->operate},
	};
	struct api_server_options o = {
	        .loop = &s->api_loop,
	        .store = s->store.engine,
	        .bind_address = set->bind_address,
	        .port = (int)set->https_port,
	        .cert_file = server_file(set, "server/tls/serving-kube-apiserver.crt"),
	        .key_file = server_file(set, "server/tls/serving-kube-apiserver.key"),
	        .client_ca_file = server_file(set, "server/tls/client-ca.crt"),
	        .service_account_key_file = server_file(set, "server/tls/service.key"),
	        .service_account_issuer =
	                arena_printf(&set->arena, "https://kubernetes.default.svc.%s", set->cluster_domain),
	        .server_ca_file = server_file(set, "server/tls/server-ca.crt"),
	        .service_cidr = set->service_cidr,
	        .node_port_min = set->node_port_min,
	        .node_port_max = set->node_port_max,
	        .advertise_address = set->advertise_address,
	        .tls_min_version = or_else(set->apiserver.tls_min_version, set->tls_min_version),
	        .tls_cipher_suites = or_else(set->apiserver.tls_cipher_suites, set->tls_cipher_suites),
	        .arguments = &set->apiserver,
	        .encryption_config_file = server_file(set, ENCRYPTION_CONFIG_PLACE),
	        .join = &s->join,
	        .token_file = server_file(set, "server/token"),
	        .agent_token_file = server_file(set, "server/agent-token"),
	        .kubelet_ca_file = server_file(set, "server/tls/server-ca.crt"),
	        .kubelet_cert_file = server_file(set, "server/tls/client-kube-apiserver.crt"),
	        .kubelet_key_file = server_file(set, "server/tls/client-kube-apiserver.key"),
	        .kubelets_are_external = set->flannel_external_ip,
	        .proxy_ca_file = server_file(set, "server/tls/request-header-ca.crt"),
	        .proxy_cert_file = server_file(set, "server/tls/client-auth-proxy.crt"),
	        .proxy_key_file = server_file(set, "server/tls/client-auth-proxy.key"),
	};
	api_server_new(&o, api_ready, s, &s->api, &start->err);
}

static int start_api(struct server *s, struct err *err)
{
	struct api_start start = {.server = s};
	loop_init(&s->api_loop, "api");
	loop_start_thread(&s->api_loop);
	loop_call(&s->api_loop, start_api_on_loop, &start);
	*err = start.err;
	return err->code;
}

static void tell(void *arg, const char *type, const char *reason, const char *message)
{
	struct server *s = arg;
	server_events_tell(s->events, type, reason, message);
}

static void looked(void *arg, struct snapshot_list *list, bool knows_s3)
{
	struct server *s = arg;
	snapshot_records_set(s->snapshot_records, list, knows_s3);
}

/* What works beside the API as long as the server runs. */
static void start_helpers(struct server *s)
{
	struct keeper_options o = {
	        .settings = &s->settings, .store = s->store.engine, .changed = keys_changed, .warn = warn, .arg = s};
	s->events = server_events_new(&s->main_loop, s->settings.node_name);
	s->snapshot_records = snapshot_records_new(&s->main_loop, s->settings.node_name);
	s->keeper = keeper_start(&o);
	s->snapshots = snapshots_start(&(struct snapshots_options){
	        .settings = &s->settings, .store = s->store.engine, .tell = tell, .looked = looked, .arg = s});
	s->operate = (struct server_operate){
	        .settings = s->settings, .keeper = s->keeper, .snapshots = s->snapshots, .store = s->store.engine};
	s->operate.settings.arena = ARENA_INIT;
}

static void *open_store(void *arg)
{
	struct store_opening *o = arg;
	pthread_setname_np(pthread_self(), "opening");
	server_store_open(&o->settings, false, o->store, &o->err);
	return NULL;
}

/* Whichever fails, both have ended. What was opened for nothing ends with the process, as after any crash. */
static int open_beside(struct server *s, struct err *err)
{
	struct store_opening *o = &s->opening;
	o->settings = s->settings;
	o->settings.arena = ARENA_INIT;
	o->store = &s->store;
	int rc = pthread_create(&o->thread, NULL, open_store, o);
	if (rc != 0)
		return err_errno(err, rc, "start a thread");
	rc = server_pki_prepare(&s->settings, clock_wall_s(), 0, NULL, err);
	CHECK(pthread_join(o->thread, NULL) == 0);
	if (rc == 0 && o->err.code)
		*err = o->err;
	return err->code;
}

static int prepare(struct server *s, struct err *err)
{
	struct server_settings *set = &s->settings;
	bool is_joining = false;
	if (server_keys_resume(set, err) != 0 || server_join_begin(set, &is_joining, err) != 0 ||
	        (!is_joining && !set->datastore_endpoint && encryption_begin(set, clock_wall_s(), err) != 0) ||
	        server_store_identify(set, err) != 0 || server_keys_recover(set, err) != 0)
		return err->code;
	if (set->datastore_endpoint)
		return server_store_open(set, false, &s->store, err) == 0 ? server_share_keys(set, s->store.engine, err)
		                                                          : err->code;
	if (!set->has_peers)
		return open_beside(s, err);
	if (server_pki_prepare(set, clock_wall_s(), 0, NULL, err) != 0 ||
	        server_store_open(set, is_joining, &s->store, err) != 0)
		return err->code;
	return is_joining ? server_join_finish(set, &s->store, err) : 0;
}

static int start(struct server *s, int argc, char **argv, struct err *err)
{
	int rc = server_settings_load(&s->settings, false, argc, argv, err);
	if (rc != 0)
		return rc;
	if (server_check(&s->settings, err) != 0 || startup_open_log(&s->settings, err) != 0 ||
	        server_make_folders(&s->settings, err) != 0 || startup_write_registries(&s->settings, err) != 0 ||
	        node_id_append(&s->settings, err) != 0 || addons_lay_out(&s->settings, addon_files, err) != 0)
		return err->code;
	if (s->settings.cluster_reset)
		return server_reset(&s->settings, err) == 0 ? 1 : err->code;
	startup_note_process(&s->settings);
	if (prepare(s, err) != 0)
		return err->code;
	loop_init(&s->main_loop, "k3x");
	startup_go_last_when_memory_is_short();
	signals_watch(&s->signals, &s->main_loop, told, s);
	server_store_watch_removal(&s->store, on_removed, s);
	start_helpers(s);
	log_info("server", "starting", "version=%s kubernetes=%s data=%s node=%s address=%s", K3X_VERSION,
	        K3X_KUBE_VERSION, s->settings.data_dir, s->settings.node_name, s->settings.node_addresses);
	return start_api(s, err);
}

int server_main(int argc, char **argv)
{
	struct server *s = xcalloc(1, sizeof *s);
	struct err err = ERR_INIT;
	spare_memory();
	process_raise_file_limit();
	int rc = start(s, argc, argv, &err);
	if (rc > 0) { /* help was asked for, or a reset, and nothing was opened */
		arena_release(&s->settings.arena);
		free(s);
		return 0;
	}
	if (rc != 0) {
		fprintf(stderr, "k3x server: %s\n", err.msg);
		_exit(err_exit_code(rc)); /* what is open ends with it; threads run, and exit handlers would pull
		                             OpenSSL from under them */
	}
	loop_run(&s->main_loop);
	loop_join(&s->api_loop);
	loop_release(&s->api_loop);
	snapshots_stop(s->snapshots);
	keeper_stop(s->keeper);
	snapshot_records_free(s->snapshot_records);
	server_events_free(s->events);
	arena_release(&s->operate.settings.arena);
	server_store_close(&s->store);
	loop_release(&s->main_loop);
	log_info("server", "stopped", "%s", "");
	int code = s->exit_code;
	bool begins_anew = s->begins_anew && code == 0;
	arena_release(&s->opening.settings.arena);
	arena_release(&s->settings.arena);
	free(s);
	if (begins_anew)
		begin_anew();
	return begins_anew ? 1 : code; /* it couldn't */
}
