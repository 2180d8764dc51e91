/* See token_webhook.h. Questions about one token that come while it is asked wait for the same answer. Users and
 * refusals are remembered for cache_ttl_ms; a webhook that fails is not: its tokens are refused, and asked again next
 * time.
 *
 * What can go wrong: the webhook is slow (the calls of its tokens wait, at the most as long as a call may take, and no
 * others), wrong (its answer is read as a stranger's), or names other audiences than those asked for (refused). */
#include "api/server/auth/identity/token_webhook.h"

#include "api/server/auth/hook_asker.h"
#include "api/server/auth/identity/token_cache.h"
#include "api/server/auth/review_json.h"
#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>

struct token_webhook {
	const struct api_token_webhook_arguments *args;
	const char *api_version;
	struct hook_asker hook;
	struct token_cache *cache;
};

/* Which audiences of those that the first who asked wants the webhook named. */
struct naming {
	const struct slice *wanted;
	size_t n_wanted;
	bool names_any;
	uint32_t good; /* a bit for each of the wanted */
};

static void take_audience(void *arg, struct slice audience)
{
	struct naming *n = arg;
	n->names_any = true;
	for (size_t i = 0; i < n->n_wanted; i++)
		if (i < 32 && slice_eq(audience, n->wanted[i]))
			n->good |= (uint32_t)1 << i;
}

/* Those whose bits are set; none: it named none, and the API's are looked at by who asks. */
static void set_good(struct token_question *q, uint32_t good)
{
	struct slice *list = ARENA_ARRAY(q->arena, struct slice, 32);
	for (size_t i = 0; i < q->n_audiences && i < 32; i++)
		if (good >> i & 1)
			list[q->n_good_for++] = q->audiences[i];
	q->good_for = list;
}

static int read_answer(struct slice answer, struct naming *n, struct user **ret, struct err *err)
{
	if (!err->code)
		token_review_read(answer, take_audience, n, ret, err);
	if (!err->code && n->names_any && !n->good) {
		user_unref(TAKE(*ret));
		err_set(err, ERR_UNAUTHENTICATED, "it was made for another audience");
	}
	if (!err->code && !user_add_group(*ret, SLICE("system:authenticated"))) {
		user_unref(TAKE(*ret));
		err_set(err, ERR_UNAUTHENTICATED, "it names too many groups");
	}
	return err->code;
}

static void answered(struct hook_asker *hook, struct hook_asking *k, struct slice answer, struct err *err)
{
	struct token_webhook *w = CONTAINER_OF(hook, struct token_webhook, hook);
	const struct token_question *first = CONTAINER_OF(k->waiting.next, struct token_question, link);
	struct naming n = {first->audiences, first->n_audiences, false, 0};
	struct user *user = NULL;
	struct err told = ERR_INIT;
	int rc = read_answer(answer, &n, &user, err);
	if (rc == 0 || rc == ERR_UNAUTHENTICATED)
		token_cache_put(w->cache, k->hash, loop_now_ms(hook->loop) + w->args->cache_ttl_ms, user, n.good);
	if (rc != 0)
		err_set(&told, ERR_UNAUTHENTICATED, "invalid bearer token: webhook: %s", err->msg);
	if (rc != 0 && rc != ERR_UNAUTHENTICATED)
		hook_asker_warn(hook, err);
	for (struct list_link *it; (it = hook_asking_next(k)) != NULL;) {
		struct token_question *q = CONTAINER_OF(it, struct token_question, link);
		struct err copy = told;
		q->user = user ? user_ref(user) : NULL;
		set_good(q, n.good);
		q->step(q, &copy);
	}
	user_unref(user);
}

int token_webhook_ask(struct token_webhook *w, struct token_question *q, struct err *err)
{
	uint32_t good;
	LOOP_CHECK_OWNER(w->hook.loop);
	token_cache_hash(w->cache, q->token, q->audiences, q->n_audiences, q->hash);
	if (token_cache_get(w->cache, q->hash, loop_now_ms(w->hook.loop), &q->user, &good)) {
		set_good(q, good);
		return q->user ? 0
		               : err_set(err, ERR_UNAUTHENTICATED,
		                         "invalid bearer token: webhook: it knows no such token");
	}
	if (w->hook.n_waiting >= AUTHN_WAITING_MAX)
		return err_set(err, ERR_UNAUTHENTICATED, "invalid bearer token: webhook: too many ask");
	struct hook_asking *k = hook_asker_find(&w->hook, q->hash);
	if (!k) {
		struct strbuf body = STRBUF_INIT;
		token_review_write(&body, w->api_version, q->token, q->audiences, q->n_audiences);
		k = hook_asker_send(&w->hook, q->hash, &body);
	}
	hook_asking_wait(k, &q->link);
	return AUTHN_LATER;
}

int token_webhook_new(struct loop *loop, struct outgoing_pool *pool, const struct api_token_webhook_arguments *args,
        struct token_webhook **ret, struct err *err)
{
	bool is_v1 = strcmp(args->version, "v1") == 0;
	if (!is_v1 && strcmp(args->version, "v1beta1") != 0)
		return err_set(err, ERR_INVAL, "authentication-token-webhook-version: \"%s\" is neither v1 nor v1beta1",
		        args->version);
	struct token_webhook *w = xcalloc(1, sizeof *w);
	w->args = args;
	w->api_version = is_v1 ? "authentication.k8s.io/v1" : "authentication.k8s.io/v1beta1";
	w->cache = token_cache_new();
	w->hook = (struct hook_asker){.loop = loop, .name = "token_webhook", .answered = answered};
	if (hook_asker_init(&w->hook, pool, args->config_file, err) != 0) {
		token_webhook_free(w);
		return err_wrap(err, "authentication-token-webhook-config-file");
	}
	*ret = w;
	return 0;
}

void token_webhook_free(struct token_webhook *w)
{
	if (!w)
		return;
	hook_asker_release(&w->hook);
	token_cache_free(w->cache);
	free(w);
}
