/* An issuer: its document, its keys, who waits while they are fetched, and what happens when they are another's. The
 * issuer is a server of our own. */
#include "api/server/auth/identity/oidc.h"
#include "base/wire/outgoing.h"
#include "tests/unit/base/wire/wire_test.h"

#include "base/check.h"
#include "base/clock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

static struct http_server *server;
static struct outgoing_pool *pool;
static struct oidc *oidc;
static struct jwt_rules rules;
static struct pki_key *key;
static int closed, documents, key_sets;
static const char *claimed_issuer; /* in the document; NULL: the real one */
static char url[64];
static struct arena arena;

static void count_close(void *arg)
{
	closed++;
}

static void handler(struct http_exchange *x, void *arg)
{
	struct strbuf b = STRBUF_INIT;
	if (slice_is(http_request(x)->path, "/.well-known/openid-configuration")) {
		documents++;
		strbuf_addf(
		        &b, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s/keys\"}", claimed_issuer ? claimed_issuer : url, url);
	} else {
		key_sets++;
		strbuf_adds(&b, "{\"keys\":[");
		assert_int_equal(pki_key_jwk(key, &b, &err), 0);
		strbuf_adds(&b, "]}");
	}
	http_respond_strbuf(x, 200, &b);
}

static int setup(void **state)
{
	static const char *const audiences[] = {"k3x"};
	struct http_server_options o = {.loop = &loop, .handler = handler, .tls = server_tls};
	char *pem;
	loop_begin();
	closed = documents = key_sets = 0;
	claimed_issuer = NULL;
	assert_int_equal(pki_key_generate(&pem, &err), 0);
	assert_int_equal(pki_key_load(pem, &key, &err), 0);
	free(pem);
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	snprintf(url, sizeof url, "https://localhost:%d", http_server_port(server));
	pool = outgoing_pool_new(&loop);
	rules = (struct jwt_rules){.issuer_url = url,
	        .ca_pem = ca.certificate_pem,
	        .audiences = audiences,
	        .n_audiences = 1,
	        .username = {"sub", "", NULL}};
	assert_int_equal(oidc_new(&loop, pool, &rules, &oidc, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	outgoing_pool_close(pool, count_close, NULL);
	WAIT_FOR(closed == 1);
	assert_true(oidc_is_idle(oidc));
	oidc_free(oidc);
	http_server_close(server, 0, count_close, NULL);
	WAIT_FOR(closed == 2);
	loop_finish();
	pki_key_free(key);
	arena_release(&arena);
	return 0;
}

struct question {
	struct token_question q;
	struct err err;
	int answers, rc;
};

static void told(struct token_question *q, const struct err *why)
{
	struct question *x = q->arg;
	x->err = *why;
	x->answers++;
}

static void ask(struct question *x, const struct pki_key *signer, const char *sub)
{
	CLEANUP(cleanup_strbuf) struct strbuf token = STRBUF_INIT, claims = STRBUF_INIT;
	strbuf_addf(&claims, "{\"iss\":\"%s\",\"aud\":\"k3x\",\"sub\":\"%s\",\"exp\":%" PRId64 "}", url, sub,
	        clock_wall_s() + 60);
	assert_int_equal(jwt_sign(signer, strbuf_slice(&claims), &token, &err), 0);
	*x = (struct question){.q = {.arena = &arena, .step = told}};
	x->q.token = (struct slice){arena_memdup(&arena, token.data, token.len), token.len};
	x->q.arg = x;
	x->rc = oidc_ask(oidc, &x->q, &x->err);
}

static void tokens_wait_for_the_keys_that_are_fetched_once(void **state)
{
	struct question a, b, c;
	ask(&a, key, "ann");
	ask(&b, key, "bob");
	assert_true(a.rc == AUTHN_LATER && b.rc == AUTHN_LATER);
	WAIT_FOR(a.answers && b.answers);
	assert_true(a.err.code == 0 && slice_is(a.q.user->name, "ann") && slice_is(b.q.user->name, "bob"));
	ask(&c, key, "eve");
	assert_true(c.rc == 0 && slice_is(c.q.user->name, "eve"));
	assert_true(documents == 1 && key_sets == 1);
	assert_true(oidc_is_of(oidc, slice_of(url)) && !oidc_is_of(oidc, SLICE("https://localhost")));
	user_unref(a.q.user);
	user_unref(b.q.user);
	user_unref(c.q.user);
}

static void a_strangers_key_is_refused_without_a_flood_of_fetches(void **state)
{
	struct pki_key *other;
	struct question x;
	char *pem;
	assert_int_equal(pki_key_generate(&pem, &err), 0);
	assert_int_equal(pki_key_load(pem, &other, &err), 0);
	for (int i = 0; i < 5; i++) {
		ask(&x, other, "mallory");
		if (x.rc == AUTHN_LATER)
			WAIT_FOR(x.answers);
		assert_int_equal(x.err.code, ERR_UNAUTHENTICATED);
	}
	assert_int_equal(documents, 1);
	pki_key_free(other);
	free(pem);
}

static void the_document_of_another_issuer_is_refused(void **state)
{
	struct question x;
	claimed_issuer = "https://elsewhere";
	ask(&x, key, "ann");
	WAIT_FOR(x.answers);
	assert_int_equal(x.err.code, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(x.err.msg, "the discovery document is of another issuer"));
	assert_int_equal(key_sets, 0);
}

static int begin(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	make_identities();
	return 0;
}

static int finish(void **state)
{
	drop_identities();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(tokens_wait_for_the_keys_that_are_fetched_once, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_strangers_key_is_refused_without_a_flood_of_fetches, setup, teardown),
	        cmocka_unit_test_setup_teardown(the_document_of_another_issuer_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
