/* Keeps container logs small: a log of more than containerLogMaxSize (10 MiB) is renamed to ATTEMPT.log.1 (older
 * ones move up, the one beyond containerLogMaxFiles goes) and the runtime is told to open a new file. Looked at every
 * 20 s, on the pool, by one stat per running container. A log that cannot be reopened is put back, so that no line is
 * written to a file that nobody reads. containerd's own log, which it never opens anew, is copied and cut. */
#include "node/runtime/log_rotate.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/log.h"
#include "base/file/rotating_file.h"
#include "node/config/kubelet_config.h"
#include "node/ground/errand.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/runtime/containerd.h"
#include "node/runtime/cri.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 20000, OWN_BYTES_MAX = 10 * 1024 * 1024, CALL_MS = 30000 };

struct log_rotation {
	struct node *n;
	int64_t bytes_max;
	int files_max;
	uv_timer_t timer;
};

static void name_of(char *out, size_t size, const char *path, int number)
{
	if (number)
		snprintf(out, size, "%s.%d", path, number);
	else
		snprintf(out, size, "%s", path);
}

static void shift(const char *path, int files_max)
{
	CHECK(*path == '/');
	char from[4096], to[4096];
	for (int i = files_max - 1; i > 0; i--) {
		name_of(from, sizeof from, path, i - 1);
		name_of(to, sizeof to, path, i);
		rename(from, to);
	}
}

static void reopened(void *arg, const void *answer, const struct err *err)
{
	char *path = arg, first[4096];
	if (err && err->code != ERR_CANCELED) {
		name_of(first, sizeof first, path, 1);
		if (access(path, F_OK) != 0)
			rename(first, path);
		log_warn("node", "cannot rotate a log", "path=%s error=\"%s\"", path, err->msg);
	}
	free(path);
}

/* A round: the logs of what runs, and of each whether it was moved. */
struct round {
	struct errand errand;
	struct node *n;
	struct arena arena;
	struct log {
		const char *path, *id;
		bool is_moved;
	} * logs;
	size_t count, cap;
	int64_t bytes_max;
	int files_max;
	const char *containerd_log;
};

static void add_log(struct round *r, struct pod *p, const struct container *c)
{
	struct arena *a = &r->arena;
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct log *logs = ARENA_ARRAY(a, struct log, cap);
		if (r->count)
			memcpy(logs, r->logs, r->count * sizeof *logs);
		r->logs = logs;
		r->cap = cap;
	}
	r->logs[r->count++] =
	        (struct log){.path = arena_printf(a, "%s/%s/%u.log", pod_log_dir(p, a), c->name, c->attempt),
	                .id = arena_strdup(a, c->id)};
}

static void move_large(struct errand *e)
{
	struct round *r = CONTAINER_OF(e, struct round, errand);
	for (size_t i = 0; i < r->count; i++) {
		struct stat st;
		struct log *l = &r->logs[i];
		l->is_moved = stat(l->path, &st) == 0 && st.st_size > r->bytes_max;
		if (l->is_moved)
			shift(l->path, r->files_max);
	}
	if (r->containerd_log)
		rotating_file_cut(r->containerd_log, OWN_BYTES_MAX);
}

static void round_free(struct round *r)
{
	arena_release(&r->arena);
	free(r);
}

static void moved(struct errand *e)
{
	struct round *r = CONTAINER_OF(e, struct round, errand);
	LOOP_CHECK_OWNER(r->n->loop);
	for (size_t i = 0; i < r->count && r->n->cri; i++) {
		CRI(ContainerRequest) q = RUNTIME__V1__CONTAINER_REQUEST__INIT;
		q.container_id = (char *)r->logs[i].id;
		if (r->logs[i].is_moved)
			cri_call(r->n->cri, "RuntimeService/ReopenContainerLog", &q.base,
			        &runtime__v1__empty__descriptor, CALL_MS, reopened, xstrdup(r->logs[i].path));
	}
	round_free(r);
}

static void look(uv_timer_t *t)
{
	const struct log_rotation *of = t->data;
	struct node *n = of->n;
	LOOP_CHECK_OWNER(n->loop);
	if (n->closing || !n->cri)
		return;
	struct round *r = xcalloc(1, sizeof *r);
	r->n = n;
	r->bytes_max = of->bytes_max;
	r->files_max = of->files_max;
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		LIST_FOREACH (link, &p->containers) {
			struct container *c = CONTAINER_OF(link, struct container, in_pod);
			if (c->state == CONTAINER_RUNNING)
				add_log(r, p, c);
		}
	}
	const char *own = containerd_log_file(n->containerd);
	r->containerd_log = own ? arena_strdup(&r->arena, own) : NULL;
	if ((!r->count && !own) || !errand_start(n, &r->errand, move_large, moved))
		round_free(r);
}

struct log_rotation *log_rotation_new(struct node *n)
{
	struct log_rotation *r = xcalloc(1, sizeof *r);
	r->n = n;
	r->bytes_max = quantity_json_value(kubelet_config_get(n->config, "containerLogMaxSize"));
	r->files_max = (int)kubelet_config_int(n->config, "containerLogMaxFiles");
	uv_timer_init(loop_uv(n->loop), &r->timer);
	r->timer.data = r;
	uv_timer_start(&r->timer, look, LOOK_MS, LOOK_MS);
	return r;
}

static void closed(uv_handle_t *h)
{
	free(h->data);
}

void log_rotation_close(struct log_rotation *r)
{
	uv_close((uv_handle_t *)&r->timer, closed);
}
