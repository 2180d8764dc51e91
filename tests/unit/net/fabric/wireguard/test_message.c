/* Messages to the kernel's WireGuard, byte by byte as linux/wireguard.h and netlink(7) have them, and those that it
 * answers with. Numbers of this test are those of a machine whose lowest byte comes first. */
#include "net/fabric/wireguard/message.h"

#include "tests/unit/unit.h"

enum { FAMILY = 0x1234, SEQ = 7 };

#define KEY32(n) n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n

static struct strbuf out;
static struct wireguard_device device;

static int setup(void **state)
{
	strbuf_reset(&out);
	return 0;
}

static int teardown(void **state)
{
	strbuf_release(&out);
	wireguard_device_release(&device);
	return 0;
}

static struct wireguard_key key(unsigned char n)
{
	struct wireguard_key k;
	memset(k.bytes, n, sizeof k.bytes);
	return k;
}

static void is(const unsigned char *want, size_t len)
{
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, want, len);
}

static void the_number_of_a_family_is_asked_for(void **state)
{
	static const unsigned char want[] = {36, 0, 0, 0, 0x10, 0, /* GENL_ID_CTRL */ 0x05, 0, /* REQUEST, ACK */
	        SEQ, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, /* CTRL_CMD_GETFAMILY, version 1 */
	        14, 0, 2, 0, 'w', 'i', 'r', 'e', 'g', 'u', 'a', 'r', 'd', 0, 0, 0};
	wireguard_message_family(&out, SEQ, "wireguard");
	is(want, sizeof want);
}

static void a_device_is_asked_for(void **state)
{
	static const unsigned char want[] = {32, 0, 0, 0, 0x34, 0x12, 0x01, 0x03, /* REQUEST, DUMP */
	        SEQ, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,                             /* WG_CMD_GET_DEVICE, version 1 */
	        12, 0, 2, 0, 'w', 'g', '-', '0', '-', '0', '1', 0};
	wireguard_message_get(&out, FAMILY, SEQ, "wg-0-01");
	is(want, sizeof want);
}

static void a_device_and_a_peer_of_ipv4_are_told(void **state)
{
	static const unsigned char want[] = {240, 0, 0, 0, 0x34, 0x12, 0x05, 0, SEQ, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 8,
	        0, 2, 0, 'w', 'g', '0', 0,                 /* WGDEVICE_A_IFNAME */
	        8, 0, 5, 0, 1, 0, 0, 0,                    /* WGDEVICE_A_FLAGS: REPLACE_PEERS */
	        36, 0, 3, 0, KEY32(0xa8),                  /* WGDEVICE_A_PRIVATE_KEY */
	        6, 0, 6, 0, 0x6c, 0xca, 0, 0,              /* WGDEVICE_A_LISTEN_PORT: 51820 */
	        160, 0, 8, 0x80,                           /* WGDEVICE_A_PEERS, a nest */
	        48, 0, 0, 0x80, 36, 0, 1, 0, KEY32(0x13),  /* WGPEER_A_PUBLIC_KEY */
	        8, 0, 3, 0, 1, 0, 0, 0,                    /* WGPEER_A_FLAGS: REMOVE_ME */
	        108, 0, 0, 0x80, 36, 0, 1, 0, KEY32(0x11), /* the next one */
	        8, 0, 3, 0, 2, 0, 0, 0,                    /* REPLACE_ALLOWEDIPS */
	        20, 0, 4, 0, 2, 0, 0xca, 0x6c, 10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, /* WGPEER_A_ENDPOINT */
	        6, 0, 5, 0, 25, 0, 0, 0,        /* WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL */
	        32, 0, 9, 0x80, 28, 0, 0, 0x80, /* WGPEER_A_ALLOWEDIPS, a nest of nests */
	        6, 0, 1, 0, 2, 0, 0, 0,         /* WGALLOWEDIP_A_FAMILY: AF_INET */
	        8, 0, 2, 0, 10, 42, 1, 0,       /* WGALLOWEDIP_A_IPADDR */
	        5, 0, 3, 0, 24, 0, 0, 0};       /* WGALLOWEDIP_A_CIDR_MASK */
	struct wireguard_key private_key = key(0xa8);
	struct wireguard_change changes[] = {{.peer.key = key(0x13), .is_removal = true},
	        {.peer = {.key = key(0x11),
	                 .endpoint = {.family = IP_V4, .bytes = {10, 0, 0, 7}},
	                 .port = 51820,
	                 .keepalive_s = 25,
	                 .nets = 1,
	                 .allowed = {.first = {.family = IP_V4, .bytes = {10, 42, 1}}, .bits = 24}},
	                .has_endpoint = true}};
	struct wireguard_request r = {
	        .private_key = &private_key, .port = 51820, .replaces_peers = true, .changes = changes, .count = 2};
	assert_int_equal(wireguard_message_set(&out, FAMILY, SEQ, "wg0", &r, 0), 2);
	is(want, sizeof want);
}

