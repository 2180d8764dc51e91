/* The keeper, over a store of one: keys come into it, certificates are renewed while it runs, a change of the token is
 * followed; by another server's keeper too, which was not there when it was made. Time is what the test says. */
#include "tools/k3x/keys/server_keeper.h"

#include "api/server/join/words.h"
#include "base/clock.h"
#include "base/pki/pki.h"
#include "store/ask.h"
#include "tests/unit/unit.h"
#include "tools/k3x/keys/server_pki.h"
#include "tools/k3x/keys/server_rotate.h"
#include "tools/k3x/server_store.h"
#include "tools/k3x/keys/server_token.h"

#include <pthread.h>
#include <unistd.h>

static char folder[64];
static struct server_settings s;
static struct engine *store;
static struct err err;
static _Atomic int64_t ahead_s;

/* What the keeper says, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t said = PTHREAD_COND_INITIALIZER;
static unsigned leaves, keys, warnings;

static int64_t later(void)
{
	return clock_wall_s() + ahead_s;
}

static void changed(void *arg, unsigned some_leaves, unsigned some_keys)
{
	pthread_mutex_lock(&lock);
	leaves |= some_leaves;
	keys |= some_keys;
	pthread_cond_broadcast(&said);
	pthread_mutex_unlock(&lock);
}

static void warn(void *arg, const char *reason, const char *message)
{
	assert_string_equal(reason, "CertificateExpirationWarning");
	pthread_mutex_lock(&lock);
	warnings++;
	pthread_cond_broadcast(&said);
	pthread_mutex_unlock(&lock);
}

static void wait_until_at_least(const unsigned *what, unsigned n)
{
	pthread_mutex_lock(&lock);
	while (*what < n)
		pthread_cond_wait(&said, &lock);
	pthread_mutex_unlock(&lock);
}

static int set_up(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-keeper-XXXXXX");
	assert_non_null(mkdtemp(folder));
	s = (struct server_settings){.data_dir = folder,
	        .node_name = "a",
	        .node_ip = "10.0.0.1",
	        .advertise_address = "10.0.0.1",
	        .cluster_domain = "cluster.local",
	        .service_cidr = "10.43.0.0/16",
	        .member_id = 1};
	err = ERR_INIT;
	leaves = keys = warnings = 0;
	ahead_s = 0;
	if (server_make_folders(&s, &err) != 0 || server_pki_prepare(&s, clock_wall_s(), 0, NULL, &err) != 0)
		return -1;
	struct raft_engine_options o = {.data_dir = server_file(&s, "server/db")};
	return raft_engine_open_alone(&o, &store, &err);
}

static int tear_down(void **state)
{
	char command[96];
	store_close(store);
	arena_release(&s.arena);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

static struct keeper *start(void)
{
	return keeper_start(&(struct keeper_options){
	        .settings = &s, .store = store, .changed = changed, .warn = warn, .now_s = later});
}

static bool has_in_store(const char *key, struct slice *ret, struct arena *a)
{
	struct store_question q = {.req.type = STORE_REQUEST_SYSTEM_READ};
	q.req.system.prefix = slice_of(key);
	assert_int_equal(store_ask(store, &q), 0);
	bool has = q.req.system.n_entries == 1;
	if (has)
		*ret = (struct slice){
		        arena_memdup(a, q.req.system.entries[0].value.ptr, q.req.system.entries[0].value.len),
		        q.req.system.entries[0].value.len};
	store_request_release(&q.req);
	return has;
}

static void certificates_are_renewed_while_it_runs(void **state)
{
	unsigned made = 0;
	struct keeper *k = start();
	ahead_s = 280 * 86400;
	assert_int_equal(keeper_renew(k, 0, &made, &err), 0); /* none in particular: what is due then */
	assert_int_equal(made, (1 << SERVER_LEAVES) - 1 - (1 << SERVER_LEAF_PEER));
	wait_until_at_least(&leaves, 1);
	assert_int_equal(leaves, made);
	keeper_stop(k);
}

