/* Cron expressions: what is taken comes after the time that it is asked for, on a whole minute, and at the times it
 * names. */
#include "base/check.h"
#include "base/time/cron.h"

#include <stdint.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cron c;
	struct err err = ERR_INIT;
	struct tm tm;
	int64_t now = 1800000000 + (size ? data[0] * 86461 : 0);
	if (cron_parse((struct slice){(const char *)data, size}, &c, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
		return 0;
	}
	int64_t next = cron_next(&c, now);
	CHECK(next == 0 || next > now);
	time_t t = (time_t)next;
	if (c.every_s || !next)
		return 0;
	CHECK(next % 60 == 0 && localtime_r(&t, &tm));
	CHECK((c.minutes >> tm.tm_min & 1) && (c.hours >> tm.tm_hour & 1) && (c.months >> (tm.tm_mon + 1) & 1));
	return 0;
}
