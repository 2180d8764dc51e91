/* See sealer.h.
 *
 * What can go wrong: a value by a key that is no longer (or not yet) in the configuration, or by a provider while there
 * is no configuration at all. Whoever reads it says so; nothing is ever taken for plain text that has a provider's
 * prefix, as a configuration that was lost would otherwise turn Secrets into garbage. */
#include "api/server/sealing/sealer.h"

#include "api/server/sealing/config.h"
#include "base/check.h"
#include "base/mem/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

struct sealer {
	const char *path;
	bool may_be_absent;
	struct sealing_config *config; /* NULL: there is none */
	struct stat seen;              /* zeroed: it was absent */
	uint64_t sealed, opened, failed, reloads, failed_reloads;
};

static int read_file(struct sealer *s, struct sealing_config **ret, struct err *err)
{
	*ret = NULL;
	s->seen = (struct stat){0};
	if (!s->path || (stat(s->path, &s->seen) != 0 && s->may_be_absent))
		return 0;
	return sealing_config_load(s->path, ret, err);
}

int sealer_new(const char *path, bool may_be_absent, struct sealer **ret, struct err *err)
{
	struct sealer *s = xcalloc(1, sizeof *s);
	s->path = path;
	s->may_be_absent = may_be_absent;
	if (read_file(s, &s->config, err) != 0) {
		free(s);
		return err->code;
	}
	*ret = s;
	return 0;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
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
	if (read_file(s, &now, err) != 0) {
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
	struct stat now = {0};
	if (!s->path || stat(s->path, &now) != 0)
		return s->path && s->seen.st_ino;
	return now.st_ino != s->seen.st_ino || now.st_size != s->seen.st_size ||
	       now.st_mtim.tv_sec != s->seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != s->seen.st_mtim.tv_nsec;
}

/* ---- values ---- */

static const struct sealing_rule *rule_of(const struct sealer *s, const struct resource *r)
{
	return s->config ? sealing_config_find(s->config, r->group, r->plural) : NULL;
}

/* Never 0, which is plain text. */
static uint32_t number_of(const struct sealing_key *k)
{
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
		if (pki_cipher_open(k->cipher, k->secret, key, sealed, scratch, err) != 0)
			continue;
		s->opened++;
		*ret = strbuf_slice(scratch);
		*ret_seal = number_of(k);
		return 0;
	}
	return fail(s, key, stored, err);
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
