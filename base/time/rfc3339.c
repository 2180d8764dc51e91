/* See rfc3339.h. */
#include "base/time/rfc3339.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_NS = 1000000000 };

enum { DAY_S = 86400, DAYS_OF_400_YEARS = 146097, DAYS_TO_1970 = 719468 }; /* the last from March 1 of year 0 */
#define SECONDS_TO_10000 253402300800

static void put(char *to, unsigned v, int digits)
{
	for (; digits > 0; v /= 10)
		to[--digits] = (char)('0' + v % 10);
}

/* Of the proleptic Gregorian calendar, in years that begin with March, so that a leap day is the last of one; libc's
 * gmtime_r() takes a lock, and strftime() reads its format anew for each of the many times that are written. */
static void put_date(char *to, unsigned days)
{
	unsigned era = (days + DAYS_TO_1970) / DAYS_OF_400_YEARS, day = (days + DAYS_TO_1970) % DAYS_OF_400_YEARS;
	unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	unsigned day_of_year = day - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * day_of_year + 2) / 153; /* 0: March */
	put(to, era * 400 + year + (month >= 10), 4);
	put(to + 5, month < 10 ? month + 3 : month - 9, 2);
	put(to + 8, day_of_year - (153 * month + 2) / 5 + 1, 2);
}

/* Before 1970 and beyond 9999, which some client may ask for; what no calendar has is the last second of 9999. */
static const char *far_seconds(char out[RFC3339_MAX], int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	if (!gmtime_r(&t, &tm))
		return rfc3339_seconds(out, SECONDS_TO_10000 - 1);
	strftime(out, RFC3339_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

const char *rfc3339_seconds(char out[RFC3339_MAX], int64_t unix_s)
{
	if (unix_s < 0 || unix_s >= SECONDS_TO_10000)
		return far_seconds(out, unix_s);
	unsigned s = (unsigned)(unix_s % DAY_S);
	memcpy(out, "0000-00-00T00:00:00Z", sizeof "0000-00-00T00:00:00Z");
	put_date(out, (unsigned)(unix_s / DAY_S));
	put(out + 11, s / 3600, 2);
	put(out + 14, s / 60 % 60, 2);
	put(out + 17, s % 60, 2);
	return out;
}

const char *rfc3339_text(char out[RFC3339_MAX], int64_t unix_ns, int digits)
{
	CHECK(digits >= 0 && digits <= 9);
	rfc3339_seconds(out, unix_ns / SECOND_NS);
	if (!digits)
		return out;
	int64_t part = unix_ns % SECOND_NS;
	for (int i = digits; i < 9; i++)
		part /= 10;
	size_t n = strlen(out) - 1; /* before the Z */
	snprintf(out + n, RFC3339_MAX - n, ".%0*lldZ", digits, (long long)part);
	return out;
}
