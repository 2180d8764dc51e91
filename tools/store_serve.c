/* `k3x-store serve`: the datastore by itself, speaking etcd's v3 API. Flags and environment are etcd's where the
 * meaning is the same, so that it drops into scripts and unit files written for etcd. One member for now: clusters come
 * with the raft engine, and asking for one is an error until then. */
#include "tools/programs.h"

#include "base/check.h"
#include "base/flags.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki.h"
#include "base/wire/tls.h"
#include "store/etcd/etcd_service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* etcd's default quota. */
#define QUOTA_BYTES (INT64_C(2) * 1024 * 1024 * 1024)

struct serve_settings {
	const char *name, *data_dir;
	struct flag_list listen_client, advertise_client, listen_peer, advertise_peer;
	const char *initial_cluster, *initial_cluster_state, *initial_cluster_token;
	const char *cert_file, *key_file, *ca_file;
	bool client_cert_auth;
	const char *log_level;
	int64_t quota_bytes, request_bytes_max, txn_ops_max;
	const char *compaction_mode, *compaction_retention;
	uint64_t compact_period_ms;
	int64_t compact_keep_revisions;
	int64_t ignored;
	const char *ignored_text;
};

struct serve {
	struct serve_settings settings;
	struct arena arena;
	struct loop loop;
	struct engine *store;
	struct tls_context *tls;
	struct etcd_service *service;
	uv_signal_t on_term, on_int, on_pipe;
	bool stopping;
	struct loop_task start_task;
	int exit_code;
};

/* "1h30m", "500ms": Go's durations, in whole milliseconds. */
static bool parse_duration(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"h", 3600e3}, {"m", 60e3}, {"s", 1e3}};
	double sum = 0;
	for (const char *p = text; *p;) {
		char *end;
		if (*p != '.' && (*p < '0' || *p > '9'))
			return false;
		double n = strtod(p, &end);
		size_t i = 0;
		while (i < 4 && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == 4)
			return false;
		sum += n * units[i].ms;
		p = end + strlen(units[i].unit);
	}
	*ret_ms = (uint64_t)sum;
	return *text && sum <= 1e15;
}

/* etcd's: a plain number means hours or revisions, whichever the mode is about. */
static int parse_compaction(struct serve_settings *v, struct err *err)
{
	struct slice text = slice_of(v->compaction_retention);
	bool by_revision = strcmp(v->compaction_mode, "revision") == 0;
	int64_t n;
	if (!by_revision && strcmp(v->compaction_mode, "periodic") != 0)
		return err_set(err, ERR_INVAL, "--auto-compaction-mode: \"%s\" is neither periodic nor revision",
		        v->compaction_mode);
	if (slice_to_i64(text, &n) && n >= 0 && n <= 1000000000) {
		v->compact_keep_revisions = by_revision ? n : 0;
		v->compact_period_ms = by_revision ? 0 : (uint64_t)n * 3600 * 1000;
	} else if (by_revision || !parse_duration(v->compaction_retention, &v->compact_period_ms)) {
		return err_set(err, ERR_INVAL, "--auto-compaction-retention: \"%s\" is not %s", v->compaction_retention,
		        by_revision ? "a number of revisions" : "a number of hours or a duration like 30m");
	}
	return 0;
}

static int check_settings(struct serve_settings *v, struct err *err)
{
	if (v->request_bytes_max < 1024 || v->request_bytes_max > 64 * 1024 * 1024)
		return err_set(err, ERR_INVAL, "--max-request-bytes: 1024 to %d are possible", 64 * 1024 * 1024);
	if (v->txn_ops_max < 1 || v->txn_ops_max > 100000)
		return err_set(err, ERR_INVAL, "--max-txn-ops: 1 to 100000 are possible");
	if (v->quota_bytes == 0)
		v->quota_bytes = QUOTA_BYTES;
	return parse_compaction(v, err);
}

