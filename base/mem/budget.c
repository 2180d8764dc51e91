/* See budget.h. */
#include "base/mem/budget.h"

#include "base/clock.h"

/* Between two looks at the clock: some microseconds of work. */
enum { QUESTIONS_PER_LOOK = 64 };

int budget_check(struct budget *b, size_t used_bytes, struct err *err)
{
	if (!b)
		return 0;
	if (b->bytes_max && used_bytes > b->bytes_max)
		return err_set(err, ERR_TOO_BIG, "the request needs more memory than the %zu bytes one request may use",
		        b->bytes_max);
	if (b->deadline_ms && b->questions++ % QUESTIONS_PER_LOOK == 0 && clock_mono_ms() > b->deadline_ms)
		return err_set(err, ERR_TIMEOUT, "the request takes longer to work on than one request may");
	return 0;
}
