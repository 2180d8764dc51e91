/* May they? The one place where that is decided: dispatch asks it for every request, access reviews ask it for others.
 *
 * authorize() goes through the authorizers in order (authorize.c has the table): the first that allows or denies
 * decides, and what nobody has an opinion on is denied. An authorizer may need to wait (a webhook will), so the answer
 * comes by `done`, from a later step of the loop, never from inside the call. API loop. */
#ifndef K3X_API_SERVER_AUTH_AUTHORIZE_H
#define K3X_API_SERVER_AUTH_AUTHORIZE_H

#include "api/server/auth/user.h"
#include "api/server/cache/cache.h"
#include "base/err.h"
#include "base/rt/loop.h"

struct api_server;

/* What somebody wants to do: a verb on a resource, or a method on a path. Texts are borrowed from whoever asks. */
struct attributes {
	const struct user *user;
	bool is_resource;
	struct slice verb; /* "get", "list", "create", ...; of a path the method in lower case */
	struct slice group, version, resource, subresource, ns, name;
	struct slice path;
	struct slice node_selector; /* of a list or watch: the node that its field selector ties spec.nodeName to */
};

enum verdict { VERDICT_NO_OPINION, VERDICT_ALLOW, VERDICT_DENY };

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
	struct loop_defer deferred;
	struct cache_wait wait;
};

/* attributes, arena and done are set. Always answered: it cannot be taken back. What is not allowed is looked at again
 * when the cache holds all that this server knew of when it was asked: who was bound to a role a moment ago is not
 * refused. */
void authorize(struct api_server *s, struct authorization *z);

/* The same at once, as the cache is: for those that ask in the midst of something (expressions of policies).
 * attributes, arena and explains are set; verdict and reason are then. */
enum verdict authorize_now(struct api_server *s, struct authorization *z);

/* One authorizer's opinion. Why: appended to `why`, when it has a reason, and of what it allows when z->explains. */
typedef enum verdict authorizer_fn(struct api_server *s, struct authorization *z, struct strbuf *why);
authorizer_fn authorize_node; /* node.c */
authorizer_fn authorize_rbac; /* rbac.c */

/* The 403 of what was not allowed, in upstream's words. */
int authorize_refusal(const struct attributes *a, const char *reason, struct err *err);

#endif
