/* Times and spans of time: read, written, reckoned with, and asked for their parts in any time zone.
 *
 * A timestamp is seconds since 1970 and nanoseconds, of the years 1 to 9999; a duration nanoseconds in 64 bits. What
 * leaves these ranges is an error. Zones are names of the system's database, read once a run, or "+hh:mm". */
#include "base/cel/program_int.h"

#include "base/check.h"
#include "base/time/zone.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

enum { SECOND_NS = 1000000000, DAY_S = 86400 };
#define TIME_S_MIN (-62135596800ll)
#define TIME_S_MAX 253402300799ll

struct civil {
	int64_t year;
	int month, day, hour, minute, second, weekday, year_day; /* months and days from 1, the last two from 0 */
};

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t days_of(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct civil civil_of(int64_t s)
{
	struct civil c = {0};
	int64_t days = s / DAY_S - (s % DAY_S < 0), rest = s - days * DAY_S, z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
	        doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (int)((5 * doy + 2) / 153);
	c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = mp + (mp < 10 ? 3 : -9);
	c.year = yoe + era * 400 + (c.month <= 2);
	c.hour = (int)(rest / 3600);
	c.minute = (int)(rest / 60 % 60);
	c.second = (int)(rest % 60);
	c.weekday = (int)((days % 7 + 11) % 7);
	c.year_day = (int)(days - days_of(c.year, 1, 1));
	return c;
}

/* ---- texts ---- */

static bool digits(struct slice *s, size_t n, int *ret)
{
	int v = 0;
	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->ptr[i] < '0' || s->ptr[i] > '9')
			return false;
		v = v * 10 + (s->ptr[i] - '0');
	}
	s->ptr += n;
	s->len -= n;
	*ret = v;
	return true;
}

static bool mark(struct slice *s, char c)
{
	if (!s->len || s->ptr[0] != c)
		return false;
	s->ptr++;
	s->len--;
	return true;
}

/* "+05:30", "-0800" is none. */
static bool offset_parse(struct slice *s, int64_t *ret_s)
{
	int h, m;
	bool is_west = s->len && s->ptr[0] == '-';
	if (!(mark(s, '+') || mark(s, '-')) || !digits(s, 2, &h) || !mark(s, ':') || !digits(s, 2, &m) || h > 23 ||
	        m > 59)
		return false;
	*ret_s = (is_west ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

static bool fraction(struct slice *s, int32_t *ret_nanos)
{
	int32_t unit = SECOND_NS / 10, v = 0;
	*ret_nanos = 0;
	if (!mark(s, '.'))
		return true;
	size_t n = 0;
	for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++, unit /= 10)
		v += unit * (s->ptr[n] - '0');
	s->ptr += n;
	s->len -= n;
	*ret_nanos = v;
	return n > 0;
}

bool cel_time_parse(struct slice s, int64_t *ret_s, int32_t *ret_nanos)
{
	static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int y, mo, d, h, mi, sec;
	int64_t offset = 0;
	if (!digits(&s, 4, &y) || !mark(&s, '-') || !digits(&s, 2, &mo) || !mark(&s, '-') || !digits(&s, 2, &d) ||
	        !mark(&s, 'T') || !digits(&s, 2, &h) || !mark(&s, ':') || !digits(&s, 2, &mi) || !mark(&s, ':') ||
	        !digits(&s, 2, &sec) || !fraction(&s, ret_nanos))
		return false;
	if ((!mark(&s, 'Z') && !offset_parse(&s, &offset)) || s.len)
		return false;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (mo < 1 || mo > 12 || d < 1 || d > lengths[mo - 1] || (mo == 2 && d == 29 && !leap) || h > 23 || mi > 59 ||
	        sec > 59)
		return false;
	*ret_s = days_of(y, mo, d) * DAY_S + h * 3600 + mi * 60 + sec - offset;
	return *ret_s >= TIME_S_MIN && *ret_s <= TIME_S_MAX;
}

static void write_fraction(struct strbuf *out, int64_t nanos)
{
	char text[16];
	if (!nanos)
		return;
	size_t n = (size_t)snprintf(text, sizeof text, ".%09d", (int)nanos);
	while (text[n - 1] == '0')
		n--;
	strbuf_add(out, text, n);
}

void cel_time_write(struct strbuf *out, int64_t s, int32_t nanos)
{
	struct civil c = civil_of(s);
	strbuf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)c.year, c.month, c.day, c.hour, c.minute, c.second);
	write_fraction(out, nanos);
	strbuf_addc(out, 'Z');
}

