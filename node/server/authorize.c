/* See authorize_int.h. The API server (kube-apiserver), which has judged already, and system:masters may do all.
 * Whoever else has a certificate of the cluster, or a bearer token, is asked about: TokenReview, then
 * SubjectAccessReview for nodes/metrics, nodes/stats, nodes/log or nodes/proxy of this node; which is how
 * metrics-server and Prometheus come. Upstream: pkg/kubelet/server/auth.go. */
#include "node/server/authorize_int.h"

#include "node/ground/node_record.h"
#include "node/server/answer_int.h"

struct guest {
	struct node *n;
	struct http_exchange *x;
	struct access_question *question;
	void (*then)(struct node *n, struct http_exchange *x);
};

static bool may_do_all(const struct http_request *r)
{
	if (r->peer->verified && slice_is(r->peer->common_name, "kube-apiserver"))
		return true;
	for (size_t i = 0; r->peer->verified && i < r->peer->organizations_count; i++)
		if (slice_is(r->peer->organizations[i], "system:masters"))
			return true;
	return false;
}

static bool is_below(struct slice path, const char *prefix)
{
	size_t n = strlen(prefix);
	return slice_starts(path, prefix) && (path.len == n || path.ptr[n] == '/');
}

const char *kubelet_subresource(struct slice path)
{
	return is_below(path, "/stats")     ? "stats"
	       : is_below(path, "/metrics") ? "metrics"
	       : is_below(path, "/logs")    ? "log"
	                                    : "proxy";
}

static const char *verb_of(struct slice method)
{
	return slice_is(method, "POST")     ? "create"
	       : slice_is(method, "PUT")    ? "update"
	       : slice_is(method, "PATCH")  ? "patch"
	       : slice_is(method, "DELETE") ? "delete"
	                                    : "get";
}

static void refuse(struct http_exchange *x, int status, const char *text)
{
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_copy(x, status, slice_of(text));
}

static void judged(void *arg, const struct err *err)
{
	struct guest *g = arg;
	CHECK(g->x && g->then);
	http_on_abort(g->x, NULL, NULL);
	if (!err)
		g->then(g->n, g->x);
	else
		refuse(g->x, err_http_status(err->code), err->msg);
}

static void gone(struct http_exchange *x, void *arg)
{
	access_forget(((struct guest *)arg)->question);
}

static struct slice bearer_token(struct http_exchange *x)
{
	struct slice h = http_header(x, "authorization");
	if (h.len <= 7 || strncasecmp(h.ptr, "bearer ", 7) != 0)
		return SLICE_NULL;
	return slice_trim((struct slice){h.ptr + 7, h.len - 7});
}

void kubelet_authorize(struct node *n, struct access *access, struct http_exchange *x,
        void (*then)(struct node *n, struct http_exchange *x))
{
	const struct http_request *r = http_request(x);
	const struct http_peer *peer = r->peer;
	CHECK(then);
	struct slice token = peer->verified ? SLICE_NULL : bearer_token(x);
	if (may_do_all(r)) {
		then(n, x);
		return;
	}
	if (!peer->verified && !token.len) {
		refuse(x, 401, "Unauthorized: a client certificate of this cluster or a bearer token is needed");
		return;
	}
	struct guest *g = ARENA_NEW(http_arena(x), struct guest);
	*g = (struct guest){.n = n, .x = x, .then = then};
	http_on_abort(x, gone, g);
	g->question =
	        access_ask(access, &(struct access_request){.token = token,
	                                   .user = token.len ? NULL
	                                                     : access_user(http_arena(x), peer->common_name,
	                                                               peer->organizations, peer->organizations_count),
	                                   .deed = {.verb = verb_of(r->method),
	                                           .version = SLICE("v1"),
	                                           .resource = SLICE("nodes"),
	                                           .subresource = slice_of(kubelet_subresource(r->path)),
	                                           .name = slice_of(n->o.node_name)},
	                                   .done = judged,
	                                   .arg = g});
}
