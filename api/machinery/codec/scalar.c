/* Times without libc's calendar, so that no time zone and no range of time_t gets in the way. Days are counted from
 * the civil date with the usual 400-year cycle arithmetic. */
#include "api/machinery/codec/scalar.h"

#include "base/check.h"

#include <stdio.h>

static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned year = (unsigned)(y - era * 400);
	unsigned day = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	return era * 146097 + (int64_t)(year * 365 + year / 4 - year / 100 + day) - 719468;
}

static void date_of(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned doe = (unsigned)(days - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

/* Reads exactly n digits. */
static bool digits(struct slice *s, int n, unsigned *out)
{
	*out = 0;
	for (int i = 0; i < n; i++) {
		if (s->len == 0 || *s->ptr < '0' || *s->ptr > '9')
			return false;
		*out = *out * 10 + (unsigned)(*s->ptr - '0');
		s->ptr++;
		s->len--;
	}
	return true;
}

static bool literal(struct slice *s, char c)
{
	if (s->len == 0 || *s->ptr != c)
		return false;
	s->ptr++;
	s->len--;
	return true;
}

static bool fraction(struct slice *s, int32_t *nanos)
{
	*nanos = 0;
	if (!literal(s, '.') && !literal(s, ','))
		return true;
	int n = 0;
	for (; s->len && *s->ptr >= '0' && *s->ptr <= '9'; n++) {
		if (n < 9)
			*nanos = *nanos * 10 + (*s->ptr - '0');
		s->ptr++;
		s->len--;
	}
	for (int i = n; i < 9; i++)
		*nanos *= 10;
	return n > 0;
}

static bool offset(struct slice *s, int64_t *seconds)
{
	*seconds = 0;
	if (literal(s, 'Z'))
		return true;
	bool negative = s->len && *s->ptr == '-';
	unsigned h, m;
	if (!(literal(s, '-') || literal(s, '+')) || !digits(s, 2, &h) || !literal(s, ':') || !digits(s, 2, &m))
		return false;
	*seconds = (negative ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
	return h < 24 && m < 60;
}

static unsigned month_days(unsigned y, unsigned m)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[m - 1] + (m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
}

int scalar_time_parse(struct slice text, int64_t *seconds, int32_t *nanos, struct err *err)
{
	struct slice s = text;
	unsigned y, mo, d, h, mi, se;
	int64_t zone;
	bool ok = digits(&s, 4, &y) && literal(&s, '-') && digits(&s, 2, &mo) && literal(&s, '-') &&
	          digits(&s, 2, &d) && literal(&s, 'T') && digits(&s, 2, &h) && literal(&s, ':') &&
	          digits(&s, 2, &mi) && literal(&s, ':') && digits(&s, 2, &se) && fraction(&s, nanos) &&
	          offset(&s, &zone) && s.len == 0;
	if (!ok)
		return err_set(err, ERR_INVAL,
		        "parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%.*s\"",
		        SLICE_FMT(text), SLICE_FMT(s));
	if (mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) || h > 23 || mi > 59 || se > 59)
		return err_set(err, ERR_INVAL, "parsing time \"%.*s\": value out of range", SLICE_FMT(text));
	*seconds = days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + se - zone;
	return 0;
}

bool scalar_time_format(int64_t seconds, int32_t nanos, bool is_micro, char out[SCALAR_TIME_MAX])
{
	if (seconds < -62167219200LL || seconds > 253402300799LL)
		return false;
	int64_t days = seconds / 86400;
	int64_t rest = seconds % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	int64_t y;
	unsigned mo, d;
	date_of(days, &y, &mo, &d);
	unsigned r = (unsigned)rest;
	int n = snprintf(out, SCALAR_TIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)y % 10000, mo, d, r / 3600,
	        r / 60 % 60, r % 60);
	snprintf(out + n, (size_t)(SCALAR_TIME_MAX - n), is_micro ? ".%06uZ" : "Z", (unsigned)nanos / 1000 % 1000000);
	return true;
}

/* ---- days ---- */

bool scalar_day_parse(struct slice text, int64_t *ret_seconds)
{
	char moment[SCALAR_TIME_MAX];
	int32_t nanos;
	struct err unused = ERR_INIT;
	if (text.len != SCALAR_DAY_BYTES - 1)
		return false;
	snprintf(moment, sizeof moment, "%.*sT00:00:00Z", SLICE_FMT(text));
	return scalar_time_parse(slice_of(moment), ret_seconds, &nanos, &unused) == 0;
}

void scalar_day_format(int64_t seconds, char out[SCALAR_DAY_BYTES])
{
	char moment[SCALAR_TIME_MAX];
	CHECK(scalar_time_format(seconds, 0, false, moment));
	memcpy(out, moment, SCALAR_DAY_BYTES - 1);
	out[SCALAR_DAY_BYTES - 1] = 0;
}