void cel_span_write(struct strbuf *out, int64_t nanos)
{
	uint64_t n = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
	strbuf_addf(out, "%s%" PRIu64, nanos < 0 ? "-" : "", n / SECOND_NS);
	write_fraction(out, (int64_t)(n % SECOND_NS));
	strbuf_addc(out, 's');
}

static bool take_unit(struct slice *s, int64_t *ret)
{
	static const struct {
		const char *name;
		int64_t nanos;
	} units[] = {{"ns", 1}, {"us", 1000}, {"\u00b5s", 1000}, {"\u03bcs", 1000}, {"ms", 1000000}, {"s", SECOND_NS},
	        {"m", 60ll * SECOND_NS}, {"h", 3600ll * SECOND_NS}};
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		size_t n = strlen(units[i].name);
		if (slice_starts(*s, units[i].name) &&
		        (s->len == n || s->ptr[n] == '.' || (s->ptr[n] >= '0' && s->ptr[n] <= '9'))) {
			s->ptr += n;
			s->len -= n;
			*ret = units[i].nanos;
			return true;
		}
	}
	return false;
}

static struct slice take_digits(struct slice *s)
{
	struct slice digits = {s->ptr, 0};
	for (; s->len && s->ptr[0] >= '0' && s->ptr[0] <= '9'; s->ptr++, s->len--)
		digits.len++;
	return digits;
}

/* So much of a unit, rounded down: digits behind a point, of which the first 18 count. From the last one on, each tenth
 * of what follows is added, rounded down too, which loses nothing: floor((d + floor(x)) / 10) is floor((d + x) / 10).
 */
static uint64_t share_of(struct slice digits, uint64_t unit)
{
	uint64_t part = 0;
	for (size_t i = digits.len < 18 ? digits.len : 18; i--;)
		part = ((uint64_t)(digits.ptr[i] - '0') * unit + part) / 10;
	return part;
}

/* One "1.5h". Up to 2^63 nanoseconds, which a minus before them can make a span of. */
static bool take_span(struct slice *s, uint64_t *total)
{
	struct slice whole = take_digits(s), part = {NULL, 0};
	uint64_t v = 0;
	int64_t unit;
	if (mark(s, '.'))
		part = take_digits(s);
	if (!(whole.len + part.len) || !take_unit(s, &unit))
		return false;
	for (size_t i = 0; i < whole.len; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (unsigned)(whole.ptr[i] - '0'), &v))
			return false;
	return !__builtin_mul_overflow(v, (uint64_t)unit, &v) &&
	       !__builtin_add_overflow(v, share_of(part, (uint64_t)unit), &v) &&
	       !__builtin_add_overflow(*total, v, total) && *total <= (uint64_t)INT64_MAX + 1;
}

bool cel_span_parse(struct slice s, int64_t *ret)
{
	uint64_t total = 0;
	bool is_negative = s.len && s.ptr[0] == '-';
	if (is_negative || (s.len && s.ptr[0] == '+'))
		s = (struct slice){s.ptr + 1, s.len - 1};
	if (slice_is(s, "0")) {
		*ret = 0;
		return true;
	}
	if (!s.len)
		return false;
	while (s.len)
		if (!take_span(&s, &total))
			return false;
	*ret = (int64_t)(is_negative ? -total : total);
	return is_negative || total <= INT64_MAX;
}

/* ---- the format "duration" of schemas ---- */

/* A unit by one of its signs, or by a word that begins so. */
static int64_t unit_by_word(struct slice word)
{
	static const struct {
		const char *signs[2], *stem;
		int64_t nanos;
	} rows[] = {
	        {{"ns", "ns"}, "nano", 1},
	        {{"us", "\xc2\xb5s"}, "micro", 1000},
	        {{"ms", "ms"}, "milli", 1000000},
	        {{"s", "s"}, "sec", SECOND_NS},
	        {{"m", "m"}, "min", INT64_C(60) * SECOND_NS},
	        {{"h", "hr"}, "hour", INT64_C(3600) * SECOND_NS},
	        {{"d", "d"}, "day", INT64_C(86400) * SECOND_NS},
	        {{"w", "wk"}, "week", INT64_C(604800) * SECOND_NS},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t n = strlen(rows[i].stem);
		if (slice_caseis(word, rows[i].signs[0]) || slice_caseis(word, rows[i].signs[1]) ||
		        (word.len > n && slice_caseis((struct slice){word.ptr, n}, rows[i].stem)) ||
		        slice_caseis(word, rows[i].stem))
			return rows[i].nanos;
	}
	return 0;
}

