/* What a pod asks for of plugins' devices, until it has it all or is refused. Loop's thread. */
#ifndef K3X_NODE_DEVICES_CLAIM_INT_H
#define K3X_NODE_DEVICES_CLAIM_INT_H

#include "node/devices/device_room_int.h"

struct pod;

enum claim_answer { CLAIM_TAKEN, CLAIM_PENDING, CLAIM_REFUSED };

/* PENDING: the pod is ticked when there is an answer, and asks again. */
enum claim_answer device_claim_take(struct device_room *d, struct pod *p, struct err *err);
void device_claims_free(struct device_room *d); /* no call is under way any more */

#endif
