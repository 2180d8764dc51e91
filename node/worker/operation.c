/* See operation.h. */
#include "node/worker/operation.h"

#include "base/check.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/runtime/view.h"

static void woken(uv_timer_t *t)
{
	struct pod *p = t->data;
	p->tick(p);
}

void pod_begin(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	p->operations++;
}

void pod_end(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(p->operations > 0);
	p->operations--;
	if (p->n->closing)
		return;
	p->need_generation = view_look(p->n);
	pod_status_changed(p);
	p->tick(p);
}

void pod_wake(struct pod *p, uint64_t in_ms)
{
	if (!uv_is_active((uv_handle_t *)&p->timer) || uv_timer_get_due_in(&p->timer) > in_ms)
		uv_timer_start(&p->timer, woken, in_ms, 0);
}

void pod_status_changed(struct pod *p)
{
	p->n->worker_callbacks->status_changed(p);
}
