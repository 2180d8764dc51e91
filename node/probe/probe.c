/* Probes and hooks.
 *
 * A container that runs has up to three probes, each a timer: startup first, and until it succeeds the other two wait.
 * Readiness drives the Ready condition, liveness and startup end the container when they fail often enough. The rules
 * are probe_rules.c's, a run is probe_run.c's; what a probe says stays in the container's record. Hooks are the same
 * runs without thresholds.
 *
 * What can go wrong: a container that ends during a run: its probes are stopped, the run is abandoned. */
#include "node/probe/probe.h"

#include "base/check.h"
#include "node/events/events.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"
#include "node/probe/probe_rules_int.h"
#include "node/probe/probe_run_int.h"

#include <stdlib.h>

enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS, PROBE_KINDS };
static const char *const kind_fields[] = {"startupProbe", "livenessProbe", "readinessProbe"};
static const char *const kind_names[] = {"Startup", "Liveness", "Readiness"};

void hook_run(struct pod *p, struct container *c, const struct json *handler, unsigned timeout_ms,
        void (*done)(void *arg, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(done);
	struct run_target t = {c->name, c->id};
	run_start(p, &t, handler, timeout_ms, true, done, arg);
}

/* ---- probes of a container ---- */

struct probe {
	struct probes *of;
	enum probe_kind kind;
	uv_timer_t timer;
	struct run *run;
	struct probe_count count;
};

struct probes {
	struct node *n;
	const struct probe_callbacks *callbacks;
	char *uid, *container, *id;
	struct probe of[PROBE_KINDS];
	bool stopped;
	unsigned open;
};

static void probe_run(uv_timer_t *t);

static void changed(struct probes *ps)
{
	LOOP_CHECK_OWNER(ps->n->loop);
	struct pod *p = node_pod(ps->n, slice_of(ps->uid));
	if (p)
		ps->callbacks->changed(p);
}

static void start_others(struct probes *ps);

/* The record of the container the probes belong to; NULL when the view has dropped it. */
static struct container *container_of(struct probes *ps)
{
	struct pod *p = node_pod(ps->n, slice_of(ps->uid));
	return p ? pod_container_by_id(p, ps->id) : NULL;
}

static void succeeded(struct probe *b)
{
	CHECK(!b->of->stopped);
	struct probes *ps = b->of;
	struct container *c = container_of(ps);
	if (!c)
		return;
	if (b->kind == PROBE_STARTUP) {
		c->started = VERDICT_YES;
		uv_timer_stop(&b->timer);
		start_others(ps);
		changed(ps);
	} else if (b->kind == PROBE_READINESS && c->ready != VERDICT_YES) {
		c->ready = VERDICT_YES;
		changed(ps);
	}
}

static void failed(struct probe *b, struct pod *p, const struct json *spec)
{
	CHECK(!b->of->stopped);
	struct probes *ps = b->of;
	struct container *c = pod_container_by_id(p, ps->id);
	if (!c)
		return;
	if (b->kind == PROBE_READINESS) {
		bool told = c->ready == VERDICT_NO;
		c->ready = VERDICT_NO;
		if (!told)
			changed(ps);
		return;
	}
	if (c->is_stopping)
		return;
	pod_event(p, ps->container, false, "Killing", "Container %s failed %s probe, will be restarted", ps->container,
	        b->kind == PROBE_LIVENESS ? "liveness" : "startup");
	ps->callbacks->failed(p, c,
	        json_get_int(spec, "terminationGracePeriodSeconds",
	                json_get_int(p->spec, "terminationGracePeriodSeconds", 30)));
}

static const struct json *probe_spec(const struct pod *p, const struct probe *b)
{
	return json_get(pod_container_spec(p, b->of->container), kind_fields[b->kind]);
}

static void probe_ran(void *arg, const struct err *err)
{
	struct probe *b = arg;
	struct pod *p = node_pod(b->of->n, slice_of(b->of->uid));
	const struct json *spec = p ? probe_spec(p, b) : NULL;
	b->run = NULL;
	if (b->of->stopped || !spec)
		return;
	if (err)
		pod_event(p, b->of->container, true, "Unhealthy", "%s probe failed: %s", kind_names[b->kind], err->msg);
	switch (probe_count_run(&b->count, spec, !err)) {
	case PROBE_PASSED:
		succeeded(b);
		break;
	case PROBE_FAILED:
		failed(b, p, spec);
		break;
	case PROBE_UNDECIDED:
		break;
	}
}

static void probe_run(uv_timer_t *t)
{
	struct probe *b = t->data;
	struct pod *p = node_pod(b->of->n, slice_of(b->of->uid));
	const struct json *spec = p ? probe_spec(p, b) : NULL;
	struct run_target target = {b->of->container, b->of->id};
	if (!spec || b->run || b->of->n->closing)
		return;
	b->run = run_start(p, &target, spec, probe_timeout_ms(spec), false, probe_ran, b);
}

static void begin(struct probe *b, struct pod *p)
{
	CHECK(!b->run && !b->of->stopped);
	const struct json *spec = probe_spec(p, b);
	struct container *c = pod_container_by_id(p, b->of->id);
	int64_t age_ms = c && c->started_ns ? (time_now_ns() - c->started_ns) / 1000000 : 0;
	uv_timer_start(&b->timer, probe_run, probe_first_ms(spec, age_ms), probe_period_ms(spec));
}

static void start_others(struct probes *ps)
{
	CHECK(!ps->stopped);
	struct pod *p = node_pod(ps->n, slice_of(ps->uid));
	for (int k = PROBE_LIVENESS; p && k < PROBE_KINDS; k++)
		if (probe_spec(p, &ps->of[k]))
			begin(&ps->of[k], p);
}

void probes_start(struct pod *p, struct container *c, const struct probe_callbacks *callbacks)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(!c->probes && c->state == CONTAINER_RUNNING);
	CHECK(callbacks->changed && callbacks->failed);
	struct probes *ps = xcalloc(1, sizeof *ps);
	*ps = (struct probes){.n = p->n,
	        .callbacks = callbacks,
	        .uid = xstrdup(p->uid),
	        .container = xstrdup(c->name),
	        .id = xstrdup(c->id)};
	c->probes = ps;
	for (int k = 0; k < PROBE_KINDS; k++) {
		ps->of[k].of = ps;
		ps->of[k].kind = (enum probe_kind)k;
		uv_timer_init(loop_uv(p->n->loop), &ps->of[k].timer);
		ps->of[k].timer.data = &ps->of[k];
		ps->open++;
	}
	/* One that has started before we came need not do it again. */
	if (!pod_container_is_started(p, c))
		begin(&ps->of[PROBE_STARTUP], p);
	else
		start_others(ps);
}

static void probe_timer_closed(uv_handle_t *h)
{
	CHECK(((struct probe *)h->data)->of->stopped);
	struct probes *ps = ((struct probe *)h->data)->of;
	if (--ps->open)
		return;
	free(ps->uid);
	free(ps->container);
	free(ps->id);
	free(ps);
}

void probes_stop(struct container *c)
{
	struct probes *ps = TAKE(c->probes);
	if (!ps)
		return;
	ps->stopped = true;
	for (int k = 0; k < PROBE_KINDS; k++) {
		if (ps->of[k].run)
			run_abandon(TAKE(ps->of[k].run));
		uv_close((uv_handle_t *)&ps->of[k].timer, probe_timer_closed);
	}
}
