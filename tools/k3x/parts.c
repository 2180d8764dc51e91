/* See parts.h. */
#include "tools/k3x/parts.h"

#include "base/log.h"

#include <errno.h>
#include <semaphore.h>
#include <stddef.h>
#include <time.h>

static const struct part *const rows[] = {
        &part_controllers,
        &part_node,
        &part_proxy,
};

enum { PARTS = sizeof rows / sizeof *rows };

struct running {
	const struct part *part;
	struct part_env env;
	struct loop loop;
	void *state;
	struct err err;
	sem_t closed;
};

static struct running running[PARTS];
static size_t n_running;

static void start_on_loop(void *arg)
{
	struct running *r = arg;
	r->state = r->part->start(&r->env, &r->err);
	if (!r->state)
		loop_stop(&r->loop);
}

static int start_one(const struct part *part, const struct part_env *env, struct err *err)
{
	struct running *r = &running[n_running];
	*r = (struct running){.part = part, .env = *env};
	r->env.loop = &r->loop;
	loop_init(&r->loop, part->name);
	loop_start_thread(&r->loop);
	loop_call(&r->loop, start_on_loop, r);
	if (r->state) {
		n_running++;
		return 0;
	}
	*err = r->err;
	loop_join(&r->loop);
	loop_release(&r->loop);
	return err_wrap(err, "%s", part->name);
}

int parts_start(struct server_settings *settings, struct api_server *api, int api_port, struct err *err)
{
	struct part_env env = {.settings = settings, .api = api, .api_port = api_port};
	for (size_t i = 0; i < PARTS; i++) {
		if (!rows[i]->wanted(settings))
			continue;
		if (start_one(rows[i], &env, err) != 0)
			return err->code;
		log_info("server", "part started", "name=%s", rows[i]->name);
	}
	return 0;
}

static void closed(void *arg)
{
	struct running *r = arg;
	loop_stop(&r->loop);
	sem_post(&r->closed);
}

static void close_on_loop(void *arg)
{
	struct running *r = arg;
	r->part->close(r->state, closed, r);
}

static bool has_closed_in_time(struct running *r)
{
	struct timespec limit;
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += PART_CLOSE_S_MAX;
	while (sem_clockwait(&r->closed, CLOCK_MONOTONIC, &limit) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

bool parts_stop(void)
{
	while (n_running) {
		struct running *r = &running[--n_running];
		sem_init(&r->closed, 0, 0);
		loop_call(&r->loop, close_on_loop, r);
		if (!has_closed_in_time(r)) {
			log_error("server", "a part does not close, the process ends without it", "name=%s waited_s=%d",
			        r->part->name, PART_CLOSE_S_MAX);
			return false;
		}
		loop_join(&r->loop);
		loop_release(&r->loop);
	}
	return true;
}
