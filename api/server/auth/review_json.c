/* See review_json.h. */
#include "api/server/auth/review_json.h"

#include "base/json_lib.h"

void token_review_write(struct strbuf *out, const char *api_version, struct slice token, const struct slice *audiences,
        size_t n_audiences)
{
	json_auto_t *v = json_object();
	json_t *spec = json_object(), *list = json_array();
	json_lib_set_cstr(v, "apiVersion", api_version);
	json_lib_set_cstr(v, "kind", "TokenReview");
	json_lib_set(v, "spec", spec);
	json_lib_set_str(spec, "token", token);
	for (size_t i = 0; i < n_audiences; i++)
		json_array_append_new(list, json_lib_new_str(audiences[i]));
	json_lib_set(spec, "audiences", list);
	json_lib_write(out, v);
}

static int too_much(struct user *u, struct err *err)
{
	user_unref(u);
	return err_set(err, ERR_UNAUTHENTICATED, "the webhook names more than %d groups", USER_GROUPS_MAX - 1);
}

/* As the API's own UserInfo. */
static int read_user(const json_t *v, struct user **ret, struct err *err)
{
	struct slice name = json_lib_get_str(v, "username");
	const json_t *groups = json_object_get(v, "groups"), *values;
	const char *key;
	if (!name.len)
		return err_set(err, ERR_INVAL, "status.user.username is missing");
	struct user *u = user_new(name, json_lib_get_str(v, "uid"));
	for (size_t i = 0; i < json_array_size(groups); i++)
		if (u->n_groups + 1 == USER_GROUPS_MAX || !user_add_group(u, json_lib_str(json_array_get(groups, i))))
			return too_much(u, err);
	json_object_foreach ((json_t *)json_object_get(v, "extra"), key, values)
		for (size_t i = 0; i < json_array_size(values); i++)
			user_add_extra(u, slice_of(key), json_lib_str(json_array_get(values, i)));
	*ret = u;
	return 0;
}

int token_review_read(struct slice text, void (*good_for_each)(void *arg, struct slice audience), void *arg,
        struct user **ret, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	const json_t *status = json_object_get(v, "status"), *audiences = json_object_get(status, "audiences");
	if (!v)
		return err->code;
	if (!slice_is(json_lib_get_str(v, "kind"), "TokenReview") || !json_is_object(status))
		return err_set(err, ERR_INVAL, "it is no TokenReview with a status");
	if (!json_lib_get_bool(status, "authenticated", false)) {
		struct slice why = json_lib_get_str(status, "error");
		return err_set(
		        err, ERR_UNAUTHENTICATED, "%.*s", SLICE_FMT(why.len ? why : SLICE("it knows no such token")));
	}
	if (read_user(json_object_get(status, "user"), ret, err) != 0)
		return err->code;
	for (size_t i = 0; i < json_array_size(audiences); i++)
		good_for_each(arg, json_lib_str(json_array_get(audiences, i)));
	return 0;
}

/* ---- access ---- */

static void set_text(json_t *to, const char *name, struct slice text)
{
	if (text.len)
		json_lib_set_str(to, name, text);
}

static json_t *user_extras(const struct user *u)
{
	json_t *extra = json_object();
	for (const struct user_extra *e = u->extras; e; e = e->next) {
		json_t *values = json_object_getn(extra, e->key.ptr, e->key.len);
		if (!values) {
			values = json_array();
			json_object_setn_new(extra, e->key.ptr, e->key.len, values);
		}
		json_array_append_new(values, json_lib_new_str(e->value));
	}
	return extra;
}

static json_t *attributes_json(const struct attributes *a)
{
	json_t *v = json_object();
	set_text(v, "verb", a->verb);
	if (!a->is_resource) {
		set_text(v, "path", a->path);
		return v;
	}
	set_text(v, "namespace", a->ns);
	set_text(v, "group", a->group);
	set_text(v, "version", a->version);
	set_text(v, "resource", a->resource);
	set_text(v, "subresource", a->subresource);
	set_text(v, "name", a->name);
	return v;
}

void access_review_write(struct strbuf *out, const char *api_version, const struct attributes *a)
{
	json_auto_t *v = json_object();
	json_t *spec = json_object(), *groups = json_array();
	bool is_beta = slice_ends(slice_of(api_version), "/v1beta1");
	json_lib_set_cstr(v, "apiVersion", api_version);
	json_lib_set_cstr(v, "kind", "SubjectAccessReview");
	json_lib_set(v, "spec", spec);
	json_lib_set(spec, a->is_resource ? "resourceAttributes" : "nonResourceAttributes", attributes_json(a));
	set_text(spec, "user", a->user->name);
	for (size_t i = 0; i < a->user->n_groups; i++)
		json_array_append_new(groups, json_lib_new_str(a->user->groups[i]));
	json_lib_set(spec, is_beta ? "group" : "groups", groups);
	set_text(spec, "uid", a->user->uid);
	if (a->user->extras)
		json_lib_set(spec, "extra", user_extras(a->user));
	json_lib_write(out, v);
}

int access_review_read(struct slice text, enum verdict *ret, struct strbuf *reason, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	const json_t *status = json_object_get(v, "status");
	if (!v)
		return err->code;
	if (!slice_is(json_lib_get_str(v, "kind"), "SubjectAccessReview") || !json_is_object(status))
		return err_set(err, ERR_INVAL, "it is no SubjectAccessReview with a status");
	bool allowed = json_lib_get_bool(status, "allowed", false), denied = json_lib_get_bool(status, "denied", false);
	if (allowed && denied)
		return err_set(err, ERR_INVAL, "it says allowed and denied at once");
	*ret = allowed ? VERDICT_ALLOW : denied ? VERDICT_DENY : VERDICT_NO_OPINION;
	strbuf_add_slice(reason, json_lib_get_str(status, "reason"));
	return 0;
}
