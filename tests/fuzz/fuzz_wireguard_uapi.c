/* What wireguard-go answers: peers by their keys, whatever it says. */
#include "base/check.h"
#include "net/fabric/wireguard/uapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wireguard_device d = {0};
	struct err err = ERR_INIT;
	struct slice answer = {(const char *)data, size};
	wireguard_uapi_is_whole(answer);
	int rc = wireguard_uapi_read(answer, &d, &err);
	CHECK(rc == 0 || err.msg[0]);
	MAP_FOREACH (slot, &d.peers) {
		const struct wireguard_peer *p = slot->value;
		CHECK(wireguard_device_find(&d, &p->key) == p);
		CHECK(!p->nets || p->allowed.bits <= ip_bits(p->allowed.first.family));
	}
	wireguard_device_release(&d);
	return 0;
}
