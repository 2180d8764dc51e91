/* See snapshot_records.h. Who looks (server_snapshots.c) hands over the newest list; the main loop makes the objects
 * follow, a step after the other:
 *
 *     the server's Node, for its uid -> the objects there are (no such kind: define it, look again)
 *         -> one for each snapshot that has none, with its status -> those whose snapshot has gone are deleted
 *
 * Each server does so for its own files, and for the S3 store if it keeps snapshots there; of two that make the same
 * object of the store one is told that it is there, which is as good. Snapshots whose server left the cluster lose
 * their objects with its Node.
 *
 * What can go wrong: the API says no. The work queue tries again, with the list of then. */
#include "tools/k3x/snapshots/snapshot_records.h"

#include "api/client/work_queue.h"
#include "api/server/inproc.h"
#include "base/check.h"
#include "base/mem/map.h"
#include "tools/k3x/snapshots/snapshot_object.h"

#include <pthread.h>
#include <stdlib.h>

enum { DEFINED_WAIT_MS = 500, RECORDED_MAX = 1000 };

static const char queue_key[] = "snapshots";

struct snapshot_records {
	struct loop *loop;
	char *node_name;
	struct client *client; /* NULL: the API is not there, or no more */
	struct work_queue *queue;
	struct snapshot_list list; /* what is recorded; the loop's */
	bool knows_s3;
	pthread_mutex_t lock;
	struct snapshot_list told; /* under the lock, as the rest */
	bool has_told, told_s3, is_rung, is_closed;
	struct loop_task task;
	void (*closed)(void *arg);
	void *arg;
};

/* A pass, in the work's arena. */
struct pass {
	struct snapshot_records *records;
	struct snapshot_place place;
};

/* ---- making ---- */

static bool is_there(struct work_call *call)
{
	int code = call->request.err.code;
	if (code && code != ERR_EXISTS)
		work_fail(call->work, &call->request.err);
	return !code || code == ERR_EXISTS;
}

static void set_status(struct work *w, const struct snapshot_entry *e)
{
	const char *path = arena_printf(&w->arena, SNAPSHOT_OBJECTS "/%s/status", snapshot_object_name(&w->arena, e));
	work_patch(w, path, "application/merge-patch+json", snapshot_object_status(&w->arena, e),
	        work_done_ignore_missing);
}

static void made(struct work_call *call)
{
	if (is_there(call))
		set_status(call->work, call->arg);
}

static void make(struct work *w, const struct snapshot_entry *e)
{
	struct pass *p = w->data;
	struct work_call *call =
	        work_send(w, "POST", SNAPSHOT_OBJECTS, snapshot_object_new(&w->arena, e, &p->place), made);
	call->arg = (void *)(uintptr_t)e;
}

static void defined(struct work_call *call)
{
	if (is_there(call))
		work_again(call->work, DEFINED_WAIT_MS); /* it is served soon */
}

/* ---- what there is, and what there should be ---- */

static void drop(struct work *w, struct slice name)
{
	const char *path = arena_printf(&w->arena, SNAPSHOT_OBJECTS "/%.*s", SLICE_FMT(name));
	work_send(w, "DELETE", path, NULL, work_done_ignore_missing);
}

/* Objects by name, those that are ours. */
static void index_objects(struct work *w, struct json *list, struct map *by_name)
{
	const struct pass *p = w->data;
	JSON_FOREACH (o, json_get(list, "items")) {
		struct slice name = json_str(json_path(o, "metadata", "name", NULL));
		if (name.len && snapshot_object_is_ours(o, &p->place, p->records->knows_s3))
			map_put(by_name, name, o);
	}
}

/* What is left in the map has no snapshot. */
static void compare(struct work *w, struct map *by_name)
{
	const struct snapshot_list *l = &((struct pass *)w->data)->records->list;
	for (size_t i = 0; i < l->n && i < RECORDED_MAX; i++) {
		struct slice name = slice_of(snapshot_object_name(&w->arena, &l->entries[i]));
		struct json *o = map_get(by_name, name);
		if (!o)
			make(w, &l->entries[i]);
		else if (!json_bool(json_path(o, "status", "readyToUse", NULL), false))
			set_status(w, &l->entries[i]);
		map_del(by_name, name);
	}
	MAP_FOREACH (e, by_name)
		drop(w, e->key);
}

