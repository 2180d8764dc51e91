/* See shutdown.h. When logind says that the machine goes down, the node is not Ready any more and takes no pods; then
 * group by group, the lowest priority first, all pods of a group are ended at once, and the next follows when they are
 * down or the group's time is over. With the last the lock is given up, and the machine goes on. As upstream
 * (pkg/kubelet/nodeshutdown): a pod that was ended so is Failed, "Terminated", and is not started again on this node;
 * whoever owns it makes another.
 *
 * What can go wrong: a pod does not end in its group's time: the machine does not wait for it, the kernel ends it. The
 * end is called off: pods that were ended stay so, the node is Ready again. */
#include "node/shutdown/shutdown.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "node/config/kubelet_config.h"
#include "node/events/events.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/shutdown/logind_int.h"
#include "node/shutdown/plan_int.h"
#include "node/worker/pod_worker.h"

#include <stdlib.h>

enum { LOOK_MS = 200 };

enum state { SHUTDOWN_IDLE, SHUTDOWN_ENDING, SHUTDOWN_OVER };

static const struct sm_state states[] = {
        [SHUTDOWN_IDLE] = {"idle", SM_TO(SHUTDOWN_ENDING)},
        [SHUTDOWN_ENDING] = {"ending", SM_TO(SHUTDOWN_OVER) | SM_TO(SHUTDOWN_IDLE)},
        [SHUTDOWN_OVER] = {"over", SM_TO(SHUTDOWN_IDLE)},
};
static const struct sm_kind machine = SM_KIND("shutdown", states, NULL);

struct shutdown {
	struct node *n;
	void (*changed)(struct node *n);
	struct shutdown_plan plan;
	struct logind *logind;
	uv_timer_t timer;
	struct sm sm; /* enum state */
	size_t group;
	uint64_t group_began_ms;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool is_in_group(const struct shutdown *s, const struct pod *p)
{
	return p->spec && shutdown_plan_group(&s->plan, json_get_int(p->spec, "priority", 0)) == s->group;
}

/* Calls fn for each pod of the group that is not down; how many there are. */
static size_t each_of_group(struct shutdown *s, void (*fn)(struct shutdown *s, struct pod *p))
{
	size_t count, left = 0;
	struct pod **pods = node_pods(s->n, &count);
	for (size_t i = 0; i < count; i++)
		if (is_in_group(s, pods[i]) && pod_state(pods[i]) < POD_FINISHED) {
			left++;
			if (fn)
				fn(s, pods[i]);
		}
	free(pods);
	return left;
}

static void end_pod(struct shutdown *s, struct pod *p)
{
	pod_terminate(p, "Terminated", "Pod was terminated in response to imminent node shutdown.",
	        shutdown_plan_grace_s(&s->plan.groups[s->group], p->spec));
}

static void begin_group(struct shutdown *s)
{
	const struct shutdown_group *g = &s->plan.groups[s->group];
	s->group_began_ms = loop_now_ms(s->n->loop);
	size_t count = each_of_group(s, end_pod);
	log_info("node", "pods end before the machine does", "priority=%lld grace_s=%lld pods=%zu",
	        (long long)g->priority, (long long)g->grace_s, count);
}

static void look(uv_timer_t *t)
{
	struct shutdown *s = t->data;
	LOOP_CHECK_OWNER(s->n->loop);
	if (s->n->closing)
		return;
	uint64_t gone_ms = loop_now_ms(s->n->loop) - s->group_began_ms;
	size_t left = each_of_group(s, NULL);
	if (left && gone_ms < (uint64_t)s->plan.groups[s->group].grace_s * 1000)
		return;
	if (left)
		log_warn("node", "pods did not end in their time", "priority=%lld pods=%zu",
		        (long long)s->plan.groups[s->group].priority, left);
	if (++s->group < s->plan.count) {
		begin_group(s);
		return;
	}
	uv_timer_stop(&s->timer);
	sm_move(&s->sm, SHUTDOWN_OVER);
	log_info("node", "the machine may go down", "lock=released");
	logind_release(s->logind);
}

static void end_is_coming(void *arg, bool is_coming)
{
	struct shutdown *s = arg;
	struct node *n = s->n;
	if (n->closing || is_coming == n->is_shutting_down)
		return;
	n->is_shutting_down = is_coming;
	s->changed(n);
	if (is_coming) {
		log_warn("node", "the machine goes down", "grace_s=%lld", (long long)shutdown_plan_total_s(&s->plan));
		node_event(n, false, "Shutdown", "Shutdown manager detected shutdown event");
		s->group = 0;
		sm_move(&s->sm, SHUTDOWN_ENDING);
		begin_group(s);
		uv_timer_start(&s->timer, look, LOOK_MS, LOOK_MS);
	} else {
		log_info("node", "the machine stays", "grace_s=%lld", (long long)shutdown_plan_total_s(&s->plan));
		node_event(n, false, "Shutdown", "Shutdown manager detected shutdown cancellation");
		uv_timer_stop(&s->timer);
		sm_move(&s->sm, SHUTDOWN_IDLE);
		logind_release(s->logind); /* another one is asked for */
	}
}

int shutdown_check(const struct kubelet_config *c, struct err *err)
{
	struct shutdown_plan plan;
	return shutdown_plan_read(c->tree, &plan, err);
}

struct shutdown *shutdown_new(struct node *n, void (*changed)(struct node *n))
{
	LOOP_CHECK_OWNER(n->loop);
	struct shutdown_plan plan;
	struct err err = ERR_INIT;
	CHECK(changed);
	CHECK(shutdown_plan_read(n->config->tree, &plan, &err) == 0); /* shutdown_check() */
	if (!shutdown_plan_total_s(&plan))
		return NULL;
	struct shutdown *s = xcalloc(1, sizeof *s);
	s->n = n;
	s->changed = changed;
	s->plan = plan;
	sm_init(&s->sm, &machine, SHUTDOWN_IDLE, n->o.node_name);
	uv_timer_init(loop_uv(n->loop), &s->timer);
	s->timer.data = s;
	s->logind = logind_new(&(struct logind_options){
	        .loop = n->loop, .delay_s = shutdown_plan_total_s(&plan), .on_end = end_is_coming, .arg = s});
	return s;
}

static void timer_closed(uv_handle_t *h)
{
	struct shutdown *s = h->data;
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	free(s);
	closed(arg);
}

static void logind_closed(void *arg)
{
	struct shutdown *s = arg;
	uv_close((uv_handle_t *)&s->timer, timer_closed);
}

void shutdown_close(struct shutdown *s, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->n->loop);
	s->closed = closed;
	s->closed_arg = arg;
	uv_timer_stop(&s->timer);
	logind_close(s->logind, logind_closed, s);
}
