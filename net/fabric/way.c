/* See way_int.h. */
#include "net/fabric/way_int.h"

const struct fabric_way *fabric_way_of(enum fabric_backend b)
{
	static const struct fabric_way *const ways[] = {[FABRIC_NONE] = NULL,
	        [FABRIC_VXLAN] = &fabric_vxlan,
	        [FABRIC_HOST_GW] = &fabric_host_gw,
	        [FABRIC_WIREGUARD] = &fabric_wireguard};
	return ways[b];
}
