/* See login.h. */
#include "net/ingress/serve/login.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/map.h"
#include "base/pki/pki.h"
#include "base/rt/pool.h"
#include "net/ingress/serve/htpasswd.h"

#include <stdlib.h>

enum { THREADS = 1, WAITING_MAX = 64, KNOWN_MS = 60000, DIGEST_CHARS = 65 };

struct known {
	struct slice key;
	uint64_t until_ms;
};

struct logins {
	struct loop *loop;
	struct pool *pool;
	struct map known; /* digest -> struct known */
};

struct login {
	struct pool_work work;
	struct logins *all;
	char *password, *hash;
	char digest[DIGEST_CHARS];
	bool is_right;
	void (*told)(void *arg, bool is_right); /* NULL: forgotten */
	void *arg;
};

struct logins *logins_new(struct loop *loop)
{
	struct logins *l = xcalloc(1, sizeof *l);
	l->loop = loop;
	l->pool = pool_new("passwords", THREADS, WAITING_MAX);
	return l;
}

static void forget_known(struct logins *l)
{
	MAP_FOREACH (it, &l->known)
		free(it->value);
	map_release(&l->known);
}

void logins_free(struct logins *l)
{
	pool_free(l->pool);
	forget_known(l);
	free(l);
}

static void remember(struct logins *l, const char *digest)
{
	struct known *k = map_get(&l->known, slice_of(digest));
	if (!k && l->known.count >= INGRESS_LOGINS_MAX)
		forget_known(l);
	if (!k) {
		k = MAP_ENTRY_NEW(struct known, key, slice_of(digest));
		map_put(&l->known, k->key, k);
	}
	k->until_ms = loop_now_ms(l->loop) + KNOWN_MS;
}

static void free_login(struct login *k)
{
	free(k->password);
	free(k->hash);
	free(k);
}

static void work(struct pool_work *w)
{
	struct login *k = CONTAINER_OF(w, struct login, work);
	k->is_right = htpasswd_check(slice_of(k->password), slice_of(k->hash));
}

static void done(struct pool_work *w)
{
	struct login *k = CONTAINER_OF(w, struct login, work);
	if (k->is_right)
		remember(k->all, k->digest);
	if (k->told)
		k->told(k->arg, k->is_right);
	free_login(k);
}

static void make_digest(const struct login_request *r, struct slice user, struct slice password, struct slice hash,
        char ret[DIGEST_CHARS])
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%.*s%c%.*s%c%.*s%c%.*s", SLICE_FMT(r->secret), 0, SLICE_FMT(user), 0, SLICE_FMT(hash), 0,
	        SLICE_FMT(password));
	pki_sha256_hex(b.data, b.len, ret);
	strbuf_release(&b);
}

static enum login_answer check(struct logins *l, const struct login_request *r, struct slice password,
        struct slice hash, const char *digest, struct login **ret)
{
	struct login *k = xcalloc(1, sizeof *k);
	k->all = l;
	k->password = xmemdup(password.ptr, password.len);
	k->hash = xmemdup(hash.ptr, hash.len);
	memcpy(k->digest, digest, DIGEST_CHARS);
	k->told = r->told;
	k->arg = r->arg;
	if (!pool_submit(l->pool, &k->work, l->loop, work, done)) {
		free_login(k);
		return LOGIN_BUSY;
	}
	*ret = k;
	return LOGIN_LATER;
}

enum login_answer login_ask(struct logins *l, const struct login_request *r, struct login **ret)
{
	struct arena a = ARENA_INIT;
	struct slice user, password;
	char digest[DIGEST_CHARS];
	enum login_answer answer = LOGIN_WRONG;
	bool has = basic_credentials(&a, r->authorization, &user, &password);
	struct slice hash = has ? htpasswd_find(r->file, user) : SLICE_NULL;
	LOOP_CHECK_OWNER(l->loop);
	if (hash.len) {
		make_digest(r, user, password, hash, digest);
		const struct known *k = map_get(&l->known, slice_of(digest));
		bool is_known = k && k->until_ms > loop_now_ms(l->loop);
		answer = is_known ? LOGIN_RIGHT : check(l, r, password, hash, digest, ret);
	}
	arena_release(&a);
	return answer;
}

void login_forget(struct login *k)
{
	k->told = NULL;
}
