/* See server_encryption.h.
 *
 *     start -> prepare -> rotate -> (everything is written anew) -> reencrypt_finished -> prepare -> ...
 *
 * Between two stages all servers must have the same texts, for one that wrote with a key which another cannot read
 * would stop it; so a key reads everywhere before it writes anywhere. The configuration is one of kube-apiserver, in
 * k3s's shape: one rule, for secrets, and identity as its last provider (or its first: disabled). */
#include "tools/k3x/keys/server_encryption.h"

#include "api/server/sealing/config.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/json/json.h"
#include "base/pki/pki.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { KEY_BYTES = 32 };

static const struct {
	const char *provider, *type;
} types[] = {{"aescbc", "AES-CBC"}, {"aesgcm", "AES-GCM"}, {"secretbox", "XSalsa20-POLY1305"}};

static const char *const stages[] = {"start", "prepare", "rotate", "reencrypt_finished"};

/* ---- the tree ---- */

struct config {
	struct arena *a;
	struct json *tree;
	struct json *providers;
	struct slice stage;
};

static struct slice text_of(struct arena *a, const struct json *v)
{
	struct strbuf out = STRBUF_INIT;
	json_write(&out, v);
	struct slice text = {arena_memdup(a, out.data, out.len), out.len};
	strbuf_release(&out);
	return text;
}

static int check_provider(const char *provider, struct err *err)
{
	if (strcmp(provider, "aescbc") == 0 || strcmp(provider, "secretbox") == 0)
		return 0;
	return err_set(err, ERR_INVAL, "\"%s\" is no provider for secrets: aescbc or secretbox", provider);
}

static struct json *new_key(struct arena *a, const char *name)
{
	struct json *key = json_new(a, JSON_OBJECT);
	char secret[KEY_BYTES];
	pki_random(secret, sizeof secret);
	json_set_cstr(a, key, "name", name);
	json_set_str(a, key, "secret", base64_encode(a, (struct slice){secret, sizeof secret}));
	return key;
}

