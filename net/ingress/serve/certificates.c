/* See certificates.h. */
#include "net/ingress/serve/certificates.h"

#include "base/check.h"
#include "base/pki/pki.h"
#include "base/wire/tls.h"

#include <ctype.h>
#include <stdlib.h>

struct secret {
	struct slice key;
	struct tls_context *tls;
};

struct certificates {
	struct tls_context *own;
	struct map secrets; /* "ns/name" -> struct secret */
	const struct route_table *table;
};

static struct tls_context *pick(void *arg, const char *server_name)
{
	struct certificates *c = arg;
	char name[256];
	size_t n = 0;
	for (; server_name[n] && n < sizeof name - 1; n++)
		name[n] = (char)tolower((unsigned char)server_name[n]);
	struct slice key = c->table ? route_table_secret(c->table, (struct slice){name, n}) : SLICE_NULL;
	const struct secret *s = key.len ? map_get(&c->secrets, key) : NULL;
	return s ? s->tls : NULL;
}

static int make_own(struct tls_options *o, struct pki_pair *pair, struct err *err)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	const char *const names[] = {"k3x.default"};
	struct pki_request r = {.common_name = "k3x default certificate",
	        .names = names,
	        .names_count = 1,
	        .is_server = true,
	        .days = PKI_CA_DAYS - 1};
	int rc = pki_ca_new("k3x ingress", &ca, err);
	if (rc == 0)
		rc = pki_issue(&ca, &r, pair, err);
	pki_pair_release(&ca);
	o->certificate_pem = pair->certificate_pem;
	o->key_pem = pair->key_pem;
	return rc;
}

int certificates_new(const char *certificate_file, const char *key_file, struct certificates **ret, struct err *err)
{
	struct certificates *c = xcalloc(1, sizeof *c);
	struct pki_pair pair = PKI_PAIR_INIT;
	struct tls_options o = {.is_server = true,
	        .pick = pick,
	        .pick_arg = c,
	        .certificate_file = certificate_file,
	        .key_file = key_file};
	int rc = certificate_file ? 0 : make_own(&o, &pair, err);
	if (rc == 0)
		rc = tls_context_new(&o, &c->own, err);
	pki_pair_release(&pair);
	if (rc != 0)
		free(c);
	else
		*ret = c;
	return rc;
}

void certificates_free(struct certificates *c)
{
	MAP_FOREACH (it, &c->secrets) {
		struct secret *s = it->value;
		tls_context_unref(s->tls);
		free(s);
	}
	map_release(&c->secrets);
	tls_context_unref(c->own);
	free(c);
}

struct tls_context *certificates_context(struct certificates *c)
{
	return c->own;
}

void certificates_drop(struct certificates *c, struct slice key)
{
	struct secret *s = map_del(&c->secrets, key);
	if (!s)
		return;
	tls_context_unref(s->tls);
	free(s);
}

bool certificates_have(const struct certificates *c, struct slice key)
{
	return map_get(&c->secrets, key) != NULL;
}

int certificates_set(
        struct certificates *c, struct slice key, const char *certificate_pem, const char *key_pem, struct err *err)
{
	struct tls_options o = {.is_server = true, .certificate_pem = certificate_pem, .key_pem = key_pem};
	struct tls_context *tls = NULL;
	int rc = tls_context_new(&o, &tls, err);
	certificates_drop(c, key);
	if (rc != 0)
		return rc;
	struct secret *s = MAP_ENTRY_NEW(struct secret, key, key);
	s->tls = tls;
	map_put(&c->secrets, s->key, s);
	return 0;
}

void certificates_follow(struct certificates *c, const struct route_table *t)
{
	c->table = t;
}
