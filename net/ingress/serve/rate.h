/* How many requests one client address may make: a token bucket per address and limit (ingress-nginx's limit-rps).
 *
 * Bounded: of more addresses than INGRESS_RATE_CLIENTS_MAX the one that was quiet longest is forgotten, which lets it
 * begin anew. Loop's thread, times passed in. */
#ifndef K3X_NET_INGRESS_SERVE_RATE_H
#define K3X_NET_INGRESS_SERVE_RATE_H

#include "base/mem/str.h"

struct rates;

struct rates *rates_new(void);
void rates_free(struct rates *r);

/* May this one go on? whose: the rule's name. A burst of per_minute / 60 * burst (at least burst) is let through. */
bool rates_allow(struct rates *r, struct slice whose, const unsigned char client[16], uint32_t per_minute,
        uint32_t burst, uint64_t now_ms);

#endif
