/* What a device is to be told: the difference between what is and what should be. */
#include "net/fabric/wireguard/device.h"

#include "tests/unit/unit.h"

static struct wireguard_device have, want;
static struct wireguard_request r;

static struct wireguard_key key(unsigned char n)
{
	return (struct wireguard_key){{n}};
}

static struct wireguard_peer peer(unsigned char n)
{
	return (struct wireguard_peer){.key = key(n),
	        .endpoint = {.family = IP_V4, .bytes = {10, 0, 0, n}},
	        .port = 51820,
	        .nets = 1,
	        .allowed = {.first = {.family = IP_V4, .bytes = {10, 42, n, 0}}, .bits = 24}};
}

static int setup(void **state)
{
	have.private_key = want.private_key = key(99);
	have.port = want.port = 51820;
	for (unsigned char n = 1; n <= 3; n++) {
		struct wireguard_peer p = peer(n);
		wireguard_device_put(&have, &p);
		wireguard_device_put(&want, &p);
	}
	return 0;
}

static int teardown(void **state)
{
	wireguard_request_release(&r);
	wireguard_device_release(&have);
	wireguard_device_release(&want);
	return 0;
}

static void compare(bool removes_strangers)
{
	wireguard_request_release(&r);
	r = wireguard_difference(&have, &want, removes_strangers);
}

/* And once it was told there is no difference any more. */
static void is_told(bool removes_strangers)
{
	wireguard_device_apply(&have, &r);
	compare(removes_strangers);
	assert_true(wireguard_request_is_empty(&r));
}

static const struct wireguard_change *change_of(unsigned char n)
{
	struct wireguard_key k = key(n);
	for (size_t i = 0; i < r.count; i++)
		if (wireguard_key_equal(&r.changes[i].peer.key, &k))
			return &r.changes[i];
	return NULL;
}

static void what_is_right_is_told_nothing(void **state)
{
	compare(true);
	assert_true(wireguard_request_is_empty(&r));
}

static void a_new_peer_alone_is_told(void **state)
{
	struct wireguard_peer p = peer(4);
	wireguard_device_put(&want, &p);
	compare(true);
	assert_int_equal(r.count, 1);
	assert_true(change_of(4)->has_endpoint && !change_of(4)->is_removal);
	assert_false(r.replaces_peers || r.private_key || r.port);
	is_told(true);
}

static void strangers_go_when_all_nodes_are_known(void **state)
{
	struct wireguard_key two = key(2);
	wireguard_device_drop(&want, &two);
	compare(false);
	assert_true(wireguard_request_is_empty(&r));
	compare(true);
	assert_int_equal(r.count, 1);
	assert_true(change_of(2)->is_removal);
	is_told(true);
	assert_int_equal(have.peers.count, 2);
}

static void a_peer_that_moved_by_itself_is_let_be(void **state)
{
	struct wireguard_key two = key(2);
	wireguard_device_find(&have, &two)->endpoint.bytes[3] = 77;
	compare(true);
	assert_true(wireguard_request_is_empty(&r));
}

static void where_a_peer_is_is_told_when_it_is_news(void **state)
{
	struct wireguard_key two = key(2);
	wireguard_device_find(&want, &two)->endpoint.bytes[3] = 78;
	wireguard_device_find(&want, &two)->is_news = true;
	compare(false);
	assert_int_equal(r.count, 1);
	assert_true(change_of(2)->has_endpoint);
	is_told(true);
}

static void a_peer_without_a_place_gets_one(void **state)
{
	struct wireguard_key two = key(2);
	wireguard_device_find(&have, &two)->port = 0;
	compare(false);
	assert_true(r.count == 1 && change_of(2)->has_endpoint);
	is_told(true);
}

static void networks_and_keepalive_are_mended_without_the_place(void **state)
{
	struct wireguard_key one = key(1), two = key(2), three = key(3);
	wireguard_device_find(&have, &one)->nets = 2;
	wireguard_device_find(&have, &two)->allowed.bits = 25;
	wireguard_device_find(&want, &three)->keepalive_s = 25;
	compare(false);
	assert_int_equal(r.count, 3);
	for (unsigned char n = 1; n <= 3; n++)
		assert_false(change_of(n)->has_endpoint || change_of(n)->is_removal);
	is_told(true);
}

static void a_network_that_changes_hands_is_not_two_peers(void **state)
{
	struct wireguard_key one = key(1);
	struct wireguard_peer p = peer(4);
	p.allowed = peer(1).allowed; /* a node with another key, and the pods of node 1 */
	wireguard_device_drop(&want, &one);
	wireguard_device_put(&want, &p);
	compare(false);
	wireguard_device_apply(&have, &r);
	assert_int_equal(wireguard_device_find(&have, &one)->nets, 0);
	compare(true);
	assert_true(r.count == 1 && r.changes[0].is_removal);
	is_told(true);
}

static void removals_come_before_networks(void **state)
{
	struct wireguard_key one = key(1);
	struct wireguard_peer p = peer(4);
	p.allowed = peer(1).allowed;
	wireguard_device_drop(&want, &one);
	wireguard_device_put(&want, &p);
	compare(true);
	assert_int_equal(r.count, 2);
	assert_true(r.changes[0].is_removal && !r.changes[1].is_removal);
	is_told(true);
}

static void nothing_is_kept_of_anothers_device(void **state)
{
	have.private_key = key(98);
	have.port = 1;
	compare(false);
	assert_true(r.replaces_peers && wireguard_key_equal(r.private_key, &want.private_key) && r.port == 51820);
	assert_int_equal(r.count, 3);
	assert_true(change_of(1)->has_endpoint);
	is_told(true);
}

static void a_new_device_is_told_all(void **state)
{
	wireguard_device_release(&have);
	compare(true);
	assert_true(r.replaces_peers && r.private_key && r.port == 51820 && r.count == 3);
	is_told(true);
	assert_int_equal(have.peers.count, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(what_is_right_is_told_nothing),
	        TEST(a_new_peer_alone_is_told),
	        TEST(strangers_go_when_all_nodes_are_known),
	        TEST(a_peer_that_moved_by_itself_is_let_be),
	        TEST(where_a_peer_is_is_told_when_it_is_news),
	        TEST(a_peer_without_a_place_gets_one),
	        TEST(networks_and_keepalive_are_mended_without_the_place),
	        TEST(a_network_that_changes_hands_is_not_two_peers),
	        TEST(removals_come_before_networks),
	        TEST(nothing_is_kept_of_anothers_device),
	        TEST(a_new_device_is_told_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