static int load_settings(struct serve *s, int argc, char **argv, bool *want_help, struct err *err)
{
	struct serve_settings *v = &s->settings;
	*v = (struct serve_settings){.name = "default",
	        .initial_cluster_state = "new",
	        .initial_cluster_token = "etcd-cluster",
	        .request_bytes_max = STORE_REQUEST_BYTES_MAX,
	        .txn_ops_max = STORE_TXN_OPS_MAX,
	        .compaction_mode = "periodic",
	        .compaction_retention = "0",
	        .log_level = "info"};
	const struct flag table[] = {
	        {"name", 0, FLAG_STRING, &v->name, "ETCD_NAME", "name of this member (default)", NULL},
	        {"data-dir", 0, FLAG_STRING, &v->data_dir, "ETCD_DATA_DIR", "where state is kept (NAME.k3x)", NULL},
	        {"listen-client-urls", 0, FLAG_LIST, &v->listen_client, "ETCD_LISTEN_CLIENT_URLS",
	                "where clients are served (http://localhost:2379)", NULL},
	        {"advertise-client-urls", 0, FLAG_LIST, &v->advertise_client, "ETCD_ADVERTISE_CLIENT_URLS",
	                "what clients are told", NULL},
	        {"listen-peer-urls", 0, FLAG_LIST, &v->listen_peer, "ETCD_LISTEN_PEER_URLS",
	                "where peers will be served", NULL},
	        {"initial-advertise-peer-urls", 0, FLAG_LIST, &v->advertise_peer, "ETCD_INITIAL_ADVERTISE_PEER_URLS",
	                "what peers are told", NULL},
	        {"initial-cluster", 0, FLAG_STRING, &v->initial_cluster, "ETCD_INITIAL_CLUSTER",
	                "name=url of the members (one for now)", NULL},
	        {"initial-cluster-state", 0, FLAG_STRING, &v->initial_cluster_state, "ETCD_INITIAL_CLUSTER_STATE",
	                "new", NULL},
	        {"initial-cluster-token", 0, FLAG_STRING, &v->initial_cluster_token, "ETCD_INITIAL_CLUSTER_TOKEN",
	                "goes into the cluster's identity", NULL},
	        {"cert-file", 0, FLAG_STRING, &v->cert_file, "ETCD_CERT_FILE", "serving certificate, PEM", NULL},
	        {"key-file", 0, FLAG_STRING, &v->key_file, "ETCD_KEY_FILE", "its key, PEM", NULL},
	        {"trusted-ca-file", 0, FLAG_STRING, &v->ca_file, "ETCD_TRUSTED_CA_FILE",
	                "CA of client certificates, PEM", NULL},
	        {"client-cert-auth", 0, FLAG_BOOL, &v->client_cert_auth, "ETCD_CLIENT_CERT_AUTH",
	                "ask clients for a certificate", NULL},
	        {"log-level", 0, FLAG_STRING, &v->log_level, "ETCD_LOG_LEVEL", "debug, info, warn or error (info)",
	                NULL},
	        {"quota-backend-bytes", 0, FLAG_INT, &v->quota_bytes, "ETCD_QUOTA_BACKEND_BYTES",
	                "bytes the database may hold; 0: 2 GiB, below 0: no limit", NULL},
	        {"auto-compaction-mode", 0, FLAG_STRING, &v->compaction_mode, "ETCD_AUTO_COMPACTION_MODE",
	                "periodic or revision (periodic)", NULL},
	        {"auto-compaction-retention", 0, FLAG_STRING, &v->compaction_retention,
	                "ETCD_AUTO_COMPACTION_RETENTION",
	                "history to keep: hours or a duration like 30m; or a number of revisions; 0: all", NULL},
	        {"max-request-bytes", 0, FLAG_INT, &v->request_bytes_max, "ETCD_MAX_REQUEST_BYTES",
	                "largest request (1572864)", NULL},
	        {"max-txn-ops", 0, FLAG_INT, &v->txn_ops_max, "ETCD_MAX_TXN_OPS",
	                "most operations in a transaction (128)", NULL},
	        /* Of raft: taken, so that a single member starts with an etcd unit file, and without a meaning yet. */
	        {"heartbeat-interval", 0, FLAG_INT, &v->ignored, "ETCD_HEARTBEAT_INTERVAL", NULL, NULL},
	        {"election-timeout", 0, FLAG_INT, &v->ignored, "ETCD_ELECTION_TIMEOUT", NULL, NULL},
	        {"snapshot-count", 0, FLAG_INT, &v->ignored, "ETCD_SNAPSHOT_COUNT", NULL, NULL},
	        {"logger", 0, FLAG_STRING, &v->ignored_text, "ETCD_LOGGER", NULL, NULL},
	};
	struct flags f = {.program = "k3x-store serve",
	        .summary = "k3x-store serve: a datastore that speaks etcd's v3 API",
	        .table = table,
	        .count = sizeof table / sizeof *table};
	int rc = flags_load(&f, &s->arena, argc, argv, err);
	*want_help = rc == 0 && f.want_help;
	if (*want_help)
		flags_help(&f);
	return rc ? rc : check_settings(v, err);
}

