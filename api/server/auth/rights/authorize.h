/* May they? The one place where that is decided: dispatch asks it for every request, access reviews ask it for others.
 *
 * authorize() goes through the authorizers in order (authorize.c has the table): the first that allows or denies
 * decides, and what nobody has an opinion on is denied. An authorizer may need to wait (a webhook will), so the answer
 * comes by `done`, from a later step of the loop, never from inside the call. API loop. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_AUTHORIZE_H
#define K3X_API_SERVER_AUTH_RIGHTS_AUTHORIZE_H

#include "api/server/auth/attributes.h"
#include "api/server/cache/cache.h"
#include "base/err.h"
#include "base/rt/loop.h"

struct api_server;

/* Embedded by who asks; must stay until done(). */
struct authorization {
	struct attributes attributes;
	struct arena *arena; /* of the reason's text */
	bool explains;       /* what is allowed gets a reason, too */
	void (*done)(struct authorization *z);
	void *arg; /* the asker's */
	enum verdict verdict;
	const char *reason; /* why; "" when nobody had one */
	/* authorize()'s own */
	struct api_server *server;
	struct authorizers *chain; /* a reference: they may change while this is asked */
	struct loop_defer deferred;
	struct cache_wait wait;
	struct list_link link; /* among those that wait for the same answer of a webhook */
	struct strbuf reasons;
	size_t at;
	bool is_fresh;
};

/* attributes, arena and done are set. Always answered: it cannot be taken back. What is not allowed is looked at again
 * when the cache holds all that this server knew of when it was asked: who was bound to a role a moment ago is not
 * refused. */
void authorize(struct api_server *s, struct authorization *z);

/* The same at once, as the cache is: for those that ask in the midst of something (expressions of policies). A webhook
 * that would have to be asked has no opinion. attributes, arena and explains are set; verdict and reason are then. */
enum verdict authorize_now(struct api_server *s, struct authorization *z);

/* One authorizer's opinion. Why: appended to `why`, when it has a reason, and of what it allows when z->explains. */
typedef enum verdict authorizer_fn(struct api_server *s, struct authorization *z, struct strbuf *why);
authorizer_fn authorize_node; /* node.c */
authorizer_fn authorize_rbac; /* rbac.c */

/* The authorizers of a server, in the order that --authorization-config or authorization-mode says (Node, RBAC).
 * ERR_INVAL names what is odd. */
struct authorizers;
int authorizers_new(struct api_server *s, struct authorizers **ret, struct err *err);
void authorizers_unref(
        struct authorizers *a); /* the last one after the pool of outgoing calls was closed; NULL is fine */
bool authorizers_have_webhook(const struct authorizers *a);
/* Now and then: the file of --authorization-config is read again when it has changed; on error those of before stay. */
void authorizers_look(struct api_server *s);
void authorizers_metrics(const struct api_server *s, struct strbuf *out);

/* The one that asks a webhook (webhook.c): true, and z->verdict and `why`, when it remembers the answer or is not to be
 * asked; else authorize_answered(z, why) is called later. `config` outlives it. */
struct authorize_webhook;
struct authorizer_config;
struct outgoing_pool;
int authorize_webhook_new(struct loop *loop, struct outgoing_pool *pool, const struct authorizer_config *config,
        struct authorize_webhook **ret, struct err *err);
void authorize_webhook_free(struct authorize_webhook *w); /* NULL is fine */
bool authorize_webhook_ask(struct authorize_webhook *w, struct authorization *z, struct strbuf *why);
void authorize_answered(struct authorization *z, struct slice why);

/* The 403 of what was not allowed, in upstream's words. */
int authorize_refusal(const struct attributes *a, const char *reason, struct err *err);

#endif
