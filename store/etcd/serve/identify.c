/* Who sends a request: a token says it, or the client's certificate. */
#include "store/etcd/serve/identify.h"

#include "base/check.h"

#include <time.h>

static struct slice token_of(struct http_exchange *x, bool is_json)
{
	struct slice token = is_json ? SLICE_NULL : http_header(x, "token");
	return token.ptr ? token : http_header(x, "authorization");
}

enum etcd_auth_error etcd_identify(
        struct etcd_service *s, struct http_exchange *x, bool is_json, struct etcd_identity *who)
{
	const struct etcd_auth_state *auth = s->system.auth;
	const struct http_peer *peer = http_request(x)->peer;
	*who = (struct etcd_identity){0};
	if (!auth->is_enabled)
		return ETCD_AUTH_OK;
	struct slice token = token_of(x, is_json);
	if (token.ptr)
		return etcd_tokens_check(s->tokens, auth, token, time(NULL), http_arena(x), who);
	if (s->options.client_cert_auth && !is_json && peer->verified)
		*who = (struct etcd_identity){.is_known = true, .name = peer->common_name, .revision = auth->revision};
	return ETCD_AUTH_OK;
}
