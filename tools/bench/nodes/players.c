/* See players.h. Everything that is to be written stands in one queue, of which so many are under way at a time; what
 * the informer says of pods puts it there. A write that fails is counted and forgotten: the next event asks again. */
#include "tools/bench/nodes/players.h"

#include "api/client/informer.h"
#include "api/client/meta.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json/scan.h"
#include "base/mem/list.h"
#include "base/time/rfc3339.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { UNDER_WAY_MAX = 64, RENEW_S = 10, TICK_MS = 100, WAIT_MS = 120000 };
enum pod_flag { POD_BOUND = 1, POD_RUNS = 2, POD_ASKED = 4, POD_ENDS = 8 };

struct write {
	struct client_request request;
	struct list_link link;
	struct players *players;
	struct arena arena;
};

struct players {
	struct players_options o;
	struct loop loop;
	struct client *client;
	struct informer *pods;
	uv_timer_t timer;
	uint64_t renewed; /* nodes, since the start */
	uint64_t began_ms;
	struct list_link waiting;
	unsigned under_way;
	atomic_uint made, present, bound, running, failed;
	bool is_closing;
	struct err err;
	uv_sem_t closed;
};

/* ---- writes ---- */

static void send_next(struct players *p);

static void written(struct client_request *req)
{
	struct write *w = CONTAINER_OF(req, struct write, request);
	struct players *p = w->players;
	if (req->err.code && req->err.code != ERR_NOT_FOUND)
		atomic_fetch_add(&p->failed, 1);
	if (strcmp(req->method, "POST") == 0 && !req->err.code)
		atomic_fetch_add(&p->made, 1);
	client_request_release(req);
	arena_release(&w->arena);
	free(w);
	p->under_way--;
	send_next(p);
}

static void send_next(struct players *p)
{
	struct list_link *l;
	while (!p->is_closing && p->under_way < UNDER_WAY_MAX && (l = list_pop_front(&p->waiting))) {
		p->under_way++;
		client_send(p->client, &CONTAINER_OF(l, struct write, link)->request);
	}
}

/* The path is copied, the body given as text. */
static void put(struct players *p, const char *method, const char *type, const char *path, const char *body)
{
	struct write *w = xcalloc(1, sizeof *w);
	w->players = p;
	w->request = (struct client_request){.method = method,
	        .path = arena_strdup(&w->arena, path),
	        .body = slice_of(arena_strdup(&w->arena, body)),
	        .content_type = type,
	        .done = written};
	list_init(&w->link);
	list_push_back(&p->waiting, &w->link);
	send_next(p);
}

/* ---- nodes ---- */

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

static void make_node(struct players *p, unsigned i)
{
	struct strbuf b = STRBUF_INIT;
	char when[RFC3339_MAX];
	rfc3339_text(when, clock_wall_ns(), 0);
	strbuf_addf(&b,
	        "{\"metadata\":{\"name\":\"node-%u\",\"labels\":{\"kubernetes.io/hostname\":\"node-%u\","
	        "\"topology.kubernetes.io/"
	        "zone\":\"zone-%u\"}},\"status\":{\"capacity\":{\"cpu\":\"%u\",\"memory\":\"64Gi\","
	        "\"pods\":\"110\"},\"allocatable\":{\"cpu\":\"%u\",\"memory\":\"64Gi\",\"pods\":\"110\"},"
	        "\"conditions\":[{"
	        "\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"KubeletReady\",\"message\":\"played\","
	        "\"lastHeartbeatTime\":\"%s\",\"lastTransitionTime\":\"%s\"}]}}",
	        i, i, i % p->o.zones, p->o.cpus, p->o.cpus, when, when);
	put(p, "POST", NULL, "/api/v1/nodes", b.data);
	strbuf_reset(&b);
	rfc3339_text(when, clock_wall_ns(), 6);
	strbuf_addf(&b,
	        "{\"metadata\":{\"name\":\"node-%u\"},\"spec\":{\"holderIdentity\":\"node-%u\","
	        "\"leaseDurationSeconds\":40,\"renewTime\":\"%s\"}}",
	        i, i, when);
	put(p, "POST", NULL, LEASES, b.data);
	strbuf_release(&b);
}

