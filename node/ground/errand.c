/* See errand.h. */
#include "node/ground/errand.h"

#include "base/check.h"
#include "node/ground/node_record.h"

static void on_pool(struct pool_work *w)
{
	CHECK(!loop_is_current(w->loop));
	struct errand *e = CONTAINER_OF(w, struct errand, work);
	e->run(e);
}

static void ended(struct pool_work *w)
{
	struct errand *e = CONTAINER_OF(w, struct errand, work);
	struct node *n = e->n;
	LOOP_CHECK_OWNER(n->loop);
	e->done(e);
	closing_part_done(&n->parts);
}

bool errand_start(struct node *n, struct errand *e, void (*run)(struct errand *e), void (*done)(struct errand *e))
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(run && done);
	e->n = n;
	e->run = run;
	e->done = done;
	if (!pool_submit(n->pool, &e->work, n->loop, on_pool, ended))
		return false;
	closing_hold(&n->parts);
	return true;
}