static struct slice take_word(struct slice *s)
{
	struct slice word = {s->ptr, 0};
	while (s->len && (isalpha((unsigned char)s->ptr[0]) || (unsigned char)s->ptr[0] >= 0x80)) {
		*s = (struct slice){s->ptr + 1, s->len - 1};
		word.len++;
	}
	return word;
}

bool cel_duration_parse(struct slice s, int64_t *ret)
{
	uint64_t total = 0, n;
	bool any = false;
	if (cel_span_parse(s, ret))
		return true;
	while (s.len) {
		struct slice digits = take_digits(&s), gap = s;
		while (digits.len && gap.len && isspace((unsigned char)gap.ptr[0]))
			gap = (struct slice){gap.ptr + 1, gap.len - 1};
		struct slice rest = gap, word = take_word(&rest);
		if (!digits.len || !word.len) { /* nothing that counts begins here */
			s = digits.len ? s : (struct slice){s.ptr + 1, s.len - 1};
			continue;
		}
		if (!slice_to_u64(digits, &n) || n > INT64_MAX)
			return false;
		int64_t unit = unit_by_word(word);
		any |= unit != 0;
		total += n * (uint64_t)unit; /* beyond 292 years it wraps, as upstream's does */
		s = rest;
	}
	*ret = (int64_t)total;
	return any;
}

/* ---- reckoning ---- */

static struct cel_value span(int64_t nanos)
{
	return (struct cel_value){.kind = CEL_DURATION, .integer = nanos};
}

static struct cel_value shifted(struct cel_run *r, struct cel_value t, int64_t by, bool is_back)
{
	int64_t by_s = by / SECOND_NS, by_ns = by % SECOND_NS;
	int64_t s = t.integer + (is_back ? -by_s : by_s), nanos = t.nanos + (is_back ? -by_ns : by_ns);
	if (nanos < 0 || nanos >= SECOND_NS) {
		s += nanos < 0 ? -1 : 1;
		nanos += nanos < 0 ? SECOND_NS : -SECOND_NS;
	}
	if (s < TIME_S_MIN || s > TIME_S_MAX)
		return cel_error(r->arena, "timestamp overflow");
	return (struct cel_value){.kind = CEL_TIMESTAMP, .integer = s, .nanos = (int32_t)nanos};
}

static struct cel_value time_add(struct cel_run *r, const struct cel_value *v, size_t n)
{
	bool first = v[0].kind == CEL_TIMESTAMP;
	return shifted(r, first ? v[0] : v[1], first ? v[1].integer : v[0].integer, false);
}

static struct cel_value time_less_span(struct cel_run *r, const struct cel_value *v, size_t n)
{
	return shifted(r, v[0], v[1].integer, true);
}

static struct cel_value time_less_time(struct cel_run *r, const struct cel_value *v, size_t n)
{
	int64_t s = v[0].integer - v[1].integer, nanos = v[0].nanos - v[1].nanos, d;
	if (s < 0 && nanos > 0) { /* so that what fits is not refused for a step on the way */
		s++;
		nanos -= SECOND_NS;
	}
	if (__builtin_mul_overflow(s, SECOND_NS, &d) || __builtin_add_overflow(d, nanos, &d))
		return cel_error(r->arena, "duration overflow");
	return span(d);
}

static struct cel_value span_add(struct cel_run *r, const struct cel_value *v, size_t n)
{
	int64_t d;
	bool over = __builtin_add_overflow(v[0].integer, v[1].integer, &d);
	return over ? cel_error(r->arena, "duration overflow") : span(d);
}

static struct cel_value span_less(struct cel_run *r, const struct cel_value *v, size_t n)
{
	int64_t d;
	bool over = __builtin_sub_overflow(v[0].integer, v[1].integer, &d);
	return over ? cel_error(r->arena, "duration overflow") : span(d);
}

/* ---- parts ---- */

