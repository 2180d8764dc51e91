/* See server_rotate.h.
 *
 * New CAs come in beside the old ones: the file of a CA becomes the new bundle with what was in the old one behind it,
 * so that clients with certificates of the old CA are still let in, and what servers show has the certificate behind it
 * by which the old CA vouches for the new. Everything is signed by the new one from then on. The hash of the CA in the
 * tokens changes. --force leaves the old ones out: then whoever knows them alone is shut out, and joins again.
 *
 * Service account tokens: the new key signs, and those of before still verify, unless forced.
 *
 * The CA by which servers know each other is changed in the same way, but never by force: a server must believe the
 * others before it can be told anything. Those that know the old one alone (they were down, or have not looked yet)
 * believe the new one because of the certificate behind it; those that have the new one believe the old, which stands
 * beside it. So no server is a stranger to another at any moment, and it does not matter when each of them takes it
 * over. --force with the CA that the peers have already forgets the old ones, when all servers are known to have it. */
#include "tools/k3x/keys/server_rotate.h"

#include "api/server/auth/identity/join_token.h"
#include "base/pki/pki.h"
#include "tools/k3x/keys/server_token.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- the token ---- */

static struct slice keep(struct server_settings *s, struct slice text)
{
	return (struct slice){arena_memdup(&s->arena, text.ptr, text.len), text.len};
}

static int read_file(struct server_settings *s, const char *place, const char **ret, struct err *err)
{
	char *text;
	if (pki_file_read(server_file(s, "%s", place), &text, NULL, err) != 0)
		return err->code;
	*ret = arena_strdup(&s->arena, text);
	free(text);
	return 0;
}

static int check_old(struct server_settings *s, const char *old, struct join_token *have, struct err *err)
{
	struct join_token t;
	const char *text;
	if (read_file(s, "server/token", &text, err) != 0 || join_token_parse(slice_of(text), have, err) != 0)
		return err->code;
	if (join_token_parse(slice_of(old), &t, err) != 0)
		return err_wrap(err, "--token");
	if (!pki_equal(t.secret, have->secret) || (*t.ca_hash && strcmp(t.ca_hash, have->ca_hash) != 0))
		return err_set(err, ERR_FORBIDDEN,
		        "--token is not the cluster's: the right one is in server/token on a "
		        "server");
	return 0;
}

static int check_new(
        struct server_settings *s, const struct join_token *t, const struct join_token *have, struct err *err)
{
	struct join_token agents;
	const char *text;
	if (t->is_bootstrap)
		return err_set(err, ERR_INVAL, "a bootstrap token is made by k3x token create");
	if (*t->ca_hash && strcmp(t->ca_hash, have->ca_hash) != 0)
		return err_set(err, ERR_INVAL, "it names the CA of another cluster: give the secret alone");
	if (pki_equal(t->secret, have->secret))
		return err_set(err, ERR_INVAL, "it is the one the cluster has");
	if (access(server_file(s, "server/agent-token"), F_OK) != 0)
		return 0;
	if (read_file(s, "server/agent-token", &text, err) != 0 || join_token_parse(slice_of(text), &agents, err) != 0)
		return err->code;
	return pki_equal(t->secret, agents.secret)
	               ? err_set(err, ERR_INVAL, "it is the agents' token, and who has that must not join servers")
	               : 0;
}

int server_rotate_token(
        struct server_settings *s, const char *old, const char *wanted, struct server_keys_change *ret, struct err *err)
{
	struct join_token have, t = {0};
	struct strbuf drawn = STRBUF_INIT;
	*ret = (struct server_keys_change){0};
	if (check_old(s, old, &have, err) != 0)
		return err->code;
	if (!wanted) {
		pki_random_hex(&drawn, 16);
		ret->secret = keep(s, strbuf_slice(&drawn));
		strbuf_release(&drawn);
		return 0;
	}
	if (join_token_parse(slice_of(wanted), &t, err) != 0 || check_new(s, &t, &have, err) != 0)
		return err_wrap(err, "--new-token");
	ret->secret = keep(s, t.secret);
	return 0;
}

/* ---- the CAs ---- */

static void put(struct server_keys_change *c, const char *place, struct slice text)
{
	c->keys[c->n++] = (struct server_key){place, text};
}

static int add_ca(struct server_settings *s, const char *name, const char *crt, const char *key, bool force,
        int64_t now_s, struct server_keys_change *c, struct err *err)
{
	struct pki_pair pair = {(char *)(uintptr_t)crt, (char *)(uintptr_t)key};
	struct strbuf merged = STRBUF_INIT;
	const char *old, *crt_place = arena_printf(&s->arena, "server/tls/%s.crt", name);
	if (!crt && !key)
		return 0;
	if (!crt || !key)
		return err_set(err, ERR_INVAL, "%s.%s is there without %s.%s: both are needed", name,
		        crt ? "crt" : "key", name, crt ? "key" : "crt");
	if (read_file(s, crt_place, &old, err) != 0)
		return err->code;
	if (pki_bundle_check(&pair, err) != 0 || (!force && pki_bundle_continues(&pair, old, err) != 0))
		return err_wrap(err, "%s.crt", name);
	pki_bundle_merge(&merged, crt, force ? "" : old, now_s);
	put(c, arena_printf(&s->arena, "server/tls/%s.key", name), slice_of(key));
	put(c, crt_place, keep(s, strbuf_slice(&merged)));
	strbuf_release(&merged);
	return 0;
}

