/* The clients of a benchmark: credentials from a kubeconfig, one HTTP/1.1 connection with TLS per client. */
#include "tools/bench/bench.h"

#include "base/base64.h"
#include "base/pki/pki.h"
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the kubeconfig ---- */

/* The entry called `name` of a list like `users`, and in it the member that holds the data. */
static struct json *entry(const struct json *config, const char *list, struct slice name, const char *member)
{
	JSON_FOREACH (it, json_get(config, list))
		if (slice_eq(json_get_str(it, "name"), name))
			return json_get(it, member);
	return NULL;
}

static const char *pem(struct arena *a, const struct json *from, const char *key)
{
	struct slice bytes;
	return base64_decode(a, json_get_str(from, key), &bytes) && bytes.len ? bytes.ptr : NULL;
}

static int parse_url(struct bench_target *t, struct slice url, struct err *err)
{
	uint64_t port;
	if (!slice_starts(url, "https://"))
		return err_set(err, ERR_INVAL, "the kubeconfig's server must be an https:// URL");
	url.ptr += 8, url.len -= 8;
	struct slice host = slice_cut(&url, ':');
	if (!slice_to_u64(slice_cut(&url, '/'), &port) || port > 65535 || host.len >= sizeof t->host)
		return err_set(err, ERR_INVAL, "the kubeconfig's server must be like https://127.0.0.1:6443");
	memcpy(t->host, host.ptr, host.len);
	t->host[host.len] = 0;
	t->port = (int)port;
	return 0;
}

static int load_config(struct bench_target *t, struct arena *a, const char *file, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(file, &text, &len, err) != 0)
		return err->code;
	struct json *config = yaml_parse(a, (struct slice){text, len}, NULL, err);
	free(text);
	if (!config)
		return err_wrap(err, "%s", file);
	struct json *context = entry(config, "contexts", json_get_str(config, "current-context"), "context");
	struct json *cluster = entry(config, "clusters", json_get_str(context, "cluster"), "cluster");
	struct json *user = entry(config, "users", json_get_str(context, "user"), "user");
	struct tls_options tls = {.http1_only = true,
	        .ca_pem = pem(a, cluster, "certificate-authority-data"),
	        .certificate_pem = pem(a, user, "client-certificate-data"),
	        .key_pem = pem(a, user, "client-key-data")};
	if (!tls.ca_pem || !tls.certificate_pem || !tls.key_pem)
		return err_set(err, ERR_INVAL,
		        "%s must hold certificate-authority-data, client-certificate-data and client-key-data", file);
	if (parse_url(t, json_get_str(cluster, "server"), err) != 0)
		return err->code;
	return tls_context_new(&tls, &t->tls, err);
}

int bench_target_open(struct bench_target *t, const char *kubeconfig, struct err *err)
{
	struct arena a = ARENA_INIT;
	*t = (struct bench_target){0};
	int rc = load_config(t, &a, kubeconfig, err);
	arena_release(&a);
	if (rc != 0)
		return rc;
	loop_init(&t->loop, "clients");
	loop_start_thread(&t->loop);
	return 0;
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

void bench_target_close(struct bench_target *t)
{
	loop_call(&t->loop, stop_loop, &t->loop);
	loop_join(&t->loop);
	loop_release(&t->loop);
	tls_context_unref(t->tls);
}

/* ---- a load ---- */

struct bench_load_client {
	struct bench_load *load;
	struct http_client *http;
	double began_ms;
	struct http_header type;
	struct strbuf target, body;
};

static const struct http_header json_header[] = {{{"content-type", 12}, {"application/json", 16}}};

static void client_next(struct bench_load_client *c);

static void client_finished(struct bench_load *l)
{
	if (--l->out == 0)
		uv_sem_post(&l->finished);
}

static void note_failure(struct bench_load *l, const struct http_answer *answer, const struct err *err)
{
	if (l->failed++)
		return;
	if (err)
		snprintf(l->first_failure, sizeof l->first_failure, "%.200s", err->msg);
	else
		snprintf(l->first_failure, sizeof l->first_failure, "%d %.*s", answer->status,
		        (int)(answer->body.len < 200 ? answer->body.len : 200), answer->body.ptr);
}

static void client_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct bench_load_client *c = arg;
	bench_samples_add(&c->load->ms, bench_now_ms() - c->began_ms);
	if (err || answer->status >= 300)
		note_failure(c->load, answer, err);
	client_next(c);
}