static void a_peer_of_ipv6_is_told(void **state)
{
	static const unsigned char want[] = {164, 0, 0, 0, 0x34, 0x12, 0x05, 0, SEQ, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 8,
	        0, 2, 0, 'w', 'g', '0', 0, 136, 0, 8, 0x80, 132, 0, 0, 0x80, 36, 0, 1, 0, KEY32(0x11), 8, 0, 3, 0, 2, 0,
	        0, 0, 32, 0, 4, 0, 10, 0, 0xca, 0x6d, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0,
	        0, 0, 0, 6, 0, 5, 0, 0, 0, 0, 0, 44, 0, 9, 0x80, 40, 0, 0, 0x80, 6, 0, 1, 0, 10, 0, 0, 0, 20, 0, 2, 0,
	        0xfd, 0, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 3, 0, 64, 0, 0, 0};
	struct wireguard_change change = {
	        .peer = {.key = key(0x11),
	                .endpoint = {.family = IP_V6, .bytes = {0xfd, [15] = 7}},
	                .port = 51821,
	                .nets = 1,
	                .allowed = {.first = {.family = IP_V6, .bytes = {0xfd, 0, 0, 0x42}}, .bits = 64}},
	        .has_endpoint = true};
	struct wireguard_request r = {.changes = &change, .count = 1};
	wireguard_message_set(&out, FAMILY, SEQ, "wg0", &r, 0);
	is(want, sizeof want);
}

/* A body as the kernel sends it: a command's head, and the attributes of what was told. */
static struct slice body_of(const struct strbuf *message)
{
	return (struct slice){message->data + 16, message->len - 16};
}

static void many_peers_come_in_several_messages(void **state)
{
	enum { PEERS = 1000 };
	struct wireguard_change *changes = calloc(PEERS, sizeof *changes);
	struct wireguard_key private_key = key(0xa8);
	for (unsigned i = 0; i < PEERS; i++) {
		changes[i] = (struct wireguard_change){.has_endpoint = true,
		        .peer = {.key = key(1),
		                .endpoint = {.family = IP_V4,
		                        .bytes = {10, 0, (unsigned char)(i >> 8), (unsigned char)i}},
		                .port = 51820,
		                .nets = 1,
		                .allowed = {.first = {.family = IP_V4,
		                                    .bytes = {10, (unsigned char)(i >> 8), (unsigned char)i}},
		                        .bits = 24}}};
		memcpy(changes[i].peer.key.bytes, &i, sizeof i);
	}
	struct wireguard_request r = {
	        .private_key = &private_key, .port = 51820, .replaces_peers = true, .changes = changes, .count = PEERS};
	size_t messages = 0;
	for (size_t next = 0; next < PEERS; messages++) {
		strbuf_reset(&out);
		next = wireguard_message_set(&out, FAMILY, SEQ, "wg0", &r, next);
		assert_true(out.len < 32 * 1024);
		/* Only the first one speaks of the device, and clears it. */
		struct wireguard_key none = key(0);
		struct wireguard_device one = {0};
		assert_true(wireguard_message_read_device(body_of(&out), &one));
		assert_int_equal(wireguard_key_equal(&one.private_key, &none), messages > 0);
		assert_int_equal(one.port, messages ? 0 : 51820);
		wireguard_device_release(&one);
		assert_true(wireguard_message_read_device(body_of(&out), &device));
	}
	assert_true(messages > 3);
	assert_int_equal(device.peers.count, PEERS);
	for (unsigned i = 0; i < PEERS; i++) {
		const struct wireguard_peer *p = wireguard_device_find(&device, &changes[i].peer.key);
		assert_true(p && p->nets == 1 && ip_net_equal(&p->allowed, &changes[i].peer.allowed));
		assert_true(p->port == 51820 && ip_equal(&p->endpoint, &changes[i].peer.endpoint));
	}
	free(changes);
}