/* k3s has colons in the time, which are what ends a name where it is stored. */
static const char *key_name(struct arena *a, const char *provider, int64_t now_s)
{
	time_t s = (time_t)now_s;
	struct tm tm;
	char stamp[32];
	gmtime_r(&s, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H-%M-%SZ", &tm);
	return arena_printf(a, "%skey-%s", provider, stamp);
}

static struct json *new_provider(struct arena *a, const char *provider, struct json *key)
{
	struct json *v = json_new(a, JSON_OBJECT);
	json_append(json_need(a, json_need(a, v, provider, JSON_OBJECT), "keys", JSON_ARRAY), key);
	return v;
}

static struct json *identity(struct arena *a)
{
	struct json *v = json_new(a, JSON_OBJECT);
	json_need(a, v, "identity", JSON_OBJECT);
	return v;
}

static void fill_texts(const struct config *c, const char *stage, struct encryption_texts *ret)
{
	struct json *state = json_new(c->a, JSON_OBJECT);
	json_set_cstr(c->a, state, "stage", stage);
	ret->config = text_of(c->a, c->tree);
	ret->state = text_of(c->a, state);
}

int encryption_new(struct arena *a, const char *provider, int64_t now_s, struct encryption_texts *ret, struct err *err)
{
	struct config c = {.a = a, .tree = json_new(a, JSON_OBJECT)};
	(void)now_s;
	if (check_provider(provider, err) != 0)
		return err->code;
	json_set_cstr(a, c.tree, "kind", "EncryptionConfiguration");
	json_set_cstr(a, c.tree, "apiVersion", "apiserver.config.k8s.io/v1");
	struct json *rule = json_new(a, JSON_OBJECT);
	json_append(json_need(a, c.tree, "resources", JSON_ARRAY), rule);
	json_append(json_need(a, rule, "resources", JSON_ARRAY), json_new_cstr(a, "secrets"));
	struct json *providers = json_need(a, rule, "providers", JSON_ARRAY);
	json_append(providers, new_provider(a, provider, new_key(a, arena_printf(a, "%skey", provider))));
	json_append(providers, identity(a));
	fill_texts(&c, "start", ret);
	return 0;
}

/* What the API server would read; and then as a tree. */
static int parse(struct arena *a, const struct encryption_texts *now, struct config *ret, struct err *err)
{
	struct sealing_config *checked = NULL;
	if (sealing_config_parse(now->config, &checked, err) != 0)
		return err->code;
	sealing_config_free(checked);
	*ret = (struct config){.a = a, .tree = json_parse(a, now->config, NULL, err), .stage = SLICE("start")};
	if (!ret->tree)
		return err->code;
	struct json *rules = json_get(ret->tree, "resources");
	ret->providers = json_get(rules->first, "providers");
	if (rules->count != 1)
		return err_set(err, ERR_INVAL, ENCRYPTION_CONFIG_PLACE ": it has more than one rule, and is not k3x's");
	struct json *state = now->state.len ? json_parse(a, now->state, NULL, err) : NULL;
	if (state && json_get_str(state, "stage").len)
		ret->stage = json_get_str(state, "stage");
	return err->code;
}

static bool is_identity(const struct json *provider)
{
	return slice_is(provider->first->key, "identity");
}

static struct json *find_identity(const struct config *c)
{
	JSON_FOREACH (it, c->providers)
		if (is_identity(it))
			return it;
	return NULL;
}

static struct json *keys_of(const struct json *provider)
{
	return json_get(provider->first, "keys");
}

static bool has_key(const struct config *c, const char *name)
{
	JSON_FOREACH (provider, c->providers)
		JSON_FOREACH (key, is_identity(provider) ? NULL : keys_of(provider))
			if (slice_is(json_get_str(key, "name"), name))
				return true;
	return false;
}

/* ---- what is done ---- */

static void put_identity(const struct config *c, bool is_first)
{
	struct json *v = find_identity(c);
	if (v)
		json_remove(c->providers, v);
	else
		v = identity(c->a);
	json_insert(c->providers, is_first ? 0 : c->providers->count, v);
}

static void prepare(const struct config *c, const char *provider, int64_t now_s)
{
	while (has_key(c, key_name(c->a, provider, now_s))) /* the last change was in this second */
		now_s++;
	struct json *first = c->providers->first, *key = new_key(c->a, key_name(c->a, provider, now_s));
	if (slice_is(first->first->key, provider))
		json_insert(keys_of(first), 1, key);
	else
		json_insert(c->providers, 1, new_provider(c->a, provider, key));
}

/* The second key there is, wherever it stands, becomes the first. */
static int rotate(const struct config *c, struct err *err)
{
	struct json *first = c->providers->first, *keys = keys_of(first), *next = first->next;
	if (keys->count > 1) {
		struct json *key = json_at(keys, 1);
		json_remove(keys, key);
		json_insert(keys, 0, key);
		return 0;
	}
	if (!next || is_identity(next))
		return err_set(err, ERR_CONFLICT, "there is no second key: k3x secrets-encrypt prepare makes one");
	json_remove(c->providers, next);
	json_insert(c->providers, 0, next);
	return 0;
}

static void keep_first_key(const struct config *c)
{
	struct json *first = c->providers->first, *keys = keys_of(first);
	while (keys->count > 1)
		json_remove(keys, keys->last);
	while (first->next)
		json_remove(c->providers, first->next);
	json_append(c->providers, identity(c->a));
}

static int expect(
        const struct config *c, const char *what, bool is_forced, const char *one, const char *other, struct err *err)
{
	if (is_forced || slice_is(c->stage, one) || slice_is(c->stage, other))
		return 0;
	return err_set(
	        err, ERR_CONFLICT, "%s follows stage %s, and the cluster is at %.*s", what, one, SLICE_FMT(c->stage));
}

static int act(const struct config *c, const char *what, const char *provider, bool is_forced, int64_t now_s,
        const char **stage, struct err *err)
{
	bool is_enabled = !is_identity(c->providers->first);
	*stage = arena_memdup(c->a, c->stage.ptr, c->stage.len);
	if (strcmp(what, "enable") == 0 || strcmp(what, "disable") == 0) {
		if (expect(c, what, is_forced, "reencrypt_finished", "start", err) == 0)
			put_identity(c, strcmp(what, "disable") == 0);
		return err->code;
	}
	if (!is_enabled)
		return err_set(err, ERR_CONFLICT, "secrets are not encrypted: k3x secrets-encrypt enable comes first");
	if (strcmp(what, "prepare") == 0) {
		*stage = "prepare";
		if (expect(c, what, is_forced, "reencrypt_finished", "start", err) == 0)
			prepare(c,
			        provider ? provider
			                 : arena_memdup(c->a, c->providers->first->first->key.ptr,
			                           c->providers->first->first->key.len),
			        now_s);
	} else if (strcmp(what, "rotate") == 0) {
		*stage = "rotate";
		if (expect(c, what, is_forced, "prepare", "prepare", err) == 0)
			rotate(c, err);
	} else if (strcmp(what, "finish") == 0) {
		*stage = "reencrypt_finished";
		if (expect(c, "reencrypt", is_forced, "rotate", "rotate", err) == 0)
			keep_first_key(c);
	} else {
		return err_set(err, ERR_INVAL, "\"%s\" is nothing that is done to it", what);
	}
	return err->code;
}

int encryption_change(struct arena *a, const struct encryption_texts *now, const char *what, const char *provider,
        bool is_forced, int64_t now_s, struct encryption_texts *ret, struct err *err)
{
	struct config c;
	const char *stage;
	struct encryption_view checked;
	if (provider && check_provider(provider, err) != 0)
		return err->code;
	if (!now->config.len && strcmp(what, "enable") == 0)
		return encryption_new(a, provider ? provider : "aescbc", now_s, ret, err);
	if (!now->config.len)
		return err_set(err, ERR_CONFLICT,
		        "there is no encryption configuration: k3x secrets-encrypt enable makes one");
	if (parse(a, now, &c, err) != 0 || act(&c, what, provider, is_forced, now_s, &stage, err) != 0)
		return err->code;
	fill_texts(&c, stage, ret);
	return encryption_describe(a, ret, &checked, err);
}

/* ---- telling ---- */

static const char *type_of(struct slice provider)
{
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (slice_is(provider, types[i].provider))
			return types[i].type;
	return "?";
}

int encryption_describe(
        struct arena *a, const struct encryption_texts *now, struct encryption_view *ret, struct err *err)
{
	struct config c;
	char sum[65];
	*ret = (struct encryption_view){.stage = "start", .hash = ""};
	if (!now->config.len)
		return 0;
	if (parse(a, now, &c, err) != 0)
		return err->code;
	ret->is_there = true;
	ret->is_enabled = !is_identity(c.providers->first);
	for (size_t i = 0; i < COUNT_OF(stages); i++)
		if (slice_is(c.stage, stages[i]))
			ret->stage = stages[i];
	JSON_FOREACH (provider, c.providers)
		JSON_FOREACH (key, is_identity(provider) ? NULL : keys_of(provider)) {
			if (ret->n_keys == ENCRYPTION_KEYS_MAX)
				return err_set(err, ERR_INVAL, "there are more than %d keys", ENCRYPTION_KEYS_MAX);
			ret->keys[ret->n_keys].type = type_of(provider->first->key);
			ret->keys[ret->n_keys++].name = json_cstr(a, json_get(key, "name"));
		}
	pki_sha256_hex(now->config.ptr, now->config.len, sum);
	ret->hash = arena_printf(a, "%s-%s", ret->stage, sum);
	return 0;
}

/* ---- files ---- */

static int read_place(struct server_settings *s, const char *place, struct slice *ret, struct err *err)
{
	const char *path = server_file(s, "%s", place);
	char *text;
	size_t len;
	*ret = SLICE_NULL;
	if (access(path, F_OK) != 0)
		return 0;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err->code;
	*ret = (struct slice){arena_memdup(&s->arena, text, len), len};
	free(text);
	return 0;
}

int encryption_read(struct server_settings *s, struct encryption_texts *ret, struct err *err)
{
	return read_place(s, ENCRYPTION_CONFIG_PLACE, &ret->config, err) == 0
	               ? read_place(s, ENCRYPTION_STATE_PLACE, &ret->state, err)
	               : err->code;
}

int encryption_begin(struct server_settings *s, int64_t now_s, struct err *err)
{
	struct encryption_texts t;
	if (!s->secrets_encryption || access(server_file(s, ENCRYPTION_CONFIG_PLACE), F_OK) == 0 ||
	        access(server_file(s, "server/db/state.db"), F_OK) == 0)
		return 0;
	if (encryption_new(&s->arena, s->secrets_provider, now_s, &t, err) != 0)
		return err_wrap(err, "--secrets-encryption-provider");
	return pki_file_write(server_file(s, ENCRYPTION_STATE_PLACE), t.state, 0600, err) == 0
	               ? pki_file_write(server_file(s, ENCRYPTION_CONFIG_PLACE), t.config, 0600, err)
	               : err->code;
}
