/* The connections of the load generator: a fixed number of HTTP/2 connections, dealt out to the servers in turn, on
 * one loop.
 *
 * Each is an http_client of its own, because one of those keeps one HTTP/2 connection; its first call proves that it
 * stands before a load begins. */
#include "tools/bench/store/store.h"

#include "base/wire/grpc.h"

#include <stdio.h>
#include <stdlib.h>

struct opening {
	struct lines *lines;
	const struct trio *trio;
	unsigned count;
	int target;
};

static void opened(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct lines *l = arg;
	if (err)
		fprintf(stderr, "k3x-bench: connect: %s\n", err->msg);
	if (--l->opening == 0)
		uv_sem_post(&l->done);
}

static void open_all(void *arg)
{
	struct opening *o = arg;
	struct lines *l = o->lines;
	l->count = l->opening = o->count;
	for (unsigned i = 0; i < o->count; i++) {
		unsigned server = o->target >= 0 ? (unsigned)o->target : i % (unsigned)o->trio->count;
		l->list[i] = http_client_new(&(struct http_client_options){.loop = &l->loop,
		        .host = "127.0.0.1",
		        .port = o->trio->servers[server].client_port,
		        .protocol = HTTP_CLIENT_H2,
		        .connect_ms = 1000});
		grpc_client_call(l->list[i], &(struct grpc_call_options){.method = "/etcdserverpb.Maintenance/Status",
		                                     .timeout_ms = 10000,
		                                     .on_done = opened,
		                                     .arg = l});
	}
}

void lines_open(struct lines *l, const struct trio *t, unsigned count, int target)
{
	struct opening o = {l, t, count > LINES_MAX ? LINES_MAX : count, target};
	*l = (struct lines){0};
	uv_sem_init(&l->done, 0);
	loop_init(&l->loop, "clients");
	loop_start_thread(&l->loop);
	loop_call(&l->loop, open_all, &o);
	uv_sem_wait(&l->done);
}

static void closed(void *arg)
{
	struct lines *l = arg;
	if (--l->opening == 0)
		loop_stop(&l->loop);
}

static void close_all(void *arg)
{
	struct lines *l = arg;
	l->opening = l->count;
	for (unsigned i = 0; i < l->count; i++)
		http_client_close(l->list[i], closed, l);
}

void lines_close(struct lines *l)
{
	loop_call(&l->loop, close_all, l);
	loop_join(&l->loop);
	loop_release(&l->loop);
	uv_sem_destroy(&l->done);
}
