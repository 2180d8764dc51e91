/* Extenders of a KubeSchedulerConfiguration, see configuration.h. Checked as upstream's validateExtenders() does it,
 * and what there fails at the first call, a URL that is none or half of a key pair, is refused here at the start. */
#include "api/scheduler/configuration/configuration_int.h"

#include "api/machinery/rules/names.h"
#include "api/scheduler/extenders/extender_wire.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/time/duration.h"
#include "base/pki/pki.h"
#include "base/wire/outgoing.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 5000, TIMEOUT_MS_MAX = 3600 * 1000, TEXT_MAX = 4096 };

/* ---- values ---- */

/* NULL for what is empty. Of printable characters without spaces: all of them are names, paths and URLs. */
static int read_text(struct reading *r, const struct json *value, const char *where, const char **ret)
{
	struct slice text = json_str(value);
	bool is_good = text.len <= TEXT_MAX;
	for (size_t i = 0; i < text.len; i++)
		is_good = is_good && (unsigned char)text.ptr[i] > ' ' && text.ptr[i] != 127;
	if (!is_good || (!json_is(value, JSON_STRING) && !json_is(value, JSON_NULL)))
		return configuration_bad(r, where, "a text without spaces");
	*ret = text.len ? json_cstr(r->a, value) : NULL;
	return 0;
}

static int read_bool(struct reading *r, const struct json *value, const char *where, bool *ret)
{
	if (!json_is(value, JSON_BOOL))
		return configuration_bad(r, where, "true or false");
	*ret = value->boolean;
	return 0;
}

/* PEM in base64, as Go has its bytes. */
static int read_pem(struct reading *r, const struct json *value, const char *where, const char **ret)
{
	struct slice pem;
	if (!json_is(value, JSON_STRING) || !base64_decode(r->a, json_str(value), &pem) ||
	        (pem.len && memchr(pem.ptr, 0, pem.len)))
		return configuration_bad(r, where, "PEM in base64");
	*ret = pem.len ? pem.ptr : NULL;
	return 0;
}

#define READER(name, read_value, member) \
	static int name(struct reading *r, const struct json *value, const char *where) \
	{ \
		return read_value(r, value, where, &r->extender->member); \
	}
READER(read_url_prefix, read_text, url_prefix)
READER(read_filter, read_text, filter_verb)
READER(read_prioritize, read_text, prioritize_verb)
READER(read_preempt, read_text, preempt_verb)
READER(read_bind, read_text, bind_verb)
READER(read_enable_https, read_bool, enables_https)
READER(read_cache_capable, read_bool, knows_nodes)
READER(read_ignorable, read_bool, is_ignorable)
READER(read_insecure, read_bool, is_insecure)
READER(read_server_name, read_text, server_name)
READER(read_ca_file, read_text, ca_file)
READER(read_certificate_file, read_text, certificate_file)
READER(read_key_file, read_text, key_file)
READER(read_ca, read_pem, ca_pem)
READER(read_certificate, read_pem, certificate_pem)
READER(read_key, read_pem, key_pem)
#undef READER

static int read_weight(struct reading *r, const struct json *value, const char *where)
{
	return configuration_read_count(r, value, where, 0, INT32_MAX, &r->extender->weight);
}

static int read_timeout(struct reading *r, const struct json *value, const char *where)
{
	uint64_t ms;
	if (!json_is(value, JSON_STRING) || !duration_parse_ms(json_cstr(r->a, value), &ms) || ms > TIMEOUT_MS_MAX)
		return configuration_bad(r, where, "a duration of an hour at the most, as \"5s\"");
	r->extender->timeout_ms = ms ? ms : TIMEOUT_MS;
	return 0;
}