static void an_end_that_comes_near_is_told(void **state)
{
	ahead_s = 330 * 86400;
	struct keeper *k = start();
	wait_until_at_least(&warnings, 6); /* each that a renewal should have taken care of */
	keeper_stop(k);
	assert_int_equal(warnings, 6);
}

static void a_new_token_is_followed(void **state)
{
	struct arena a = ARENA_INIT;
	struct server_keys_change c;
	struct slice secret, sealed, newer;
	struct strbuf plain = STRBUF_INIT;
	char *text;
	struct keeper *k = start();
	assert_int_equal(server_token_secret(&s, &secret, &err), 0);
	const char *old = arena_printf(&a, "%.*s", SLICE_FMT(secret));
	assert_int_equal(server_rotate_token(&s, "another-one", NULL, &c, &err), ERR_FORBIDDEN);
	assert_int_equal(server_rotate_token(&s, old, old, &c, &err), ERR_INVAL);
	assert_int_equal(server_rotate_token(&s, old, "x", &c, &err), ERR_INVAL);
	assert_int_equal(
	        server_rotate_token(&s, old, "abcdef.0123456789abcdef", &c, &err), 0); /* a secret like others */
	assert_int_equal(server_rotate_token(&s, old, NULL, &c, &err), 0);
	assert_int_equal(c.secret.len, 32);
	assert_int_equal(server_rotate_token(&s, old, "the-new-one", &c, &err), 0);
	err = ERR_INIT;
	if (keeper_change(k, &c, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(keys, SERVER_KEYS_TOKEN);
	assert_int_equal(server_token_secret(&s, &secret, &err), 0);
	assert_true(slice_is(secret, "the-new-one"));
	assert_int_equal(pki_file_read(server_file(&s, "server/node-token"), &text, NULL, &err), 0);
	assert_non_null(strstr(text, "::server:the-new-one\n"));
	free(text);
	assert_true(has_in_store(JOIN_KEYS_KEY, &sealed, &a) && has_in_store(SERVER_KEYS_NEWER_KEY, &newer, &a));
	assert_int_equal(pki_unseal(slice_of(old), sealed, &plain, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(pki_unseal(SLICE("the-new-one"), sealed, &plain, &err), 0);
	assert_null(strstr(strbuf_cstr(&plain), "the-new-one")); /* who joins knows it */
	keeper_stop(k);

	/* One that slept has the old one in its files, and is told by the store. */
	const char *slept = arena_printf(&a, "K10%064d::server:%s\n", 0, old);
	assert_int_equal(pki_file_write(server_file(&s, "server/token"), slice_of(slept), 0600, &err), 0);
	leaves = keys = 0;
	k = start();
	wait_until_at_least(&keys, 1);
	keeper_stop(k);
	assert_int_equal(server_token_secret(&s, &secret, &err), 0);
	assert_true(slice_is(secret, "the-new-one"));
	strbuf_release(&plain);
	arena_release(&a);
}

static void after_a_restore_the_files_are_right(void **state)
{
	struct arena a = ARENA_INIT;
	struct slice unused;
	unsigned made;
	struct keeper *k = start();
	struct server_keys_change c = {.secret = SLICE("of-a-snapshot")};
	assert_int_equal(keeper_change(k, &c, &err), 0);
	keeper_stop(k);
	c.secret = SLICE("of-the-files");
	char *text = xprintf("K10%064d::server:of-the-files\n", 0);
	pki_file_write(server_file(&s, "server/token"), slice_of(text), 0600, &err);
	pki_file_write(server_file(&s, SERVER_OWN_KEYS_MARK), SLICE("\n"), 0600, &err);
	free(text);
	k = start();
	assert_int_equal(keeper_renew(k, 0, &made, &err), 0); /* it has had its first turn then */
	keeper_stop(k);
	assert_int_equal(server_token_secret(&s, &unused, &err), 0);
	assert_true(slice_is(unused, "of-the-files"));
	assert_false(has_in_store(SERVER_KEYS_NEWER_KEY, &unused, &a));
	assert_int_not_equal(access(server_file(&s, SERVER_OWN_KEYS_MARK), F_OK), 0);
	struct strbuf plain = STRBUF_INIT;
	assert_true(has_in_store(JOIN_KEYS_KEY, &unused, &a));
	assert_int_equal(pki_unseal(SLICE("of-the-files"), unused, &plain, &err), 0);
	strbuf_release(&plain);
	arena_release(&a);
}

static void new_cas_come_beside_the_old_ones(void **state)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	struct server_keys_change c;
	char *old, *bundle;
	struct keeper *k = start();
	assert_int_equal(pki_ca_new("strange", &ca, &err), 0);
	struct server_new_cas n = {.server_ca = ca.certificate_pem, .server_ca_key = ca.key_pem};
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), ERR_UNAUTHENTICATED);
	n.server_ca_key = NULL;
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), ERR_INVAL);
	n = (struct server_new_cas){.force = true};
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), ERR_INVAL);
	n = (struct server_new_cas){.service_key = "nothing"};
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), ERR_INVAL);
	n = (struct server_new_cas){.server_ca = ca.certificate_pem, .server_ca_key = ca.key_pem, .force = true};
	assert_int_equal(pki_file_read(server_file(&s, "server/tls/server-ca.crt"), &old, NULL, &err), 0);
	err = ERR_INIT;
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), 0);
	if (keeper_change(k, &c, &err) != 0)
		fail_msg("%s", err.msg);
	keeper_stop(k);
	assert_int_equal(keys, SERVER_KEYS_SERVER_CA);
	assert_int_equal(leaves, 1 << SERVER_LEAF_API_SERVING | 1 << SERVER_LEAF_KUBELET_SERVING);
	assert_int_equal(pki_file_read(server_file(&s, "server/tls/server-ca.crt"), &bundle, NULL, &err), 0);
	assert_string_equal(bundle, ca.certificate_pem); /* forced: the old one is out */
	assert_string_not_equal(bundle, old);
	free(old);
	free(bundle);
	pki_pair_release(&ca);
}

