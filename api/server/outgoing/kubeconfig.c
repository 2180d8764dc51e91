/* See kubeconfig.h. What a file says and we cannot do is refused: a webhook that is asked without the proof that its
 * file speaks of would fail later, and nobody would know why. */
#include "api/server/outgoing/kubeconfig.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/json/json.h"
#include "base/pki/pki.h"
#include "base/yaml.h"

#include <stdlib.h>

struct reader {
	struct arena *a;
	const char *folder;
	struct err *err;
};

/* A terminated copy, NULL when it is not there or empty. Not one with a zero byte in it, which would be cut. */
static const char *text_of(struct reader *r, const struct json *v, const char *name)
{
	const struct json *member = json_get(v, name);
	struct slice s = json_str(member);
	if (member && member->type != JSON_STRING && member->type != JSON_NULL)
		err_set(r->err, ERR_INVAL, "%s is a %s where a text must be: put it in quotes", name,
		        json_type_name(member->type));
	if (!s.len)
		return NULL;
	if (memchr(s.ptr, 0, s.len)) {
		err_set(r->err, ERR_INVAL, "%s has a zero byte in it", name);
		return NULL;
	}
	return arena_memdup(r->a, s.ptr, s.len);
}

static const char *path_of(struct reader *r, const char *file)
{
	return *file == '/' ? file : arena_printf(r->a, "%s/%s", r->folder, file);
}

/* NAME-data holds it in base64, or NAME names a file. NULL with no error: neither is there. */
static const char *pem_of(struct reader *r, const struct json *v, const char *name)
{
	const char *data = text_of(r, v, arena_printf(r->a, "%s-data", name)), *file = text_of(r, v, name);
	struct slice out;
	char *text;
	if (r->err->code)
		return NULL;
	if (data) {
		if (base64_decode(r->a, slice_of(data), &out) && !memchr(out.ptr, 0, out.len))
			return arena_memdup(r->a, out.ptr, out.len);
		err_set(r->err, ERR_INVAL, "%s-data is not base64 of a text", name);
		return NULL;
	}
	if (!file || pki_file_read(path_of(r, file), &text, NULL, r->err) != 0)
		return NULL;
	const char *kept = arena_strdup(r->a, text);
	free(text);
	return kept;
}

/* The entry of that name in a list; without a name the only one. */
static const struct json *entry(const struct json *config, const char *list, const char *part, struct slice name)
{
	const struct json *v = json_get(config, list);
	if (!name.len && json_is(v, JSON_ARRAY) && v->count == 1)
		return json_get(v->first, part);
	JSON_FOREACH (it, v)
		if (name.len && slice_eq(json_get_str(it, "name"), name))
			return json_get(it, part);
	return NULL;
}

static int refuse(struct reader *r, const struct json *v, const char *const *names)
{
	for (; *names; names++)
		if (json_get(v, *names))
			return err_set(r->err, ERR_INVAL,
			        "\"%s\" is not built: a token, a tokenFile, a password or a client certificate proves "
			        "who asks",
			        *names);
	return 0;
}

static int read_user(struct reader *r, const struct json *user, struct outgoing_target *t)
{
	static const char *const unbuilt[] = {
	        "exec", "auth-provider", "as", "as-uid", "as-groups", "as-user-extra", NULL};
	if (refuse(r, user, unbuilt) != 0)
		return r->err->code;
	t->certificate_pem = pem_of(r, user, "client-certificate");
	t->key_pem = r->err->code ? NULL : pem_of(r, user, "client-key");
	if (r->err->code)
		return r->err->code;
	if (!t->certificate_pem != !t->key_pem)
		return err_set(r->err, ERR_INVAL, "its user has a client-%s and no client-%s",
		        t->key_pem ? "key" : "certificate", t->key_pem ? "certificate" : "key");
	t->bearer = text_of(r, user, "token");
	const char *file = text_of(r, user, "tokenFile");
	t->bearer_file = file ? path_of(r, file) : NULL;
	t->username = text_of(r, user, "username");
	t->password = text_of(r, user, "password");
	for (const char *c = t->bearer; c && *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			return err_set(r->err, ERR_INVAL, "its user's token has spaces in it");
	return r->err->code;
}

static int read_cluster(struct reader *r, const struct json *cluster, struct outgoing_target *t)
{
	const struct json *proxy = json_get(cluster, "proxy-url");
	t->url = text_of(r, cluster, "server");
	t->server_name = text_of(r, cluster, "tls-server-name");
	t->skip_verify = json_get_bool(cluster, "insecure-skip-tls-verify", false);
	if (json_str(proxy).len)
		return err_set(r->err, ERR_INVAL, "\"proxy-url\" is not built");
	if (!r->err->code)
		t->ca_pem = pem_of(r, cluster, "certificate-authority");
	return r->err->code;
}

int kubeconfig_read(
        struct arena *a, struct slice text, const char *folder, struct outgoing_target *ret, struct err *err)
{
	struct reader r = {a, folder, err};
	struct outgoing_target t = {0};
	struct json *config = yaml_parse(a, text, NULL, err);
	if (!config)
		return err->code;
	struct slice name = slice_of(text_of(&r, config, "current-context"));
	const struct json *context = entry(config, "contexts", "context", name);
	const struct json *cluster = entry(config, "clusters", "cluster", json_get_str(context, "cluster"));
	struct slice user_name = json_get_str(context, "user");
	const struct json *user = entry(config, "users", "user", user_name);
	if (err->code)
		return err->code;
	if ((name.len && !context) || !cluster || !json_get_str(cluster, "server").len || (user_name.len && !user))
		return err_set(err, ERR_INVAL,
		        "it is not a kubeconfig whose current-context names a context, and that a cluster with a "
		        "server, and a user");
	if (read_cluster(&r, cluster, &t) != 0 || read_user(&r, user, &t) != 0)
		return err->code;
	*ret = t;
	return 0;
}

int kubeconfig_load(struct arena *a, const char *path, struct outgoing_target *ret, struct err *err)
{
	char *text;
	size_t len;
	const char *slash = strrchr(path, '/');
	const char *folder = !slash ? "." : slash == path ? "" : arena_printf(a, "%.*s", (int)(slash - path), path);
	if (pki_file_read(path, &text, &len, err) != 0)
		return err->code; /* names it */
	int rc = kubeconfig_read(a, (struct slice){text, len}, folder, ret, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "%s", path);
}
