/* What of a cluster stays behind when it moves between k3s and k3x. See k3s_rules.c. No state, any thread. */
#ifndef K3X_TOOLS_MOVING_K3S_RULES_H
#define K3X_TOOLS_MOVING_K3S_RULES_H

#include "base/err.h"
#include "base/json/json.h"
#include "base/mem/str.h"

/* Why a key stays behind, a constant; NULL: it comes along, unless is_packaged. */
const char *k3s_why_left(struct slice key);

/* Is the object of what k3s and k3x pack with them (add-ons)? Each brings its own, under the same names. */
bool k3s_is_packaged(const struct json *object);

/* k3s's server/cred/passwd: by it a server that is given no token knows its own. Tokens as in server/token; agent
 * empty: agents join by the server's. ERR_INVAL: a text that is no token. */
int k3s_passwd(struct strbuf *out, struct slice server_token, struct slice agent_token, struct err *err);

#endif
