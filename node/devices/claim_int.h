/* What a pod asks for of plugins' devices, until it has it all or is refused. Loop's thread. */
#ifndef K3X_NODE_DEVICES_CLAIM_INT_H
#define K3X_NODE_DEVICES_CLAIM_INT_H

#include "node/devices/device_room_int.h"

struct pod;

enum claim_answer { CLAIM_TAKEN, CLAIM_PENDING, CLAIM_REFUSED };

/* For one container of the pod's spec, near to the nodes of memory (0: wherever); nothing when it has it all. PENDING:
 * the pod is ticked when there is an answer, and asks again, for the same one. */
enum claim_answer device_claim_take(
        struct device_room *d, struct pod *p, const struct json *container, uint64_t nodes, struct err *err);
/* Where that could lie; and what the whole pod asks for. */
void device_claim_wish(const struct device_room *d, const struct pod *p, const struct json *container,
        uint64_t all_nodes, struct numa_wishes *w);
void device_claim_wish_all(const struct device_room *d, const struct pod *p, uint64_t all_nodes, struct numa_wishes *w);
void device_claims_free(struct device_room *d); /* no call is under way any more */

#endif
