/* See probe_run_int.h. What can go wrong: a target that does not answer (the run's timeout ends it), an owner that has
 * gone (run_abandon: the callbacks find nobody). */
#include "node/probe/probe_run_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/wire/conn.h"
#include "base/wire/grpc.h"
#include "base/wire/http_client.h"
#include "base/wire/tls.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/probe/probe_rules_int.h"
#include "node/runtime/cri.h"

#include <stdio.h>
#include <stdlib.h>

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
	bool is_hook;
	int serving;
};

enum { EXEC_OUTPUT_BYTES_MAX = 200, SERVICE_BYTES_MAX = 127 };

static void run_freed(struct run *r)
{
	CHECK(r->open > 0 && r->ended);
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
	LOOP_CHECK_OWNER(r->n->loop);
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
	CHECK(!((struct run *)t->data)->ended);
	struct err e = ERR_INIT;
	err_set(&e, ERR_TIMEOUT, "timed out");
	run_end(t->data, &e);
}

static void run_slept(uv_timer_t *t)
{
	run_end(t->data, NULL);
}

/* What the command wrote: to its standard output, or else to the other. */
static struct slice output_of(const CRI(ExecSyncResponse) * a)
{
	const ProtobufCBinaryData *d = a->stdout.len ? &a->stdout : &a->stderr;
	size_t len = d->len > EXEC_OUTPUT_BYTES_MAX ? EXEC_OUTPUT_BYTES_MAX : d->len;
	return (struct slice){d->data ? (const char *)d->data : "", len};
}

static void exec_done(void *arg, const void *answer, const struct err *err)
{
	struct run *r = arg;
	struct err e = ERR_INIT;
	const CRI(ExecSyncResponse) *a = answer;
	r->cri = NULL;
	if (err)
		e = *err;
	else if (a->exit_code != 0 && r->is_hook)
		err_set(&e, ERR_INTERNAL, "command exited with %d: %.*s", a->exit_code, SLICE_FMT(output_of(a)));
	else if (a->exit_code != 0)
		err_set(&e, ERR_INTERNAL, "%.*s", SLICE_FMT(output_of(a)));
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
	struct run *r = arg;
	struct err e = ERR_INIT;
	if (err)
		err_set(&e, err->code, "%s", err->msg);
	else if (!r->is_hook && (answer->status < 200 || answer->status >= 400)) /* a hook is a call, not a question */
		err_set(&e, ERR_INTERNAL, "HTTP probe failed with statuscode: %d", answer->status);
	run_end(r, e.code ? &e : NULL);
}

static void run_http(struct run *r, struct pod *p, const char *container, const struct json *get)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const char *host = json_cstr(&a, json_get(get, "host"));
	struct probe_request q = probe_http_request(&a, get);
	struct tls_options t = {.skip_verify = true, .http1_only = true};
	struct http_client_options o = {.loop = p->n->loop,
	        .host = *host ? host : pod_ip(p),
	        .host_header = q.host,
	        .port = find_port(p, container, json_get(get, "port")),
	        .protocol = HTTP_CLIENT_H1,
	        .connections_max = 1};
	if (slice_caseis(json_get_str(get, "scheme"), "HTTPS") && tls_context_new(&t, &o.tls, &err) != 0)
		log_warn("node", "no TLS for a probe", "error=\"%s\"", err.msg);
	r->http = http_client_new(&o);
	r->open++;
	tls_context_unref(o.tls);
	struct http_call_options call = {.method = "GET",
	        .target = q.target,
	        .headers = q.headers,
	        .headers_count = q.headers_count,
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
	if (service.len && service.len <= SERVICE_BYTES_MAX) { /* HealthCheckRequest: a string in field 1 */
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

static uint64_t sleep_ms(const struct json *handler)
{
	int64_t seconds = json_get_int(json_get(handler, "sleep"), "seconds", 0);
	return seconds > 0 && seconds < INT32_MAX ? (uint64_t)seconds * 1000 : 0;
}

/* No longer than there is time: a pod that is deleted with a grace shorter than its hook's sleep. 0: no limit. */
static uint64_t sooner(uint64_t sleep, unsigned timeout_ms)
{
	return timeout_ms && timeout_ms < sleep ? timeout_ms : sleep;
}

struct run *run_start(struct pod *p, const struct run_target *t, const struct json *handler, unsigned timeout_ms,
        bool is_hook, void (*done)(void *arg, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(p->n->loop);
	struct run *r = xcalloc(1, sizeof *r);
	struct json *h;
	*r = (struct run){.n = p->n, .done = done, .arg = arg, .open = 1, .is_hook = is_hook};
	uv_timer_init(loop_uv(p->n->loop), &r->timer);
	r->timer.data = r;
	if (timeout_ms)
		uv_timer_start(&r->timer, run_timed_out, timeout_ms, 0);
	if ((h = json_get(handler, "exec")))
		run_exec(r, t->container_id, h, timeout_ms);
	else if ((h = json_get(handler, "httpGet")))
		run_http(r, p, t->container, h);
	else if ((h = json_get(handler, "tcpSocket")))
		run_tcp(r, p, t->container, h);
	else if ((h = json_get(handler, "grpc")))
		run_grpc(r, p, h);
	else
		uv_timer_start(&r->timer, run_slept, sooner(sleep_ms(handler), timeout_ms), 0);
	return r;
}

void run_abandon(struct run *r)
{
	CHECK(!r->ended);
	r->done = NULL;
	run_end(r, NULL);
}