/* "http://127.0.0.1:2379" */
static int parse_url(struct arena *a, const char *url, const char **address, int *port, bool *is_tls, struct err *err)
{
	struct slice rest = slice_of(url), host;
	int64_t p = 0;
	*is_tls = slice_starts(rest, "https://");
	if (!*is_tls && !slice_starts(rest, "http://"))
		return err_set(err, ERR_INVAL, "URL \"%s\" must begin with http:// or https://", url);
	rest = (struct slice){rest.ptr + (*is_tls ? 8 : 7), rest.len - (*is_tls ? 8 : 7)};
	host = slice_cut(&rest, ':');
	if (!host.len || !slice_to_i64(slice_trim(rest), &p) || p < 0 || p > 65535)
		return err_set(err, ERR_INVAL, "URL \"%s\" is not like http://127.0.0.1:2379", url);
	*address = slice_is(host, "localhost") ? "127.0.0.1" : arena_memdup(a, host.ptr, host.len);
	*port = (int)p;
	return 0;
}

static uint64_t identity(const char *x, const char *y)
{
	unsigned char hash[32];
	char text[1024];
	uint64_t id;
	int n = snprintf(text, sizeof text, "%s\n%s", x, y);
	pki_sha256(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, hash);
	memcpy(&id, hash, sizeof id);
	return id;
}

/* The cluster's identity stays with the data: it is written at the first start and taken from there ever after. */
static int load_identity(struct serve *s, uint64_t *cluster_id, struct err *err)
{
	const char *path = arena_printf(&s->arena, "%s/cluster", s->settings.data_dir);
	unsigned long long id = 0;
	FILE *f = fopen(path, "re");
	if (f) {
		int got = fscanf(f, "%16llx", &id);
		fclose(f);
		*cluster_id = id;
		return got == 1 ? 0
		                : err_set(err, ERR_CORRUPT,
		                          "%s does not hold the cluster's identity (16 hex digits): remove it to get a "
		                          "new one",
		                          path);
	}
	f = fopen(path, "we");
	if (!f)
		return err_errno(err, errno, "make %s", path);
	fprintf(f, "%016llx\n", (unsigned long long)*cluster_id);
	return fclose(f) == 0 ? 0 : err_errno(err, errno, "write %s", path);
}

