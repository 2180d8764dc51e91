/* Times as the API writes them: RFC 3339 in UTC. */
#include "node/ground/times.h"

#include "base/time/rfc3339.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *time_text(int64_t unix_ns, char out[TIME_TEXT_MAX])
{
	return rfc3339_text(out, unix_ns, 0);
}

const char *time_text_nano(int64_t unix_ns, char out[TIME_TEXT_MAX])
{
	return rfc3339_text(out, unix_ns, 9);
}

const char *time_text_micro(int64_t unix_ns, char out[TIME_TEXT_MAX])
{
	return rfc3339_text(out, unix_ns, 6);
}

/* What nanoseconds in 63 bits can say, a day of offset less: into the year 2262. */
enum { DAY_S = 86400 };
static const int64_t UNIX_S_MAX = INT64_MAX / 1000000000 - 2 * DAY_S;

int64_t time_parse(struct slice text)
{
	char buf[TIME_TEXT_MAX + 8];
	struct tm tm = {0};
	if (text.len < 20 || text.len >= sizeof buf)
		return 0;
	memcpy(buf, text.ptr, text.len);
	buf[text.len] = 0;
	const char *p = strptime(buf, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!p)
		return 0;
	int64_t s = (int64_t)timegm(&tm), unit = 100000000;
	if (s <= 0 || s > UNIX_S_MAX)
		return 0;
	int64_t ns = s * 1000000000;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
			ns += (*p - '0') * unit;
	if (*p == '+' || *p == '-') {
		int h = 0, m = 0;
		if (sscanf(p + 1, "%2d:%2d", &h, &m) != 2 || h < 0 || m < 0)
			return 0;
		ns -= (*p == '+' ? 1 : -1) * (int64_t)(h * 3600 + m * 60) * 1000000000;
		return ns > 0 ? ns : 0;
	}
	return *p == 'Z' && !p[1] ? ns : 0;
}

int64_t time_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