static int add_service_key(
        struct server_settings *s, const char *pem, bool force, struct server_keys_change *c, struct err *err)
{
	static const char place[] = "server/tls/service.key";
	struct pki_key *key;
	const char *old;
	if (!pem)
		return 0;
	if (pki_key_load(pem, &key, err) != 0 || read_file(s, place, &old, err) != 0)
		return err_wrap(err, "service.key");
	bool is_private = pki_key_is_private(key);
	pki_key_free(key);
	if (!is_private)
		return err_set(err, ERR_INVAL, "service.key: its first key is no private one, and can't sign");
	put(c, place,
	        slice_of(force || strstr(pem, old) ? pem
	                                           : arena_printf(&s->arena, "%s%s%s", pem,
	                                                     slice_ends(slice_of(pem), "\n") ? "" : "\n", old)));
	return 0;
}

#define PEER_CA "etcd/peer-ca"

/* What servers were told under until now is what they are told under for ever: see server_keys.c. */
static int add_peer_ca(struct server_settings *s, const struct server_new_cas *n, int64_t now_s,
        struct server_keys_change *c, struct err *err)
{
	char new_hash[65], old_hash[65];
	struct slice seal;
	const char *old;
	if (!n->peer_ca && !n->peer_ca_key)
		return 0;
	if (n->force && n->peer_ca &&
	        (read_file(s, "server/tls/" PEER_CA ".crt", &old, err) != 0 ||
	                pki_fingerprint(old, old_hash, err) != 0 || pki_fingerprint(n->peer_ca, new_hash, err) != 0))
		return err_wrap(err, PEER_CA ".crt");
	if (n->force && n->peer_ca && strcmp(old_hash, new_hash) != 0)
		return err_set(err, ERR_INVAL,
		        PEER_CA ".crt: --force would make the servers strangers to each other before all have heard of "
		                "it. Rotate to it without --force (one that the old CA has cross-signed); once all "
		                "servers have it, the same with --force forgets the old one");
	if (add_ca(s, PEER_CA, n->peer_ca, n->peer_ca_key, n->force, now_s, c, err) != 0 ||
	        server_keys_read_seal(s, &seal, err) != 0)
		return err->code;
	put(c, SERVER_KEYS_SEAL_PLACE, seal);
	return 0;
}

/* The agents' token names the CA too; the servers' is made of the secret. */
static int rename_agent_token(
        struct server_settings *s, const struct server_new_cas *n, struct server_keys_change *c, struct err *err)
{
	struct join_token t;
	const char *text;
	char hash[65];
	if (!n->server_ca || access(server_file(s, "server/agent-token"), F_OK) != 0)
		return 0;
	if (read_file(s, "server/agent-token", &text, err) != 0 || join_token_parse(slice_of(text), &t, err) != 0)
		return err->code;
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->keys[i].place, "server/tls/server-ca.crt") == 0)
			pki_sha256_hex(c->keys[i].text.ptr, c->keys[i].text.len, hash);
	put(c, "server/agent-token",
	        slice_of(arena_printf(&s->arena, "K10%s::node:%.*s\n", hash, SLICE_FMT(t.secret))));
	return 0;
}

int server_rotate_cas(struct server_settings *s, const struct server_new_cas *n, int64_t now_s,
        struct server_keys_change *ret, struct err *err)
{
	*ret = (struct server_keys_change){0};
	if (add_ca(s, "server-ca", n->server_ca, n->server_ca_key, n->force, now_s, ret, err) != 0 ||
	        add_ca(s, "client-ca", n->client_ca, n->client_ca_key, n->force, now_s, ret, err) != 0 ||
	        add_ca(s, "request-header-ca", n->proxy_ca, n->proxy_ca_key, n->force, now_s, ret, err) != 0 ||
	        add_peer_ca(s, n, now_s, ret, err) != 0 ||
	        add_service_key(s, n->service_key, n->force, ret, err) != 0 || rename_agent_token(s, n, ret, err) != 0)
		return err->code;
	if (!ret->n)
		return err_set(err, ERR_INVAL,
		        "there is nothing to rotate to: server-ca.crt and .key, client-ca.crt and .key, "
		        "request-header-ca.crt and .key, etcd/peer-ca.crt and .key, service.key, or some of them, are "
		        "wanted");
	return 0;
}
