/* See pool.h. */
#include "base/rt/pool.h"

#include "base/mem/arena.h"

#include <signal.h>
#include <stdlib.h>

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct pool_work *first;
	struct pool_work **last;
	unsigned queued;
	unsigned queue_limit;
	bool stopping;
	const char *name;
	unsigned n_threads;
	pthread_t threads[];
};

static void done_cb(struct loop_task *t)
{
	struct pool_work *w = CONTAINER_OF(t, struct pool_work, task);
	w->done(w);
}

static struct pool_work *take(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	while (!p->first && !p->stopping)
		pthread_cond_wait(&p->wake, &p->lock);
	struct pool_work *w = p->first;
	if (w) {
		p->first = w->next;
		if (!p->first)
			p->last = &p->first;
		p->queued--;
	}
	pthread_mutex_unlock(&p->lock);
	return w;
}

static void *thread_main(void *arg)
{
	struct pool *p = arg;
	pthread_setname_np(pthread_self(), p->name);
	for (struct pool_work *w; (w = take(p));) {
		w->work(w);
		w->task.run = done_cb;
		loop_post(w->loop, &w->task);
	}
	return NULL;
}

struct pool *pool_new(const char *name, unsigned threads, unsigned queue_limit)
{
	struct pool *p = xcalloc(1, sizeof *p + threads * sizeof(pthread_t));
	sigset_t all, old;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->last = &p->first;
	p->queue_limit = queue_limit;
	p->name = name;
	p->n_threads = threads;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; i < threads; i++)
		CHECK(pthread_create(&p->threads[i], NULL, thread_main, p) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p;
}

bool pool_submit(struct pool *p, struct pool_work *w, struct loop *loop, void (*work)(struct pool_work *w),
        void (*done)(struct pool_work *w))
{
	w->next = NULL;
	w->loop = loop;
	w->work = work;
	w->done = done;
	pthread_mutex_lock(&p->lock);
	bool taken = p->queued < p->queue_limit && !p->stopping;
	if (taken) {
		*p->last = w;
		p->last = &w->next;
		p->queued++;
		pthread_cond_signal(&p->wake);
	}
	pthread_mutex_unlock(&p->lock);
	return taken;
}

void pool_free(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
