/* The kubelet's HTTPS server on :10250: logs, exec, attach, port-forward, pods, statistics, metrics, health.
 *
 * Who may do what, authorize.c says; everybody may ask /healthz, and nodes alone /v2/ (kubelet_registry.c). */
#include "node/server/kubelet_server.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "base/wire/tls.h"
#include "node/config/kubelet_config.h"
#include "node/csi/csi.h"
#include "node/eviction/eviction.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"
#include "node/runtime/cri.h"
#include "node/server/answer_int.h"
#include "node/server/authorize_int.h"
#include "node/server/kubelet_exec_int.h"
#include "node/server/kubelet_logs_int.h"
#include "node/server/kubelet_registry_int.h"
#include "node/server/resource_metrics_int.h"
#include "node/status/pod_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The folder is watched; the slow look is for what inotify misses. */
enum { PROC_BYTES_MAX = 64 * 1024 }; /* what is read lies at the beginning */
/* Upstream's: how long it is believed who somebody is, and what they may. */
enum { ACCESS_IDENTITY_MS = 120000, ACCESS_ALLOWED_MS = 300000, ACCESS_DENIED_MS = 30000 };

enum { CERTIFICATE_SETTLE_MS = 1000, CERTIFICATE_LOOK_MS = 600000 };

struct kubelet_server {
	struct node *n;
	struct http_server *http;
	struct tls_context *tls;
	struct access *access;
	uint64_t identity; /* of the files it was read from */
	uv_fs_event_t watch;
	uv_timer_t timer;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- documents ---- */

static void answer_json(struct http_exchange *x, struct strbuf *body)
{
	http_set_content_type(x, "application/json");
	http_respond_strbuf(x, 200, body);
}

static void answer_pods(struct node *n, struct http_exchange *x)
{
	LOOP_CHECK_OWNER(n->loop);
	struct strbuf b = STRBUF_INIT;
	bool first = true;
	strbuf_adds(&b, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		struct arena a = ARENA_INIT;
		if (!p->object)
			continue;
		strbuf_adds(&b, first ? "" : ",");
		first = false;
		struct json *o = json_copy(&a, p->object);
		json_set(&a, o, "status", pod_status_build(p, &a));
		json_write(&b, o);
		arena_release(&a);
	}
	strbuf_adds(&b, "]}");
	answer_json(x, &b);
}

static void answer_config(struct node *n, struct http_exchange *x)
{
	struct strbuf b = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	struct json *tree = json_copy(&a, n->config->tree);
	/* What flags of our own say too. */
	json_set_int(&a, tree, "port", n->kubelet_port);
	json_set_int(&a, tree, "maxPods", n->o.pods_max);
	json_set_cstr(&a, tree, "resolvConf", n->o.resolv_conf);
	json_set_cstr(&a, tree, "clusterDomain", n->o.cluster_domain);
	if (*n->o.cluster_dns) {
		struct json *dns = json_set(&a, tree, "clusterDNS", json_new(&a, JSON_ARRAY));
		struct slice rest = slice_of(n->o.cluster_dns);
		while (rest.ptr)
			json_append(dns, json_new_str(&a, slice_cut(&rest, ',')));
	}
	strbuf_adds(&b, "{\"kubeletconfig\":");
	json_write(&b, tree);
	strbuf_adds(&b, "}");
	arena_release(&a);
	answer_json(x, &b);
}

struct stats {
	struct node *n;
	struct http_exchange *x;
	enum { STATS_SUMMARY, STATS_METRICS, STATS_RESOURCE } form;
	bool gone;
};

static void stats_gone(struct http_exchange *x, void *arg)
{
	((struct stats *)arg)->gone = true;
}

static const char *label(const CRI(ContainerStats) * s, const char *key)
{
	for (size_t i = 0; s->attributes && i < s->attributes->n_labels; i++)
		if (strcmp(s->attributes->labels[i]->key, key) == 0)
			return s->attributes->labels[i]->value;
	return "";
}

static unsigned long long number(const CRI(UInt64Value) * v)
{
	return v ? v->value : 0;
}

static void write_container_stats(struct strbuf *b, const CRI(ContainerStats) * s)
{
	char t[TIME_TEXT_MAX];
	time_text(s->cpu ? s->cpu->timestamp : time_now_ns(), t);
	strbuf_addf(b,
	        "{\"name\":\"%s\",\"cpu\":{\"time\":\"%s\",\"usageNanoCores\":%llu,\"usageCoreNanoSeconds\":%llu},"
	        "\"memory\":{\"time\":\"%s\",\"workingSetBytes\":%llu,\"usageBytes\":%llu,\"rssBytes\":%llu}",
	        label(s, "io.kubernetes.container.name"), t, number(s->cpu ? s->cpu->usage_nano_cores : NULL),
	        number(s->cpu ? s->cpu->usage_core_nano_seconds : NULL), t,
	        number(s->memory ? s->memory->working_set_bytes : NULL),
	        number(s->memory ? s->memory->usage_bytes : NULL), number(s->memory ? s->memory->rss_bytes : NULL));
	if (s->swap && s->swap->swap_usage_bytes)
		strbuf_addf(b, ",\"swap\":{\"time\":\"%s\",\"swapAvailableBytes\":%llu,\"swapUsageBytes\":%llu}", t,
		        number(s->swap->swap_available_bytes), number(s->swap->swap_usage_bytes));
	strbuf_adds(b, "}");
}

static void write_summary(struct node *n, struct strbuf *b, const CRI(ListContainerStatsResponse) * list)
{
	bool first_pod = true;
	strbuf_addf(b, "{\"node\":{\"nodeName\":\"%s\"},\"pods\":[", n->o.node_name);
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		bool first = true;
		strbuf_addf(b, "%s{\"podRef\":{\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"%s\"},\"containers\":[",
		        first_pod ? "" : ",", p->name, p->ns, p->uid);
		first_pod = false;
		for (size_t i = 0; list && i < list->n_stats; i++)
			if (strcmp(label(list->stats[i], "io.kubernetes.pod.uid"), p->uid) == 0) {
				strbuf_adds(b, first ? "" : ",");
				first = false;
				write_container_stats(b, list->stats[i]);
			}
		strbuf_adds(b, "],\"volume\":[");
		csi_summary_write(n->csi, p->uid, b);
		strbuf_adds(b, "]}");
	}
	strbuf_adds(b, "]}");
}

