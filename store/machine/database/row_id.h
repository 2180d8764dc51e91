/* How versions are named. */
#ifndef K3X_STORE_MACHINE_DATABASE_ROW_ID_H
#define K3X_STORE_MACHINE_DATABASE_ROW_ID_H

#include <stdint.h>

/* A version is named by revision and position within it; one number holds both, so that everything from a revision on
 * is one range. 43 bits of revision last 13 years at 20,000 writes per second. */
enum { SUB_BITS = 20 };
#define SUB_MAX ((INT64_C(1) << SUB_BITS) - 16)
#define REVISION_MAX (INT64_MAX >> (SUB_BITS + 1)) /* what is left then lasts as long again */
#define ROW_ID(revision) ((int64_t)(revision) << SUB_BITS)
#define ROW_REVISION(id) ((int64_t)(id) >> SUB_BITS)

_Static_assert(SUB_MAX < INT64_C(1) << SUB_BITS && SUB_BITS < 32, "a row id has room for a revision and its rows");

/* Of two ids, for qsort(). */
static inline int row_id_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

#endif
