/* Probes and hooks.
 *
 * A container that runs has up to three probes, each a timer: startup first, and until it succeeds the other two wait.
 * Readiness drives the Ready condition, liveness and startup end the container when they fail often enough. A run is
 * one of exec (the runtime's ExecSync), httpGet, tcpSocket, grpc (health checking protocol, grpc.health.v1); it has a
 * timeout and ends exactly once. Hooks are the same runs without thresholds, plus sleep.
 *
 * What can go wrong: a container that ends during a run: its probes are stopped, the run is abandoned (its callbacks
 * find no owner). */
#include "node/probe/probe.h"

#include "base/log.h"
#include "base/wire/conn.h"
#include "base/wire/grpc.h"
#include "base/wire/http_client.h"
#include "base/wire/tls.h"
#include "node/events/events.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"
#include "node/runtime/cri.h"

#include <stdio.h>
#include <stdlib.h>

enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS, PROBE_KINDS };
static const char *const kind_fields[] = {"startupProbe", "livenessProbe", "readinessProbe"};
static const char *const kind_names[] = {"Startup", "Liveness", "Readiness"};

/* ---- one run ---- */

struct run {
	struct node *n;
	struct http_client *http;
	struct conn *conn;
	struct cri_call *cri;
	uv_timer_t timer;
	bool ended;
	void (*done)(void *arg, const struct err *err); /* NULL: nobody waits any more */
	void *arg;
	struct strbuf scratch;
	unsigned open; /* handles to be closed */
	bool got_message;
	int serving;
};

static void run_freed(struct run *r)
{
	if (--r->open)
		return;
	strbuf_release(&r->scratch);
	free(r);
}

static void timer_closed(uv_handle_t *h)
{
	run_freed(h->data);
}

static void http_closed(void *arg)
{
	run_freed(arg);
}

static void conn_closed(struct conn *c, void *arg)
{
	run_freed(arg);
}

static void run_end(struct run *r, const struct err *err)
{
	if (r->ended)
		return;
	r->ended = true;
	void (*done)(void *, const struct err *) = r->done;
	r->done = NULL;
	if (r->http)
		http_client_close(r->http, http_closed, r);
	if (r->conn)
		conn_close(r->conn, 0);
	if (r->cri)
		cri_forget(r->cri);
	r->cri = NULL;
	uv_close((uv_handle_t *)&r->timer, timer_closed);
	if (done)
		done(r->arg, err);
}

static void run_timed_out(uv_timer_t *t)
{
	struct err e = ERR_INIT;
	err_set(&e, ERR_TIMEOUT, "timed out");
	run_end(t->data, &e);
}

static void run_slept(uv_timer_t *t)
{
	run_end(t->data, NULL);
}

static void exec_done(void *arg, const void *answer, const struct err *err)
{
	struct run *r = arg;
	struct err e = ERR_INIT;
	const CRI(ExecSyncResponse) *a = answer;
	r->cri = NULL;
	if (err)
		e = *err;
	else if (a->exit_code != 0)
		err_set(&e, ERR_INTERNAL, "command exited with %d: %.*s", a->exit_code,
		        a->stdout.len ? (int)(a->stdout.len > 200 ? 200 : a->stdout.len)
		                      : (int)(a->stderr.len > 200 ? 200 : a->stderr.len),
		        a->stdout.len   ? (const char *)a->stdout.data
		        : a->stderr.len ? (const char *)a->stderr.data
		                        : "");
	run_end(r, e.code ? &e : NULL);
}

static void run_exec(struct run *r, const char *container_id, const struct json *exec, unsigned timeout_ms)
{
	struct arena a = ARENA_INIT;
	struct json *command = json_get(exec, "command");
	CRI(ExecSyncRequest) q = RUNTIME__V1__EXEC_SYNC_REQUEST__INIT;
	q.container_id = (char *)container_id;
	q.cmd = ARENA_ARRAY(&a, char *, command ? command->count + 1 : 1);
	q.timeout = timeout_ms ? (timeout_ms + 999) / 1000 : 0;
	JSON_FOREACH (it, command)
		q.cmd[q.n_cmd++] = (char *)json_cstr(&a, it);
	r->cri = cri_call(r->n->cri, "RuntimeService/ExecSync", &q.base, &runtime__v1__exec_sync_response__descriptor,
	        timeout_ms ? timeout_ms + 2000 : 0, exec_done, r);
	arena_release(&a);
}