static int read_tls(struct reading *r, const struct json *value, const char *where)
{
	static const struct member members[] = {{"insecure", read_insecure}, {"serverName", read_server_name},
	        {"certFile", read_certificate_file}, {"keyFile", read_key_file}, {"caFile", read_ca_file},
	        {"certData", read_certificate}, {"keyData", read_key}, {"caData", read_ca}};
	if (json_is(value, JSON_NULL))
		return 0;
	if (configuration_read_object(r, value, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	const struct scheduler_extender *x = r->extender;
	if (!(x->certificate_pem || x->certificate_file) != !(x->key_pem || x->key_file))
		return configuration_bad(r, where, "of a certificate with its key, or of neither");
	if (x->is_insecure && (x->ca_pem || x->ca_file))
		return configuration_bad(r, where, "insecure or with a CA, not both");
	return 0;
}

/* ---- managed resources ---- */

/* Upstream's IsExtendedResourceName(): of somebody's domain that is not kubernetes.io. */
static bool is_extended(struct reading *r, struct slice name)
{
	const char *quota = arena_printf(r->a, "requests.%.*s", SLICE_FMT(name));
	return memchr(name.ptr, '/', name.len) && !memmem(name.ptr, name.len, "kubernetes.io/", 14) &&
	       !slice_starts(name, "requests.") && !check_qualified_name(slice_of(quota));
}

static bool is_taken(const struct reading *r, const char *name)
{
	const struct scheduler_configuration *all = r->all;
	for (size_t i = 0; i < all->n_extenders; i++) /* the one that is read among them */
		for (size_t k = 0; k < all->extenders[i].n_resources; k++)
			if (strcmp(all->extenders[i].resources[k], name) == 0)
				return true;
	return false;
}

static int read_resource(struct reading *r, const struct json *value, const char *where)
{
	struct slice name = json_get_str(value, "name");
	const struct json *ignored = json_get(value, "ignoredByScheduler");
	const char *here = arena_printf(r->a, "%s.name", where);
	bool is_ignored = false;
	JSON_FOREACH (it, value)
		if (!slice_is(it->key, "name") && !slice_is(it->key, "ignoredByScheduler"))
			return configuration_bad(r, where, "made of name and ignoredByScheduler");
	const char *why = name.len ? check_qualified_name(name) : "it is missing";
	if (why)
		return err_set(r->err, ERR_INVAL, "scheduler configuration: %s: %s", here, why);
	if (!is_extended(r, name))
		return configuration_bad(r, here, "the name of an extended resource, as \"example.com/name\"");
	const char *text = arena_memdup(r->a, name.ptr, name.len);
	if (is_taken(r, text))
		return err_set(r->err, ERR_INVAL, "scheduler configuration: %s: \"%s\" is managed already", here, text);
	if (ignored && read_bool(r, ignored, arena_printf(r->a, "%s.ignoredByScheduler", where), &is_ignored) != 0)
		return r->err->code;
	((const char **)r->extender->resources)[r->extender->n_resources++] = text;
	if (is_ignored)
		r->left_out[r->n_left_out++] = text;
	return 0;
}

static int read_resources(struct reading *r, const struct json *value, const char *where)
{
	if (json_is(value, JSON_NULL))
		return 0;
	const char **left_out = ARENA_ARRAY(r->a, const char *, r->n_left_out + value->count + 1);
	for (size_t i = 0; i < r->n_left_out; i++)
		left_out[i] = r->left_out[i];
	r->left_out = left_out;
	r->extender->resources = ARENA_ARRAY(r->a, const char *, value->count + 1);
	return configuration_read_list(r, value, where, read_resource);
}

/* ---- the whole ---- */

static int check_extender(struct reading *r, const char *where)
{
	const struct scheduler_extender *x = r->extender;
	const char *path, *prefix = arena_printf(r->a, "%s.urlPrefix", where);
	if (!x->url_prefix)
		return configuration_bad(
		        r, prefix, "given: where the extender is, as \"http://127.0.0.1:8888/scheduler\"");
	if (outgoing_url_check(r->a, x->url_prefix, &path, r->err) != 0)
		return err_wrap(r->err, "scheduler configuration: %s", prefix);
	if (x->prioritize_verb && x->weight < 1)
		return configuration_bad(
		        r, arena_printf(r->a, "%s.weight", where), "at least 1, for it has a prioritizeVerb");
	for (size_t i = 0; x->bind_verb && i + 1 < r->all->n_extenders; i++)
		if (r->all->extenders[i].bind_verb)
			return err_set(r->err, ERR_INVAL,
			        "scheduler configuration: %s.bindVerb: only one extender can bind, and \"%s\" does",
			        where, r->all->extenders[i].url_prefix);
	return 0;
}

static int read_extender(struct reading *r, const struct json *value, const char *where)
{
	static const struct member members[] = {{"urlPrefix", read_url_prefix}, {"filterVerb", read_filter},
	        {"prioritizeVerb", read_prioritize}, {"preemptVerb", read_preempt}, {"bindVerb", read_bind},
	        {"weight", read_weight}, {"enableHTTPS", read_enable_https}, {"tlsConfig", read_tls},
	        {"httpTimeout", read_timeout}, {"nodeCacheCapable", read_cache_capable},
	        {"managedResources", read_resources}, {"ignorable", read_ignorable}};
	r->extender = &r->all->extenders[r->all->n_extenders++];
	r->extender->timeout_ms = TIMEOUT_MS;
	if (configuration_read_object(r, value, where, members, COUNT_OF(members)) != 0)
		return r->err->code;
	return check_extender(r, where);
}

int configuration_read_extenders(struct reading *r, const struct json *value, const char *where)
{
	struct scheduler_configuration *all = r->all;
	size_t n = 0;
	if (json_is(value, JSON_NULL))
		return 0;
	all->extenders = ARENA_ARRAY(r->a, struct scheduler_extender, value->count + 1);
	if (configuration_read_list(r, value, where, read_extender) != 0)
		return r->err->code;
	struct scheduler_extender *sorted = ARENA_ARRAY(r->a, struct scheduler_extender, all->n_extenders + 1);
	for (int ignorable = 0; ignorable < 2; ignorable++)
		for (size_t i = 0; i < all->n_extenders; i++)
			if (all->extenders[i].is_ignorable == ignorable)
				sorted[n++] = all->extenders[i];
	all->extenders = sorted;
	return 0;
}

/* ---- files ---- */

static int load(struct arena *a, const char *file, const char **pem, struct err *err)
{
	char *text;
	if (*pem || !file) /* data goes before files, as upstream */
		return 0;
	if (pki_file_read(file, &text, NULL, err) != 0)
		return err->code;
	*pem = arena_strdup(a, text);
	free(text);
	return 0;
}

int scheduler_configuration_load(struct arena *a, struct scheduler_configuration *c, struct err *err)
{
	for (size_t i = 0; i < c->n_extenders; i++) {
		struct scheduler_extender *x = &c->extenders[i];
		if (load(a, x->ca_file, &x->ca_pem, err) != 0 ||
		        load(a, x->certificate_file, &x->certificate_pem, err) != 0 ||
		        load(a, x->key_file, &x->key_pem, err) != 0)
			return err_wrap(err, "extender \"%s\"", x->url_prefix);
		struct outgoing_target target = extender_target(x);
		if (outgoing_target_check(a, &target, err) != 0)
			return err_wrap(err, "extender \"%s\"", x->url_prefix);
	}
	return 0;
}