static void client_next(struct bench_load_client *c)
{
	struct bench_load *l = c->load;
	if (l->next == l->total) {
		client_finished(l);
		return;
	}
	strbuf_reset(&c->target);
	strbuf_reset(&c->body);
	l->make(l, l->next++, &c->target, &c->body);
	c->type = json_header[0];
	if (l->content_type)
		c->type.value = slice_of(l->content_type);
	c->began_ms = bench_now_ms();
	http_client_call(c->http, &(struct http_call_options){.method = l->method,
	                                  .target = strbuf_cstr(&c->target),
	                                  .headers = &c->type,
	                                  .headers_count = 1,
	                                  .body = strbuf_slice(&c->body),
	                                  .on_done = client_done,
	                                  .arg = c});
}

static void client_connected(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct bench_load_client *c = arg;
	if (err)
		note_failure(c->load, answer, err);
	client_finished(c->load);
}

static void connect_all(void *arg)
{
	struct bench_load *l = arg;
	l->out = l->clients;
	for (unsigned i = 0; i < l->clients; i++) {
		struct bench_load_client *c = &l->list[i];
		c->load = l;
		c->http = http_client_new(&(struct http_client_options){.loop = &l->target->loop,
		        .host = l->target->host,
		        .port = l->target->port,
		        .tls = l->target->tls,
		        .protocol = HTTP_CLIENT_H1,
		        .connections_max = 1});
		http_client_call(
		        c->http, &(struct http_call_options){
		                         .method = "GET", .target = "/version", .on_done = client_connected, .arg = c});
	}
}

static void run_all(void *arg)
{
	struct bench_load *l = arg;
	l->out = l->clients;
	for (unsigned i = 0; i < l->clients; i++)
		client_next(&l->list[i]);
}

static void client_closed(void *arg)
{
	client_finished(((struct bench_load_client *)arg)->load);
}

static void close_all(void *arg)
{
	struct bench_load *l = arg;
	l->out = l->clients;
	for (unsigned i = 0; i < l->clients; i++)
		http_client_close(l->list[i].http, client_closed, &l->list[i]);
}

static void step(struct bench_load *l, void (*fn)(void *arg))
{
	loop_call(&l->target->loop, fn, l);
	uv_sem_wait(&l->finished);
}

void bench_load_run(struct bench_load *l)
{
	l->list = xcalloc(l->clients, sizeof *l->list);
	uv_sem_init(&l->finished, 0);
	step(l, connect_all);
	double began = bench_now_ms();
	step(l, run_all);
	l->seconds = (bench_now_ms() - began) / 1e3;
	step(l, close_all);
	for (unsigned i = 0; i < l->clients; i++) {
		strbuf_release(&l->list[i].target);
		strbuf_release(&l->list[i].body);
	}
	free(l->list);
	uv_sem_destroy(&l->finished);
}

/* ---- one request ---- */

struct one {
	struct bench_target *target;
	struct http_client *http;
	const char *method, *path;
	struct slice body;
	struct strbuf *answer;
	int status;
	uv_sem_t done;
};

static void one_closed(void *arg)
{
	uv_sem_post(&((struct one *)arg)->done);
}

static void one_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct one *o = arg;
	o->status = err ? 0 : answer->status;
	if (o->answer && !err)
		strbuf_add_slice(o->answer, answer->body);
	http_client_close(o->http, one_closed, o);
}

static void one_begin(void *arg)
{
	struct one *o = arg;
	o->http = http_client_new(&(struct http_client_options){.loop = &o->target->loop,
	        .host = o->target->host,
	        .port = o->target->port,
	        .tls = o->target->tls,
	        .protocol = HTTP_CLIENT_H1});
	http_client_call(o->http, &(struct http_call_options){.method = o->method,
	                                  .target = o->path,
	                                  .headers = json_header,
	                                  .headers_count = 1,
	                                  .body = o->body,
	                                  .timeout_ms = 30000,
	                                  .on_done = one_done,
	                                  .arg = o});
}

int bench_request(
        struct bench_target *t, const char *method, const char *path, struct slice body, struct strbuf *answer)
{
	struct one o = {.target = t, .method = method, .path = path, .body = body, .answer = answer};
	uv_sem_init(&o.done, 0);
	loop_call(&t->loop, one_begin, &o);
	uv_sem_wait(&o.done);
	uv_sem_destroy(&o.done);
	return o.status;
}
