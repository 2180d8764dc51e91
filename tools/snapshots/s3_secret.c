/* See s3_secret.h. The Secret lies in kube-system and has k3s's keys, which are the flags' names:
 *
 *     etcd-s3-bucket, -access-key, ...      text
 *     etcd-s3-skip-ssl-verify, -insecure    "true"
 *     etcd-s3-endpoint-ca                   PEM; and of each key of the ConfigMap that -endpoint-ca-name names
 *
 * What can go wrong: no such Secret, a key that is no text, settings that are no good or not enough: it is said that it
 * was the Secret that said so. A key that is none of these is left alone. */
#include "tools/snapshots/s3_secret.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/json_lib.h"

#include <stddef.h>
#include <string.h>

#define NAMESPACE "/api/v1/namespaces/kube-system"
#define AT(member) offsetof(struct s3_settings, member)

static const struct {
	const char *key;
	size_t at;
} texts[] = {{"etcd-s3-endpoint", AT(endpoint)}, {"etcd-s3-bucket", AT(bucket)},
        {"etcd-s3-bucket-lookup-type", AT(lookup)}, {"etcd-s3-region", AT(region)}, {"etcd-s3-folder", AT(folder)},
        {"etcd-s3-access-key", AT(access_key)}, {"etcd-s3-secret-key", AT(secret_key)},
        {"etcd-s3-session-token", AT(session_token)}, {"etcd-s3-proxy", AT(proxy)}, {"etcd-s3-timeout", AT(timeout)}};
static const struct {
	const char *key;
	size_t at;
} flags[] = {{"etcd-s3-skip-ssl-verify", AT(skip_ssl_verify)}, {"etcd-s3-insecure", AT(is_insecure)}};

/* NULL: the Secret does not say. */
static int text_of(const json_t *data, const char *key, struct arena *a, const char **ret, struct err *err)
{
	struct slice coded = json_lib_get_str(data, key), plain;
	*ret = NULL;
	if (!coded.len)
		return 0;
	if (!base64_decode(a, coded, &plain) || memchr(plain.ptr, 0, plain.len))
		return err_set(err, ERR_INVAL, "%s is no text", key);
	*ret = arena_printf(a, "%.*s", SLICE_FMT(plain));
	return 0;
}

/* As Go's strconv.ParseBool, which k3s reads them with. */
static bool is_true(const char *text)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static int fill(struct s3_settings *v, const json_t *data, struct arena *a, struct err *err)
{
	char *base = (char *)v;
	const char *text;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const char **at = (const char **)(void *)(base + texts[i].at);
		if (text_of(data, texts[i].key, a, &text, err) != 0)
			return err->code;
		if ((!*at || !**at) && text && *text)
			*at = text;
	}
	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		bool *at = (bool *)(base + flags[i].at);
		if (text_of(data, flags[i].key, a, &text, err) != 0)
			return err->code;
		*at = *at || (text && is_true(text));
	}
	return v->endpoint_ca ? 0 : text_of(data, "etcd-s3-endpoint-ca", a, &v->endpoint_ca_pem, err);
}

static json_t *read_object(
        const struct s3_secret_source *source, const char *kind, const char *name, struct arena *a, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	json_t *v = NULL;
	if (!snapshot_name_is_good(name))
		err_set(err, ERR_INVAL, "\"%s\" is not the name of an object", name);
	else if (source->get(source->arg, arena_printf(a, NAMESPACE "/%s/%s", kind, name), &text, err) == 0)
		v = json_lib_parse(strbuf_slice(&text), err);
	strbuf_release(&text);
	return v;
}

/* All of its values, one behind the other. */
static int add_cas(struct s3_settings *v, const struct s3_secret_source *source, const char *name, struct arena *a,
        struct err *err)
{
	json_auto_t *map = read_object(source, "configmaps", name, a, err);
	const char *key;
	json_t *value;
	if (!map)
		return err_wrap(err, "ConfigMap kube-system/%s (etcd-s3-endpoint-ca-name)", name);
	json_object_foreach (json_object_get(map, "data"), key, value)
		v->endpoint_ca_pem = arena_printf(
		        a, "%s%.*s\n", v->endpoint_ca_pem ? v->endpoint_ca_pem : "", SLICE_FMT(json_lib_str(value)));
	return 0;
}

static int ask(struct s3_settings *v, const struct s3_secret_source *source, struct arena *a, struct err *err)
{
	json_auto_t *secret = read_object(source, "secrets", v->config_secret, a, err);
	const json_t *data = json_object_get(secret, "data");
	const char *cas = NULL;
	if (!secret || fill(v, data, a, err) != 0 || text_of(data, "etcd-s3-endpoint-ca-name", a, &cas, err) != 0)
		return err->code;
	return cas && !v->endpoint_ca ? add_cas(v, source, cas, a, err) : 0;
}

int s3_settings_resolve(const struct s3_settings *from, const struct s3_secret_source *source, struct arena *a,
        struct s3_settings *ret, struct err *err)
{
	struct s3_settings v = *from;
	const char *name = v.is_on ? v.config_secret : NULL;
	if (name && ask(&v, source, a, err) == 0)
		v.config_secret = NULL;
	if (err->code || s3_settings_complete(&v, err) != 0)
		return name ? err_wrap(err, "--etcd-s3-config-secret: Secret kube-system/%s", name) : err->code;
	*ret = v;
	return 0;
}
