/* See hook_asker.h.
 *
 * What can go wrong: the webhook is slow (those who wait for it do, at the most as long as a call may take, and nobody
 * else), or does not answer: what that means is for whoever asked. It is tried again as outgoing calls are. */
#include "api/server/auth/hook_asker.h"

#include "api/server/outgoing/kubeconfig.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdlib.h>

enum { TRIES = 5 };

void hook_asker_warn(struct hook_asker *w, const struct err *err)
{
	uint64_t now = loop_now_ms(w->loop);
	if (!err->code || err->code == ERR_CANCELED || (w->warned_ms && now - w->warned_ms < LOG_REPEAT_MS))
		return;
	w->warned_ms = now;
	log_warn(w->name, "no answer", "error=\"%s\"", err->msg);
}

static void answered(struct outgoing_call *c)
{
	struct hook_asking *k = c->arg;
	struct hook_asker *w = k->hook;
	struct err err = c->err;
	if (!err.code && (c->status < 200 || c->status > 299))
		err_set(&err, ERR_UNAVAILABLE, "%s answered %d", outgoing_url(w->target), c->status);
	list_del(&k->link);
	w->answered(w, k, c->answer, &err);
	CHECK(list_empty(&k->waiting));
	strbuf_release(&k->body);
	free(k->arg);
	free(k);
}

struct hook_asking *hook_asker_find(struct hook_asker *w, const unsigned char *hash)
{
	LIST_FOREACH (it, &w->asking) {
		struct hook_asking *k = CONTAINER_OF(it, struct hook_asking, link);
		if (memcmp(k->hash, hash, sizeof k->hash) == 0)
			return k;
	}
	return NULL;
}

struct hook_asking *hook_asker_send(struct hook_asker *w, const unsigned char *hash, struct strbuf *body)
{
	struct hook_asking *k = xcalloc(1, sizeof *k);
	LOOP_CHECK_OWNER(w->loop);
	k->hook = w;
	k->body = *body;
	strbuf_init(body);
	memcpy(k->hash, hash, sizeof k->hash);
	list_init(&k->waiting);
	list_push_back(&w->asking, &k->link);
	k->call = (struct outgoing_call){.body = strbuf_slice(&k->body),
	        .timeout_ms = w->timeout_ms,
	        .tries = TRIES,
	        .done = answered,
	        .arg = k};
	outgoing_send(w->target, &k->call);
	return k;
}

void hook_asking_wait(struct hook_asking *k, struct list_link *link)
{
	list_push_back(&k->waiting, link);
	k->hook->n_waiting++;
}

struct list_link *hook_asking_next(struct hook_asking *k)
{
	struct list_link *it = list_pop_front(&k->waiting);
	if (it)
		k->hook->n_waiting--;
	return it;
}

int hook_asker_init(struct hook_asker *w, struct outgoing_pool *pool, const char *kubeconfig, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct outgoing_target target = {0};
	CHECK(w->loop && w->answered && w->name);
	list_init(&w->asking);
	if (kubeconfig_load(&a, kubeconfig, &target, err) == 0)
		outgoing_get(pool, &target, &w->target, err);
	arena_release(&a);
	return err->code;
}

void hook_asker_release(struct hook_asker *w)
{
	CHECK(!w->asking.next || list_empty(&w->asking));
	outgoing_unref(w->target);
	w->target = NULL;
}
