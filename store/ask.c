/* See ask.h. */
#include "store/ask.h"

#include "base/check.h"

static void answered(struct store_request *req)
{
	sem_post(&CONTAINER_OF(req, struct store_question, req)->done);
}

int store_ask(struct engine *e, struct store_question *q)
{
	sem_init(&q->done, 0, 0);
	q->req.done = answered;
	store_submit(e, &q->req);
	while (sem_wait(&q->done) != 0)
		;
	sem_destroy(&q->done);
	return q->req.err.code;
}