static int open_store(struct serve *s, struct err *err)
{
	struct serve_settings *v = &s->settings;
	if (!v->data_dir)
		v->data_dir = arena_printf(&s->arena, "%s.k3x", v->name);
	if (mkdir(v->data_dir, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", v->data_dir);
	struct sqlite_engine_options o = {.path = arena_printf(&s->arena, "%s/state.db", v->data_dir)};
	return sqlite_engine_open(&o, &s->store, err);
}

static int open_service(struct serve *s, struct err *err)
{
	struct serve_settings *v = &s->settings;
	struct etcd_service_options o = {.loop = &s->loop, .store = s->store, .name = v->name};
	bool is_tls;
	const char *url = v->listen_client.count ? v->listen_client.items[0] : "http://localhost:2379";
	if (parse_url(&s->arena, url, &o.address, &o.port, &is_tls, err) != 0)
		return err_wrap(err, "--listen-client-urls");
	if (is_tls) {
		struct tls_options t = {.is_server = true,
		        .certificate_file = v->cert_file,
		        .key_file = v->key_file,
		        .ca_file = v->ca_file,
		        .require_client_certificate = v->client_cert_auth};
		if (!v->cert_file || !v->key_file)
			return err_set(err, ERR_INVAL, "an https:// client URL needs --cert-file and --key-file");
		if (tls_context_new(&t, &s->tls, err) != 0)
			return err->code;
	}
	o.tls = s->tls;
	o.scratch_dir = v->data_dir;
	o.quota_bytes = v->quota_bytes;
	o.request_bytes_max = (size_t)v->request_bytes_max;
	o.txn_ops_max = (size_t)v->txn_ops_max;
	o.compact_period_ms = v->compact_period_ms;
	o.compact_keep_revisions = v->compact_keep_revisions;
	o.client_url = v->advertise_client.count ? v->advertise_client.items[0] : url;
	o.peer_url = v->advertise_peer.count ? v->advertise_peer.items[0] : "http://localhost:2380";
	o.cluster_id = identity(v->initial_cluster_token, o.peer_url);
	if (load_identity(s, &o.cluster_id, err) != 0)
		return err->code;
	o.member_id = identity(v->name, o.peer_url);
	if (etcd_service_new(&o, &s->service, err) != 0)
		return err->code;
	log_info("store", "serving clients", "url=%s port=%d member=%016llx", url, etcd_service_port(s->service),
	        (unsigned long long)o.member_id);
	return 0;
}

static void closed(void *arg)
{
	struct serve *s = arg;
	uv_close((uv_handle_t *)&s->on_term, NULL);
	uv_close((uv_handle_t *)&s->on_int, NULL);
	uv_close((uv_handle_t *)&s->on_pipe, NULL);
	loop_stop(&s->loop);
}

static void on_signal(uv_signal_t *h, int number)
{
	struct serve *s = h->data;
	if (s->stopping || number == SIGPIPE)
		return;
	s->stopping = true;
	etcd_service_close(s->service, 2000, closed, s);
}

static void watch_signals(struct serve *s)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGPIPE};
	uv_signal_t *const handles[] = {&s->on_term, &s->on_int, &s->on_pipe};
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(loop_uv(&s->loop), handles[i]);
		handles[i]->data = s;
		uv_signal_start(handles[i], on_signal, numbers[i]);
	}
}

/* On the loop: the service belongs to it. */
static void start_service(struct loop_task *t)
{
	struct serve *s = CONTAINER_OF(t, struct serve, start_task);
	struct err err = ERR_INIT;
	if (open_service(s, &err) == 0)
		return;
	fprintf(stderr, "k3x-store serve: %s\n", err.msg);
	s->exit_code = err_exit_code(err.code);
	s->stopping = true;
	closed(s);
}

static int start(struct serve *s, int argc, char **argv, struct err *err)
{
	bool want_help;
	if (load_settings(s, argc, argv, &want_help, err) != 0)
		return err->code;
	if (want_help)
		return 1;
	if (s->settings.initial_cluster && strchr(s->settings.initial_cluster, ','))
		return err_set(
		        err, ERR_UNIMPLEMENTED, "--initial-cluster: clusters of several members are not built yet");
	log_set_level(strcmp(s->settings.log_level, "debug") == 0   ? LOG_DEBUG
	              : strcmp(s->settings.log_level, "warn") == 0  ? LOG_WARN
	              : strcmp(s->settings.log_level, "error") == 0 ? LOG_ERROR
	                                                            : LOG_INFO);
	if (open_store(s, err) != 0)
		return err->code;
	loop_init(&s->loop, "etcd");
	watch_signals(s);
	s->start_task.run = start_service;
	loop_post(&s->loop, &s->start_task);
	return 0;
}

int store_serve_main(int argc, char **argv)
{
	struct serve *s = xcalloc(1, sizeof *s);
	struct err err = ERR_INIT;
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	int rc = start(s, argc, argv, &err);
	if (rc != 0) {
		if (rc < 0)
			fprintf(stderr, "k3x-store serve: %s\n", err.msg);
		arena_release(&s->arena);
		free(s);
		return rc < 0 ? err_exit_code(rc) : 0;
	}
	loop_run(&s->loop);
	loop_release(&s->loop);
	store_close(s->store);
	tls_context_unref(s->tls);
	arena_release(&s->arena);
	int code = s->exit_code;
	free(s);
	return code;
}