/* linux/wireguard.h: a peer of many networks comes again, with its key and the rest of them. */
static void a_peer_that_comes_twice_is_one(void **state)
{
	struct wireguard_change c[2] = {{.peer = {.key = key(1),
	                                         .port = 51820,
	                                         .keepalive_s = 25,
	                                         .nets = 1,
	                                         .allowed = {.first = {.bytes = {10, 42, 1}}, .bits = 24}},
	                                        .has_endpoint = true},
	        {.peer = {.key = key(1), .nets = 1, .allowed = {.first = {.bytes = {10, 42, 2}}, .bits = 24}}}};
	struct wireguard_request r = {.changes = c, .count = 2};
	wireguard_message_set(&out, FAMILY, SEQ, "wg0", &r, 0);
	assert_true(wireguard_message_read_device(body_of(&out), &device));
	const struct wireguard_peer *p = wireguard_device_find(&device, &c[0].peer.key);
	assert_int_equal(device.peers.count, 1);
	assert_true(p->nets == 2 && p->port == 51820 && p->keepalive_s == 25 && p->allowed.first.bytes[2] == 1);
}

static void count(void *arg, struct slice body)
{
	*(int *)arg += 1;
}

static void answers_end_with_their_outcome(void **state)
{
	static const char done[] = "\x14\0\0\0\x03\0\x02\0\x07\0\0\0\0\0\0\0\0\0\0\0";
	static const char error[] = "\x24\0\0\0\x02\0\0\0\x07\0\0\0\0\0\0\0\xa1\xff\xff\xff"
	                            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	static const char data[] = "\x14\0\0\0\x34\x12\x02\0\x07\0\0\0\0\0\0\0\0\x01\0\0";
	static const char others[] = "\x14\0\0\0\x03\0\x02\0\x06\0\0\0\0\0\0\0\0\0\0\0";
	struct slice d = {data, 20};
	int n = 0, outcome = -1;
	assert_true(wireguard_message_walk((struct slice){done, 20}, SEQ, count, &n, &outcome));
	assert_true(n == 0 && outcome == 0);
	assert_true(wireguard_message_walk((struct slice){error, 36}, SEQ, count, &n, &outcome));
	assert_true(n == 0 && outcome == 95); /* EOPNOTSUPP */
	assert_false(wireguard_message_walk(d, SEQ, count, &n, &outcome));
	assert_int_equal(n, 1);
	assert_false(wireguard_message_walk((struct slice){others, 20}, SEQ, count, &n, &outcome));
	strbuf_add(&out, data, 20);
	strbuf_add(&out, data, 20);
	strbuf_add(&out, done, 20);
	assert_true(wireguard_message_walk(strbuf_slice(&out), SEQ, count, &n, &outcome));
	assert_int_equal(n, 3);
	assert_false(wireguard_message_walk((struct slice){data, 19}, SEQ, count, &n, &outcome));
}

static void the_number_of_a_family_is_read(void **state)
{
	static const char body[] = "\x01\x02\0\0\x0e\0\x02\0wireguard\0\0\0\x06\0\x01\0\x1f\0\0\0";
	uint16_t number = 0;
	assert_true(wireguard_message_read_family((struct slice){body, sizeof body - 1}, &number));
	assert_int_equal(number, 0x1f);
	assert_false(wireguard_message_read_family((struct slice){body, 20}, &number));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(the_number_of_a_family_is_asked_for),
	        TEST(a_device_is_asked_for),
	        TEST(a_device_and_a_peer_of_ipv4_are_told),
	        TEST(a_peer_of_ipv6_is_told),
	        TEST(many_peers_come_in_several_messages),
	        TEST(a_peer_that_comes_twice_is_one),
	        TEST(answers_end_with_their_outcome),
	        TEST(the_number_of_a_family_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
