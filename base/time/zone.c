/* See zone.h. A TZif file (RFC 8536) lists the moments at which a zone's offset changes; what comes after the last one
 * is told by a rule in its footer, "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX.1, TZ). Today's files leave nearly all to the
 * rule, so both are read. The first part of the file, with times of 32 bits, is stepped over.
 *
 * What can go wrong: the database is not installed; a name that leads out of it; counts in the file that do not fit its
 * size. Nothing of the file is trusted. */
#include "base/time/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"
enum { ZONE_NAME_MAX = 80, ZONE_FILE_MAX = 65536, HEADER = 44, TYPE = 6, DAY_S = 86400 };

/* When summer time begins or ends. */
struct date {
	char form; /* 'M': month, week, weekday; 'J': day of the year without February 29; 'D': with it, from 0 */
	int month, week, day;
	int64_t time_s; /* of that day */
};

struct rule {
	bool is_set, has_summer;
	int32_t standard_s, summer_s; /* east */
	struct date begin, end;
};

struct zone {
	const unsigned char *times, *kinds, *types; /* of the second part */
	size_t count, type_count;
	struct rule rule;
};

/* ---- the rule ---- */

struct text {
	const char *p, *end;
};

static bool take(struct text *t, char c)
{
	bool is = t->p < t->end && *t->p == c;
	t->p += is;
	return is;
}

static bool take_number(struct text *t, int max, int *ret)
{
	const char *begin = t->p;
	int n = 0;
	while (t->p < t->end && *t->p >= '0' && *t->p <= '9' && n <= max)
		n = n * 10 + (*t->p++ - '0');
	*ret = n;
	return t->p > begin && n <= max;
}

/* "CET" or "<+03>". */
static bool skip_name(struct text *t)
{
	const char *begin = t->p;
	if (take(t, '<')) {
		while (t->p < t->end && *t->p != '>')
			t->p++;
		return take(t, '>');
	}
	while (t->p < t->end && ((*t->p | 32) >= 'a' && (*t->p | 32) <= 'z'))
		t->p++;
	return t->p - begin >= 3;
}

/* "-3:30" */
static bool take_time(struct text *t, int64_t *ret_s)
{
	int part[3] = {0};
	bool minus = take(t, '-');
	if (!minus)
		take(t, '+');
	if (!take_number(t, 167, &part[0]))
		return false;
	for (int i = 1; i < 3 && take(t, ':'); i++)
		if (!take_number(t, 59, &part[i]))
			return false;
	*ret_s = (minus ? -1 : 1) * ((int64_t)part[0] * 3600 + part[1] * 60 + part[2]);
	return true;
}

static bool take_date(struct text *t, struct date *d)
{
	*d = (struct date){.form = 'D', .time_s = 2 * 3600};
	if (take(t, 'M')) {
		d->form = 'M';
		if (!take_number(t, 12, &d->month) || !take(t, '.') || !take_number(t, 5, &d->week) || !take(t, '.') ||
		        !take_number(t, 6, &d->day) || !d->month || !d->week)
			return false;
	} else {
		if (take(t, 'J'))
			d->form = 'J';
		if (!take_number(t, 365, &d->day) || (d->form == 'J' && !d->day))
			return false;
	}
	return !take(t, '/') || take_time(t, &d->time_s);
}

static bool parse_rule(struct slice text, struct rule *r)
{
	struct text t = {text.ptr, text.ptr + text.len};
	int64_t west_s;
	*r = (struct rule){.is_set = text.len > 0};
	if (!text.len)
		return true;
	if (!skip_name(&t) || !take_time(&t, &west_s))
		return false;
	r->standard_s = (int32_t)-west_s;
	if (t.p == t.end)
		return true;
	r->has_summer = true;
	west_s -= 3600;
	if (!skip_name(&t) || (t.p < t.end && *t.p != ',' && !take_time(&t, &west_s)))
		return false;
	r->summer_s = (int32_t)-west_s;
	return take(&t, ',') && take_date(&t, &r->begin) && take(&t, ',') && take_date(&t, &r->end) && t.p == t.end;
}

static int64_t day_of(int year, int month, int day)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	return timegm(&tm) / DAY_S;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* In seconds of the zone's own clock. */
static int64_t date_s(const struct date *d, int year)
{
	int64_t day = day_of(year, 1, 1);
	if (d->form == 'M') {
		int64_t first = day_of(year, d->month, 1), next = day_of(year, d->month + 1, 1);
		int64_t weekday = (first % 7 + 7 + 4) % 7; /* 1970 began on a Thursday */
		day = first + (d->day - weekday + 7) % 7 + 7 * (int64_t)(d->week - 1);
		while (day >= next)
			day -= 7;
	} else {
		day += d->form == 'J' ? d->day - 1 + (is_leap(year) && d->day >= 60) : d->day;
	}
	return day * DAY_S + d->time_s;
}

