/* A load: many clients with one request out each, on one thread, for some seconds or some number of requests.
 *
 * A client sends its next request from the completion of the last, on the next connection in turn, so that requests
 * spread over all servers whatever the number of clients. Messages are packed into a buffer of the client's own. Only
 * requests begun after the warm-up and answered before the end are counted. A failed request is counted apart and the
 * client goes on, so a server that refuses everything ends the load in time all the same.
 *
 * The generator shares the machine with the servers: what it uses itself is measured too. */
#include "tools/bench/store/store.h"

#include "base/wire/grpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { TIMEOUT_MS = 30000, FAILURES_MAX = 10000 };

uint64_t load_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double own_cpu_s(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

const char *load_value(void)
{
	static char text[LOAD_VALUE_MAX];
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t x = 88172645463325252u;
	for (size_t i = 0; i < sizeof text && text[sizeof text - 1] == 0; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		text[i] = digits[x % 64];
	}
	return text;
}

const char *load_value_at(uint64_t n, size_t bytes)
{
	uint64_t h = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
	return load_value() + (h ^ h >> 29) % (LOAD_VALUE_MAX - bytes);
}

static void client_next(struct load_client *c);

static void client_left(struct load_client *c)
{
	if (--c->load->out == 0)
		uv_sem_post(&c->load->finished);
}

static void note_failure(struct load *l, const char *text)
{
	if (l->failed++ == 0)
		snprintf(l->first_failure, sizeof l->first_failure, "%.190s", text);
}

/* A request is over. */
static void client_answered(struct load_client *c, const struct err *err)
{
	struct load *l = c->load;
	uint64_t now = load_now_ns();
	if (err || !c->answered || !c->is_good)
		note_failure(l, err ? err->msg : c->answered ? "an answer is not what it should be" : "no answer");
	else if (!c->beginning && c->began_ns >= l->from_ns && (now <= l->until_ns || l->requests)) {
		histogram_add(&l->ns, now - c->began_ns);
		l->done++;
	}
	if (c->beginning && err)
		c->ended = true;
	c->beginning = false;
}

static void on_message(struct grpc_call *call, struct slice message, void *arg)
{
	struct load_client *c = arg;
	c->answered = true;
	if (c->beginning || !c->load->kind->check)
		c->is_good = true;
	else
		c->is_good = c->load->kind->check(c, message);
	if (c->stream && !c->beginning) {
		client_answered(c, NULL);
		client_next(c);
	}
}

static void on_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct load_client *c = arg;
	bool was_stream = c->stream != NULL;
	c->stream = NULL;
	if (was_stream && err)
		note_failure(c->load, err->msg);
	if (!was_stream)
		client_answered(c, err);
	if (was_stream || c->ended)
		client_left(c);
	else
		client_next(c);
}

static struct http_client *client_line(struct load_client *c)
{
	struct lines *l = c->load->lines;
	if (c->load->kind->is_stream)
		return l->list[c->id % l->count];
	return l->list[(c->id + c->turn) % l->count];
}

static void client_send(struct load_client *c, const char *method)
{
	bool is_stream = c->load->kind->is_stream && !c->beginning;
	c->answered = false;
	c->began_ns = load_now_ns();
	if (is_stream && c->stream) {
		grpc_call_send(c->stream, c->message);
		return;
	}
	struct grpc_call *call = grpc_client_call(client_line(c), &(struct grpc_call_options){.method = method,
	                                                                  .timeout_ms = is_stream ? 0 : TIMEOUT_MS,
	                                                                  .request = c->message,
	                                                                  .stream = is_stream,
	                                                                  .on_message = on_message,
	                                                                  .on_done = on_done,
	                                                                  .arg = c});
	if (is_stream)
		c->stream = call;
}

static bool is_over(const struct load *l)
{
	if (l->failed > FAILURES_MAX)
		return true;
	return l->requests ? l->started >= l->requests : load_now_ns() >= l->until_ns;
}

static void client_next(struct load_client *c)
{
	struct load *l = c->load;
	if (!is_over(l)) {
		l->started++;
		c->turn++;
		client_send(c, l->kind->make(c));
	} else if (c->stream) {
		grpc_call_send_end(c->stream);
	} else {
		client_left(c);
	}
}

static void run_all(void *arg)
{
	struct load *l = arg;
	l->out = l->clients;
	for (unsigned i = 0; i < l->clients; i++) {
		struct load_client *c = &l->list[i];
		if (l->kind->begin) {
			c->beginning = true;
			client_send(c, l->kind->begin(c));
		} else {
			client_next(c);
		}
	}
}

static void make_clients(struct load *l)
{
	l->list = xcalloc(l->clients, sizeof *l->list);
	for (unsigned i = 0; i < l->clients; i++) {
		struct load_client *c = &l->list[i];
		c->load = l;
		c->id = i;
		c->buffer_bytes = l->value_bytes + 512;
		c->buffer = xmalloc(c->buffer_bytes);
	}
}

void load_run(struct load *l)
{
	make_clients(l);
	load_value(); /* made here, before there are threads */
	uv_sem_init(&l->finished, 0);
	double cpu = own_cpu_s();
	uint64_t began = load_now_ns();
	l->from_ns = began + (l->requests ? 0 : (uint64_t)(l->seconds * 2e8));
	l->until_ns = l->from_ns + (uint64_t)(l->seconds * 1e9);
	loop_call(&l->lines->loop, run_all, l);
	uv_sem_wait(&l->finished);
	uint64_t ended = load_now_ns();
	l->elapsed_s = l->requests ? (double)(ended - began) / 1e9 : l->seconds;
	l->generator_cpu_s = (own_cpu_s() - cpu) / ((double)(ended - began) / 1e9) * l->elapsed_s;
	for (unsigned i = 0; i < l->clients; i++) {
		free(l->list[i].buffer);
		arena_release(&l->list[i].arena);
	}
	free(l->list);
	l->list = NULL;
	uv_sem_destroy(&l->finished);
}