static int find_port(struct pod *p, const char *container, const struct json *port)
{
	if (!json_is(port, JSON_STRING))
		return (int)json_int(port, 0);
	JSON_FOREACH (it, json_get(pod_container_spec(p, container), "ports"))
		if (slice_eq(json_get_str(it, "name"), json_str(port)))
			return (int)json_get_int(it, "containerPort", 0);
	uint64_t v = 0;
	return slice_to_u64(json_str(port), &v) && v < 65536 ? (int)v : 0;
}

static void http_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct err e = ERR_INIT;
	if (err)
		err_set(&e, err->code, "%s", err->msg);
	else if (answer->status < 200 || answer->status >= 400)
		err_set(&e, ERR_INTERNAL, "HTTP probe failed with statuscode: %d", answer->status);
	run_end(arg, e.code ? &e : NULL);
}

static void run_http(struct run *r, struct pod *p, const char *container, const struct json *get)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const char *host = json_cstr(&a, json_get(get, "host")), *path = json_cstr(&a, json_get(get, "path"));
	struct tls_options t = {.skip_verify = true, .http1_only = true};
	struct http_client_options o = {.loop = p->n->loop,
	        .host = *host ? host : pod_ip(p),
	        .port = find_port(p, container, json_get(get, "port")),
	        .protocol = HTTP_CLIENT_H1,
	        .connections_max = 1};
	struct json *list = json_get(get, "httpHeaders");
	struct http_header *headers = ARENA_ARRAY(&a, struct http_header, (list ? list->count : 0) + 2);
	size_t n = 0;
	headers[n++] = (struct http_header){SLICE("user-agent"), SLICE("kube-probe/1.32")};
	JSON_FOREACH (it, list) {
		char *name = arena_strdup(&a, json_cstr(&a, json_get(it, "name")));
		for (char *c = name; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		if (strcmp(name, "host") != 0)
			headers[n++] = (struct http_header){slice_of(name), json_get_str(it, "value")};
	}
	if (slice_caseis(json_get_str(get, "scheme"), "HTTPS") && tls_context_new(&t, &o.tls, &err) != 0)
		log_warn("node", "no TLS for a probe", "error=\"%s\"", err.msg);
	r->http = http_client_new(&o);
	r->open++;
	tls_context_unref(o.tls);
	struct http_call_options call = {.method = "GET",
	        .target = *path == '/' ? path : arena_printf(&a, "/%s", path),
	        .headers = headers,
	        .headers_count = n,
	        .on_done = http_done,
	        .arg = r};
	http_client_call(r->http, &call);
	arena_release(&a);
}

static void tcp_open(struct conn *c, const struct err *err, void *arg)
{
	run_end(arg, err);
}

static void tcp_read(struct conn *c, const char *data, size_t len, void *arg)
{
}

static void tcp_end(struct conn *c, const struct err *err, void *arg)
{
}

static void run_tcp(struct run *r, struct pod *p, const char *container, const struct json *tcp)
{
	static const struct conn_callbacks callbacks = {
	        .on_open = tcp_open, .on_read = tcp_read, .on_end = tcp_end, .on_closed = conn_closed};
	struct arena a = ARENA_INIT;
	const char *host = json_cstr(&a, json_get(tcp, "host"));
	struct conn_connect_options o = {0};
	r->open++;
	r->conn = conn_connect_tcp(p->n->loop, *host ? host : pod_ip(p), find_port(p, container, json_get(tcp, "port")),
	        &o, &callbacks, r);
	arena_release(&a);
}

/* HealthCheckResponse is one enum in field 1: SERVING is 1. */
static void grpc_message(struct grpc_call *call, struct slice message, void *arg)
{
	struct run *r = arg;
	r->serving = message.len >= 2 && message.ptr[0] == 0x08 ? message.ptr[1] : 0;
}

static void grpc_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct run *r = arg;
	struct err e = ERR_INIT;
	if (err)
		e = *err;
	else if (r->serving != 1)
		err_set(&e, ERR_UNAVAILABLE, "service unhealthy (responded with %d)", r->serving);
	run_end(r, e.code ? &e : NULL);
}

