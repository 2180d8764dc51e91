/* Reads under load: lists of everything on one connection, and one write seen by a thousand watchers.
 *
 * A list's body is counted and thrown away as it comes. A watcher is one connection with one open answer; a write is
 * over when every watcher has read a line that is not a bookmark. */
#include "tools/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPENING_MAX = 64 };

#define FAN_NAMESPACE "bench-fan"

/* ---- lists ---- */

struct listing {
	struct bench_target *target;
	struct http_client *http;
	const char *path;
	unsigned left;
	double began_ms;
	double first_ms;
	size_t bytes;
	struct bench_samples total_ms, to_first_ms;
	int failed;
	uv_sem_t done;
};

static void list_next(struct listing *l);

static void list_head(struct http_call *call, const struct http_answer *answer, void *arg)
{
	struct listing *l = arg;
	l->failed += answer->status != 200;
}

static void list_data(struct http_call *call, struct slice data, void *arg)
{
	struct listing *l = arg;
	if (!l->bytes)
		l->first_ms = bench_now_ms();
	l->bytes += data.len;
}

static void list_closed(void *arg)
{
	uv_sem_post(&((struct listing *)arg)->done);
}

static void list_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct listing *l = arg;
	l->failed += err != NULL;
	bench_samples_add(&l->total_ms, bench_now_ms() - l->began_ms);
	bench_samples_add(&l->to_first_ms, l->first_ms - l->began_ms);
	if (--l->left)
		list_next(l);
	else
		http_client_close(l->http, list_closed, l);
}

static void list_next(struct listing *l)
{
	l->bytes = 0;
	l->began_ms = bench_now_ms();
	http_client_call(l->http, &(struct http_call_options){.method = "GET",
	                                  .target = l->path,
	                                  .on_head = list_head,
	                                  .on_data = list_data,
	                                  .on_done = list_done,
	                                  .arg = l});
}

static void list_connected(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	list_next(arg);
}

static void list_begin(void *arg)
{
	struct listing *l = arg;
	l->http = http_client_new(&(struct http_client_options){.loop = &l->target->loop,
	        .host = l->target->host,
	        .port = l->target->port,
	        .tls = l->target->tls,
	        .protocol = HTTP_CLIENT_H1,
	        .connections_max = 1});
	http_client_call(l->http, &(struct http_call_options){
	                                  .method = "GET", .target = "/version", .on_done = list_connected, .arg = l});
}

struct list_result {
	double ms, first_ms, mb, cpu_ms;
};

static struct list_result list(struct bench_target *t, struct bench_server *server, const char *path, unsigned times)
{
	struct listing l = {.target = t, .path = path, .left = times};
	double cpu = server ? bench_server_cpu_ms(server) : 0;
	uv_sem_init(&l.done, 0);
	loop_call(&t->loop, list_begin, &l);
	uv_sem_wait(&l.done);
	uv_sem_destroy(&l.done);
	if (l.failed)
		fprintf(stderr, "k3x-bench: GET %s failed %d times\n", path, l.failed);
	struct list_result r = {.ms = bench_samples_percentile(&l.total_ms, 50),
	        .first_ms = bench_samples_percentile(&l.to_first_ms, 50),
	        .mb = (double)l.bytes / 1e6,
	        .cpu_ms = server ? (bench_server_cpu_ms(server) - cpu) / times : 0};
	bench_samples_release(&l.total_ms);
	bench_samples_release(&l.to_first_ms);
	return r;
}

void bench_lists(struct bench_report *r, struct bench_target *t, struct bench_server *server, bool quick)
{
	unsigned times = quick ? 3 : 9;
	struct list_result full = list(t, server, "/api/v1/pods", times);
	bench_report_add(r, (struct bench_row){"list_10000_pods_ms", "LIST 10,000 pods, consistent", "ms", full.ms, 980,
	                            122, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"list_10000_pods_mb_per_s", "  speed", "MB/s", full.mb / full.ms * 1e3,
	                            93, 744, BENCH_HIGHER});
	bench_report_add(r, (struct bench_row){"list_10000_pods_mb", "  size", "MB", full.mb, 90.67, 0, BENCH_INFO});
	bench_report_add(r, (struct bench_row){"list_10000_pods_first_byte_ms", "  time to first byte", "ms",
	                            full.first_ms, 44, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"list_10000_pods_server_cpu_ms", "  server CPU per list", "ms",
	                            full.cpu_ms, 1200, 0, BENCH_LOWER});
	struct list_result any = list(t, server, "/api/v1/pods?resourceVersion=0", times);
	bench_report_add(r, (struct bench_row){"list_10000_pods_rv0_ms", "LIST 10,000 pods, resourceVersion=0", "ms",
	                            any.ms, 1090, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"list_10000_pods_rv0_first_byte_ms", "  time to first byte", "ms",
	                            any.first_ms, 67, 0, BENCH_LOWER});
	struct list_result page = list(t, server, "/api/v1/pods?limit=500", times * 5);
	bench_report_add(
	        r, (struct bench_row){"list_limit_500_ms", "LIST limit=500", "ms", page.ms, 62, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"list_limit_500_mb", "  size", "MB", page.mb, 4.53, 0, BENCH_INFO});
}

/* ---- watch fan-out ---- */

struct fan_watcher {
	struct fan *fan;
	struct http_client *http;
	bool in_line; /* the data ended inside a line */
};

