/* See impersonation.h. Upstream: apiserver/pkg/endpoints/filters/impersonation.go.
 *
 * Each thing that is named is one question to the authorizers: users, groups, service accounts (in their namespace) of
 * the core group; uids and userextras/KEY of authentication.k8s.io. One that is not allowed ends it. The groups that
 * authentication would have given are added: system:authenticated, and those of a service account when none is named.
 */
#include "api/server/auth/identity/impersonation.h"

#include "api/server/auth/rights/authorize.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/wire/http.h"

struct question {
	struct question *next;
	struct slice group, resource, sub, ns, name;
};

struct impersonation {
	struct authorization z;
	struct call *call;
	struct user *as;
	struct question *first, **end;
	void (*then)(struct call *c, const struct err *err);
};

static struct slice keep(struct call *c, struct slice s)
{
	return (struct slice){arena_memdup(&c->arena, s.ptr, s.len), s.len};
}

static void ask_for(struct impersonation *i, struct question q)
{
	struct question *copy = ARENA_NEW(&i->call->arena, struct question);
	*copy = q;
	copy->next = NULL;
	*i->end = copy;
	i->end = &copy->next;
}

/* "system:serviceaccount:NS:NAME"; false: it is another user. */
static bool is_account(struct slice user, struct slice *ret_ns, struct slice *ret_name)
{
	static const char prefix[] = "system:serviceaccount:";
	if (!slice_starts(user, prefix))
		return false;
	struct slice rest = {user.ptr + sizeof prefix - 1, user.len - (sizeof prefix - 1)};
	*ret_ns = slice_cut(&rest, ':');
	*ret_name = rest;
	return ret_ns->len && rest.len && !memchr(rest.ptr, ':', rest.len);
}

static void take_user(struct impersonation *i, struct slice name)
{
	struct slice ns, account;
	if (is_account(name, &ns, &account))
		ask_for(i, (struct question){.resource = SLICE("serviceaccounts"), .ns = ns, .name = account});
	else
		ask_for(i, (struct question){.resource = SLICE("users"), .name = name});
}

/* ---- headers ---- */

static const char extra_prefix[] = "impersonate-extra-";

static bool is_ours(const struct http_header *h)
{
	return slice_is(h->name, "impersonate-user") || slice_is(h->name, "impersonate-group") ||
	       slice_is(h->name, "impersonate-uid") || slice_starts(h->name, extra_prefix);
}

static int too_many(struct err *err)
{
	return err_set(err, ERR_INVAL, "Impersonate-Group: at most %d groups are believed", USER_GROUPS_MAX - 1);
}

static int take_extra(struct impersonation *i, const struct http_header *h, struct err *err)
{
	struct call *c = i->call;
	size_t n = sizeof extra_prefix - 1;
	struct slice raw = {h->name.ptr + n, h->name.len - n}, key;
	if (!http_decode(&c->arena, raw, false, &key) || !key.len)
		return err_set(err, ERR_INVAL, "%.*s: the key is not percent-encoded text", SLICE_FMT(h->name));
	struct slice value = keep(c, h->value);
	ask_for(i, (struct question){.group = SLICE("authentication.k8s.io"),
	                   .resource = SLICE("userextras"),
	                   .sub = key,
	                   .name = value});
	user_add_extra(i->as, key, value);
	return 0;
}

static int take_header(struct impersonation *i, const struct http_header *h, struct err *err)
{
	if (slice_is(h->name, "impersonate-group")) {
		struct slice group = keep(i->call, h->value);
		ask_for(i, (struct question){.resource = SLICE("groups"), .name = group});
		return user_add_group(i->as, group) ? 0 : too_many(err);
	}
	return slice_starts(h->name, extra_prefix) ? take_extra(i, h, err) : 0;
}

/* What authentication would have given him. */
static bool add_own_groups(struct impersonation *i)
{
	struct user *u = i->as;
	struct slice ns, name;
	struct arena *a = &i->call->arena;
	bool fits = true;
	if (!u->n_groups && is_account(u->name, &ns, &name))
		fits = user_add_group(u, SLICE("system:serviceaccounts")) &&
		       user_add_group(u, slice_of(arena_printf(a, "system:serviceaccounts:%.*s", SLICE_FMT(ns))));
	const char *own = slice_is(u->name, "system:anonymous") ? "system:unauthenticated" : "system:authenticated";
	if (user_is_in(u, "system:authenticated") || user_is_in(u, "system:unauthenticated"))
		return fits;
	return fits && user_add_group(u, slice_of(own));
}

static void unref_user(void *arg)
{
	user_unref(arg);
}

static struct slice value_of(const struct http_request *r, const char *name)
{
	for (size_t k = 0; k < r->headers_count; k++)
		if (slice_is(r->headers[k].name, name))
			return r->headers[k].value;
	return SLICE_NULL;
}

int impersonation_read(struct call *c, const struct http_request *r, struct impersonation **ret, struct err *err)
{
	struct slice user = value_of(r, "impersonate-user"), uid = value_of(r, "impersonate-uid");
	bool is_named = false;
	*ret = NULL;
	for (size_t k = 0; k < r->headers_count; k++)
		is_named = is_named || is_ours(&r->headers[k]);
	if (!is_named)
		return 0;
	if (!user.len)
		return err_set(err, ERR_INVAL,
		        "Impersonate-Group, -Uid and -Extra headers need an Impersonate-User: whom to act as is not "
		        "said");
	struct impersonation *i = ARENA_NEW(&c->arena, struct impersonation);
	i->call = c;
	i->end = &i->first;
	i->as = user_new(user, uid);
	arena_on_release(&c->arena, unref_user, i->as);
	take_user(i, keep(c, user));
	if (uid.len)
		ask_for(i, (struct question){.group = SLICE("authentication.k8s.io"),
		                   .resource = SLICE("uids"),
		                   .name = keep(c, uid)});
	for (size_t k = 0; k < r->headers_count; k++)
		if (is_ours(&r->headers[k]) && take_header(i, &r->headers[k], err) != 0)
			return err->code;
	if (!add_own_groups(i))
		return too_many(err);
	*ret = i;
	return 0;
}

/* ---- questions ---- */

static void ask_next(struct impersonation *i);

static void known(struct authorization *z)
{
	struct impersonation *i = CONTAINER_OF(z, struct impersonation, z);
	struct call *c = i->call;
	struct err err = ERR_INIT;
	if (z->verdict != VERDICT_ALLOW) {
		authorize_refusal(&z->attributes, z->reason, &err);
	} else if ((i->first = i->first->next)) {
		ask_next(i);
		return;
	} else {
		user_unref(c->user);
		c->user = user_ref(i->as);
	}
	i->then(c, &err);
}

static void ask_next(struct impersonation *i)
{
	const struct question *q = i->first;
	i->z = (struct authorization){.arena = &i->call->arena,
	        .done = known,
	        .attributes = {.user = i->call->user,
	                .is_resource = true,
	                .verb = SLICE("impersonate"),
	                .version = SLICE("v1"),
	                .group = q->group,
	                .resource = q->resource,
	                .subresource = q->sub,
	                .ns = q->ns,
	                .name = q->name}};
	authorize(i->call->server, &i->z);
}

void impersonation_check(struct call *c, struct impersonation *i, void (*then)(struct call *c, const struct err *err))
{
	CHECK(i->first && c->user && i->call == c);
	i->then = then;
	ask_next(i);
}