static void servers_are_never_made_strangers_by_force(void **state)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	struct server_keys_change c;
	struct slice seal;
	char *own, *own_key;
	assert_int_equal(pki_ca_new("strange", &ca, &err), 0);
	struct server_new_cas n = {.peer_ca = ca.certificate_pem, .peer_ca_key = ca.key_pem, .force = true};
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "strangers"));
	n.force = false;
	err = ERR_INIT;
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(pki_file_read(server_file(&s, "server/tls/etcd/peer-ca.crt"), &own, NULL, &err), 0);
	assert_int_equal(pki_file_read(server_file(&s, "server/tls/etcd/peer-ca.key"), &own_key, NULL, &err), 0);
	n = (struct server_new_cas){.peer_ca = own, .peer_ca_key = own_key, .force = true};
	err = ERR_INIT;
	assert_int_equal(server_rotate_cas(&s, &n, clock_wall_s(), &c, &err), 0); /* the one they have */
	assert_int_equal(server_keys_read_seal(&s, &seal, &err), 0);
	assert_true(slice_is(seal, own_key));
	struct keeper *k = start();
	assert_int_equal(keeper_change(k, &c, &err), 0);
	keeper_stop(k);
	assert_int_equal(
	        pki_file_write(server_file(&s, "server/tls/etcd/peer-ca.key"), SLICE("another"), 0600, &err), 0);
	assert_int_equal(server_keys_read_seal(&s, &seal, &err), 0);
	assert_true(slice_is(seal, own_key)); /* whatever CA the peers have */
	free(own);
	free(own_key);
	pki_pair_release(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(certificates_are_renewed_while_it_runs, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(an_end_that_comes_near_is_told, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_new_token_is_followed, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(after_a_restore_the_files_are_right, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(new_cas_come_beside_the_old_ones, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(servers_are_never_made_strangers_by_force, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
