/* See config.h. Upstream: apiserver/pkg/server/options/encryptionconfig and apis/apiserver/validation.
 *
 * What can go wrong is the file: a field that the kind does not have, a secret that is no base64 or of a length that no
 * key has, two keys of one name (the name is all that the stored text says about its key), nothing to write with. */
#include "api/server/sealing/config.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/time/duration.h"
#include "base/pki/pki.h"
#include "base/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS_MAX = 64, /* of one rule */ KMS_TIMEOUT_MS = 3000, KMS_TIMEOUT_MS_MAX = 60000 };

static const struct {
	const char *name;
	enum pki_cipher cipher;
} ciphers[] = {{"aescbc", PKI_AES_CBC}, {"aesgcm", PKI_AES_GCM}, {"secretbox", PKI_SECRETBOX}};

/* Where in the file we are, and what it becomes. */
struct reading {
	struct sealing_config *config;
	struct sealing_rule *rule;
	size_t resources_at, provider_at;
	struct err *err;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct reading *r, const char *fmt, ...)
{
	char what[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (!r->rule)
		return err_set(r->err, ERR_INVAL, "%s", what);
	return err_set(r->err, ERR_INVAL, "resources[%zu].%s", r->resources_at, what);
}

static int check_members(struct reading *r, const struct json *object, const char *where, const char *const *names)
{
	if (!json_is(object, JSON_OBJECT))
		return wrong(r, "%s: must be an object", where);
	JSON_FOREACH (it, object) {
		const char *const *n = names;
		while (*n && !slice_is(it->key, *n))
			n++;
		if (!*n)
			return wrong(r, "%s: unknown field \"%.*s\"", where, SLICE_FMT(it->key));
	}
	return 0;
}

/* ---- resources ---- */

static int check_resource(struct reading *r, struct slice name)
{
	struct slice group = name, plural = slice_cut(&group, '.');
	bool has_star = memchr(name.ptr, '*', name.len) != NULL;
	bool is_wild =
	        slice_is(plural, "*") && group.ptr && (slice_is(group, "*") || !memchr(group.ptr, '*', group.len));
	if (!plural.len || memchr(name.ptr, '/', name.len) || (has_star && !is_wild))
		return wrong(r,
		        "resources: \"%.*s\": must be RESOURCE, RESOURCE.GROUP, *.GROUP, *. (the core group) or *.*",
		        SLICE_FMT(name));
	return 0;
}

static bool covers(struct slice pattern, struct slice group, struct slice plural)
{
	struct slice of = pattern, name = slice_cut(&of, '.');
	if (slice_is(name, "*"))
		return slice_is(of, "*") || slice_eq(of, group);
	return slice_eq(name, plural) && slice_eq(of, group);
}

/* One of two of a list that the other says already: it has no meaning of its own. */
static int check_overlap(struct reading *r, struct slice one, struct slice other)
{
	struct slice group = other, plural = slice_cut(&group, '.');
	if (slice_eq(one, other))
		return wrong(r, "resources: \"%.*s\" stands there twice", SLICE_FMT(one));
	if (!covers(one, group, plural))
		return 0;
	return wrong(r, "resources: \"%.*s\" is masked by \"%.*s\" in the same list", SLICE_FMT(other), SLICE_FMT(one));
}

static int read_resources(struct reading *r, const struct json *array)
{
	struct sealing_rule *rule = r->rule;
	if (!json_is(array, JSON_ARRAY) || !array->count)
		return wrong(r, "resources: must be a list of one resource at least");
	rule->resources = ARENA_ARRAY(&r->config->arena, struct slice, array->count);
	JSON_FOREACH (it, array) {
		if (it->type != JSON_STRING)
			return wrong(r, "resources: must be a list of strings");
		if (check_resource(r, it->text) != 0)
			return r->err->code;
		for (size_t i = 0; i < rule->n_resources; i++)
			if (check_overlap(r, rule->resources[i], it->text) != 0 ||
			        check_overlap(r, it->text, rule->resources[i]) != 0)
				return r->err->code;
		rule->resources[rule->n_resources++] = it->text;
	}
	return 0;
}

/* ---- providers ---- */

static int add_key(struct reading *r, struct sealing_key key)
{
	struct sealing_rule *rule = r->rule;
	if (rule->n_keys == KEYS_MAX)
		return wrong(r, "providers: at most %d keys", KEYS_MAX);
	for (size_t i = 0; i < rule->n_keys; i++)
		if (slice_eq(rule->keys[i].prefix, key.prefix))
			return key.is_identity ? wrong(r, "providers: identity stands there twice")
			                       : wrong(r, "providers[%zu]: two keys are named \"%.*s\"", r->provider_at,
			                                 SLICE_FMT(key.name));
	rule->keys[rule->n_keys++] = key;
	return 0;
}

static int read_key(struct reading *r, const char *provider, enum pki_cipher cipher, const struct json *v)
{
	static const char *const names[] = {"name", "secret", NULL};
	struct arena *a = &r->config->arena;
	struct sealing_key key = {.cipher = cipher, .name = json_get_str(v, "name")};
	if (check_members(r, v, "providers", names) != 0)
		return r->err->code;
	if (!key.name.len)
		return wrong(r, "providers[%zu].%s: a key needs a name", r->provider_at, provider);
	if (!base64_decode(a, json_get_str(v, "secret"), &key.secret) || !pki_cipher_takes(cipher, key.secret.len))
		return wrong(r, "providers[%zu].%s: the secret of key \"%.*s\" must be %s bytes in base64",
		        r->provider_at, provider, SLICE_FMT(key.name), cipher == PKI_SECRETBOX ? "32" : "16, 24 or 32");
	key.prefix = slice_of(arena_printf(a, SEALING_PREFIX "%s:v1:%.*s:", provider, SLICE_FMT(key.name)));
	return add_key(r, key);
}

static int read_keys(struct reading *r, const char *provider, enum pki_cipher cipher, const struct json *v)
{
	static const char *const names[] = {"keys", NULL};
	const struct json *keys = json_get(v, "keys");
	if (check_members(r, v, provider, names) != 0)
		return r->err->code;
	if (!json_is(keys, JSON_ARRAY) || !keys->count)
		return wrong(r, "providers[%zu].%s.keys: there must be one at least", r->provider_at, provider);
	JSON_FOREACH (it, keys)
		if (read_key(r, provider, cipher, it) != 0)
			return r->err->code;
	return 0;
}

static int read_timeout(struct reading *r, const struct json *v, unsigned *ret_ms)
{
	uint64_t ms = KMS_TIMEOUT_MS;
	if (v && (!json_is(v, JSON_STRING) || !duration_parse_ms(json_cstr(&r->config->arena, v), &ms) || !ms ||
	                 ms > KMS_TIMEOUT_MS_MAX))
		return wrong(r, "providers[%zu].kms.timeout: should be a positive value, like 3s, and at most a minute",
		        r->provider_at);
	*ret_ms = (unsigned)ms;
	return 0;
}

/* A plugin's name is a part of what is stored: no two have the same, unless they are one. */
static int check_kms_name(struct reading *r, struct slice name)
{
	if (!name.len)
		return wrong(r, "providers[%zu].kms.name: mandatory field", r->provider_at);
	if (memchr(name.ptr, ':', name.len))
		return wrong(r, "providers[%zu].kms.name: \"%.*s\": invalid KMS provider name: must not contain ':'",
		        r->provider_at, SLICE_FMT(name));
	return 0;
}

static int read_kms(struct reading *r, const struct json *v)
{
	static const char *const names[] = {"apiVersion", "name", "endpoint", "timeout", "cachesize", NULL};
	struct arena *a = &r->config->arena;
	struct slice version = json_get_str(v, "apiVersion"), endpoint = json_get_str(v, "endpoint");
	struct kms_config *c = ARENA_NEW(a, struct kms_config);
	struct sealing_key key = {.name = json_get_str(v, "name"), .kms = c};
	if (check_members(r, v, "kms", names) != 0 || check_kms_name(r, key.name) != 0)
		return r->err->code;
	if (!version.len || slice_is(version, "v1"))
		return err_set(r->err, ERR_UNIMPLEMENTED,
		        "resources[%zu].providers[%zu].kms: apiVersion v1 is deprecated, off in Kubernetes 1.32, and "
		        "not "
		        "built: it asks the plugin for every value. Use apiVersion: v2",
		        r->resources_at, r->provider_at);
	if (!slice_is(version, "v2"))
		return wrong(r, "providers[%zu].kms.apiVersion: unsupported apiVersion \"%.*s\": it is v2",
		        r->provider_at, SLICE_FMT(version));
	if (json_get(v, "cachesize"))
		return wrong(r, "providers[%zu].kms.cachesize: cachesize is not supported in v2", r->provider_at);
	if (!slice_starts(endpoint, "unix:///"))
		return wrong(r, "providers[%zu].kms.endpoint: \"%.*s\": must be unix:///PATH of a socket",
		        r->provider_at, SLICE_FMT(endpoint));
	c->name = json_cstr(a, json_get(v, "name"));
	c->socket = json_cstr(a, json_get(v, "endpoint")) + strlen("unix://");
	key.prefix = slice_of(arena_printf(a, SEALING_PREFIX "kms:v2:%s:", c->name));
	return read_timeout(r, json_get(v, "timeout"), &c->timeout_ms) == 0 ? add_key(r, key) : r->err->code;
}

static int read_provider(struct reading *r, const struct json *v)
{
	static const char *const none[] = {NULL};
	if (!json_is(v, JSON_OBJECT) || v->count != 1)
		return wrong(
		        r, "providers[%zu]: must have one of aescbc, aesgcm, secretbox, identity, kms", r->provider_at);
	struct slice name = v->first->key;
	if (slice_is(name, "kms"))
		return read_kms(r, v->first);
	if (slice_is(name, "identity")) {
		struct sealing_key plain = {.is_identity = true, .prefix = SLICE("")};
		return check_members(r, v->first, "identity", none) == 0 ? add_key(r, plain) : r->err->code;
	}
	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		if (slice_is(name, ciphers[i].name))
			return read_keys(r, ciphers[i].name, ciphers[i].cipher, v->first);
	return wrong(r, "providers[%zu]: \"%.*s\" is none of aescbc, aesgcm, secretbox, identity, kms", r->provider_at,
	        SLICE_FMT(name));
}

static int read_rule(struct reading *r, const struct json *v)
{
	static const char *const names[] = {"resources", "providers", NULL};
	const struct json *providers = json_get(v, "providers");
	if (check_members(r, v, "", names) != 0 || read_resources(r, json_get(v, "resources")) != 0)
		return r->err->code;
	if (!json_is(providers, JSON_ARRAY) || !providers->count)
		return wrong(r, "providers: there must be one at least");
	r->rule->keys = ARENA_ARRAY(&r->config->arena, struct sealing_key, KEYS_MAX);
	r->provider_at = 0;
	JSON_FOREACH (it, providers) {
		if (read_provider(r, it) != 0)
			return r->err->code;
		r->provider_at++;
	}
	return 0;
}

static int read_config(struct sealing_config *c, const struct json *tree, struct err *err)
{
	static const char *const names[] = {"apiVersion", "kind", "resources", NULL};
	struct reading r = {.config = c, .err = err};
	const struct json *list = json_get(tree, "resources");
	if (!slice_is(json_get_str(tree, "apiVersion"), "apiserver.config.k8s.io/v1") ||
	        !slice_is(json_get_str(tree, "kind"), "EncryptionConfiguration"))
		return wrong(
		        &r, "it must be of apiVersion apiserver.config.k8s.io/v1 and kind EncryptionConfiguration");
	if (check_members(&r, tree, "the configuration", names) != 0)
		return err->code;
	if (!json_is(list, JSON_ARRAY) || !list->count)
		return wrong(&r, "resources: there must be one at least");
	c->rules = ARENA_ARRAY(&c->arena, struct sealing_rule, list->count);
	JSON_FOREACH (it, list) {
		r.resources_at = c->n_rules;
		r.rule = &c->rules[c->n_rules++];
		if (read_rule(&r, it) != 0)
			return err->code;
	}
	return 0;
}

int sealing_config_parse(struct slice text, struct sealing_config **ret, struct err *err)
{
	struct sealing_config *c = xcalloc(1, sizeof *c);
	const struct json *tree = yaml_parse(&c->arena, text, NULL, err);
	if (!tree || read_config(c, tree, err) != 0) {
		sealing_config_free(c);
		return err_wrap(err, "encryption configuration");
	}
	pki_sha256_hex(text.ptr, text.len, c->hash);
	*ret = c;
	return 0;
}

int sealing_config_load(const char *path, struct sealing_config **ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err_wrap(err, "encryption configuration");
	int rc = sealing_config_parse((struct slice){text, len}, ret, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

void sealing_config_free(struct sealing_config *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c);
}

/* ---- asking ---- */

const struct sealing_rule *sealing_config_find(const struct sealing_config *c, const char *group, const char *plural)
{
	DCHECK(group && plural);
	for (size_t i = 0; i < c->n_rules; i++)
		for (size_t k = 0; k < c->rules[i].n_resources; k++)
			if (covers(c->rules[i].resources[k], slice_of(group), slice_of(plural)))
				return &c->rules[i];
	return NULL;
}
