/* Names of hosts in the Gateway API: exact ones, "*.example.org" for all that lies below it at any depth, and the empty
 * one for all. Lower case. Pure. */
#ifndef K3X_NET_INGRESS_ROUTE_HOSTNAME_H
#define K3X_NET_INGRESS_ROUTE_HOSTNAME_H

#include "base/mem/str.h"

#include <stdbool.h>

/* Is `name`, exact or itself a wildcard, below this wildcard? */
static inline bool hostname_covers(struct slice wildcard, struct slice name)
{
	struct slice tail = {wildcard.ptr + 1, wildcard.len - 1}; /* ".example.org" */
	return slice_starts(wildcard, "*.") && name.len > tail.len &&
	       memcmp(name.ptr + name.len - tail.len, tail.ptr, tail.len) == 0;
}

/* What both mean: the more specific of the two; false when there is no such name. */
static inline bool hostname_meet(struct slice one, struct slice other, struct slice *ret)
{
	bool is_other = !one.len || hostname_covers(one, other);
	*ret = is_other ? other : one;
	return is_other || !other.len || slice_eq(one, other) || hostname_covers(other, one);
}

#endif
