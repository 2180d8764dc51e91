/* The authorizer that asks a webhook, with a SubjectAccessReview. Answers are remembered: what was allowed for
 * authorized_ttl_ms, all else for unauthorized_ttl_ms, except of questions that are very long. Who asks the same while
 * a question is under way waits for its answer.
 *
 * What can go wrong: a webhook that does not answer, or nonsense. Then it has no opinion, which is not remembered; the
 * authorizers behind it are asked, and whoever nobody allows is refused. */
#include "api/server/auth/authorize.h"

#include "api/server/arguments.h"
#include "api/server/auth/review_json.h"
#include "api/server/outgoing/kubeconfig.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki.h"

#include <stdlib.h>

enum { TRIES = 5, SLOTS = 4096, REMEMBERED_BYTES_MAX = 10000 };

struct remembered {
	unsigned char hash[32];
	uint64_t until_ms; /* 0: free */
	enum verdict verdict;
	char *reason; /* malloc'ed */
};

struct authorize_webhook {
	const struct api_authorization_arguments *args;
	const char *api_version;
	struct loop *loop;
	struct outgoing *target;
	struct list_link asking;
	uint64_t warned_ms;
	unsigned char secret[32]; /* so that nobody can choose whose answers his own put out */
	struct remembered slots[SLOTS];
};

struct asking {
	struct outgoing_call call;
	struct authorize_webhook *webhook;
	struct list_link link, waiting;
	unsigned char hash[32];
	struct strbuf body;
};

static struct remembered *slot_of(struct authorize_webhook *w, const unsigned char hash[32])
{
	return &w->slots[(hash[0] | hash[1] << 8) % SLOTS];
}

static void remember(struct asking *k, enum verdict verdict, const char *reason)
{
	struct authorize_webhook *w = k->webhook;
	struct remembered *r = slot_of(w, k->hash);
	uint64_t ttl = verdict == VERDICT_ALLOW ? w->args->authorized_ttl_ms : w->args->unauthorized_ttl_ms;
	if (!ttl || k->body.len > REMEMBERED_BYTES_MAX)
		return;
	free(r->reason);
	memcpy(r->hash, k->hash, sizeof r->hash);
	r->until_ms = loop_now_ms(w->loop) + ttl;
	r->verdict = verdict;
	r->reason = xstrdup(reason);
}

static void warn(struct authorize_webhook *w, const struct err *err)
{
	uint64_t now = loop_now_ms(w->loop);
	if (err->code == ERR_CANCELED || (w->warned_ms && now - w->warned_ms < LOG_REPEAT_MS))
		return;
	w->warned_ms = now;
	log_warn("authorize_webhook", "no answer", "error=\"%s\"", err->msg);
}

static int read_answer(
        const struct outgoing_call *c, const char *url, enum verdict *ret, struct strbuf *reason, struct err *err)
{
	*err = c->err;
	if (!err->code && (c->status < 200 || c->status > 299))
		err_set(err, ERR_UNAVAILABLE, "%s answered %d", url, c->status);
	return err->code ? err->code : access_review_read(c->answer, ret, reason, err);
}

static void answered(struct outgoing_call *c)
{
	struct asking *k = c->arg;
	struct authorize_webhook *w = k->webhook;
	CLEANUP(cleanup_strbuf) struct strbuf reason = STRBUF_INIT;
	enum verdict verdict = VERDICT_NO_OPINION;
	struct err err = ERR_INIT;
	if (read_answer(c, outgoing_url(w->target), &verdict, &reason, &err) == 0) {
		remember(k, verdict, strbuf_cstr(&reason));
	} else {
		warn(w, &err);
		strbuf_reset(&reason);
		strbuf_adds(&reason, "the authorization webhook gave no answer");
	}
	list_del(&k->link);
	for (struct list_link *it; (it = list_pop_front(&k->waiting)) != NULL;) {
		struct authorization *z = CONTAINER_OF(it, struct authorization, link);
		z->verdict = verdict;
		authorize_answered(z, strbuf_slice(&reason));
	}
	strbuf_release(&k->body);
	free(k);
}

static struct asking *find(struct authorize_webhook *w, const unsigned char hash[32])
{
	LIST_FOREACH (it, &w->asking) {
		struct asking *k = CONTAINER_OF(it, struct asking, link);
		if (memcmp(k->hash, hash, sizeof k->hash) == 0)
			return k;
	}
	return NULL;
}

bool authorize_webhook_ask(struct authorize_webhook *w, struct authorization *z, struct strbuf *why)
{
	struct strbuf body = STRBUF_INIT;
	unsigned char hash[32];
	LOOP_CHECK_OWNER(w->loop);
	access_review_write(&body, w->api_version, &z->attributes);
	pki_hmac_sha256((struct slice){(const char *)w->secret, sizeof w->secret}, strbuf_slice(&body), hash);
	struct remembered *r = slot_of(w, hash);
	if (r->until_ms > loop_now_ms(w->loop) && memcmp(r->hash, hash, sizeof hash) == 0) {
		z->verdict = r->verdict;
		strbuf_adds(why, r->reason);
		strbuf_release(&body);
		return true;
	}
	struct asking *k = find(w, hash);
	if (k) {
		strbuf_release(&body);
	} else {
		k = xcalloc(1, sizeof *k);
		k->webhook = w;
		k->body = body;
		memcpy(k->hash, hash, sizeof hash);
		list_init(&k->waiting);
		list_push_back(&w->asking, &k->link);
		k->call = (struct outgoing_call){
		        .body = strbuf_slice(&k->body), .tries = TRIES, .done = answered, .arg = k};
		outgoing_send(w->target, &k->call);
	}
	list_push_back(&k->waiting, &z->link);
	return false;
}

int authorize_webhook_new(struct api_server *s, struct authorize_webhook **ret, struct err *err)
{
	const struct api_authorization_arguments *args = &s->options.arguments->authorization;
	bool is_v1 = strcmp(args->webhook_version, "v1") == 0;
	struct arena a = ARENA_INIT;
	struct outgoing_target target = {0};
	if (!args->webhook_config_file)
		return err_set(
		        err, ERR_INVAL, "authorization-mode has Webhook: authorization-webhook-config-file is missing");
	if (!is_v1 && strcmp(args->webhook_version, "v1beta1") != 0)
		return err_set(err, ERR_INVAL, "authorization-webhook-version: \"%s\" is neither v1 nor v1beta1",
		        args->webhook_version);
	struct authorize_webhook *w = xcalloc(1, sizeof *w);
	w->args = args;
	w->loop = s->loop;
	w->api_version = is_v1 ? "authorization.k8s.io/v1" : "authorization.k8s.io/v1beta1";
	pki_random(w->secret, sizeof w->secret);
	list_init(&w->asking);
	if (kubeconfig_load(&a, args->webhook_config_file, &target, err) != 0 ||
	        outgoing_get(s->outgoing, &target, &w->target, err) != 0)
		err_wrap(err, "authorization-webhook-config-file");
	arena_release(&a);
	if (err->code) {
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
	CHECK(list_empty(&w->asking));
	outgoing_unref(w->target);
	for (size_t i = 0; i < SLOTS; i++)
		free(w->slots[i].reason);
	free(w);
}
