/* What is kept of Services, EndpointSlices and Secrets: as little as the ingress needs of them, as small JSON. Digests
 * for informers (api/client/informer.h). Any thread. */
#ifndef K3X_NET_INGRESS_FOLLOW_PACK_H
#define K3X_NET_INGRESS_FOLLOW_PACK_H

#include "base/json/json.h"
#include "base/mem/rcbuf.h"

/* {"ports":[{"name","port","appProtocol"}],"annotations":{...},"addresses":[status.loadBalancer.ingress],"type"} */
struct rcbuf *pack_service(struct slice object);
/* {"service":"ns/name","ports":{"name":8080},"ready":["10.42.0.7"],"serving":[...]}: `serving` those that are to end
 * but still answer. */
struct rcbuf *pack_slice(struct slice object);
/* {"crt":"PEM","key":"PEM","auth":"..."}, decoded. */
struct rcbuf *pack_secret(struct slice object);

#endif
