/* See legacy_tokens.h. Dates are compared as texts, as upstream does it: they have one form. */
#include "api/controllers/legacy_tokens.h"

#include "api/machinery/codec/scalar.h"
#include "base/check.h"

enum { DAY_S = 24 * 3600 };

/* The first uses are written down some time of that day: it counts from its end. */
bool legacy_is_tracked(struct slice since, int64_t now_s, int64_t period_s)
{
	int64_t from_s;
	return scalar_day_parse(since, &from_s) && now_s >= from_s + DAY_S + period_s;
}

/* The day is `period_s` ago, or later. */
static bool is_recent(struct slice day, int64_t now_s, int64_t period_s)
{
	char oldest[SCALAR_DAY_BYTES];
	scalar_day_format(now_s - period_s, oldest);
	return slice_cmp(day, slice_of(oldest)) >= 0;
}

bool legacy_is_unused(const struct legacy_secret *x, int64_t now_s, int64_t period_s)
{
	int64_t unused;
	if (x->created_s >= now_s - period_s)
		return false;
	return !x->last_used.len ||
	       (scalar_day_parse(x->last_used, &unused) && !is_recent(x->last_used, now_s, period_s));
}

enum legacy_fate legacy_fate(const struct legacy_secret *x, int64_t now_s, int64_t period_s)
{
	int64_t unused;
	CHECK(legacy_is_unused(x, now_s, period_s));
	if (!scalar_day_parse(x->invalid_since, &unused))
		return LEGACY_IS_MARKED;
	return is_recent(x->invalid_since, now_s, period_s) ? LEGACY_STAYS : LEGACY_GOES;
}
