/* `k3x-store serve`: the datastore by itself, speaking etcd's v3 API, alone or as a member of a cluster. Flags and
 * environment are etcd's where the meaning is the same, so that it drops into scripts and unit files written for etcd.
 */
#include "tools/programs.h"
#include "tools/store/check.h"
#include "tools/store/serve/serve_settings.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/spare.h"
#include "base/pki/pki.h"
#include "base/proc/process.h"
#include "base/rt/signals.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct serve {
	struct serve_settings settings;
	struct serve_identity identity;
	struct serve_answers answers;
	char **command_line;
	struct arena arena;
	struct loop loop;
	struct engine *store;
	struct serve_tls tls, peer_tls;
	struct raft_peer_access access;
	bool are_peers_open; /* anybody who reaches the peer port passes for one */
	struct etcd_service *service;
	struct signals signals;
	bool stopping;
	struct loop_task start_task, removed_task;
	struct removal_watch *removal;
	int exit_code;
	uv_timer_t trim;
	int64_t cpu_ms, trimmed_cpu_ms;
};

/* Where to listen for a URL's host. */
static const char *listen_host(const struct url *url)
{
	return strcmp(url->host, "localhost") == 0 ? "127.0.0.1" : url->host;
}

enum { SECRET_BYTES_MIN = 16, SECRET_BYTES_MAX = 4096 };

static int load_peer_secret(struct serve *s, struct err *err)
{
	const char *path = s->settings.peer_secret_file;
	char *bytes;
	size_t len;
	if (!path)
		return 0;
	if (pki_file_read(path, &bytes, &len, err) != 0)
		return err_wrap(err, "--peer-secret-file");
	struct slice secret = slice_trim((struct slice){bytes, len});
	s->access.secret = (struct slice){arena_memdup(&s->arena, secret.ptr, secret.len), secret.len};
	free(bytes);
	if (secret.len >= SECRET_BYTES_MIN && secret.len <= SECRET_BYTES_MAX)
		return 0;
	return err_set(err, ERR_INVAL,
	        "--peer-secret-file: %s holds %zu bytes; %d to %d are a secret (head -c 32 /dev/urandom | base64)",
	        path, secret.len, SECRET_BYTES_MIN, SECRET_BYTES_MAX);
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0;
}

/* Peers are told apart by their certificates, or by the secret they share. */
static void look_at_peer_port(struct serve *s, const struct url *listen)
{
	bool is_proven = listen->is_tls ? s->settings.peer_tls.client_cert_auth : s->access.secret.len > 0;
	s->are_peers_open = !is_proven && s->access.secret.len == 0 && !is_loopback(listen_host(listen));
	if (s->are_peers_open)
		log_warn("store", "anybody who reaches the peer port can read and write everything",
		        "port=%d mend=\"--peer-secret-file, the same on every member, or certificates with "
		        "--peer-client-cert-auth\"",
		        listen->port);
}

static int open_raft(struct serve *s, const char *peer_listen, struct err *err)
{
	const struct serve_settings *v = &s->settings;
	struct url url;
	if (url_parse(&s->arena, peer_listen, 2380, &url, err) != 0)
		return err_wrap(err, "--listen-peer-urls");
	if (url.is_tls && !s->peer_tls.server)
		return err_set(err, ERR_INVAL,
		        "an https:// peer URL needs --peer-cert-file and --peer-key-file, or --peer-auto-tls");
	look_at_peer_port(s, &url);
	s->answers.cluster_id = s->identity.cluster_id;
	struct raft_engine_options o = {.data_dir = v->data_dir,
	        .cluster_id = s->identity.cluster_id,
	        .id = s->identity.member_id,
	        .address = s->identity.peer_url,
	        .listen_host = listen_host(&url),
	        .listen_port = url.port,
	        .server_tls = url.is_tls ? s->peer_tls.server : NULL,
	        .access = s->access,
	        .heartbeat_ms = (unsigned)v->heartbeat_ms,
	        .election_ms = (unsigned)v->election_ms,
	        .snapshot_entries = (unsigned)v->snapshot_count,
	        .promote_after_ms = (uint64_t)v->promote_after_s * 1000,
	        .table_bytes = (size_t)v->table_kbytes * 1024,
	        .state_bytes_per_s = (uint64_t)v->state_mbytes_per_s * 1000000,
	        .bootstrap = s->identity.servers,
	        .n_bootstrap = s->identity.n_servers,
	        .question = serve_answer,
	        .check = {v->initial_corrupt_check, v->corrupt_check_ms},
	        .arg = &s->answers};
	int rc = raft_engine_open(&o, &s->store, err);
	if (rc == 0)
		atomic_store(&s->answers.engine, raft_engine_of(s->store));
	return rc;
}