/* Seconds east at that time. False: *ret_error. */
static bool zone_offset(struct cel_run *r, struct slice name, int64_t at_s, int64_t *ret, struct cel_value *ret_error)
{
	struct err err = ERR_INIT;
	struct slice rest = name;
	bool is_plain = name.len == 5 && name.ptr[2] == ':';
	if (is_plain)
		rest = slice_of(arena_printf(r->arena, "+%.*s", SLICE_FMT(name)));
	if (offset_parse(&rest, ret) && !rest.len)
		return true;
	struct zone *z = cel_run_cache_get(r, 'z', name);
	if (!z && (slice_is(name, "UTC") || slice_is(name, ""))) {
		*ret = 0;
		return true;
	}
	if (!z && zone_load(r->arena, name, &z, &err) != 0) {
		*ret_error = cel_error(r->arena, "unknown time zone %.*s", SLICE_FMT(name));
		return false;
	}
	cel_run_cache_put(r, 'z', name, z);
	*ret = zone_offset_s(z, at_s);
	return true;
}

enum part { YEAR, MONTH, DATE, DAY_OF_MONTH, WEEKDAY, YEAR_DAY, HOURS, MINUTES, SECONDS, MILLIS };

static struct cel_value part_of(struct cel_run *r, const struct cel_value *v, size_t n, enum part part)
{
	int64_t offset = 0;
	struct cel_value error;
	if (n == 2 && !zone_offset(r, v[1].text, v[0].integer, &offset, &error))
		return error;
	struct civil c = civil_of(v[0].integer + offset);
	const int64_t parts[] = {[YEAR] = c.year,
	        [MONTH] = c.month - 1,
	        [DATE] = c.day,
	        [DAY_OF_MONTH] = c.day - 1,
	        [WEEKDAY] = c.weekday,
	        [YEAR_DAY] = c.year_day,
	        [HOURS] = c.hour,
	        [MINUTES] = c.minute,
	        [SECONDS] = c.second,
	        [MILLIS] = v[0].nanos / 1000000};
	return cel_of_int(parts[part]);
}

#define PART(name, part) \
	static struct cel_value name(struct cel_run *r, const struct cel_value *v, size_t n) \
	{ \
		return part_of(r, v, n, part); \
	}
PART(get_year, YEAR)
PART(get_month, MONTH)
PART(get_date, DATE)
PART(get_day, DAY_OF_MONTH)
PART(get_weekday, WEEKDAY)
PART(get_year_day, YEAR_DAY)
PART(get_hours, HOURS)
PART(get_minutes, MINUTES)
PART(get_seconds, SECONDS)
PART(get_millis, MILLIS)

#define SPAN(name, reckoned) \
	static struct cel_value name(struct cel_run *r, const struct cel_value *v, size_t n) \
	{ \
		return cel_of_int(reckoned); \
	}
SPAN(span_hours, v[0].integer / SECOND_NS / 3600)
SPAN(span_minutes, v[0].integer / SECOND_NS / 60)
SPAN(span_seconds, v[0].integer / SECOND_NS)
SPAN(span_millis, v[0].integer % SECOND_NS / 1000000)

#define BOTH(name, fn) \
	{name, "timestamp.()int", fn, CEL_COST_ONE}, \
	{ \
		name, "timestamp.(string)int", fn, CEL_COST_ONE \
	}

static const struct cel_overload rows[] = {
        {"_+_", "(timestamp,duration)timestamp", time_add, CEL_COST_ONE},
        {"_+_", "(duration,timestamp)timestamp", time_add, CEL_COST_ONE},
        {"_+_", "(duration,duration)duration", span_add, CEL_COST_ONE},
        {"_-_", "(timestamp,timestamp)duration", time_less_time, CEL_COST_ONE},
        {"_-_", "(timestamp,duration)timestamp", time_less_span, CEL_COST_ONE},
        {"_-_", "(duration,duration)duration", span_less, CEL_COST_ONE},
        BOTH("getFullYear", get_year),
        BOTH("getMonth", get_month),
        BOTH("getDate", get_date),
        BOTH("getDayOfMonth", get_day),
        BOTH("getDayOfWeek", get_weekday),
        BOTH("getDayOfYear", get_year_day),
        BOTH("getHours", get_hours),
        BOTH("getMinutes", get_minutes),
        BOTH("getSeconds", get_seconds),
        BOTH("getMilliseconds", get_millis),
        {"getHours", "duration.()int", span_hours, CEL_COST_ONE},
        {"getMinutes", "duration.()int", span_minutes, CEL_COST_ONE},
        {"getSeconds", "duration.()int", span_seconds, CEL_COST_ONE},
        {"getMilliseconds", "duration.()int", span_millis, CEL_COST_ONE},
};

const struct cel_library cel_times = {rows, COUNT_OF(rows)};
