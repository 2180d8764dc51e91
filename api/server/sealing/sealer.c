/* See sealer.h.
 *
 * What can go wrong: a value by a key that is no longer (or not yet) in the configuration, or by a provider while there
 * is no configuration at all. Whoever reads it says so; nothing is ever taken for plain text that has a provider's
 * prefix, as a configuration that was lost would otherwise turn Secrets into garbage. */
#include "api/server/sealing/sealer.h"

#include "api/server/sealing/config.h"
#include "base/check.h"
#include "base/file/file_stamp.h"
#include "base/mem/map.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PLUGINS_MAX = 16 };

struct sealer {
	const char *path;
	bool may_be_absent;
	struct sealing_config *config; /* NULL: there is none */
	struct file_stamp seen;        /* of the file */
	uint64_t sealed, opened, failed, reloads, failed_reloads;
	struct kms *plugins[PLUGINS_MAX]; /* of the configuration in use */
	size_t n_plugins;
	unsigned recoveries; /* of all of them, as last seen */
};

/* ---- plugins ---- */

static struct kms *find_plugin(const struct sealer *s, const struct kms_config *c)
{
	for (size_t i = 0; i < s->n_plugins; i++)
		if (kms_is_of(s->plugins[i], c))
			return s->plugins[i];
	return NULL;
}

/* Those that go on keep their seeds. */
static int link_plugins(const struct sealer *before, struct sealer *s, struct sealing_config *config, struct err *err)
{
	for (size_t i = 0; config && i < config->n_rules; i++)
		for (size_t k = 0; k < config->rules[i].n_keys; k++) {
			struct sealing_key *key = &config->rules[i].keys[k];
			if (!key->kms)
				continue;
			key->plugin = find_plugin(s, key->kms);
			if (key->plugin)
				continue;
			if (s->n_plugins == PLUGINS_MAX)
				return err_set(err, ERR_INVAL, "encryption configuration: more than %d kms providers",
				        PLUGINS_MAX);
			key->plugin = find_plugin(before, key->kms);
			if (!key->plugin)
				key->plugin = kms_new(key->kms);
			s->plugins[s->n_plugins++] = key->plugin;
		}
	return 0;
}

static void drop_plugins(const struct sealer *s, const struct sealer *but)
{
	for (size_t i = 0; i < s->n_plugins; i++) {
		bool stays = false;
		for (size_t k = 0; but && k < but->n_plugins; k++)
			stays = stays || but->plugins[k] == s->plugins[i];
		if (!stays)
			kms_free(s->plugins[i]);
	}
}

/* The plugins of a configuration that takes the place of the one before. */
static int take_plugins(struct sealer *s, struct sealing_config *config, struct err *err)
{
	struct sealer next = {.n_plugins = 0};
	if (link_plugins(s, &next, config, err) != 0) {
		drop_plugins(&next, s);
		return err->code;
	}
	drop_plugins(s, &next);
	memcpy(s->plugins, next.plugins, sizeof s->plugins);
	s->n_plugins = next.n_plugins;
	return 0;
}

bool sealer_plugin(const struct sealer *s, size_t i, const char **ret_why)
{
	if (i >= s->n_plugins)
		return false;
	if (kms_is_healthy(s->plugins[i], ret_why))
		*ret_why = NULL;
	return true;
}

bool sealer_has_recovered(struct sealer *s)
{
	unsigned n = 0;
	for (size_t i = 0; i < s->n_plugins; i++)
		n += kms_recoveries(s->plugins[i]);
	bool is_more = n != s->recoveries;
	s->recoveries = n;
	return is_more;
}

/* ---- the file ---- */

static int read_file(struct sealer *s, struct sealing_config **ret, struct err *err)
{
	*ret = NULL;
	s->seen = s->path ? file_stamp_of(s->path) : (struct file_stamp){0};
	if (!s->path || (!s->seen.inode && s->may_be_absent))
		return 0;
	return sealing_config_load(s->path, ret, err);
}

int sealer_new(const char *path, bool may_be_absent, struct sealer **ret, struct err *err)
{
	struct sealer *s = xcalloc(1, sizeof *s);
	s->path = path;
	s->may_be_absent = may_be_absent;
	if (read_file(s, &s->config, err) != 0 || take_plugins(s, s->config, err) != 0) {
		sealer_free(s);
		return err->code;
	}
	*ret = s;
	return 0;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	drop_plugins(s, NULL);
	sealing_config_free(s->config);
	free(s);
}

const char *sealer_hash(const struct sealer *s)
{
	return s->config ? s->config->hash : "";
}

int sealer_reload(struct sealer *s, bool *ret_changed, struct err *err)
{
	struct sealing_config *now;
	*ret_changed = false;
	if (read_file(s, &now, err) != 0 || take_plugins(s, now, err) != 0) {
		sealing_config_free(now);
		s->failed_reloads++;
		return err->code;
	}
	*ret_changed = strcmp(now ? now->hash : "", sealer_hash(s)) != 0;
	sealing_config_free(s->config);
	s->config = now;
	s->reloads += *ret_changed;
	return 0;
}

bool sealer_file_changed(const struct sealer *s)
{
	struct file_stamp now = s->path ? file_stamp_of(s->path) : s->seen;
	return !file_stamp_equal(&now, &s->seen);
}

