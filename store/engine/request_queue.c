/* The queue between those who ask and the engine's threads: a list under a lock, intrusive, bounded. A put rings only
 * when a thread waits. */
#include "store/engine/core_int.h"

#include "base/check.h"

void request_queue_init(struct request_queue *q)
{
	*q = (struct request_queue){0};
	q->tail = &q->head;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->wake, NULL);
}

void request_queue_release(struct request_queue *q)
{
	CHECK(q->head == NULL && q->n == 0 && q->waiting == 0); /* the readers have answered all of it */
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
}

bool request_queue_put(struct request_queue *q, struct store_request *req, unsigned limit, bool *ret_stopping)
{
	req->next = NULL;
	pthread_mutex_lock(&q->lock);
	*ret_stopping = q->stopping;
	bool ok = !q->stopping && (limit == 0 || q->n < limit);
	if (ok) {
		*q->tail = req;
		q->tail = &req->next;
		q->n++;
		if (q->waiting)
			pthread_cond_signal(&q->wake);
	}
	pthread_mutex_unlock(&q->lock);
	return ok;
}

void request_queue_stop(struct request_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stopping = true;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

void request_queue_wait(struct request_queue *q)
{
	while (!q->head && !q->stopping) {
		q->waiting++;
		pthread_cond_wait(&q->wake, &q->lock);
		q->waiting--;
	}
}

struct store_request *request_queue_pop(struct request_queue *q)
{
	struct store_request *req = q->head;
	CHECK((req == NULL) == (q->n == 0));
	if (!req)
		return NULL;
	q->head = req->next;
	if (!q->head)
		q->tail = &q->head;
	req->next = NULL;
	q->n--;
	return req;
}
