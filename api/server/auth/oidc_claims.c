/* See oidc_claims.h. As kube-apiserver reads them: issuer and audience by bytes, an expiry that is needed, five minutes
 * of leeway for tokens that come before their time, an "email" that must not be said to be unverified.
 *
 * Groups that lie elsewhere (distributed claims: "_claim_names" has the claim of groups) would have to be fetched with
 * every token; that is not built, and such a token is refused, because its user without his groups is another one. */
#include "api/server/auth/oidc_claims.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/pki_jws.h"

enum { NOT_BEFORE_LEEWAY_S = 300 };

/* ---- arguments ---- */

int oidc_arguments_check(const struct api_oidc_arguments *o, struct err *err)
{
	if (!o->issuer_url || !o->client_id)
		return err_set(err, ERR_INVAL, "oidc-issuer-url and oidc-client-id go together: oidc-%s is missing",
		        o->issuer_url ? "client-id" : "issuer-url");
	if (strncmp(o->issuer_url, "https://", 8) != 0)
		return err_set(err, ERR_INVAL, "oidc-issuer-url: \"%s\" must begin with https://", o->issuer_url);
	if (!*o->client_id || !*o->username_claim)
		return err_set(err, ERR_INVAL, "oidc-%s: it is empty", *o->client_id ? "username-claim" : "client-id");
	for (size_t i = 0; i < o->signing_algs.count; i++)
		if (!jws_algorithm_is_known(slice_of(o->signing_algs.items[i])))
			return err_set(err, ERR_INVAL,
			        "oidc-signing-algs: \"%s\" is none of RS, ES or PS with 256, 384 or 512",
			        o->signing_algs.items[i]);
	for (size_t i = 0; i < o->required_claims.count; i++) {
		const char *equals = strchr(o->required_claims.items[i], '=');
		if (!equals || equals == o->required_claims.items[i])
			return err_set(err, ERR_INVAL, "oidc-required-claim: \"%s\" is not NAME=VALUE",
			        o->required_claims.items[i]);
	}
	return 0;
}

bool oidc_allows(const struct api_oidc_arguments *o, struct slice algorithm)
{
	for (size_t i = 0; i < o->signing_algs.count; i++)
		if (slice_is(algorithm, o->signing_algs.items[i]))
			return true;
	return o->signing_algs.count == 0 && slice_is(algorithm, "RS256");
}

/* ---- claims ---- */

static int reject(struct err *err, const char *why)
{
	return err_set(err, ERR_UNAUTHENTICATED, "invalid bearer token: oidc: %s", why);
}

static bool is_meant_for(const json_t *audience, const char *client)
{
	if (json_is_string(audience))
		return slice_is(json_lib_str(audience), client);
	for (size_t i = 0; i < json_array_size(audience); i++)
		if (slice_is(json_lib_str(json_array_get(audience, i)), client))
			return true;
	return false;
}

static int check_times(const json_t *v, int64_t now, int64_t *expires_s, struct err *err)
{
	const json_t *not_before = json_object_get(v, "nbf");
	if (!json_is_number(json_object_get(v, "exp")))
		return reject(err, "it has no \"exp\"");
	*expires_s = json_lib_get_int(v, "exp", 0);
	if (*expires_s <= now)
		return reject(err, "it has expired");
	if (not_before && (!json_is_number(not_before) || json_lib_get_int(v, "nbf", 0) > now + NOT_BEFORE_LEEWAY_S))
		return reject(err, "it is not valid yet");
	return 0;
}

static int check_required(const struct api_oidc_arguments *o, const json_t *v, struct err *err)
{
	for (size_t i = 0; i < o->required_claims.count; i++) {
		struct slice want = slice_of(o->required_claims.items[i]), name = slice_cut(&want, '=');
		const json_t *have = json_object_getn(v, name.ptr, name.len);
		if (!json_is_string(have) || !slice_eq(json_lib_str(have), want))
			return err_set(err, ERR_UNAUTHENTICATED,
			        "invalid bearer token: oidc: the required claim %.*s is not there or has another value",
			        SLICE_FMT(name));
	}
	return 0;
}

static int check(const struct api_oidc_arguments *o, const json_t *v, int64_t now, int64_t *expires_s, struct err *err)
{
	if (!slice_is(json_lib_get_str(v, "iss"), o->issuer_url))
		return reject(err, "it was issued by somebody else");
	if (!is_meant_for(json_object_get(v, "aud"), o->client_id))
		return reject(err, "it was made for another audience");
	if (check_times(v, now, expires_s, err) != 0)
		return err->code;
	if (o->groups_claim && json_object_get(json_object_get(v, "_claim_names"), o->groups_claim))
		return reject(err, "its groups are distributed claims, which are not fetched");
	return check_required(o, v, err);
}

/* Appends the user's name. */
static int name_of(const struct api_oidc_arguments *o, const json_t *v, struct strbuf *out, struct err *err)
{
	struct slice name = json_lib_get_str(v, o->username_claim);
	bool is_email = strcmp(o->username_claim, "email") == 0;
	const json_t *verified = is_email ? json_object_get(v, "email_verified") : NULL;
	if (!name.len)
		return err_set(err, ERR_UNAUTHENTICATED,
		        "invalid bearer token: oidc: its claim \"%s\" is no text that could be a name",
		        o->username_claim);
	if (verified && !json_is_true(verified))
		return reject(err, "its email is not verified");
	bool is_set = o->username_prefix && *o->username_prefix;
	if (is_set && strcmp(o->username_prefix, "-") != 0)
		strbuf_adds(out, o->username_prefix);
	else if (!is_set && !is_email)
		strbuf_addf(out, "%s#", o->issuer_url);
	strbuf_add_slice(out, name);
	return 0;
}

static int add_group(const struct api_oidc_arguments *o, struct user *u, const json_t *group, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	if (!json_is_string(group))
		return reject(err, "its groups are no texts");
	strbuf_adds(&b, o->groups_prefix ? o->groups_prefix : "");
	strbuf_add_slice(&b, json_lib_str(group));
	return user_add_group(u, strbuf_slice(&b)) ? 0 : reject(err, "it names too many groups");
}

static int add_groups(const struct api_oidc_arguments *o, struct user *u, const json_t *v, struct err *err)
{
	const json_t *groups = o->groups_claim ? json_object_get(v, o->groups_claim) : NULL;
	int rc = 0;
	if (!groups)
		return 0;
	if (!json_is_array(groups))
		return add_group(o, u, groups, err);
	for (size_t i = 0; i < json_array_size(groups) && rc == 0; i++)
		rc = add_group(o, u, json_array_get(groups, i), err);
	return rc;
}

int oidc_user(const struct api_oidc_arguments *o, struct slice claims, int64_t now_s, struct user **ret,
        int64_t *expires_s, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf name = STRBUF_INIT;
	struct err local = ERR_INIT;
	json_auto_t *v = json_lib_parse(claims, &local);
	if (!json_is_object(v))
		return reject(err, "its claims are not JSON");
	if (check(o, v, now_s, expires_s, err) != 0 || name_of(o, v, &name, err) != 0)
		return err->code;
	struct user *u = user_new(strbuf_slice(&name), SLICE_NULL);
	if (add_groups(o, u, v, err) != 0 || !user_add_group(u, SLICE("system:authenticated"))) {
		user_unref(u);
		return err->code ? err->code : reject(err, "it names too many groups");
	}
	*ret = u;
	return 0;
}
