/* The authorizer that asks a webhook, with a SubjectAccessReview. Answers are remembered: what was allowed for
 * authorized_ttl_ms, all else for unauthorized_ttl_ms, except of questions that are very long.
 *
 * What can go wrong: a webhook that does not answer, or nonsense; a condition that cannot be told. Then it has no
 * opinion, which is not remembered, and the authorizers behind it are asked; or, if its configuration says so, the
 * answer is no. */
#include "api/server/auth/rights/authorize.h"

#include "api/server/auth/hook_asker.h"
#include "api/server/auth/review_json.h"
#include "api/server/auth/rights/authorization_config.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/pki/pki.h"

#include <stdlib.h>

enum { SLOTS = 4096, REMEMBERED_BYTES_MAX = 10000 };

struct remembered {
	unsigned char hash[HOOK_HASH_BYTES];
	uint64_t until_ms; /* 0: free */
	enum verdict verdict;
	char *reason; /* malloc'ed */
};

struct authorize_webhook {
	const struct authorizer_config *config;
	struct hook_asker hook;
	unsigned char secret[HOOK_HASH_BYTES]; /* so that nobody can choose whose answers his own put out */
	struct remembered slots[SLOTS];
};

static struct remembered *slot_of(struct authorize_webhook *w, const unsigned char *hash)
{
	return &w->slots[(hash[0] | hash[1] << 8) % SLOTS];
}

static void remember(struct authorize_webhook *w, const struct hook_asking *k, enum verdict verdict, const char *reason)
{
	struct remembered *r = slot_of(w, k->hash);
	uint64_t ttl = verdict == VERDICT_ALLOW ? w->config->authorized_ttl_ms : w->config->unauthorized_ttl_ms;
	if (!ttl || k->body.len > REMEMBERED_BYTES_MAX)
		return;
	free(r->reason);
	memcpy(r->hash, k->hash, sizeof r->hash);
	r->until_ms = loop_now_ms(w->hook.loop) + ttl;
	r->verdict = verdict;
	r->reason = xstrdup(reason);
}

static enum verdict when_failed(const struct authorize_webhook *w)
{
	return w->config->denies_on_failure ? VERDICT_DENY : VERDICT_NO_OPINION;
}

static void answered(struct hook_asker *hook, struct hook_asking *k, struct slice answer, struct err *err)
{
	struct authorize_webhook *w = CONTAINER_OF(hook, struct authorize_webhook, hook);
	CLEANUP(cleanup_strbuf) struct strbuf reason = STRBUF_INIT;
	enum verdict verdict;
	if (!err->code && access_review_read(answer, &verdict, &reason, err) == 0) {
		remember(w, k, verdict, strbuf_cstr(&reason));
	} else {
		verdict = when_failed(w);
		strbuf_reset(&reason);
		strbuf_adds(&reason, "the authorization webhook gave no answer");
		hook_asker_warn(hook, err);
	}
	for (struct list_link *it; (it = hook_asking_next(k)) != NULL;) {
		struct authorization *z = CONTAINER_OF(it, struct authorization, link);
		z->verdict = verdict;
		authorize_answered(z, strbuf_slice(&reason));
	}
}

/* False: it is not asked about this. */
static bool is_asked(struct authorize_webhook *w, struct authorization *z, struct strbuf *why)
{
	const char *words = "";
	switch (authorizer_matches(w->config, z->arena, &z->attributes, &words)) {
	case AUTHORIZER_IS_ASKED:
		return true;
	case AUTHORIZER_IS_PASSED_OVER:
		z->verdict = VERDICT_NO_OPINION;
		return false;
	case AUTHORIZER_HAS_FAILED:
		break;
	}
	z->verdict = when_failed(w);
	strbuf_adds(why, words);
	return false;
}

bool authorize_webhook_ask(struct authorize_webhook *w, struct authorization *z, struct strbuf *why)
{
	CLEANUP(cleanup_strbuf) struct strbuf body = STRBUF_INIT;
	unsigned char hash[HOOK_HASH_BYTES];
	LOOP_CHECK_OWNER(w->hook.loop);
	if (!is_asked(w, z, why))
		return true;
	access_review_write(&body, w->config->api_version, &z->attributes);
	pki_hmac_sha256((struct slice){(const char *)w->secret, sizeof w->secret}, strbuf_slice(&body), hash);
	struct remembered *r = slot_of(w, hash);
	if (r->until_ms > loop_now_ms(w->hook.loop) && memcmp(r->hash, hash, sizeof hash) == 0) {
		z->verdict = r->verdict;
		strbuf_adds(why, r->reason);
		return true;
	}
	struct hook_asking *k = hook_asker_find(&w->hook, hash);
	if (!k)
		k = hook_asker_send(&w->hook, hash, &body);
	hook_asking_wait(k, &z->link);
	return false;
}

int authorize_webhook_new(struct loop *loop, struct outgoing_pool *pool, const struct authorizer_config *config,
        struct authorize_webhook **ret, struct err *err)
{
	struct authorize_webhook *w = xcalloc(1, sizeof *w);
	w->config = config;
	w->hook = (struct hook_asker){
	        .loop = loop, .name = "authorize_webhook", .timeout_ms = config->timeout_ms, .answered = answered};
	pki_random(w->secret, sizeof w->secret);
	if (hook_asker_init(&w->hook, pool, config->kubeconfig, err) != 0) {
		authorize_webhook_free(w);
		return err->code;
	}
	*ret = w;
	return 0;
}

void authorize_webhook_free(struct authorize_webhook *w)
{
	if (!w)
		return;
	hook_asker_release(&w->hook);
	for (size_t i = 0; i < SLOTS; i++)
		free(w->slots[i].reason);
	free(w);
}
