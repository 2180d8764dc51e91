/* See terminated.h. */
#include "api/controllers/terminated.h"

#include <stdlib.h>

size_t terminated_excess(size_t count, size_t max)
{
	return max && count > max ? count - max : 0;
}

static int in_order(const void *x, const void *y)
{
	const struct terminated_pod *a = x, *b = y;
	if (a->is_evicted != b->is_evicted)
		return a->is_evicted ? -1 : 1;
	if (a->created_s != b->created_s)
		return a->created_s < b->created_s ? -1 : 1;
	return slice_cmp(a->key, b->key);
}

void terminated_sort(struct terminated_pod *pods, size_t count)
{
	if (count)
		qsort(pods, count, sizeof *pods, in_order);
}
