/* Who may pass by name and password (Basic authentication, RFC 7617): passwords are checked on a thread of their own,
 * for a hash may take as long as it likes; who was right is known for a minute, by a digest of name, password and hash.
 * Of those at most INGRESS_LOGINS_MAX. Loop's thread. */
#ifndef K3X_NET_INGRESS_SERVE_LOGIN_H
#define K3X_NET_INGRESS_SERVE_LOGIN_H

#include "base/mem/str.h"
#include "base/rt/loop.h"

struct logins;
struct login; /* one that is being checked */

struct logins *logins_new(struct loop *loop);
/* Waits for what is being checked; what is told of it then must have been forgotten. */
void logins_free(struct logins *l);

enum login_answer { LOGIN_RIGHT, LOGIN_WRONG, LOGIN_BUSY, LOGIN_LATER };

struct login_request {
	struct slice secret;        /* whose passwords: "namespace/name" */
	struct slice file;          /* of htpasswd(1) */
	struct slice authorization; /* the header */
	void (*told)(void *arg, bool is_right);
	void *arg;
};

/* LOGIN_LATER: told() is called, once, from the loop, and *ret is set until then. LOGIN_BUSY: too many wait. */
enum login_answer login_ask(struct logins *l, const struct login_request *r, struct login **ret);
void login_forget(struct login *k); /* told() is not called */

#endif
