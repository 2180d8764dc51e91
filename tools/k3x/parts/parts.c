/* See parts.h.
 *
 *     stopped --start--> running --close--> stopped
 *
 * A row is running or not; rows that are led follow the leadership, which one timer of the main loop looks at. A server
 * without peers leads from its start to its end and needs no timer. */
#include "tools/k3x/parts/parts.h"

#include "base/log.h"
#include "net/policy/policy_metrics.h"
#include "store/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stddef.h>
#include <time.h>

static const struct part *const rows[] = {
        &part_uplink,
        &part_controllers,
        &part_policy, /* before there is a pod */
        &part_node,
        &part_fabric,
        &part_proxy,
};

enum { PARTS = sizeof rows / sizeof *rows, LOOK_MS = 200 };

struct running {
	const struct part *part; /* NULL: it does not run */
	struct part_env env;
	struct loop loop;
	void *state;
	struct err err;
	sem_t closed;
};

static struct parts {
	struct running running[PARTS];
	struct part_env env;
	struct policy_metrics policies;
	struct engine *store;
	uint64_t led_term; /* that the led ones were started for; 0: they don't run */
	bool is_timed;
	uv_timer_t timer;
	void (*failed)(void *arg);
	void *arg;
} parts;

/* ---- one ---- */

static void start_on_loop(void *arg)
{
	struct running *r = arg;
	r->state = r->part->start(&r->env, &r->err);
	if (!r->state)
		loop_stop(&r->loop);
}

static int start_one(size_t i, struct err *err)
{
	struct running *r = &parts.running[i];
	*r = (struct running){.part = rows[i], .env = parts.env};
	r->env.loop = &r->loop;
	loop_init(&r->loop, r->part->name);
	loop_start_thread(&r->loop);
	loop_call(&r->loop, start_on_loop, r);
	if (r->state) {
		log_info("server", "part started", "name=%s", r->part->name);
		return 0;
	}
	*err = r->err;
	loop_join(&r->loop);
	loop_release(&r->loop);
	r->part = NULL;
	return err_wrap(err, "%s", rows[i]->name);
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

static bool stop_one(struct running *r)
{
	if (!r->part)
		return true;
	sem_init(&r->closed, 0, 0);
	loop_call(&r->loop, close_on_loop, r);
	if (!has_closed_in_time(r)) {
		log_error("server", "a part does not close, the process ends without it", "name=%s waited_s=%d",
		        r->part->name, PART_CLOSE_S_MAX);
		return false;
	}
	loop_join(&r->loop);
	loop_release(&r->loop);
	sem_destroy(&r->closed);
	r->part = NULL;
	return true;
}

/* ---- all, or those that are led ---- */

static bool stop_some(bool only_led)
{
	for (size_t i = PARTS; i-- > 0;)
		if ((!only_led || rows[i]->is_led) && !stop_one(&parts.running[i]))
			return false;
	return true;
}

static int start_some(bool led, struct err *err)
{
	for (size_t i = 0; i < PARTS; i++)
		if (rows[i]->is_led == led && rows[i]->wanted(parts.env.settings) && start_one(i, err) != 0)
			return err->code;
	return 0;
}

static void start_led(uint64_t term)
{
	struct err err = ERR_INIT;
	parts.env.led_term = term;
	if (start_some(true, &err) == 0)
		parts.led_term = term;
	else
		log_error("server", "a part can't be started, it is tried again", "error=\"%s\"", err.msg);
}

static void look(uv_timer_t *timer)
{
	uint64_t term = store_led_term(parts.store);
	if (term == parts.led_term)
		return;
	if (parts.led_term)
		log_info("server", "another server leads", "%s", "");
	parts.led_term = 0;
	if (!stop_some(true)) {
		parts.failed(parts.arg);
		return;
	}
	if (!term)
		return;
	log_info("server", "this server leads", "term=%" PRIu64, term);
	start_led(term);
}

void parts_restart_led(void)
{
	uint64_t term = parts.led_term;
	parts.led_term = 0;
	if (term && !stop_some(true))
		parts.failed(parts.arg);
	else if (term)
		start_led(term);
}

int parts_start(struct loop *loop, const struct part_env *env, struct engine *store, void (*failed)(void *arg),
        void *arg, struct err *err)
{
	parts = (struct parts){.env = *env, .store = store, .failed = failed, .arg = arg};
	policy_metrics_init(&parts.policies);
	parts.env.policies = &parts.policies;
	if (!store)
		return start_some(false, err);
	look(NULL);
	if (server_shares_store(env->settings) || !parts.led_term) {
		uv_timer_init(loop_uv(loop), &parts.timer);
		uv_timer_start(&parts.timer, look, LOOK_MS, LOOK_MS);
		parts.is_timed = true;
	}
	return start_some(false, err);
}

bool parts_stop(void)
{
	if (parts.is_timed)
		uv_close((uv_handle_t *)&parts.timer, NULL);
	parts.is_timed = false;
	return stop_some(false);
}
