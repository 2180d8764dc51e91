/* Times that come again, as cron(8) writes them: "30 3 * * *". Pure, any thread. */
#ifndef K3X_BASE_TIME_CRON_H
#define K3X_BASE_TIME_CRON_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/time/zone.h"

#include <stdint.h>

struct cron {
	uint64_t minutes;                       /* bits 0 to 59 */
	uint32_t hours, days, months, weekdays; /* bits 0-23, 1-31, 1-12, 0-6 (Sunday is 0) */
	bool is_any_day, is_any_weekday;        /* the field was "*" or began so */
	int64_t every_s;                        /* not 0: "@every 1h", and nothing else counts */
};

/* Five fields: minute, hour, day of the month, month, day of the week, each "*" or "?", a number, a range "1-5", with a
 * step "2-10/2" or from a number on "5/15", or several of them with commas between; months and weekdays also by their
 * English names' first three letters. Or @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @every
 * DURATION. When both days are restricted, either will do. ERR_INVAL names the field. */
int cron_parse(struct slice text, struct cron *ret, struct err *err);

/* The first time after `after_s` (Unix time), in the local time zone; 0: there is none within five years (February 30).
 */
int64_t cron_next(const struct cron *c, int64_t after_s);
/* The same in a time zone; NULL: the local one. */
int64_t cron_next_in(const struct cron *c, const struct zone *zone, int64_t after_s);

#endif
