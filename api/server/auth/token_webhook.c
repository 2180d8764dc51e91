/* See token_webhook.h. Questions about one token that come while it is asked wait for the same answer. Users and
 * refusals are remembered for cache_ttl_ms; a webhook that fails is not: its tokens are refused, and asked again next
 * time.
 *
 * What can go wrong: the webhook is slow (the calls of its tokens wait, at the most as long as a call may take, and no
 * others), wrong (its answer is read as a stranger's), or names other audiences than those asked for (refused). */
#include "api/server/auth/token_webhook.h"

#include "api/server/auth/review_json.h"
#include "api/server/auth/token_cache.h"
#include "api/server/outgoing/kubeconfig.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdlib.h>

enum { TRIES = 5 };

struct token_webhook {
	const struct api_token_webhook_arguments *args;
	const char *api_version;
	struct loop *loop;
	struct outgoing *target;
	struct token_cache *cache;
	struct list_link asking;
	size_t n_waiting;
	uint64_t warned_ms;
};

struct asking {
	struct outgoing_call call;
	struct token_webhook *webhook;
	struct list_link link, waiting;
	unsigned char hash[32];
	struct strbuf body;
	const struct slice *wanted; /* of the first who asked */
	size_t n_wanted;
	bool names_audiences;
	uint32_t good; /* a bit for each of the wanted that it named */
};

static void take_audience(void *arg, struct slice audience)
{
	struct asking *k = arg;
	k->names_audiences = true;
	for (size_t i = 0; i < k->n_wanted; i++)
		if (i < 32 && slice_eq(audience, k->wanted[i]))
			k->good |= (uint32_t)1 << i;
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

static int read_answer(struct asking *k, const struct outgoing_call *c, struct user **ret, struct err *err)
{
	struct err why = c->err;
	if (!why.code && (c->status < 200 || c->status > 299))
		err_set(&why, ERR_UNAVAILABLE, "%s answered %d", outgoing_url(k->webhook->target), c->status);
	if (!why.code)
		token_review_read(c->answer, take_audience, k, ret, &why);
	if (!why.code && k->names_audiences && !k->good) {
		user_unref(TAKE(*ret));
		err_set(&why, ERR_UNAUTHENTICATED, "it was made for another audience");
	}
	if (!why.code && !user_add_group(*ret, SLICE("system:authenticated"))) {
		user_unref(TAKE(*ret));
		err_set(&why, ERR_UNAUTHENTICATED, "it names too many groups");
	}
	*err = why;
	return err->code;
}

static void warn(struct token_webhook *w, const struct err *err)
{
	uint64_t now = loop_now_ms(w->loop);
	if (err->code == ERR_CANCELED || (w->warned_ms && now - w->warned_ms < LOG_REPEAT_MS))
		return;
	w->warned_ms = now;
	log_warn("token_webhook", "no answer", "error=\"%s\"", err->msg);
}

static void answered(struct outgoing_call *c)
{
	struct asking *k = c->arg;
	struct token_webhook *w = k->webhook;
	struct user *user = NULL;
	struct err err = ERR_INIT, told = ERR_INIT;
	int rc = read_answer(k, c, &user, &err);
	if (rc == 0 || rc == ERR_UNAUTHENTICATED)
		token_cache_put(w->cache, k->hash, loop_now_ms(w->loop) + w->args->cache_ttl_ms, user, k->good);
	else
		warn(w, &err);
	if (rc != 0)
		err_set(&told, ERR_UNAUTHENTICATED, "invalid bearer token: webhook: %s", err.msg);
	list_del(&k->link);
	for (struct list_link *it; (it = list_pop_front(&k->waiting)) != NULL;) {
		struct token_question *q = CONTAINER_OF(it, struct token_question, link);
		w->n_waiting--;
		q->user = user ? user_ref(user) : NULL;
		set_good(q, k->good);
		struct err copy = told;
		q->step(q, &copy);
	}
	user_unref(user);
	strbuf_release(&k->body);
	free(k);
}

static struct asking *find(struct token_webhook *w, const unsigned char hash[32])
{
	LIST_FOREACH (it, &w->asking) {
		struct asking *k = CONTAINER_OF(it, struct asking, link);
		if (memcmp(k->hash, hash, sizeof k->hash) == 0)
			return k;
	}
	return NULL;
}

static struct asking *ask(struct token_webhook *w, struct token_question *q)
{
	struct asking *k = xcalloc(1, sizeof *k);
	k->webhook = w;
	k->wanted = q->audiences;
	k->n_wanted = q->n_audiences;
	memcpy(k->hash, q->hash, sizeof k->hash);
	list_init(&k->waiting);
	list_push_back(&w->asking, &k->link);
	token_review_write(&k->body, w->api_version, q->token, q->audiences, q->n_audiences);
	k->call.body = strbuf_slice(&k->body);
	k->call.tries = TRIES;
	k->call.done = answered;
	k->call.arg = k;
	outgoing_send(w->target, &k->call);
	return k;
}

int token_webhook_ask(struct token_webhook *w, struct token_question *q, struct err *err)
{
	uint32_t good;
	LOOP_CHECK_OWNER(w->loop);
	token_cache_hash(w->cache, q->token, q->audiences, q->n_audiences, q->hash);
	if (token_cache_get(w->cache, q->hash, loop_now_ms(w->loop), &q->user, &good)) {
		set_good(q, good);
		return q->user ? 0
		               : err_set(err, ERR_UNAUTHENTICATED,
		                         "invalid bearer token: webhook: it knows no such token");
	}
	if (w->n_waiting >= AUTHN_WAITING_MAX)
		return err_set(err, ERR_UNAUTHENTICATED, "invalid bearer token: webhook: too many ask");
	struct asking *k = find(w, q->hash);
	if (!k)
		k = ask(w, q);
	list_push_back(&k->waiting, &q->link);
	w->n_waiting++;
	return AUTHN_LATER;
}

int token_webhook_new(struct loop *loop, struct outgoing_pool *pool, const struct api_token_webhook_arguments *args,
        struct token_webhook **ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct outgoing_target target = {0};
	bool is_v1 = strcmp(args->version, "v1") == 0;
	if (!is_v1 && strcmp(args->version, "v1beta1") != 0)
		return err_set(err, ERR_INVAL, "authentication-token-webhook-version: \"%s\" is neither v1 nor v1beta1",
		        args->version);
	struct token_webhook *w = xcalloc(1, sizeof *w);
	w->args = args;
	w->loop = loop;
	w->api_version = is_v1 ? "authentication.k8s.io/v1" : "authentication.k8s.io/v1beta1";
	w->cache = token_cache_new();
	list_init(&w->asking);
	if (kubeconfig_load(&a, args->config_file, &target, err) != 0 ||
	        outgoing_get(pool, &target, &w->target, err) != 0) {
		token_webhook_free(w);
		arena_release(&a);
		return err_wrap(err, "authentication-token-webhook-config-file");
	}
	arena_release(&a);
	*ret = w;
	return 0;
}

void token_webhook_free(struct token_webhook *w)
{
	if (!w)
		return;
	CHECK(list_empty(&w->asking));
	outgoing_unref(w->target);
	token_cache_free(w->cache);
	free(w);
}
