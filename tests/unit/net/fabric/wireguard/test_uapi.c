/* WireGuard's text protocol: what is said, and what is made of answers. Those are as wireguard-go 0.0.20220316 gives
 * them. */
#include "net/fabric/wireguard/uapi.h"

#include "tests/unit/unit.h"

#define KEY_A "a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a868"
#define KEY_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_2 "1313131313131313131313131313131313131313131313131313131313131313"

static struct wireguard_device device;
static struct err err;

static int setup(void **state)
{
	err = ERR_INIT;
	return 0;
}

static int teardown(void **state)
{
	wireguard_device_release(&device);
	return 0;
}

static struct wireguard_key key(unsigned char n)
{
	struct wireguard_key k;
	memset(k.bytes, n, sizeof k.bytes);
	return k;
}

static void a_request_is_lines(void **state)
{
	struct wireguard_key private_key = key(0xa8);
	struct wireguard_change changes[] = {
	        {.peer.key = key(0x13), .is_removal = true},
	        {.peer = {.key = key(0x11),
	                 .endpoint = {.family = IP_V6, .bytes = {0xfd, [15] = 1}},
	                 .port = 51821,
	                 .keepalive_s = 25,
	                 .nets = 1,
	                 .allowed = {.first = {.family = IP_V6, .bytes = {0xfd, 0, 0, 0x42}}, .bits = 64}},
	                .has_endpoint = true},
	        {.peer = {.key = key(0x13),
	                 .port = 51820,
	                 .nets = 1,
	                 .allowed = {.first = {.family = IP_V4, .bytes = {10, 42, 1}}, .bits = 24}}},
	};
	struct wireguard_request r = {
	        .private_key = &private_key, .port = 51821, .replaces_peers = true, .changes = changes, .count = 3};
	struct strbuf out = STRBUF_INIT;
	wireguard_uapi_write(&out, &r);
	assert_string_equal(strbuf_cstr(&out),
	        "set=1\n"
	        "private_key=a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8\n"
	        "listen_port=51821\n"
	        "replace_peers=true\n"
	        "public_key=" KEY_2 "\nremove=true\n"
	        "public_key=" KEY_1 "\nendpoint=[fd00::1]:51821\npersistent_keepalive_interval=25\n"
	        "replace_allowed_ips=true\nallowed_ip=fd00:42::/64\n"
	        "public_key=" KEY_2 "\npersistent_keepalive_interval=0\nreplace_allowed_ips=true\n"
	        "allowed_ip=10.42.1.0/24\n"
	        "\n");
	strbuf_release(&out);
}

static void a_device_is_read(void **state)
{
	static const char answer[] =
	        "private_key=" KEY_A "\nlisten_port=51899\nfwmark=7\npublic_key=" KEY_1 "\npreshared_key=" KEY_2
	        "\nprotocol_version=1\nendpoint=[fd00::1]:51820\nlast_handshake_time_sec=0\n"
	        "last_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\npersistent_keepalive_interval=25\n"
	        "allowed_ip=10.42.1.0/24\nallowed_ip=fd00:42::/64\npublic_key=" KEY_2
	        "\nprotocol_version=1\nendpoint=10.0.0.7:51820\nallowed_ip=10.42.2.0/24\nerrno=0\n\n";
	assert_int_equal(wireguard_uapi_read(SLICE(answer), &device, &err), 0);
	assert_int_equal(device.private_key.bytes[31], 0x68);
	assert_int_equal(device.port, 51899);
	assert_int_equal(device.peers.count, 2);
	struct wireguard_key one = key(0x11), two = key(0x13);
	const struct wireguard_peer *p = wireguard_device_find(&device, &one),
	                            *q = wireguard_device_find(&device, &two);
	char text[IP_NET_TEXT_MAX];
	assert_string_equal(ip_write(&p->endpoint, text), "fd00::1");
	assert_int_equal(p->port, 51820);
	assert_int_equal(p->keepalive_s, 25);
	assert_int_equal(p->nets, 2);
	assert_string_equal(ip_net_write(&p->allowed, text), "10.42.1.0/24");
	assert_string_equal(ip_write(&q->endpoint, text), "10.0.0.7");
	assert_int_equal(q->nets, 1);
}

static void a_new_device_has_no_key(void **state)
{
	struct wireguard_key none = key(0);
	assert_int_equal(wireguard_uapi_read(SLICE("listen_port=39667\nerrno=0\n\n"), &device, &err), 0);
	assert_true(wireguard_key_equal(&device.private_key, &none));
}

static void an_error_has_its_name(void **state)
{
	assert_int_equal(wireguard_uapi_read(SLICE("errno=-98\n\n"), &device, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "Address already in use"));
	assert_int_equal(wireguard_uapi_read(SLICE("errno=22\n\n"), &device, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "Invalid argument"));
}

static void what_does_not_read_is_an_error(void **state)
{
	static const char *const bad[] = {"", "\n", "private_key=zz\nerrno=0\n\n", "listen_port=70000\nerrno=0\n\n",
	        "public_key=11\nerrno=0\n\n", "public_key=" KEY_1 "\nallowed_ip=10.42.1.7/24\nerrno=0\n\n",
	        "public_key=" KEY_1 "\nendpoint=10.0.0.7\nerrno=0\n\n", "listen_port=1\n", "errno=x\n\n", "nothing\n"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(wireguard_uapi_read(slice_of(bad[i]), &device, &err), ERR_PROTOCOL);
		wireguard_device_release(&device);
	}
}

static void an_answer_is_whole_behind_its_outcome(void **state)
{
	assert_true(wireguard_uapi_is_whole(SLICE("errno=0\n\n")));
	assert_true(wireguard_uapi_is_whole(SLICE("listen_port=1\nerrno=-22\n\n")));
	assert_false(wireguard_uapi_is_whole(SLICE("")));
	assert_false(wireguard_uapi_is_whole(SLICE("errno=0")));
	assert_false(wireguard_uapi_is_whole(SLICE("errno=0\n")));
	assert_false(wireguard_uapi_is_whole(SLICE("listen_port=1\n\n")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(a_request_is_lines),
	        TEST(a_device_is_read),
	        TEST(a_new_device_has_no_key),
	        TEST(an_error_has_its_name),
	        TEST(what_does_not_read_is_an_error),
	        TEST(an_answer_is_whole_behind_its_outcome),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
