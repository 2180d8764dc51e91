/* See token_cache.h. A table with one place per slot: a newcomer takes the place of whoever has it. The hash is keyed,
 * so that nobody can choose whom his token puts out. */
#include "api/server/auth/identity/token_cache.h"

#include "base/check.h"
#include "base/pki/pki.h"

#include <stdlib.h>

enum { SLOTS = 1024, SECRET_BYTES = 32 };

struct slot {
	unsigned char hash[32];
	uint64_t until_ms; /* 0: free */
	struct user *user;
	uint32_t note;
};

struct token_cache {
	unsigned char secret[SECRET_BYTES];
	struct slot slots[SLOTS];
};

struct token_cache *token_cache_new(void)
{
	struct token_cache *c = xcalloc(1, sizeof *c);
	pki_random(c->secret, sizeof c->secret);
	return c;
}

void token_cache_free(struct token_cache *c)
{
	for (size_t i = 0; c && i < SLOTS; i++)
		user_unref(c->slots[i].user);
	free(c);
}

void token_cache_hash(
        const struct token_cache *c, struct slice token, const struct slice *audiences, size_t n, unsigned char ret[32])
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%zu:", token.len);
	strbuf_add_slice(&b, token);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(&b, "%zu:", audiences[i].len);
		strbuf_add_slice(&b, audiences[i]);
	}
	pki_hmac_sha256((struct slice){(const char *)c->secret, SECRET_BYTES}, strbuf_slice(&b), ret);
}

static struct slot *slot_of(struct token_cache *c, const unsigned char hash[32])
{
	return &c->slots[(hash[0] | hash[1] << 8) % SLOTS];
}

bool token_cache_get(
        struct token_cache *c, const unsigned char hash[32], uint64_t now_ms, struct user **ret, uint32_t *ret_note)
{
	struct slot *s = slot_of(c, hash);
	if (s->until_ms <= now_ms || memcmp(s->hash, hash, 32) != 0)
		return false;
	*ret_note = s->note;
	*ret = s->user ? user_ref(s->user) : NULL;
	return true;
}

void token_cache_put(
        struct token_cache *c, const unsigned char hash[32], uint64_t until_ms, struct user *user, uint32_t note)
{
	struct slot *s = slot_of(c, hash);
	user_unref(s->user);
	memcpy(s->hash, hash, 32);
	s->until_ms = until_ms;
	s->note = note;
	s->user = user ? user_ref(user) : NULL;
}
