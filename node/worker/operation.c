/* See operation.h. */
#include "node/worker/operation.h"

#include "base/check.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/runtime/view.h"

static const struct retry_rule bring_up_rule = {1000, 30000}, take_down_rule = {1000, 60000};

static void woken(uv_timer_t *t)
{
	struct pod *p = t->data;
	p->tick(p);
}

void pod_begin(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(pod_state(p) != POD_GONE);
	p->operations++;
}

void pod_end(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	if (!p->n->closing)
		p->need_generation = view_look(p->n);
	pod_end_apart(p);
}

void pod_end_apart(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(p->operations > 0);
	p->operations--;
	if (p->n->closing)
		return;
	pod_status_changed(p);
	p->tick(p);
}

void pod_wake(struct pod *p, uint64_t in_ms)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(pod_state(p) != POD_GONE);
	if (!uv_is_active((uv_handle_t *)&p->timer) || uv_timer_get_due_in(&p->timer) > in_ms)
		uv_timer_start(&p->timer, woken, in_ms, 0);
}

void pods_wake_waiting(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		if ((p->awaits_place || p->resize) && pod_state(p) != POD_GONE)
			pod_wake(p, 1);
	}
}

void pod_status_changed(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	p->n->worker_callbacks->status_changed(p);
}

bool pod_bring_up_failed(struct pod *p)
{
	CHECK(pod_state(p) == POD_RUNNING || p->operations);
	return retry_failed(&p->bring_up, &bring_up_rule, loop_now_ms(p->n->loop));
}

bool pod_take_down_failed(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	return retry_failed(&p->take_down, &take_down_rule, loop_now_ms(p->n->loop));
}
