/* What the pod network reads of another node's object: whatever that says, only hosts and networks come out of it. */
#include "base/check.h"
#include "net/fabric/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer p = peer_read((struct slice){(const char *)data, size});
	for (int f = 0; f < IP_FAMILIES; f++) {
		const struct peer_end *e = &p.ends[f];
		CHECK(!e->has_host || e->host.family == (enum ip_family)f);
		CHECK(!e->has_pods || (e->pods.first.family == (enum ip_family)f && e->pods.bits > 0));
		CHECK(!e->has_mac || !(e->mac[0] & 1));
		CHECK(!e->has_key || (p.backend == FABRIC_WIREGUARD && peer_end_is_same(e, e)));
		CHECK(peer_end_equal(e, e));
	}
	return 0;
}