/* Where a member that others reach by https:// says it is, and where it listens. */
static int open_peer_tls(struct serve *s, struct err *err)
{
	struct serve_settings *v = &s->settings;
	struct flag_list hosts = {
	        ARENA_ARRAY(&s->arena, const char *, v->listen_peer.count + v->advertise_peer.count), 0};
	for (size_t i = 0; i < v->listen_peer.count; i++)
		hosts.items[hosts.count++] = v->listen_peer.items[i];
	for (size_t i = 0; i < v->advertise_peer.count; i++)
		hosts.items[hosts.count++] = v->advertise_peer.items[i];
	int rc = serve_tls_open_peers(v, &hosts, &s->arena, &s->peer_tls, err);
	s->access.client_tls = s->peer_tls.client;
	return rc;
}

/* Once: a member that is alone already goes on. */
static int force_new_cluster(struct serve *s, struct err *err)
{
	const struct serve_settings *v = &s->settings;
	if (!v->force_new_cluster || store_recover_alone(v->data_dir, NULL, &s->arena, err) == 0)
		return 0;
	return err_wrap(err, "--force-new-cluster");
}

static int open_store(struct serve *s, struct err *err)
{
	const struct serve_settings *v = &s->settings;
	if (mkdir(v->data_dir, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", v->data_dir);
	if (force_new_cluster(s, err) != 0 || open_peer_tls(s, err) != 0 || load_peer_secret(s, err) != 0 ||
	        serve_identity_load(v, &s->arena, &s->access, &s->identity, err) != 0)
		return err->code;
	return open_raft(s, v->listen_peer.count ? v->listen_peer.items[0] : "http://localhost:2380", err);
}

/* ---- where clients are served ---- */

static int add_listen(struct serve *s, struct etcd_listen *all, size_t *n, const char *flag, const char *text,
        unsigned serves, struct err *err)
{
	struct serve_settings *v = &s->settings;
	struct url url;
	if (*n == ETCD_LISTENS_MAX)
		return err_set(err, ERR_INVAL, "%s: %d URLs can be listened on", flag, ETCD_LISTENS_MAX);
	if (url_parse_any(&s->arena, text, 2379, &url, err) != 0)
		return err_wrap(err, "%s", flag);
	if (url.is_tls && !s->tls.server &&
	        serve_tls_open_clients(v, v->listen_client.count ? &v->listen_client : &v->listen_metrics, &s->arena,
	                &s->tls, err) != 0)
		return err_wrap(err, "%s", flag);
	all[(*n)++] = (struct etcd_listen){.address = listen_host(&url),
	        .port = url.port,
	        .unix_path = url.unix_path,
	        .tls = url.is_tls ? s->tls.server : NULL,
	        .serves = serves};
	return 0;
}

static int add_listens(struct serve *s, struct etcd_listen *all, size_t *n, const char *flag,
        const struct flag_list *urls, unsigned serves, struct err *err)
{
	for (size_t i = 0; i < urls->count; i++)
		if (add_listen(s, all, n, flag, urls->items[i], serves, err) != 0)
			return err->code;
	return 0;
}

static int choose_listens(struct serve *s, struct etcd_listen *all, size_t *n, struct err *err)
{
	struct serve_settings *v = &s->settings;
	unsigned client = ETCD_SERVES_GRPC | (v->listen_http.count ? 0 : ETCD_SERVES_HTTP);
	if (v->listen_client.count == 0 &&
	        add_listen(s, all, n, "--listen-client-urls", "http://localhost:2379", client, err) != 0)
		return err->code;
	if (add_listens(s, all, n, "--listen-client-urls", &v->listen_client, client, err) != 0 ||
	        add_listens(s, all, n, "--listen-client-http-urls", &v->listen_http, ETCD_SERVES_HTTP, err) != 0)
		return err->code;
	return add_listens(s, all, n, "--listen-metrics-urls", &v->listen_metrics, ETCD_SERVES_METRICS, err);
}

static int open_service(struct serve *s, struct err *err)
{
	struct serve_settings *v = &s->settings;
	struct etcd_listen listens[ETCD_LISTENS_MAX];
	struct etcd_service_options o = {.loop = &s->loop, .store = s->store, .name = v->name, .listens = listens};
	const char *listen = v->listen_client.count ? v->listen_client.items[0] : "http://localhost:2379";
	if (choose_listens(s, listens, &o.n_listens, err) != 0)
		return err->code;
	o.reuse_port = v->reuse_port;
	o.streams_max = (unsigned)v->streams_max;
	o.ping_ms = v->ping_ms;
	o.ping_wait_ms = v->ping_wait_ms;
	o.ping_min_ms = v->ping_min_ms;
	o.without_gateway = !v->grpc_gateway;
	o.command_line = (const char *const *)s->command_line;
	o.quota_bytes = v->quota_bytes;
	o.request_bytes_max = (size_t)v->request_bytes_max;
	o.txn_ops_max = (size_t)v->txn_ops_max;
	o.auth_token = v->auth_token;
	o.auth_token_ttl_s = (unsigned)v->auth_token_ttl_s;
	o.progress_ms = v->progress_ms;
	o.bcrypt_cost = (unsigned)v->bcrypt_cost;
	o.client_cert_auth = v->client_tls.client_cert_auth;
	o.compact_period_ms = v->compact_period_ms;
	o.compact_keep_revisions = v->compact_keep_revisions;
	o.client_url = v->advertise_client.count ? v->advertise_client.items[0] : listen;
	o.peer_url = s->identity.peer_url;
	o.cluster_id = s->identity.cluster_id;
	o.member_id = s->identity.member_id;
	o.are_peers_open = s->are_peers_open;
	if (etcd_service_new(&o, &s->service, err) != 0)
		return err->code;
	log_info("store", "serving clients", "url=%s port=%d member=%016" PRIx64 " cluster=%016" PRIx64, listen,
	        etcd_service_port(s->service), o.member_id, o.cluster_id);
	return 0;
}

/* ---- memory ---- */

enum { TRIM_MS = 5000, IDLE_CPU_MS = 250, BUSY_CPU_MS = 1000 };

static int64_t cpu_ms(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000) +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* What a busy time has left goes back once it is over. And files that have changed are read. */
static void trim(uv_timer_t *t)
{
	struct serve *s = t->data;
	serve_tls_refresh(&s->tls, &s->settings.client_tls);
	serve_tls_refresh(&s->peer_tls, &s->settings.peer_tls);
	int64_t now = cpu_ms();
	bool is_idle = now - s->cpu_ms < IDLE_CPU_MS;
	s->cpu_ms = now;
	if (!is_idle || now - s->trimmed_cpu_ms < BUSY_CPU_MS)
		return;
	malloc_trim(0);
	s->trimmed_cpu_ms = now;
}

static void closed(void *arg)
{
	struct serve *s = arg;
	signals_close(&s->signals);
	uv_close((uv_handle_t *)&s->trim, NULL);
	loop_stop(&s->loop);
}

static void told(void *arg, int number)
{
	struct serve *s = arg;
	if (s->stopping)
		return;
	s->stopping = true;
	if (s->service) /* else start_service() is still to run, and sees it */
		etcd_service_close(s->service, 2000, closed, s);
}

static void stop_removed(struct loop_task *t)
{
	struct serve *s = CONTAINER_OF(t, struct serve, removed_task);
	s->exit_code = err_exit_code(ERR_FORBIDDEN);
	if (!s->stopping) {
		s->stopping = true;
		etcd_service_close(s->service, 2000, closed, s);
	}
}

static void removed(void *arg)
{
	struct serve *s = arg;
	s->removed_task.run = stop_removed;
	loop_post(&s->loop, &s->removed_task);
}

/* On the loop: the service belongs to it. */
static void start_service(struct loop_task *t)
{
	struct serve *s = CONTAINER_OF(t, struct serve, start_task);
	struct err err = ERR_INIT;
	if (s->stopping) {
		closed(s);
		return;
	}
	if (open_service(s, &err) == 0) {
		if (raft_engine_of(s->store))
			s->removal = removal_watch_start(
			        raft_engine_of(s->store), s->identity.peer_url, &s->access, removed, s);
		return;
	}
	fprintf(stderr, "k3x-store serve: %s\n", err.msg);
	s->exit_code = err_exit_code(err.code);
	s->stopping = true;
	closed(s);
}

static int set_up_log(const struct serve_settings *v, struct err *err)
{
	const char *to = v->log_outputs.count ? v->log_outputs.items[0] : "default";
	struct err other = ERR_INIT;
	if (log_set_level_by_name(v->log_level, &other) != 0)
		log_set_level(LOG_ERROR); /* panic and fatal: as etcd has them */
	log_set_json(strcmp(v->log_format, "json") == 0);
	if (strcmp(to, "default") == 0 || strcmp(to, "stderr") == 0)
		return 0;
	int fd = strcmp(to, "stdout") == 0 ? STDOUT_FILENO : open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "--log-outputs: open %s", to);
	log_set_fd(fd);
	return 0;
}

static int lock_memory(struct err *err)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE) == 0
	               ? 0
	               : err_errno(err, errno,
	                         "--memory-mlock: lock all memory (LimitMEMLOCK= of the unit, or ulimit -l)");
}