static int32_t rule_offset_s(const struct rule *r, int64_t unix_s)
{
	time_t local = (time_t)(unix_s + r->standard_s);
	struct tm tm;
	if (!r->has_summer || !gmtime_r(&local, &tm))
		return r->standard_s;
	int64_t begin = date_s(&r->begin, tm.tm_year + 1900) - r->standard_s,
	        end = date_s(&r->end, tm.tm_year + 1900) - r->summer_s;
	bool is_summer =
	        begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end; /* the south */
	return is_summer ? r->summer_s : r->standard_s;
}

/* ---- the file ---- */

static uint64_t big_endian(const unsigned char *p, int bytes)
{
	uint64_t n = 0;
	for (int i = 0; i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

struct part {
	uint64_t utc, standard, leaps, times, types, chars;
	size_t bytes; /* behind the header */
};

static bool read_header(struct slice data, unsigned width, struct part *p)
{
	const unsigned char *h = (const unsigned char *)data.ptr;
	if (data.len < HEADER || memcmp(h, "TZif", 4) != 0)
		return false;
	*p = (struct part){big_endian(h + 20, 4), big_endian(h + 24, 4), big_endian(h + 28, 4), big_endian(h + 32, 4),
	        big_endian(h + 36, 4), big_endian(h + 40, 4), 0};
	uint64_t bytes =
	        p->times * (width + 1) + p->types * TYPE + p->chars + p->leaps * (width + 4) + p->standard + p->utc;
	p->bytes = (size_t)bytes;
	return p->types > 0 && bytes <= data.len - HEADER;
}

static struct slice behind(struct slice data, size_t n)
{
	return (struct slice){data.ptr + n, data.len - n};
}

static bool parse_zone(struct slice data, struct zone *z)
{
	struct part p;
	if (!read_header(data, 4, &p) || data.ptr[4] < '2')
		return false;
	data = behind(data, HEADER + p.bytes);
	if (!read_header(data, 8, &p))
		return false;
	z->times = (const unsigned char *)data.ptr + HEADER;
	z->count = (size_t)p.times;
	z->kinds = z->times + z->count * 8;
	z->types = z->kinds + z->count;
	z->type_count = (size_t)p.types;
	for (size_t i = 0; i < z->count; i++)
		if (z->kinds[i] >= z->type_count)
			return false;
	struct slice footer = behind(data, HEADER + p.bytes);
	if (footer.len < 2 || footer.ptr[0] != '\n')
		return false;
	footer = behind(footer, 1);
	return parse_rule(slice_cut(&footer, '\n'), &z->rule) && footer.ptr;
}

int zone_parse(struct arena *a, struct slice data, struct zone **ret, struct err *err)
{
	struct zone z = {0};
	data.ptr = arena_memdup(a, data.ptr ? data.ptr : "", data.len);
	if (!parse_zone(data, &z))
		return err_set(err, ERR_CORRUPT, "it is not a time zone's file (TZif of version 2 or later)");
	*ret = ARENA_NEW(a, struct zone);
	**ret = z;
	return 0;
}

int32_t zone_offset_s(const struct zone *z, int64_t unix_s)
{
	size_t low = 0, high = z->count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if ((int64_t)big_endian(z->times + mid * 8, 8) <= unix_s)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->count && z->rule.is_set)
		return rule_offset_s(&z->rule, unix_s);
	return (int32_t)big_endian(z->types + TYPE * (low ? z->kinds[low - 1] : 0), 4);
}

/* ---- by name ---- */

static bool is_name(struct slice name)
{
	static const char more[] = "/_+-.";
	if (!name.len || name.len > ZONE_NAME_MAX || name.ptr[0] == '/' || name.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool is_letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9');
		if ((!is_letter && (!c || !strchr(more, c))) || (c == '.' && name.ptr[i - 1] == '.'))
			return false;
	}
	return true;
}

int zone_load(struct arena *a, struct slice name, struct zone **ret, struct err *err)
{
	if (!is_name(name))
		return err_set(err, ERR_INVAL, "\"%.*s\" is not the name of a time zone", SLICE_FMT(name));
	const char *path = arena_printf(a, ZONE_FOLDER "/%.*s", SLICE_FMT(name));
	CLEANUP(cleanup_free) char *data = xmalloc(ZONE_FILE_MAX);
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(data, 1, ZONE_FILE_MAX, f) : 0;
	if (f)
		fclose(f);
	if (!n)
		return err_set(err, ERR_NOT_FOUND,
		        "unknown time zone %.*s (there is no file %s; the package tzdata brings them)", SLICE_FMT(name),
		        path);
	if (zone_parse(a, (struct slice){data, n}, ret, err) != 0)
		return err_wrap(err, "read %s", path);
	return 0;
}
