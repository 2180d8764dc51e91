/* How many seats a request takes. */
#ifndef K3X_API_SERVER_FAIRNESS_WIDTH_H
#define K3X_API_SERVER_FAIRNESS_WIDTH_H

#include "api/server/call.h"

/* Of a list: one per hundred objects that it may have to look at, ten at the most; of all else one. As upstream's
 * (apiserver/pkg/util/flowcontrol/request): objects of the whole resource are counted, for a list looks at them. */
unsigned width_of(const struct call *c);

#endif