static int start(struct serve *s, int argc, char **argv, struct err *err)
{
	bool want_help;
	s->command_line = argv;
	if (serve_settings_load(&s->settings, &s->arena, argc, argv, &want_help, err) != 0)
		return err->code;
	if (want_help)
		return 1;
	if (s->settings.want_version) {
		printf("k3x-store %s\netcd Version: 3.5.16\nAPI: v3\n", K3X_VERSION);
		return 1;
	}
	if (set_up_log(&s->settings, err) != 0 || (s->settings.memory_lock && lock_memory(err) != 0))
		return err->code;
	if (open_store(s, err) != 0)
		return err->code;
	loop_init(&s->loop, "etcd");
	signals_watch(&s->signals, &s->loop, told, s);
	uv_timer_init(loop_uv(&s->loop), &s->trim);
	s->trim.data = s;
	uv_timer_start(&s->trim, trim, TRIM_MS, TRIM_MS);
	s->start_task.run = start_service;
	loop_post(&s->loop, &s->start_task);
	return 0;
}

int store_serve_main(int argc, char **argv)
{
	struct serve *s = xcalloc(1, sizeof *s);
	struct err err = ERR_INIT;
	process_raise_file_limit();
	spare_memory();
	int rc = start(s, argc, argv, &err);
	if (rc != 0) {
		if (rc < 0)
			fprintf(stderr, "k3x-store serve: %s\n", err.msg);
		arena_release(&s->arena);
		free(s);
		return rc < 0 ? err_exit_code(rc) : 0;
	}
	loop_run(&s->loop);
	if (s->removal)
		removal_watch_stop(s->removal);
	loop_release(&s->loop);
	store_close(s->store);
	serve_tls_release(&s->tls);
	serve_tls_release(&s->peer_tls);
	arena_release(&s->arena);
	int code = s->exit_code;
	free(s);
	return code;
}
