/* What each signer signs. */
#include "api/machinery/rules/groups/signers.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct signer_request of(const char *signer, const char *name, const char *organization, const char *usages)
{
	struct signer_request r = {.signer = slice_of(signer), .username = slice_of(name)};
	struct slice rest = slice_of(usages);
	r.info.common_name = slice_of(name);
	if (organization)
		r.info.organizations[r.info.n_organizations++] = slice_of(organization);
	while (rest.ptr)
		r.usages[r.n_usages++] = slice_cut(&rest, ',');
	return r;
}

#define CLIENT "client auth,digital signature,key encipherment"
#define SERVER "server auth,digital signature"
#define NODE "system:node:n"

static void a_client_is_anybody_for_clients_usages(void **state)
{
	struct signer_request r = of(SIGNER_CLIENT, "jane", "devs", "client auth");
	assert_null(signer_check(&r));
	r = of(SIGNER_CLIENT, "jane", NULL, "digital signature");
	assert_non_null(signer_check(&r));
	r = of(SIGNER_CLIENT, "jane", NULL, "client auth,server auth");
	assert_non_null(signer_check(&r));
}

static void a_kubelet_is_a_node_and_nothing_else(void **state)
{
	struct signer_request r = of(SIGNER_KUBELET_CLIENT, NODE, "system:nodes", CLIENT);
	assert_null(signer_check(&r));
	r.info.n_dns = 1;
	assert_non_null(signer_check(&r));
	r = of(SIGNER_KUBELET_CLIENT, "system:node:", "system:nodes", CLIENT);
	assert_non_null(signer_check(&r));
	r = of(SIGNER_KUBELET_CLIENT, NODE, "system:masters", CLIENT);
	assert_non_null(signer_check(&r));
	r = of(SIGNER_KUBELET_CLIENT, NODE, "system:nodes", CLIENT ",server auth");
	assert_non_null(signer_check(&r));
	r = of(SIGNER_KUBELET_CLIENT, NODE, "system:nodes", CLIENT);
	r.info.organizations[r.info.n_organizations++] = SLICE("system:masters");
	assert_non_null(signer_check(&r));
}

static void a_kubelets_server_asks_for_itself_and_names_itself(void **state)
{
	struct signer_request r = of(SIGNER_KUBELET_SERVING, NODE, "system:nodes", SERVER);
	assert_non_null(signer_check(&r));
	r.info.n_ips = 1;
	assert_null(signer_check(&r));
	r.info.n_emails = 1;
	assert_non_null(signer_check(&r));
	r.info.n_emails = 0;
	r.username = SLICE("system:node:other");
	assert_non_null(signer_check(&r));
}

static void others_signers_are_theirs(void **state)
{
	struct signer_request r = of("example.com/x", "jane", NULL, "any");
	assert_null(signer_check(&r));
	assert_false(signer_is_known(r.signer));
	assert_true(slice_is(signer_domain(r.signer), "example.com"));
	assert_int_equal(
	        signer_domain(SLICE("x")).len + signer_domain(SLICE("x/")).len + signer_domain(SLICE("/x")).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_client_is_anybody_for_clients_usages),
	        cmocka_unit_test(a_kubelet_is_a_node_and_nothing_else),
	        cmocka_unit_test(a_kubelets_server_asks_for_itself_and_names_itself),
	        cmocka_unit_test(others_signers_are_theirs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
