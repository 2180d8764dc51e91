/* See bootstrap_token.h. Upstream: plugin/pkg/auth/authenticator/token/bootstrap, cluster-bootstrap/token/util.
 *
 * The Secret's name is the token's id, so the right one is found without a walk, and what is secret is compared in
 * constant time. What can go wrong: there is no such Secret, or it is of another type, on its way out, over, or not for
 * logging in; a group in it that a token may not have, for then whoever may write Secrets could make himself a master:
 * the token counts for nothing. A date that is none counts as over. */
#include "api/server/auth/identity/bootstrap_token.h"

#include "api/machinery/codec/scalar.h"
#include "api/server/state.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json/json.h"
#include "base/pki/pki.h"

#include <stdio.h>

enum { GROUP_TAIL_BYTES_MAX = 256 };

/* ---- the text ---- */

static bool is_small(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool are_small(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_small(s.ptr[i]))
			return false;
	return true;
}

bool bootstrap_token_parse(struct slice text, struct bootstrap_token *ret)
{
	struct slice secret = text, id = slice_cut(&secret, '.');
	if (id.len != BOOTSTRAP_TOKEN_ID_BYTES || secret.len != BOOTSTRAP_TOKEN_SECRET_BYTES || !are_small(id) ||
	        !are_small(secret))
		return false;
	*ret = (struct bootstrap_token){id, secret};
	return true;
}

bool bootstrap_token_is_group(struct slice group)
{
	size_t head = sizeof BOOTSTRAP_TOKEN_GROUP ":" - 1;
	if (!slice_starts(group, BOOTSTRAP_TOKEN_GROUP ":") || group.len == head ||
	        group.len > head + GROUP_TAIL_BYTES_MAX || !is_small(group.ptr[group.len - 1]))
		return false;
	for (size_t i = head; i < group.len; i++)
		if (!is_small(group.ptr[i]) && group.ptr[i] != ':' && group.ptr[i] != '-')
			return false;
	return true;
}

/* ---- the Secret ---- */

static struct slice datum(struct arena *a, const struct json *secret, const char *name)
{
	struct slice out = SLICE_NULL;
	return base64_decode(a, json_str(json_path(secret, "data", name, NULL)), &out) ? out : SLICE_NULL;
}

static int reject(struct err *err, const struct bootstrap_token *t, const char *why)
{
	return err_set(err, ERR_UNAUTHENTICATED, "bootstrap token %.*s: %s", SLICE_FMT(t->id), why);
}

static bool is_over(struct slice expiration, int64_t now_s)
{
	struct err unused = ERR_INIT;
	int64_t s;
	int32_t ns;
	return expiration.len && (scalar_time_parse(expiration, &s, &ns, &unused) != 0 || s <= now_s);
}

static int add_groups(struct user *u, const struct bootstrap_token *t, struct slice list, struct err *err)
{
	user_add_group(u, SLICE(BOOTSTRAP_TOKEN_GROUP));
	while (list.len) {
		struct slice group = slice_cut(&list, ',');
		if (!bootstrap_token_is_group(group))
			return reject(err, t,
			        "its auth-extra-groups are not all like " BOOTSTRAP_TOKEN_GROUP ":NAME: mend its "
			        "Secret");
		if (!user_add_group(u, group))
			return reject(err, t, "it has too many auth-extra-groups");
	}
	user_add_group(u, SLICE("system:authenticated"));
	return 0;
}

static int check(
        struct arena *a, const struct bootstrap_token *t, const struct json *secret, int64_t now_s, struct err *err)
{
	if (!slice_is(json_str(json_get(secret, "type")), BOOTSTRAP_TOKEN_SECRET_TYPE) ||
	        !slice_eq(datum(a, secret, "token-id"), t->id) ||
	        !pki_equal(datum(a, secret, "token-secret"), t->secret))
		return reject(err, t, "there is none of this id and secret");
	if (json_path(secret, "metadata", "deletionTimestamp", NULL))
		return reject(err, t, "it is being deleted");
	if (is_over(datum(a, secret, "expiration"), now_s))
		return reject(err, t, "it is over: make another with k3x token create on a server");
	if (!slice_is(datum(a, secret, "usage-bootstrap-authentication"), "true"))
		return reject(err, t, "it is not for logging in (usage-bootstrap-authentication)");
	return 0;
}

int bootstrap_token_judge(
        const struct bootstrap_token *t, struct slice secret_object, int64_t now_s, struct user **ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *secret = json_parse(&a, secret_object, NULL, err);
	int rc = secret ? check(&a, t, secret, now_s, err) : err->code;
	if (rc == 0) {
		struct user *u =
		        user_new(slice_of(arena_printf(&a, "system:bootstrap:%.*s", SLICE_FMT(t->id))), SLICE_NULL);
		rc = add_groups(u, t, datum(&a, secret, "auth-extra-groups"), err);
		if (rc == 0)
			*ret = u;
		else
			user_unref(u);
	}
	arena_release(&a);
	return rc;
}

int bootstrap_token_user(struct api_server *s, const struct bootstrap_token *t, struct user **ret, struct err *err)
{
	char key[64];
	LOOP_CHECK_OWNER(s->loop);
	snprintf(key, sizeof key, "kube-system/" BOOTSTRAP_TOKEN_SECRET_PREFIX "%.*s", SLICE_FMT(t->id));
	struct object *o = cache_get(
	        cache_resource(s->cache, resource_find(SLICE(""), SLICE("v1"), SLICE("secrets"))), slice_of(key));
	if (!o)
		return reject(err, t, "there is none of this id and secret");
	return bootstrap_token_judge(t, object_text(o), clock_wall_s(), ret, err);
}
