/* --service-node-port-range as upstream's flag of that name is written. Pure. */
#ifndef K3X_TOOLS_K3X_PORT_RANGE_H
#define K3X_TOOLS_K3X_PORT_RANGE_H

#include "base/mem/str.h"

#include <stdbool.h>

struct port_range {
	int min, max; /* both within 1 to 65535, and both of it */
};

/* "30000-32767", "30000+2767" (a first port and how many follow it) or "30000", which is one port. false: none of
 * these, and *ret is as it was. */
bool port_range_parse(struct slice text, struct port_range *ret);

#endif
