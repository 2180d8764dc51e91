/* An order for objects of an informer: who came first wins. For qsort() of pointers to struct informer_object. */
#ifndef K3X_NET_INGRESS_FOLLOW_OLDEST_H
#define K3X_NET_INGRESS_FOLLOW_OLDEST_H

#include "api/client/informer.h"
#include "api/client/meta.h"

static inline int oldest_first(const void *l, const void *r)
{
	struct informer_object *const *a = l, *const *b = r;
	struct meta x, y;
	meta_read(informer_text(*a), &x);
	meta_read(informer_text(*b), &y);
	int d = slice_cmp(x.creation_timestamp, y.creation_timestamp);
	return d ? d : slice_cmp((*a)->key, (*b)->key);
}

#endif
