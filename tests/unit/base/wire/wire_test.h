/* What the tests of wire share: a loop driven by hand, and certificates made for the run. */
#ifndef K3X_TESTS_WIRE_TEST_H
#define K3X_TESTS_WIRE_TEST_H

#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "base/wire/http.h"
#include "base/wire/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop loop;
static struct pki_pair ca, server_pair, client_pair;
static struct tls_context *server_tls, *client_tls, *anonymous_tls, *stranger_tls;
static struct err err;

static inline void loop_begin(void)
{
	loop_init(&loop, "test");
	loop.owner = pthread_self();
	atomic_store(&loop.owned, true);
}

/* Turns the loop until the condition holds; fails after ten seconds. */
#define WAIT_FOR(cond) \
	do { \
		uint64_t end_ = uv_hrtime() + 10000000000u; \
		while (!(cond) && uv_hrtime() < end_) \
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT); \
		assert_true(cond); \
	} while (0)

static inline void loop_finish(void)
{
	loop_stop(&loop);
	uv_run(loop_uv(&loop), UV_RUN_DEFAULT);
	loop_release(&loop);
}

static inline void make_identities(void)
{
	const char *names[] = {"localhost", "127.0.0.1"}, *orgs[] = {"system:masters", "devs"};
	struct pki_request s = {.common_name = "server", .names = names, .names_count = 2, .is_server = true};
	struct pki_request c = {
	        .common_name = "admin", .organizations = orgs, .organizations_count = 2, .is_client = true};
	struct pki_pair other_ca, stranger;
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	assert_int_equal(pki_ca_new("other", &other_ca, &err), 0);
	assert_int_equal(pki_issue(&ca, &s, &server_pair, &err), 0);
	assert_int_equal(pki_issue(&ca, &c, &client_pair, &err), 0);
	assert_int_equal(pki_issue(&other_ca, &c, &stranger, &err), 0);
	struct tls_options so = {.is_server = true,
	        .certificate_pem = server_pair.certificate_pem,
	        .key_pem = server_pair.key_pem,
	        .ca_pem = ca.certificate_pem};
	struct tls_options co = {.certificate_pem = client_pair.certificate_pem,
	        .key_pem = client_pair.key_pem,
	        .ca_pem = ca.certificate_pem};
	struct tls_options ao = {.ca_pem = ca.certificate_pem};
	struct tls_options xo = {
	        .certificate_pem = stranger.certificate_pem, .key_pem = stranger.key_pem, .ca_pem = ca.certificate_pem};
	assert_int_equal(tls_context_new(&so, &server_tls, &err), 0);
	assert_int_equal(tls_context_new(&co, &client_tls, &err), 0);
	assert_int_equal(tls_context_new(&ao, &anonymous_tls, &err), 0);
	assert_int_equal(tls_context_new(&xo, &stranger_tls, &err), 0);
	pki_pair_release(&other_ca);
	pki_pair_release(&stranger);
}

static inline void drop_identities(void)
{
	tls_context_unref(server_tls);
	tls_context_unref(client_tls);
	tls_context_unref(anonymous_tls);
	tls_context_unref(stranger_tls);
	pki_pair_release(&ca);
	pki_pair_release(&server_pair);
	pki_pair_release(&client_pair);
}

#endif
