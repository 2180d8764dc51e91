/* See duration.h. What can go wrong: anything but digits, one dot and a unit, again and again; too many hours. */
#include "base/time/duration.h"

#include <stddef.h>
#include <string.h>

#define MS_MAX 1e15

/* Digits with at most one dot among them; where they end, or NULL. */
static const char *parse_number(const char *p, double *ret)
{
	double n = 0, part = 0;
	bool has_digit = false;
	for (; (*p >= '0' && *p <= '9') || (*p == '.' && part == 0); p++) {
		if (*p == '.') {
			part = 1;
			continue;
		}
		has_digit = true;
		part /= 10;
		n = part > 0 ? n + part * (*p - '0') : n * 10 + (*p - '0');
	}
	*ret = n;
	return has_digit ? p : NULL;
}

bool duration_parse_ms(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"h", 3600e3}, {"m", 60e3}, {"s", 1e3}};
	double sum = 0, n;
	for (const char *p = text; *p;) {
		size_t i = 0, count = sizeof units / sizeof *units;
		p = parse_number(p, &n);
		while (p && i < count && strncmp(p, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (!p || i == count)
			return false;
		sum += n * units[i].ms;
		p += strlen(units[i].unit);
	}
	if (!*text || sum > MS_MAX)
		return false;
	*ret_ms = (uint64_t)(sum + 1e-6); /* tenths are not exact */
	return true;
}