/* ---- /metrics and /metrics/resource ---- */

static struct resource_usage usage_of(struct node *n, const CRI(ContainerStats) * s)
{
	const struct pod *p = map_get(&n->pods, slice_of(label(s, "io.kubernetes.pod.uid")));
	const struct container *c = p && s->attributes ? pod_container_by_id(p, s->attributes->id) : NULL;
	return (struct resource_usage){.ns = label(s, "io.kubernetes.pod.namespace"),
	        .pod = label(s, "io.kubernetes.pod.name"),
	        .container = label(s, "io.kubernetes.container.name"),
	        .started_ms = c ? c->started_ns / 1000000 : 0,
	        .cpu_at_ms = s->cpu && s->cpu->usage_core_nano_seconds ? s->cpu->timestamp / 1000000 : 0,
	        .cpu_ns = number(s->cpu ? s->cpu->usage_core_nano_seconds : NULL),
	        .memory_at_ms = s->memory && s->memory->working_set_bytes ? s->memory->timestamp / 1000000 : 0,
	        .memory_bytes = number(s->memory ? s->memory->working_set_bytes : NULL),
	        .has_swap = s->swap && s->swap->swap_usage_bytes,
	        .swap_bytes = number(s->swap ? s->swap->swap_usage_bytes : NULL)};
}

static int by_pod(const void *x, const void *y)
{
	const struct resource_usage *a = x, *b = y;
	int d = strcmp(a->ns, b->ns);
	d = d ? d : strcmp(a->pod, b->pod);
	return d ? d : strcmp(a->container, b->container);
}

static bool read_node_usage(struct resource_usage *ret)
{
	size_t stat_len = 0, meminfo_len = 0;
	CLEANUP(cleanup_free) char *stat = file_read("/proc/stat", PROC_BYTES_MAX, false, &stat_len);
	CLEANUP(cleanup_free) char *meminfo = file_read("/proc/meminfo", PROC_BYTES_MAX, false, &meminfo_len);
	return stat && meminfo &&
	       resource_usage_of_node((struct slice){stat, stat_len}, (struct slice){meminfo, meminfo_len},
	               sysconf(_SC_CLK_TCK), time_now_ns() / 1000000, ret);
}