struct fan {
	struct bench_target *target;
	struct fan_watcher *watchers;
	unsigned n, opened, next, broken;
	unsigned heard;
	double wrote_ms, first_ms, last_ms;
	bool closing;
	uv_sem_t step;
};

static void open_next(struct fan *f);

static void fan_head(struct http_call *call, const struct http_answer *answer, void *arg)
{
	struct fan_watcher *w = arg;
	struct fan *f = w->fan;
	f->broken += answer->status != 200;
	if (++f->opened == f->n)
		uv_sem_post(&f->step);
	open_next(f);
}

static void fan_data(struct http_call *call, struct slice data, void *arg)
{
	struct fan_watcher *w = arg;
	struct fan *f = w->fan;
	bool ends = data.ptr[data.len - 1] == '\n';
	bool bookmark = !w->in_line && data.len > 20 && memmem(data.ptr, 20, "BOOKMARK", 8) != NULL;
	w->in_line = !ends;
	if (!ends || bookmark)
		return;
	f->last_ms = bench_now_ms();
	if (!f->heard)
		f->first_ms = f->last_ms;
	if (++f->heard == f->n)
		uv_sem_post(&f->step);
}

static void fan_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct fan_watcher *w = arg;
	if (w->fan->closing)
		return;
	w->fan->broken++;
	fprintf(stderr, "k3x-bench: a watch ended: %s\n", err ? err->msg : "in order");
}

static void open_next(struct fan *f)
{
	if (f->next == f->n)
		return;
	struct fan_watcher *w = &f->watchers[f->next++];
	w->fan = f;
	w->http = http_client_new(&(struct http_client_options){.loop = &f->target->loop,
	        .host = f->target->host,
	        .port = f->target->port,
	        .tls = f->target->tls,
	        .protocol = HTTP_CLIENT_H1,
	        .connections_max = 1});
	http_client_call(w->http, &(struct http_call_options){.method = "GET",
	                                  .target = "/api/v1/namespaces/" FAN_NAMESPACE "/configmaps?watch=true",
	                                  .on_head = fan_head,
	                                  .on_data = fan_data,
	                                  .on_done = fan_done,
	                                  .arg = w});
}

static void open_some(void *arg)
{
	struct fan *f = arg;
	for (unsigned i = 0; i < OPENING_MAX; i++)
		open_next(f);
}

static void fan_closed(void *arg)
{
	struct fan *f = arg;
	if (--f->opened == 0)
		uv_sem_post(&f->step);
}

static void close_all(void *arg)
{
	struct fan *f = arg;
	f->closing = true;
	f->opened = f->next;
	for (unsigned i = 0; i < f->next; i++)
		http_client_close(f->watchers[i].http, fan_closed, f);
}

/* The writer's request is made here, on the clients' loop, so that "sent" is when it was handed to the socket. */
static void make_write(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	struct fan *f = l->arg;
	strbuf_adds(target, "/api/v1/namespaces/" FAN_NAMESPACE "/configmaps");
	strbuf_addf(body,
	        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"generateName\":\"fan-\"},\"data\":{"
	        "\"key\":\"%0200d\"}}",
	        7);
	f->heard = 0;
	f->wrote_ms = bench_now_ms();
}

void bench_fan_out(struct bench_report *r, struct bench_target *t, unsigned watchers, unsigned writes)
{
	struct fan f = {.target = t, .n = watchers, .watchers = xcalloc(watchers, sizeof *f.watchers)};
	struct bench_samples first = {0}, last = {0};
	bench_request(t, "DELETE", "/api/v1/namespaces/" FAN_NAMESPACE "/configmaps", SLICE(""), NULL);
	bench_request(t, "POST", "/api/v1/namespaces", SLICE("{\"metadata\":{\"name\":\"" FAN_NAMESPACE "\"}}"), NULL);
	uv_sem_init(&f.step, 0);
	double began = bench_now_ms();
	loop_call(&t->loop, open_some, &f);
	uv_sem_wait(&f.step);
	double opened = bench_now_ms() - began;
	for (unsigned i = 0; i < writes && !f.broken; i++) {
		struct bench_load l = {
		        .target = t, .clients = 1, .total = 1, .make = make_write, .method = "POST", .arg = &f};
		bench_load_run(&l);
		bench_samples_release(&l.ms);
		if (l.failed)
			break;
		uv_sem_wait(&f.step);
		bench_samples_add(&first, f.first_ms - f.wrote_ms);
		bench_samples_add(&last, f.last_ms - f.wrote_ms);
	}
	loop_call(&t->loop, close_all, &f);
	uv_sem_wait(&f.step);
	uv_sem_destroy(&f.step);
	free(f.watchers);
	bench_report_add(r, (struct bench_row){"watch_open_1000_ms", "open 1,000 watches (TLS handshakes included)",
	                            "ms", opened, 1700, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"watch_first_ms", "write to first watcher", "ms",
	                            bench_samples_percentile(&first, 50), 6, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"watch_last_of_1000_p50_ms", "write to last of 1,000 watchers, median",
	                            "ms", bench_samples_percentile(&last, 50), 37, 10, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"watch_last_of_1000_max_ms", "  slowest write", "ms",
	                            bench_samples_percentile(&last, 100), 50, 0, BENCH_LOWER});
	bench_samples_release(&first);
	bench_samples_release(&last);
}
