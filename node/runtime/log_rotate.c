/* Keeps container logs small: a log of more than 10 MiB is renamed to ATTEMPT.log.1 (older ones move up, the fifth
 * goes) and the runtime is told to open a new file. Looked at every 20 s, by one stat per running container. A log that
 * cannot be reopened is put back, so that no line is written to a file that nobody reads. */
#include "node/runtime/log_rotate.h"

#include "base/check.h"
#include "base/log.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/runtime/cri.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 20000, LOG_BYTES_MAX = 10 * 1024 * 1024, LOG_FILES_MAX = 5, CALL_MS = 30000 };

struct log_rotation {
	struct node *n;
	uv_timer_t timer;
};

static void name_of(char *out, size_t size, const char *path, int number)
{
	if (number)
		snprintf(out, size, "%s.%d", path, number);
	else
		snprintf(out, size, "%s", path);
}

static void shift(const char *path)
{
	CHECK(*path == '/');
	char from[4096], to[4096];
	for (int i = LOG_FILES_MAX - 1; i > 0; i--) {
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

static void look_at(struct pod *p, struct container *c)
{
	CHECK(c->state == CONTAINER_RUNNING);
	struct arena a = ARENA_INIT;
	struct stat st;
	const char *path = arena_printf(&a, "%s/%s/%u.log", pod_log_dir(p, &a), c->name, c->attempt);
	if (stat(path, &st) == 0 && st.st_size > LOG_BYTES_MAX) {
		CRI(ContainerRequest) r = RUNTIME__V1__CONTAINER_REQUEST__INIT;
		r.container_id = c->id;
		shift(path);
		cri_call(p->n->cri, "RuntimeService/ReopenContainerLog", &r.base, &runtime__v1__empty__descriptor,
		        CALL_MS, reopened, xstrdup(path));
	}
	arena_release(&a);
}

static void look(uv_timer_t *t)
{
	LOOP_CHECK_OWNER(((struct log_rotation *)t->data)->n->loop);
	struct log_rotation *r = t->data;
	if (r->n->closing || !r->n->cri)
		return;
	MAP_FOREACH (it, &r->n->pods) {
		struct pod *p = it->value;
		LIST_FOREACH (link, &p->containers) {
			struct container *c = CONTAINER_OF(link, struct container, in_pod);
			if (c->state == CONTAINER_RUNNING)
				look_at(p, c);
		}
	}
}

struct log_rotation *log_rotation_new(struct node *n)
{
	struct log_rotation *r = xcalloc(1, sizeof *r);
	r->n = n;
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