static void write_metrics(struct node *n, struct strbuf *b, const CRI(ListContainerStatsResponse) * list)
{
	size_t count = list ? list->n_stats : 0, rows_count = 0;
	struct resource_usage *rows = xcalloc(count + 1, sizeof *rows), node;
	for (size_t i = 0; i < count; i++) {
		rows[rows_count] = usage_of(n, list->stats[i]);
		rows_count += *rows[rows_count].pod && *rows[rows_count].container;
	}
	qsort(rows, rows_count, sizeof *rows, by_pod);
	resource_metrics_write(b, read_node_usage(&node) ? &node : NULL, rows, rows_count);
	free(rows);
}

static void stats_told(void *arg, const void *answer, const struct err *err)
{
	struct stats *s = arg;
	struct strbuf b = STRBUF_INIT;
	if (s->gone) {
		free(s);
		return;
	}
	if (s->form != STATS_SUMMARY) {
		write_metrics(s->n, &b, answer);
		if (s->form == STATS_METRICS)
			strbuf_addf(
			        &b, "# TYPE kubelet_running_pods gauge\nkubelet_running_pods %zu\n", s->n->pods.count);
		if (s->form == STATS_METRICS)
			strbuf_addf(&b, "# TYPE kubelet_preemptions counter\nkubelet_preemptions %llu\n",
			        (unsigned long long)s->n->preemptions);
		if (s->form == STATS_METRICS && s->n->eviction)
			eviction_metrics_write(s->n->eviction, &b);
		if (s->form == STATS_METRICS)
			csi_metrics_write(s->n->csi, &b);
		if (s->form == STATS_METRICS && s->n->o.more_metrics)
			s->n->o.more_metrics(s->n->o.more_metrics_arg, &b);
		http_set_content_type(s->x, "text/plain; version=0.0.4");
		http_respond_strbuf(s->x, 200, &b);
	} else {
		write_summary(s->n, &b, answer);
		answer_json(s->x, &b);
	}
	free(s);
}

static void answer_stats(struct node *n, struct http_exchange *x, int form)
{
	LOOP_CHECK_OWNER(n->loop);
	struct stats *s = xcalloc(1, sizeof *s);
	CRI(ListContainerStatsRequest) r = RUNTIME__V1__LIST_CONTAINER_STATS_REQUEST__INIT;
	*s = (struct stats){.n = n, .x = x, .form = form};
	if (!n->cri) {
		stats_told(s, NULL, NULL);
		return;
	}
	http_on_abort(x, stats_gone, s);
	cri_call(n->cri, "RuntimeService/ListContainerStats", &r.base,
	        &runtime__v1__list_container_stats_response__descriptor, 10000, stats_told, s);
}

/* ---- routes ---- */

static void refuse(struct http_exchange *x, int status, const char *text)
{
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_arena(x, status, slice_of(text));
}

static void route(struct node *n, struct http_exchange *x)
{
	LOOP_CHECK_OWNER(n->loop);
	struct slice rest = http_request(x)->path, parts[5] = {{0}};
	size_t count = 0;
	slice_cut(&rest, '/');
	while (rest.len && count < 5) {
		struct slice raw = slice_cut(&rest, '/');
		if (!http_decode(http_arena(x), raw, false, &parts[count++])) {
			refuse(x, 400, "the path has a broken escape");
			return;
		}
	}
	struct slice first = parts[0];
	if (slice_is(first, "pods"))
		answer_pods(n, x);
	else if (slice_is(first, "configz"))
		answer_config(n, x);
	else if (slice_is(first, "stats"))
		answer_stats(n, x, STATS_SUMMARY);
	else if (slice_is(first, "metrics"))
		answer_stats(n, x, count == 2 && slice_is(parts[1], "resource") ? STATS_RESOURCE : STATS_METRICS);
	else if (slice_is(first, "containerLogs") && count == 4)
		kubelet_logs(n, x, parts[1], parts[2], parts[3]);
	else if ((slice_is(first, "exec") || slice_is(first, "attach")) && count >= 4)
		kubelet_exec(n, x, slice_is(first, "exec") ? "exec" : "attach", parts[1], parts[2], parts[count - 1]);
	else if (slice_is(first, "portForward") && count >= 3)
		kubelet_port_forward(n, x, parts[1], parts[2]);
	else
		refuse(x, 404, "404 page not found");
}

static void handle(struct http_exchange *x, void *arg)
{
	struct kubelet_server *s = arg;
	const struct http_request *r = http_request(x);
	if (slice_is(r->path, "/healthz"))
		refuse(x, 200, "ok");
	else if (kubelet_registry_is_path(r->path))
		kubelet_registry(s->n, x);
	else
		kubelet_authorize(s->n, s->access, x, route);
}

