/* See buggify.h. */
#include "base/buggify.h"

bool (*buggify_ask)(enum buggify_point p);
size_t buggify_taken[BUGGIFY_POINT_COUNT];

const char *buggify_name(enum buggify_point p)
{
	static const char *const names[] = {
#define BUGGIFY_POINT(name) #name,
	        BUGGIFY_POINTS
#undef BUGGIFY_POINT
	};
	return names[p];
}
