/* See rfc3339.h. */
#include "base/time/rfc3339.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_NS = 1000000000 };

const char *rfc3339_seconds(char out[RFC3339_MAX], int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	strftime(out, RFC3339_MAX, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
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