static void run_grpc(struct run *r, struct pod *p, const struct json *grpc)
{
	struct http_client_options o = {.loop = p->n->loop,
	        .host = pod_ip(p),
	        .port = (int)json_get_int(grpc, "port", 0),
	        .protocol = HTTP_CLIENT_H2};
	struct slice service = json_get_str(grpc, "service");
	r->http = http_client_new(&o);
	r->open++;
	if (service.len && service.len < 128) { /* HealthCheckRequest: a string in field 1 */
		strbuf_addc(&r->scratch, 0x0a);
		strbuf_addc(&r->scratch, (char)service.len);
		strbuf_add_slice(&r->scratch, service);
	}
	struct grpc_call_options call = {.method = "/grpc.health.v1.Health/Check",
	        .request = {strbuf_cstr(&r->scratch), r->scratch.len},
	        .on_message = grpc_message,
	        .on_done = grpc_done,
	        .arg = r};
	grpc_client_call(r->http, &call);
}

/* timeout_ms 0: none. */
static struct run *run_start(struct pod *p, const char *container, const char *container_id, const struct json *handler,
        unsigned timeout_ms, void (*done)(void *arg, const struct err *err), void *arg)
{
	struct run *r = xcalloc(1, sizeof *r);
	struct json *h;
	*r = (struct run){.n = p->n, .done = done, .arg = arg, .open = 1};
	uv_timer_init(loop_uv(p->n->loop), &r->timer);
	r->timer.data = r;
	if (timeout_ms)
		uv_timer_start(&r->timer, run_timed_out, timeout_ms, 0);
	if ((h = json_get(handler, "exec")))
		run_exec(r, container_id, h, timeout_ms);
	else if ((h = json_get(handler, "httpGet")))
		run_http(r, p, container, h);
	else if ((h = json_get(handler, "tcpSocket")))
		run_tcp(r, p, container, h);
	else if ((h = json_get(handler, "grpc")))
		run_grpc(r, p, h);
	else
		uv_timer_start(&r->timer, run_slept,
		        (uint64_t)json_get_int(json_get(handler, "sleep"), "seconds", 0) * 1000, 0);
	return r;
}

static void run_abandon(struct run *r)
{
	r->done = NULL;
	run_end(r, NULL);
}

void hook_run(struct pod *p, struct container *c, const struct json *handler, unsigned timeout_ms,
        void (*done)(void *arg, const struct err *err), void *arg)
{
	run_start(p, c->name, c->id, handler, timeout_ms, done, arg);
}

/* ---- probes of a container ---- */

struct probe {
	struct probes *of;
	enum probe_kind kind;
	const char *exists; /* NULL: there is no such probe */
	uv_timer_t timer;
	struct run *run;
	unsigned successes, failures;
	unsigned period_ms;
	bool result;
};

struct probes {
	struct node *n;
	const struct probe_callbacks *callbacks;
	char *uid, *container, *id;
	struct probe of[PROBE_KINDS];
	bool is_started, is_ready, stopped;
	unsigned open;
};

bool probes_is_ready(const struct container *c)
{
	return c->probes && c->probes->is_ready;
}

bool probes_is_started(const struct container *c)
{
	return c->probes && c->probes->is_started;
}

bool container_is_started(const struct container *c)
{
	return c && c->state == CONTAINER_RUNNING && probes_is_started(c);
}

bool container_is_ready(const struct container *c)
{
	return container_is_started(c) && probes_is_ready(c);
}

static void probe_run(uv_timer_t *t);

static void changed(struct probes *ps)
{
	struct pod *p = node_pod(ps->n, slice_of(ps->uid));
	if (p)
		ps->callbacks->changed(p);
}

static void start_others(struct probes *ps);

static void succeeded(struct probe *b)
{
	struct probes *ps = b->of;
	if (b->kind == PROBE_STARTUP) {
		ps->is_started = true;
		uv_timer_stop(&b->timer);
		start_others(ps);
		changed(ps);
	} else if (b->kind == PROBE_READINESS && !ps->is_ready) {
		ps->is_ready = true;
		changed(ps);
	}
}

static void failed(struct probe *b, struct pod *p, const struct json *spec)
{
	struct probes *ps = b->of;
	struct container *c = pod_container(p, ps->container);
	if (b->kind == PROBE_READINESS) {
		if (ps->is_ready) {
			ps->is_ready = false;
			changed(ps);
		}
		return;
	}
	if (!c || strcmp(c->id, ps->id) != 0 || c->is_stopping)
		return;
	pod_event(p, ps->container, false, "Killing", "Container %s failed %s probe, will be restarted", ps->container,
	        b->kind == PROBE_LIVENESS ? "liveness" : "startup");
	c->killed_by_probe = true;
	ps->callbacks->failed(p, c,
	        json_get_int(spec, "terminationGracePeriodSeconds",
	                json_get_int(p->spec, "terminationGracePeriodSeconds", 30)));
}