/* ---- values ---- */

static const struct sealing_rule *rule_of(const struct sealer *s, const struct resource *r)
{
	return s->config ? sealing_config_find(s->config, r->group, r->plural) : NULL;
}

/* Never 0, which is plain text; but for a plugin that has not answered yet. */
static uint32_t number_of(const struct sealing_key *k)
{
	if (k->plugin)
		return kms_number(k->plugin);
	return k->is_identity ? 0 : (uint32_t)map_hash(k->prefix) | 1;
}

uint32_t sealer_seal_of(const struct sealer *s, const struct resource *r)
{
	const struct sealing_rule *rule = rule_of(s, r->storage);
	return rule ? number_of(&rule->keys[0]) : 0;
}

static bool has_prefix(struct slice text, struct slice prefix)
{
	return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

/* As much of the text as says who wrote it: four words with a colon behind each. */
static struct slice writer_of(struct slice text)
{
	size_t n = 0, colons = 0;
	for (; n < text.len && n < 100 && colons < 5; n++)
		colons += text.ptr[n] == ':';
	return (struct slice){text.ptr, n};
}

static int fail(struct sealer *s, struct slice key, struct slice stored, struct err *err)
{
	struct slice writer = writer_of(stored);
	s->failed++;
	if (!err->code)
		return err_set(err, ERR_CORRUPT,
		        "%.*s is stored encrypted (%.*s), and no provider of the encryption configuration reads that: "
		        "put "
		        "the key back into it",
		        SLICE_FMT(key), SLICE_FMT(writer));
	return err_wrap(err, "%.*s (%.*s)", SLICE_FMT(key), SLICE_FMT(writer));
}

int sealer_open(struct sealer *s, const struct resource *r, struct slice key, struct slice stored,
        struct strbuf *scratch, struct slice *ret, uint32_t *ret_seal, struct err *err)
{
	*ret = stored;
	*ret_seal = 0;
	if (!slice_starts(stored, SEALING_PREFIX))
		return 0;
	const struct sealing_rule *rule = rule_of(s, r->storage);
	for (size_t i = 0; rule && i < rule->n_keys; i++) {
		const struct sealing_key *k = &rule->keys[i];
		if (k->is_identity || !has_prefix(stored, k->prefix))
			continue;
		struct slice sealed = {stored.ptr + k->prefix.len, stored.len - k->prefix.len};
		strbuf_reset(scratch);
		*err = ERR_INIT; /* a name may be the beginning of another's */
		*ret_seal = k->plugin ? 0 : number_of(k);
		if ((k->plugin ? kms_open(k->plugin, key, sealed, scratch, ret_seal, err)
		               : pki_cipher_open(k->cipher, k->secret, key, sealed, scratch, err)) != 0)
			continue;
		s->opened++;
		*ret = strbuf_slice(scratch);
		return 0;
	}
	return fail(s, key, stored, err);
}

int sealer_may_seal(const struct sealer *s, const struct resource *r, struct err *err)
{
	const struct sealing_rule *rule = rule_of(s, r->storage);
	return rule && rule->keys[0].plugin ? kms_may_seal(rule->keys[0].plugin, err) : 0;
}

struct slice sealer_seal(
        struct sealer *s, struct arena *a, const struct resource *r, struct slice key, struct slice plain)
{
	const struct sealing_rule *rule = rule_of(s, r->storage);
	const struct sealing_key *k = rule ? &rule->keys[0] : NULL;
	if (!k || k->is_identity)
		return plain;
	struct strbuf out = STRBUF_INIT;
	strbuf_reserve(&out, k->prefix.len + plain.len + 64);
	strbuf_add_slice(&out, k->prefix);
	if (k->plugin)
		kms_seal(k->plugin, key, plain, &out);
	else
		pki_cipher_seal(k->cipher, k->secret, key, plain, &out);
	struct slice sealed = {arena_memdup(a, out.data, out.len), out.len};
	strbuf_release(&out);
	s->sealed++;
	return sealed;
}

void sealer_metrics(const struct sealer *s, struct strbuf *out)
{
	static const char name[] = "apiserver_storage_transformation_operations_total";
	strbuf_addf(out,
	        "# TYPE %s counter\n%s{transformation_type=\"to_storage\",status=\"OK\"} %" PRIu64
	        "\n%s{transformation_type=\"from_storage\",status=\"OK\"} %" PRIu64
	        "\n%s{transformation_type=\"from_storage\",status=\"failed\"} %" PRIu64 "\n",
	        name, name, s->sealed, name, s->opened, name, s->failed);
	strbuf_addf(out,
	        "# TYPE apiserver_encryption_config_controller_automatic_reloads_total counter\n"
	        "apiserver_encryption_config_controller_automatic_reloads_total{status=\"success\"} %" PRIu64
	        "\napiserver_encryption_config_controller_automatic_reloads_total{status=\"failure\"} %" PRIu64 "\n",
	        s->reloads, s->failed_reloads);
	if (s->config)
		strbuf_addf(out,
		        "# TYPE apiserver_encryption_config_controller_last_config_info gauge\n"
		        "apiserver_encryption_config_controller_last_config_info{hash=\"sha256:%s\"} 1\n",
		        s->config->hash);
}
