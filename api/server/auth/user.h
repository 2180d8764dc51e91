/* Who asks: a counted object, made by an authenticator, that outlives the connection and the call it came by, because
 * webhooks, audit and open watches look at it later. Nothing of it changes once it is shared. Any thread. */
#ifndef K3X_API_SERVER_AUTH_USER_H
#define K3X_API_SERVER_AUTH_USER_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdatomic.h>

enum { USER_GROUPS_MAX = 64 }; /* certificates and tokens with more are not believed */

/* Of those who show a bootstrap token; they have groups of their own behind a colon, too. */
#define BOOTSTRAP_TOKEN_GROUP "system:bootstrappers"

/* What an authenticator or an impersonator says beyond name and groups; a key may come several times. */
struct user_extra {
	struct user_extra *next;
	struct slice key, value;
};

struct user {
	atomic_uint refs;
	struct arena arena; /* of its texts */
	struct slice name;
	struct slice uid; /* empty when there is none */
	struct slice groups[USER_GROUPS_MAX];
	size_t n_groups;
	struct user_extra *extras; /* in the order they were added */
};

/* One reference; name and uid are copied. */
struct user *user_new(struct slice name, struct slice uid);
/* While it is made; the text is copied. False: it has USER_GROUPS_MAX already. */
bool user_add_group(struct user *u, struct slice group);
/* While it is made; the texts are copied. */
void user_add_extra(struct user *u, struct slice key, struct slice value);
struct user *user_ref(struct user *u);
void user_unref(struct user *u); /* NULL is allowed */

bool user_is_in(const struct user *u, const char *group);

/* The user of those who prove nothing: system:anonymous in system:unauthenticated. A reference. */
struct user *user_anonymous(void);

#endif
