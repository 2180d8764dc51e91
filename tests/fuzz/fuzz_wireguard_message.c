/* What the kernel's generic netlink answers about WireGuard, as one datagram of any bytes. */
#include "base/check.h"
#include "net/fabric/wireguard/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *arg, struct slice body)
{
	uint16_t number;
	wireguard_message_read_family(body, &number);
	wireguard_message_read_device(body, arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wireguard_device d = {0};
	int outcome = 0;
	wireguard_message_walk((struct slice){(const char *)data, size}, 7, take, &d, &outcome);
	CHECK(outcome >= 0);
	MAP_FOREACH (slot, &d.peers) {
		const struct wireguard_peer *p = slot->value;
		CHECK(wireguard_device_find(&d, &p->key) == p);
		CHECK(!p->nets || p->allowed.bits <= ip_bits(p->allowed.first.family));
	}
	wireguard_device_release(&d);
	return 0;
}
