/* A server's certificates over the years: made once, renewed when it is time or when somebody says so. */
#include "tools/k3x/keys/server_pki.h"

#include "base/clock.h"
#include "base/pki/pki.h"
#include "tests/unit/unit.h"
#include "tools/k3x/keys/server_certs.h"

#include <unistd.h>

enum { ALL_BUT_PEER = (1 << SERVER_LEAVES) - 1 - (1 << SERVER_LEAF_PEER), DAY_S = 86400 };
static char folder[64];
static struct server_settings s;
static struct err err;

static int set_up(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-pki-XXXXXX");
	assert_non_null(mkdtemp(folder));
	s = (struct server_settings){.data_dir = folder,
	        .node_name = "a",
	        .node_ip = "10.0.0.1",
	        .advertise_address = "10.0.0.1",
	        .cluster_domain = "cluster.local",
	        .service_cidr = "10.43.0.0/16",
	        .member_id = 1};
	err = ERR_INIT;
	return server_make_folders(&s, &err);
}

static int tear_down(void **state)
{
	char command[96];
	snprintf(command, sizeof command, "rm -r %s", folder);
	arena_release(&s.arena);
	return system(command);
}

static unsigned prepare(int64_t now_s, unsigned anew)
{
	unsigned made = 0;
	if (server_pki_prepare(&s, now_s, anew, &made, &err) != 0)
		fail_msg("%s", err.msg);
	return made;
}

static void they_are_made_once_and_renewed_when_a_quarter_is_left(void **state)
{
	int64_t now = clock_wall_s();
	assert_int_equal(prepare(now, 0), ALL_BUT_PEER);
	assert_int_equal(prepare(now, 0), 0);
	assert_int_equal(prepare(now + 270 * DAY_S, 0), 0);
	assert_int_equal(prepare(now + 280 * DAY_S, 0), ALL_BUT_PEER);
	s.has_peers = true;
	assert_int_equal(prepare(now, 0), 1 << SERVER_LEAF_PEER);
}

static void those_that_somebody_wants_are_made_anew(void **state)
{
	int64_t now = clock_wall_s();
	char *before, *after;
	prepare(now, 0);
	const char *file = server_file(&s, "%s.crt", server_leaves[SERVER_LEAF_ADMIN].place);
	assert_int_equal(pki_file_read(file, &before, NULL, &err), 0);
	assert_int_equal(prepare(now, 1 << SERVER_LEAF_ADMIN), 1 << SERVER_LEAF_ADMIN);
	assert_int_equal(pki_file_read(file, &after, NULL, &err), 0);
	assert_string_not_equal(before, after);
	free(before);
	free(after);
}

struct counts {
	unsigned n, of[3];
};

static void count(void *arg, const struct server_certificate *c)
{
	struct counts *k = arg;
	k->n++;
	k->of[c->status]++;
	assert_non_null(c->service);
	assert_true(*c->info.subject && c->info.uses);
}

static struct counts look(int64_t now_s)
{
	struct counts k = {0};
	server_certificates_each(&s, now_s, count, &k);
	return k;
}

static void their_end_is_seen_coming(void **state)
{
	int64_t now = clock_wall_s();
	prepare(now, 0);
	struct counts k = look(now);
	assert_int_equal(k.n, 6 + 4);
	assert_int_equal(k.of[SERVER_CERTIFICATE_OK], 10);
	k = look(now + 330 * DAY_S); /* the last eighth of a year */
	assert_int_equal(k.of[SERVER_CERTIFICATE_NEAR_END], 6);
	k = look(now + 3400 * DAY_S);
	assert_int_equal(k.of[SERVER_CERTIFICATE_NEAR_END], 4);
	assert_int_equal(k.of[SERVER_CERTIFICATE_OVER], 6);
}

static void services_are_known_by_k3s_names(void **state)
{
	unsigned bits;
	assert_int_equal(server_certificates_of("kubelet", &bits, &err), 0);
	assert_int_equal(bits, 1 << SERVER_LEAF_KUBELET_SERVING | 1 << SERVER_LEAF_KUBELET_CLIENT);
	assert_int_equal(server_certificates_of(NULL, &bits, &err), 0);
	assert_int_equal(bits, (1 << SERVER_LEAVES) - 1);
	assert_int_equal(server_certificates_of("scheduler", &bits, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "part of the server"));
	assert_int_equal(server_certificates_of("x", &bits, &err), ERR_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(
	                they_are_made_once_and_renewed_when_a_quarter_is_left, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(those_that_somebody_wants_are_made_anew, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(their_end_is_seen_coming, set_up, tear_down),
	        cmocka_unit_test(services_are_known_by_k3s_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