static const struct json *probe_spec(const struct pod *p, const struct probe *b)
{
	return json_get(pod_container_spec(p, b->of->container), kind_fields[b->kind]);
}

static void probe_ran(void *arg, const struct err *err)
{
	struct probe *b = arg;
	struct pod *p = node_pod(b->of->n, slice_of(b->of->uid));
	const struct json *spec = p ? probe_spec(p, b) : NULL;
	b->run = NULL;
	if (b->of->stopped || !spec)
		return;
	if (err) {
		b->successes = 0;
		b->failures++;
		pod_event(p, b->of->container, true, "Unhealthy", "%s probe failed: %s", kind_names[b->kind], err->msg);
		if (b->failures >= (unsigned)json_get_int(spec, "failureThreshold", 3)) {
			b->failures = 0;
			failed(b, p, spec);
		}
	} else {
		b->failures = 0;
		if (++b->successes >= (unsigned)json_get_int(spec, "successThreshold", 1))
			succeeded(b);
	}
}

static void probe_run(uv_timer_t *t)
{
	struct probe *b = t->data;
	struct pod *p = node_pod(b->of->n, slice_of(b->of->uid));
	const struct json *spec = p ? probe_spec(p, b) : NULL;
	int64_t timeout_s = json_get_int(spec, "timeoutSeconds", 1);
	if (!spec || b->run || b->of->n->closing)
		return;
	b->run = run_start(
	        p, b->of->container, b->of->id, spec, (unsigned)(timeout_s > 0 ? timeout_s : 1) * 1000, probe_ran, b);
}

static void begin(struct probe *b, struct pod *p)
{
	const struct json *spec = probe_spec(p, b);
	struct container *c = pod_container(p, b->of->container);
	int64_t delay_ms = json_get_int(spec, "initialDelaySeconds", 0) * 1000,
	        age_ms = c && c->started_ns ? (time_now_ns() - c->started_ns) / 1000000 : 0;
	int64_t period_s = json_get_int(spec, "periodSeconds", 10);
	b->period_ms = (unsigned)(period_s > 0 ? period_s : 10) * 1000;
	uv_timer_start(&b->timer, probe_run, delay_ms > age_ms ? (uint64_t)(delay_ms - age_ms) : 50, b->period_ms);
}

static void start_others(struct probes *ps)
{
	struct pod *p = node_pod(ps->n, slice_of(ps->uid));
	for (int k = PROBE_LIVENESS; p && k < PROBE_KINDS; k++)
		if (probe_spec(p, &ps->of[k]))
			begin(&ps->of[k], p);
}

void probes_start(struct pod *p, struct container *c, const struct probe_callbacks *callbacks)
{
	struct probes *ps = xcalloc(1, sizeof *ps);
	*ps = (struct probes){.n = p->n,
	        .callbacks = callbacks,
	        .uid = xstrdup(p->uid),
	        .container = xstrdup(c->name),
	        .id = xstrdup(c->id)};
	c->probes = ps;
	for (int k = 0; k < PROBE_KINDS; k++) {
		ps->of[k].of = ps;
		ps->of[k].kind = (enum probe_kind)k;
		uv_timer_init(loop_uv(p->n->loop), &ps->of[k].timer);
		ps->of[k].timer.data = &ps->of[k];
		ps->open++;
	}
	ps->is_ready = !probe_spec(p, &ps->of[PROBE_READINESS]);
	if (probe_spec(p, &ps->of[PROBE_STARTUP])) {
		begin(&ps->of[PROBE_STARTUP], p);
		return;
	}
	ps->is_started = true;
	start_others(ps);
}

static void probe_timer_closed(uv_handle_t *h)
{
	struct probes *ps = ((struct probe *)h->data)->of;
	if (--ps->open)
		return;
	free(ps->uid);
	free(ps->container);
	free(ps->id);
	free(ps);
}

void probes_stop(struct container *c)
{
	struct probes *ps = TAKE(c->probes);
	if (!ps)
		return;
	ps->stopped = true;
	for (int k = 0; k < PROBE_KINDS; k++) {
		if (ps->of[k].run)
			run_abandon(TAKE(ps->of[k].run));
		uv_close((uv_handle_t *)&ps->of[k].timer, probe_timer_closed);
	}
}
