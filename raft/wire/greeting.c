/* See greeting.h. What can go wrong is only what the other end sends. */
#include "raft/wire/greeting.h"

#include "base/check.h"
#include "base/pki/pki.h"

#define CHALLENGE_MAGIC "X3xchal1"
#define PROVEN_MAGIC "X3xauth1"
#define PROOF_MAGIC "X3xprof1"
enum { MAGIC_BYTES = 8, MAC_BYTES = 32 };
_Static_assert(sizeof CHALLENGE_MAGIC - 1 == MAGIC_BYTES && sizeof PROVEN_MAGIC - 1 == MAGIC_BYTES &&
                       sizeof PROOF_MAGIC - 1 == MAGIC_BYTES,
        "magics are of one length");

static const char its_secret[] = "it does not know this cluster's secret (--peer-secret-file)";

/* `role` keeps an answer of one end from being sent back as one of the other. */
static void sign(struct slice secret, const char *role, const unsigned char *challenge, const unsigned char *nonce,
        struct slice hello, unsigned char ret[MAC_BYTES])
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, role);
	strbuf_add(&b, challenge, GREETING_NONCE_BYTES);
	strbuf_add(&b, nonce, GREETING_NONCE_BYTES);
	strbuf_add_slice(&b, hello);
	pki_hmac_sha256(secret, strbuf_slice(&b), ret);
	strbuf_release(&b);
}

/* In constant time: how long it takes says nothing of where they differ. */
static bool is_same(const unsigned char *a, const unsigned char *b)
{
	unsigned char differ = 0;
	for (size_t i = 0; i < MAC_BYTES; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

/* ---- the end that calls ---- */

void caller_begin(struct caller *c, struct slice secret, const struct wire_hello *hello, struct strbuf *out)
{
	*c = (struct caller){.secret = secret, .state = secret.len ? CALLER_AWAITS_CHALLENGE : CALLER_DONE};
	wire_hello_encode(&c->hello, hello);
	if (!secret.len)
		strbuf_add_slice(out, strbuf_slice(&c->hello));
}

static void prove(struct caller *c, struct strbuf *out)
{
	unsigned char mac[MAC_BYTES];
	pki_random(c->nonce, sizeof c->nonce);
	sign(c->secret, "caller", c->challenge, c->nonce, strbuf_slice(&c->hello), mac);
	strbuf_adds(out, PROVEN_MAGIC);
	strbuf_add(out, c->nonce, sizeof c->nonce);
	strbuf_add(out, mac, sizeof mac);
	strbuf_add_slice(out, strbuf_slice(&c->hello));
}

int caller_take(struct caller *c, struct slice payload, struct strbuf *out, struct err *err)
{
	unsigned char mac[MAC_BYTES];
	CHECK(c->state != CALLER_DONE && c->secret.len > 0); /* without one nothing is proven */
	if (c->state == CALLER_AWAITS_CHALLENGE) {
		if (payload.len != MAGIC_BYTES + sizeof c->challenge || !slice_starts(payload, CHALLENGE_MAGIC))
			return err_set(err, ERR_PROTOCOL, "it asks for no proof of the cluster's secret");
		memcpy(c->challenge, payload.ptr + MAGIC_BYTES, sizeof c->challenge);
		prove(c, out);
		c->state = CALLER_AWAITS_PROOF;
		return 0;
	}
	sign(c->secret, "called", c->challenge, c->nonce, SLICE(""), mac);
	if (payload.len != MAGIC_BYTES + sizeof mac || !slice_starts(payload, PROOF_MAGIC) ||
	        !is_same(mac, (const unsigned char *)payload.ptr + MAGIC_BYTES))
		return err_set(err, ERR_PROTOCOL, "%s", its_secret);
	c->state = CALLER_DONE;
	return 0;
}

void caller_release(struct caller *c)
{
	strbuf_release(&c->hello);
}

/* ---- the end that is called ---- */

void called_begin(struct called *c, struct slice secret, struct strbuf *out)
{
	*c = (struct called){.secret = secret};
	if (!secret.len)
		return;
	pki_random(c->challenge, sizeof c->challenge);
	strbuf_adds(out, CHALLENGE_MAGIC);
	strbuf_add(out, c->challenge, sizeof c->challenge);
}

static int check_proven(struct called *c, struct slice *payload, struct strbuf *out, struct err *err)
{
	enum { HEAD = MAGIC_BYTES + GREETING_NONCE_BYTES + MAC_BYTES };
	unsigned char nonce[GREETING_NONCE_BYTES], mac[MAC_BYTES];
	CHECK(c->secret.len > 0);
	if (payload->len < HEAD || !slice_starts(*payload, PROVEN_MAGIC))
		return err_set(err, ERR_PROTOCOL, "%s", its_secret);
	struct slice hello = {payload->ptr + HEAD, payload->len - HEAD};
	memcpy(nonce, payload->ptr + MAGIC_BYTES, sizeof nonce);
	sign(c->secret, "caller", c->challenge, nonce, hello, mac);
	if (!is_same(mac, (const unsigned char *)payload->ptr + MAGIC_BYTES + sizeof nonce))
		return err_set(err, ERR_PROTOCOL, "%s", its_secret);
	sign(c->secret, "called", c->challenge, nonce, SLICE(""), mac);
	strbuf_adds(out, PROOF_MAGIC);
	strbuf_add(out, mac, sizeof mac);
	*payload = hello;
	return 0;
}

int called_take(struct called *c, struct slice payload, struct wire_hello *ret, struct strbuf *out, struct err *err)
{
	if (c->secret.len && check_proven(c, &payload, out, err) != 0)
		return err->code;
	if (!c->secret.len && slice_starts(payload, PROVEN_MAGIC))
		return err_set(
		        err, ERR_PROTOCOL, "it proves a secret that this server was not given (--peer-secret-file)");
	return wire_hello_decode(payload, ret, err);
}