static void listed(struct work_call *call)
{
	struct work *w = call->work;
	struct map by_name = MAP_INIT;
	struct err err = ERR_INIT;
	if (call->request.err.code == ERR_NOT_FOUND) {
		work_send(w, "POST", SNAPSHOT_DEFINITIONS, snapshot_object_definition(&w->arena), defined);
		return;
	}
	struct json *list = call->request.err.code ? NULL : json_parse(&w->arena, work_call_text(call), NULL, &err);
	if (!list) {
		work_fail(w, call->request.err.code ? &call->request.err : &err);
		return;
	}
	index_objects(w, list, &by_name);
	compare(w, &by_name);
	map_release(&by_name);
}

static void found_node(struct work_call *call)
{
	struct work *w = call->work;
	struct pass *p = w->data;
	struct err err = ERR_INIT;
	int code = call->request.err.code;
	if (code && code != ERR_NOT_FOUND) {
		work_fail(w, &call->request.err);
		return;
	}
	if (!code)
		p->place.uid = json_str(
		        json_path(json_parse(&w->arena, work_call_text(call), NULL, &err), "metadata", "uid", NULL));
	work_send(w, "GET", SNAPSHOT_OBJECTS, NULL, listed);
}

/* Between two passes, for one holds entries of it until it ends; the queue has one worker. */
static void take_told(struct snapshot_records *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->has_told) {
		snapshot_list_release(&r->list);
		r->list = r->told;
		r->knows_s3 = r->told_s3;
		r->has_told = false;
	}
	pthread_mutex_unlock(&r->lock);
}

static void run(struct work *w)
{
	struct snapshot_records *r = w->arg;
	take_told(r);
	struct pass *p = arena_zalloc(&w->arena, sizeof *p);
	*p = (struct pass){r, {.node = r->node_name, .s3 = &r->list.s3}};
	w->data = p;
	work_send(w, "GET", arena_printf(&w->arena, "/api/v1/nodes/%s", r->node_name), NULL, found_node);
}

/* ---- life ---- */

static void look(struct snapshot_records *r)
{
	work_queue_add(r->queue, slice_of(queue_key));
}

static void rung(struct loop_task *t)
{
	struct snapshot_records *r = CONTAINER_OF(t, struct snapshot_records, task);
	LOOP_CHECK_OWNER(r->loop);
	pthread_mutex_lock(&r->lock);
	r->is_rung = false;
	pthread_mutex_unlock(&r->lock);
	if (r->queue)
		look(r);
}

void snapshot_records_set(struct snapshot_records *r, struct snapshot_list *list, bool knows_s3)
{
	pthread_mutex_lock(&r->lock);
	if (r->has_told || r->is_closed)
		snapshot_list_release(r->is_closed ? list : &r->told);
	if (!r->is_closed) {
		r->told = *list;
		r->told_s3 = knows_s3;
		r->has_told = true;
		if (!r->is_rung)
			loop_post(r->loop, &r->task);
		r->is_rung = true;
	}
	pthread_mutex_unlock(&r->lock);
	*list = (struct snapshot_list){0};
}

void snapshot_records_begin(struct snapshot_records *r, struct api_server *api)
{
	r->client = api_server_client(api, r->loop, "system:k3x", "system:masters");
	r->queue = work_queue_new(&(struct work_queue_options){
	        .name = "snapshot-records", .client = r->client, .workers = 1, .run = run, .arg = r});
	work_queue_start(r->queue);
	pthread_mutex_lock(&r->lock);
	bool has = r->has_told;
	pthread_mutex_unlock(&r->lock);
	if (has)
		look(r);
}

static void client_closed(void *arg)
{
	struct snapshot_records *r = arg;
	r->closed(r->arg);
}

static void queue_closed(void *arg)
{
	struct snapshot_records *r = arg;
	client_close(TAKE(r->client), client_closed, r);
}

void snapshot_records_close(struct snapshot_records *r, void (*closed)(void *arg), void *arg)
{
	r->closed = closed;
	r->arg = arg;
	pthread_mutex_lock(&r->lock);
	r->is_closed = true;
	pthread_mutex_unlock(&r->lock);
	if (r->queue)
		work_queue_close(TAKE(r->queue), queue_closed, r);
	else
		closed(arg);
}

struct snapshot_records *snapshot_records_new(struct loop *loop, const char *node_name)
{
	struct snapshot_records *r = xcalloc(1, sizeof *r);
	r->loop = loop;
	r->node_name = xstrdup(node_name);
	r->task.run = rung;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void snapshot_records_free(struct snapshot_records *r)
{
	if (!r)
		return;
	snapshot_list_release(&r->list);
	if (r->has_told)
		snapshot_list_release(&r->told);
	pthread_mutex_destroy(&r->lock);
	free(r->node_name);
	free(r);
}