/* ---- the certificate ---- */

static uint64_t identity_now(const struct kubelet_server *s)
{
	const struct node_options *o = &s->n->o;
	const char *const files[] = {o->serving_cert_file, o->serving_key_file, o->client_ca_file};
	return file_stamp(files, COUNT_OF(files));
}

/* New connections get what lies in the files now; a renewal that is half written is seen again when it is whole. */
static void look_at_certificate(uv_timer_t *t)
{
	LOOP_CHECK_OWNER(((struct kubelet_server *)t->data)->n->loop);
	struct kubelet_server *s = t->data;
	struct err err = ERR_INIT;
	uint64_t now = identity_now(s);
	if (now == s->identity)
		return;
	if (tls_context_reload(s->tls, &err) != 0) {
		log_warn("node", "cannot load the renewed certificate", "error=\"%s\"", err.msg);
		return;
	}
	s->identity = now;
	log_info("node", "serving certificate renewed", "file=%s", s->n->o.serving_cert_file);
}

static void folder_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct kubelet_server *s = h->data;
	if (!uv_is_closing((uv_handle_t *)&s->timer))
		uv_timer_start(&s->timer, look_at_certificate, CERTIFICATE_SETTLE_MS, CERTIFICATE_LOOK_MS);
}

static void watch_certificate(struct kubelet_server *s)
{
	struct arena a = ARENA_INIT;
	uv_fs_event_init(loop_uv(s->n->loop), &s->watch);
	uv_timer_init(loop_uv(s->n->loop), &s->timer);
	s->watch.data = s->timer.data = s;
	char *dir = arena_strdup(&a, s->n->o.serving_cert_file), *slash = strrchr(dir, '/');
	if (slash)
		*slash = 0;
	uv_fs_event_start(&s->watch, folder_changed, slash ? dir : ".", 0);
	uv_timer_start(&s->timer, look_at_certificate, CERTIFICATE_LOOK_MS, CERTIFICATE_LOOK_MS);
	arena_release(&a);
}

/* ---- life ---- */

struct kubelet_server *kubelet_server_new(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(!n->server);
	struct err err = ERR_INIT;
	struct kubelet_server *s = xcalloc(1, sizeof *s);
	struct tls_options t = {.is_server = true,
	        .certificate_file = n->o.serving_cert_file,
	        .key_file = n->o.serving_key_file,
	        .ca_file = n->o.client_ca_file};
	struct http_server_options o = {.loop = n->loop, .handler = handle, .arg = s};
	s->n = n;
	s->identity = identity_now(s);
	s->access = access_new(
	        &(struct access_options){n->client, ACCESS_IDENTITY_MS, ACCESS_ALLOWED_MS, ACCESS_DENIED_MS});
	if (tls_context_new(&t, &s->tls, &err) == 0)
		o.tls = s->tls;
	if (err.code || http_server_new(&o, &s->http, &err) != 0 ||
	        http_server_listen_tcp(s->http, NULL, n->o.kubelet_port, &err) != 0) {
		log_error("node", "the kubelet's server cannot start: no logs and no exec", "error=\"%s\"", err.msg);
		if (s->http)
			http_server_close(s->http, 0, NULL, NULL);
		access_free(s->access);
		tls_context_unref(s->tls);
		free(s);
		return NULL;
	}
	n->kubelet_port = http_server_port(s->http);
	log_info("node", "kubelet listens", "port=%d", n->kubelet_port);
	watch_certificate(s);
	return s;
}

static void all_closed(struct closing *parts)
{
	CHECK(parts->pending == 0);
	struct kubelet_server *s = CONTAINER_OF(parts, struct kubelet_server, parts);
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	access_free(s->access);
	tls_context_unref(s->tls);
	free(s);
	closed(arg);
}

static void handle_closed(uv_handle_t *h)
{
	closing_part_done(&((struct kubelet_server *)h->data)->parts);
}

void kubelet_server_close(struct kubelet_server *s, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->n->loop);
	s->closed = closed;
	s->closed_arg = arg;
	s->n->server = NULL;
	s->parts.all_closed = all_closed;
	closing_hold(&s->parts);
	closing_hold(&s->parts), uv_close((uv_handle_t *)&s->watch, handle_closed);
	closing_hold(&s->parts), uv_close((uv_handle_t *)&s->timer, handle_closed);
	closing_hold(&s->parts), http_server_close(s->http, 0, closing_part_done, &s->parts);
	closing_part_done(&s->parts);
}