static void renew(struct players *p, unsigned i)
{
	char path[160], body[120], when[RFC3339_MAX];
	rfc3339_text(when, clock_wall_ns(), 6);
	snprintf(path, sizeof path, LEASES "/node-%u", i);
	snprintf(body, sizeof body, "{\"spec\":{\"renewTime\":\"%s\"}}", when);
	put(p, "PATCH", "application/merge-patch+json", path, body);
}

/* All nodes in RENEW_S, evenly. */
static void tick(uv_timer_t *t)
{
	struct players *p = t->data;
	uint64_t due = (loop_now_ms(&p->loop) - p->began_ms) * p->o.nodes / (RENEW_S * 1000);
	for (; p->renewed < due; p->renewed++)
		renew(p, (unsigned)(p->renewed % p->o.nodes));
}

/* ---- pods ---- */

/* What is kept of one. */
static struct rcbuf *digest(struct slice object)
{
	struct slice ns = json_find(object, "metadata", "namespace", NULL),
	             name = json_find(object, "metadata", "name", NULL),
	             node = json_find(object, "spec", "nodeName", NULL),
	             phase = json_find(object, "status", "phase", NULL);
	bool ends = json_find(object, "metadata", "deletionTimestamp", NULL).len > 0;
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "{\"ns\":\"%.*s\",\"name\":\"%.*s\",\"node\":\"%.*s\",\"phase\":\"%.*s\",\"ends\":\"%s\"}",
	        SLICE_FMT(ns), SLICE_FMT(name), SLICE_FMT(node), SLICE_FMT(phase), ends ? "yes" : "");
	struct rcbuf *r = rcbuf_copy(b.data, b.len);
	strbuf_release(&b);
	return r;
}

static void run_pod(struct players *p, struct slice ns, struct slice name)
{
	struct strbuf path = STRBUF_INIT, body = STRBUF_INIT;
	char when[RFC3339_MAX];
	rfc3339_text(when, clock_wall_ns(), 0);
	strbuf_addf(&path, "/api/v1/namespaces/%.*s/pods/%.*s/status", SLICE_FMT(ns), SLICE_FMT(name));
	strbuf_addf(&body,
	        "{\"status\":{\"phase\":\"Running\",\"startTime\":\"%s\",\"podIP\":\"10.42.0.9\",\"conditions\":[{"
	        "\"type\":\"Ready\","
	        "\"status\":\"True\",\"lastTransitionTime\":\"%s\"},{\"type\":\"ContainersReady\",\"status\":\"True\","
	        "\"lastTransitionTime\":\"%s\"}]}}",
	        when, when, when);
	put(p, "PATCH", "application/strategic-merge-patch+json", path.data, body.data);
	strbuf_release(&path);
	strbuf_release(&body);
}

static void end_pod(struct players *p, struct slice ns, struct slice name)
{
	struct strbuf path = STRBUF_INIT;
	strbuf_addf(&path, "/api/v1/namespaces/%.*s/pods/%.*s?gracePeriodSeconds=0", SLICE_FMT(ns), SLICE_FMT(name));
	put(p, "DELETE", NULL, path.data, "");
	strbuf_release(&path);
}

static bool turn(struct informer_object *o, enum pod_flag flag, bool on)
{
	uintptr_t flags = (uintptr_t)o->user;
	if (!on || (flags & flag))
		return false;
	o->user = (void *)(flags | flag);
	return true;
}

static void pod_seen(struct players *p, struct informer_object *o)
{
	struct slice text = informer_text(o), ns = json_find(text, "ns", NULL), name = json_find(text, "name", NULL);
	bool has_node = json_find(text, "node", NULL).len > 0, ends = json_find(text, "ends", NULL).len > 0,
	     runs = slice_is(json_find(text, "phase", NULL), "Running");
	if (turn(o, POD_BOUND, has_node))
		atomic_fetch_add(&p->bound, 1);
	if (turn(o, POD_RUNS, runs))
		atomic_fetch_add(&p->running, 1);
	if (turn(o, POD_ENDS, has_node && ends))
		end_pod(p, ns, name);
	else if (!p->o.only_watches && turn(o, POD_ASKED, has_node && !runs && !ends))
		run_pod(p, ns, name);
}

