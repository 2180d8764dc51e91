/* A tunnel, on a device that is made up: what it is told, and that it is looked at again when telling it failed. */
#include "net/fabric/wireguard/tunnel.h"

#include "tests/unit/unit.h"

static struct {
	struct wireguard_writer w;
	struct wireguard_device device;
	int looks, told, changes;
	bool fails;
} machine;

static struct wireguard_tunnel *tunnel;
static struct err err;

static int get(struct wireguard_writer *w, struct wireguard_device *ret, struct err *e)
{
	machine.looks++;
	ret->private_key = machine.device.private_key;
	ret->port = machine.device.port;
	MAP_FOREACH (slot, &machine.device.peers)
		wireguard_device_put(ret, slot->value);
	return 0;
}

/* One that fails has taken the first change. */
static int set(struct wireguard_writer *w, const struct wireguard_request *r, struct err *e)
{
	struct wireguard_request part = *r;
	if (machine.fails)
		part.count = r->count ? 1 : 0;
	machine.told++;
	machine.changes += (int)part.count;
	wireguard_device_apply(&machine.device, &part);
	return machine.fails ? err_set(e, ERR_IO, "made up") : 0;
}

static void close_writer(struct wireguard_writer *w, void (*closed)(void *arg), void *arg)
{
	closed(arg);
}

static struct wireguard_writer *open_writer(const struct wireguard_writer_options *o);
static const struct wireguard_writer_kind made_up = {"made up", open_writer, NULL, get, set, close_writer};

static struct wireguard_writer *open_writer(const struct wireguard_writer_options *o)
{
	machine.w.kind = &made_up;
	return &machine.w;
}

static int setup(void **state)
{
	err = ERR_INIT;
	memset(&machine, 0, sizeof machine);
	tunnel = wireguard_tunnel_new(&(struct wireguard_tunnel_options){.kind = &made_up,
	        .keys.private_key.bytes = {9},
	        .keepalive_s = 25,
	        .device = {.link = "wg", .port = 51820}});
	return 0;
}

static void was_closed(void *arg)
{
	*(bool *)arg = true;
}

static int teardown(void **state)
{
	bool is_closed = false;
	wireguard_tunnel_close(tunnel, was_closed, &is_closed);
	wireguard_device_release(&machine.device);
	return is_closed ? 0 : -1;
}

static int add(unsigned char n)
{
	struct wireguard_key k = {{n}};
	struct ip host = {.family = IP_V4, .bytes = {10, 0, 0, n}};
	struct ip_net pods = {.first = {.family = IP_V4, .bytes = {10, 42, n}}, .bits = 24};
	return wireguard_tunnel_add(tunnel, &k, &host, &pods, &err);
}

static int take(unsigned char n)
{
	struct wireguard_key k = {{n}};
	return wireguard_tunnel_remove(tunnel, &k, &err);
}

static const struct wireguard_peer *peer(unsigned char n)
{
	struct wireguard_key k = {{n}};
	return wireguard_device_find(&machine.device, &k);
}

static void each_peer_is_told_once(void **state)
{
	for (unsigned char n = 1; n <= 5; n++)
		assert_int_equal(add(n), 0);
	assert_int_equal(machine.looks, 1);
	assert_int_equal(machine.changes, 5);
	assert_int_equal(machine.device.port, 51820);
	assert_int_equal(machine.device.private_key.bytes[0], 9);
	assert_int_equal(peer(3)->keepalive_s, 25);
	assert_int_equal(take(3), 0);
	assert_int_equal(machine.changes, 6);
	assert_null(peer(3));
	assert_int_equal(wireguard_tunnel_repair(tunnel, true, &err), 0);
	assert_int_equal(machine.changes, 6);
}

static void an_earlier_runs_device_is_told_what_differs(void **state)
{
	for (unsigned char n = 1; n <= 3; n++)
		add(n);
	teardown(state);
	machine.told = machine.changes = 0;
	machine.device.private_key.bytes[0] = 9;
	machine.device.port = 51820;
	tunnel = wireguard_tunnel_new(&(struct wireguard_tunnel_options){.kind = &made_up,
	        .keys.private_key.bytes = {9},
	        .keepalive_s = 25,
	        .device = {.link = "wg", .port = 51820}});
	for (unsigned char n = 1; n <= 4; n++) {
		struct wireguard_peer p = {.key = {{n}},
		        .endpoint = {.family = IP_V4, .bytes = {10, 0, 0, n == 2 ? 222 : n}},
		        .port = 51820,
		        .keepalive_s = 25,
		        .nets = 1,
		        .allowed = {.first = {.family = IP_V4, .bytes = {10, 42, n}}, .bits = 24}};
		wireguard_device_put(&machine.device, &p);
	}
	for (unsigned char n = 1; n <= 3; n++)
		assert_int_equal(add(n), 0);
	assert_int_equal(machine.changes, 1); /* where the second is: that was out of date */
	assert_int_equal(peer(2)->endpoint.bytes[3], 2);
	assert_non_null(peer(4));
	assert_int_equal(wireguard_tunnel_repair(tunnel, true, &err), 0);
	assert_null(peer(4));
	assert_int_equal(machine.changes, 2);
}

static void one_that_moved_by_itself_is_let_be(void **state)
{
	struct wireguard_key k = {{1}};
	add(1);
	wireguard_device_find(&machine.device, &k)->endpoint.bytes[3] = 77;
	assert_int_equal(wireguard_tunnel_repair(tunnel, true, &err), 0);
	assert_int_equal(peer(1)->endpoint.bytes[3], 77);
}

static void what_was_told_in_part_is_looked_at_and_finished(void **state)
{
	add(1);
	machine.fails = true;
	assert_int_equal(add(2), ERR_IO);
	assert_int_equal(add(3), ERR_IO);
	machine.fails = false;
	int looks = machine.looks;
	assert_int_equal(wireguard_tunnel_repair(tunnel, false, &err), 0);
	assert_int_equal(machine.looks, looks + 1);
	assert_true(peer(1) && peer(2) && peer(3));
}

static void what_somebody_else_took_away_comes_back(void **state)
{
	struct wireguard_key k = {{2}};
	add(1);
	add(2);
	wireguard_device_drop(&machine.device, &k);
	assert_int_equal(wireguard_tunnel_repair(tunnel, false, &err), 0);
	assert_int_equal(peer(2)->port, 51820);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(each_peer_is_told_once),
	        TEST(an_earlier_runs_device_is_told_what_differs),
	        TEST(one_that_moved_by_itself_is_let_be),
	        TEST(what_was_told_in_part_is_looked_at_and_finished),
	        TEST(what_somebody_else_took_away_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