static void added(void *arg, struct informer_object *o)
{
	struct players *p = arg;
	atomic_fetch_add(&p->present, 1);
	pod_seen(p, o);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	pod_seen(arg, o);
}

static void deleted(void *arg, struct informer_object *o)
{
	struct players *p = arg;
	uintptr_t flags = (uintptr_t)o->user;
	atomic_fetch_sub(&p->present, 1);
	if (flags & POD_BOUND)
		atomic_fetch_sub(&p->bound, 1);
	if (flags & POD_RUNS)
		atomic_fetch_sub(&p->running, 1);
}

unsigned players_present(const struct players *p)
{
	return atomic_load(&((struct players *)(uintptr_t)p)->present);
}

unsigned players_bound(const struct players *p)
{
	return atomic_load(&((struct players *)(uintptr_t)p)->bound);
}

unsigned players_running(const struct players *p)
{
	return atomic_load(&((struct players *)(uintptr_t)p)->running);
}

/* ---- life ---- */

static void begin(void *arg)
{
	struct players *p = arg;
	char url[64], files[3][300];
	static const char *const names[] = {"server-ca.crt", "client-admin.crt", "client-admin.key"};
	snprintf(url, sizeof url, "https://127.0.0.1:%d", p->o.server->port);
	for (int i = 0; i < 3; i++)
		snprintf(files[i], sizeof files[i], "%s/server/tls/%s", p->o.server->dir, names[i]);
	struct client_https_options o = {.server_url = url,
	        .ca_file = files[0],
	        .cert_file = files[1],
	        .key_file = files[2],
	        .user_agent = "players"};
	if (client_https_new(&p->loop, &o, &p->client, &p->err) != 0)
		return;
	p->began_ms = loop_now_ms(&p->loop);
	CHECK(uv_timer_init(loop_uv(&p->loop), &p->timer) == 0);
	p->timer.data = p;
	uv_timer_start(&p->timer, tick, TICK_MS, TICK_MS);
	for (unsigned i = 0; i < p->o.nodes; i++)
		make_node(p, i);
	struct informer_options pods = {.client = p->client,
	        .path = "/api/v1/pods",
	        .digest = digest,
	        .added = added,
	        .updated = updated,
	        .deleted = deleted,
	        .arg = p};
	p->pods = informer_new(&pods);
}

int players_new(const struct players_options *o, struct players **ret, struct err *err)
{
	struct players *p = xcalloc(1, sizeof *p);
	double start = bench_now_ms();
	p->o = *o;
	list_init(&p->waiting);
	uv_sem_init(&p->closed, 0);
	loop_init(&p->loop, "players");
	loop_start_thread(&p->loop);
	loop_call(&p->loop, begin, p);
	while (!p->err.code && atomic_load(&p->made) < 2 * o->nodes && bench_now_ms() - start < WAIT_MS)
		usleep(1000);
	if (!p->err.code && atomic_load(&p->made) < 2 * o->nodes)
		err_set(&p->err, ERR_TIMEOUT, "nodes can't be made: %u of %u writes failed", atomic_load(&p->failed),
		        2 * o->nodes);
	*err = p->err;
	if (err->code)
		players_free(p);
	else
		*ret = p;
	return err->code;
}

static void client_closed(void *arg)
{
	struct players *p = arg;
	loop_stop(&p->loop);
	uv_sem_post(&p->closed);
}

static void informer_closed(void *arg)
{
	struct players *p = arg;
	client_close(p->client, client_closed, p);
}

static void timer_closed(uv_handle_t *h)
{
	struct players *p = h->data;
	informer_close(p->pods, informer_closed, p);
}

static void end(void *arg)
{
	struct players *p = arg;
	struct list_link *l;
	p->is_closing = true;
	while ((l = list_pop_front(&p->waiting))) {
		struct write *w = CONTAINER_OF(l, struct write, link);
		arena_release(&w->arena);
		free(w);
	}
	if (p->client)
		uv_close((uv_handle_t *)&p->timer, timer_closed);
	else
		client_closed(p);
}

void players_free(struct players *p)
{
	if (!p)
		return;
	loop_call(&p->loop, end, p);
	uv_sem_wait(&p->closed);
	loop_join(&p->loop);
	loop_release(&p->loop);
	uv_sem_destroy(&p->closed);
	free(p);
}
