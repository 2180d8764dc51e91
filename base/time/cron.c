/* See cron.h. Robfig's cron, which k3s uses, is the model.
 *
 * The next time is found by steps from the largest unit down: a month that does not fit is left at once, then a day,
 * then an hour. Steps of a day go through the calendar, for not each has 24 hours; an hour that a change to summer time
 * leaves out is not waited for, and one that comes twice counts twice.
 *
 * What can go wrong: a field that is none, out of its range, or a step of 0; dates that never come. */
#include "base/time/cron.h"

#include "base/time/duration.h"
#include "base/mem/arena.h"

#include <ctype.h>
#include <stdlib.h>
#include <time.h>

enum { YEARS_MAX = 5, TEXT_BYTES_MAX = 256 };

/* ---- parsing ---- */

static const struct field {
	const char *name;
	unsigned min, max;
	const char *names; /* of min, min + 1, ...: three letters each */
} fields[] = {
        {"minute", 0, 59, ""},
        {"hour", 0, 23, ""},
        {"day of the month", 1, 31, ""},
        {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
        {"day of the week", 0, 6, "sunmontuewedthufrisat"},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static bool parse_value(const struct field *f, struct slice text, unsigned *ret)
{
	int64_t n;
	if (slice_to_i64(text, &n) && isdigit((unsigned char)text.ptr[0])) {
		if (f->max == 6 && n == 7) /* Sunday, as cron(8) has it */
			n = 0;
		*ret = (unsigned)n;
		return n >= f->min && n <= f->max;
	}
	for (unsigned i = 0; text.len == 3 && f->names[3 * i]; i++)
		if (slice_caseis(text, (char[]){f->names[3 * i], f->names[3 * i + 1], f->names[3 * i + 2], 0})) {
			*ret = f->min + i;
			return true;
		}
	return false;
}

/* "*", "5", "1-5", "*" or these with a step behind a slash. */
static bool parse_part(const struct field *f, struct slice part, uint64_t *bits)
{
	struct slice step_text = part, range = slice_cut(&step_text, '/'), last_text = range;
	struct slice first_text = slice_cut(&last_text, '-');
	unsigned first = f->min, last = f->max;
	int64_t step = 1;
	bool has_step = step_text.ptr != NULL, is_any = slice_is(range, "*") || slice_is(range, "?");
	if (has_step && (!slice_to_i64(step_text, &step) || step < 1 || step > 60))
		return false;
	if (!is_any && !parse_value(f, first_text, &first))
		return false;
	if (!is_any && last_text.ptr && !parse_value(f, last_text, &last))
		return false;
	if (!is_any && !last_text.ptr && !has_step)
		last = first;
	for (unsigned i = first; i <= last; i += (unsigned)step)
		*bits |= UINT64_C(1) << i;
	return first <= last;
}

static int parse_field(const struct field *f, struct slice text, uint64_t *bits, bool *is_any, struct err *err)
{
	struct slice rest = text;
	*is_any = text.len && (text.ptr[0] == '*' || text.ptr[0] == '?');
	*bits = 0;
	do {
		if (!parse_part(f, slice_cut(&rest, ','), bits))
			return err_set(err, ERR_INVAL, "its %s \"%.*s\" is not like *, 5, 1-5 or */2, of %u to %u",
			        f->name, SLICE_FMT(text), f->min, f->max);
	} while (rest.ptr);
	return 0;
}

static const struct {
	const char *name, *means;
} names[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
        {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};

static int parse_every(struct slice text, struct cron *c, struct err *err)
{
	char copy[TEXT_BYTES_MAX + 1];
	uint64_t ms;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = 0;
	if (!duration_parse_ms(copy, &ms) || ms < 1000)
		return err_set(err, ERR_INVAL, "what follows @every is not a span of at least a second, like 1h30m");
	c->every_s = (int64_t)(ms / 1000);
	return 0;
}

static int parse_fields(struct slice text, struct cron *c, struct err *err)
{
	struct slice words[FIELDS];
	uint64_t bits[FIELDS];
	bool any[FIELDS];
	size_t n = 0;
	for (struct slice rest = text; rest.len; rest = slice_trim(rest), n++) {
		struct slice word = slice_cut(&rest, ' ');
		if (n < FIELDS)
			words[n] = word;
	}
	if (n != FIELDS)
		return err_set(err, ERR_INVAL,
		        "it has %zu fields, not the five: minute, hour, day, month, weekday (nor is it like @daily)",
		        n);
	for (size_t i = 0; i < FIELDS; i++)
		if (parse_field(&fields[i], words[i], &bits[i], &any[i], err) != 0)
			return err->code;
	*c = (struct cron){.minutes = bits[0],
	        .hours = (uint32_t)bits[1],
	        .days = (uint32_t)bits[2],
	        .months = (uint32_t)bits[3],
	        .weekdays = (uint32_t)bits[4],
	        .is_any_day = any[2],
	        .is_any_weekday = any[4]};
	return 0;
}

int cron_parse(struct slice text, struct cron *ret, struct err *err)
{
	struct cron c = {0};
	text = slice_trim(text);
	if (text.len > TEXT_BYTES_MAX || memchr(text.ptr ? text.ptr : "", 0, text.len))
		return err_set(err, ERR_INVAL, "it is longer than %d bytes, or no text", TEXT_BYTES_MAX);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (slice_is(text, names[i].name))
			text = slice_of(names[i].means);
	int rc = slice_starts(text, "@every ")
	                 ? parse_every(slice_trim((struct slice){text.ptr + 7, text.len - 7}), &c, err)
	                 : parse_fields(text, &c, err);
	if (rc == 0)
		*ret = c;
	return rc;
}

/* ---- the next time ---- */

static bool is_day(const struct cron *c, const struct tm *tm)
{
	bool by_day = c->days & UINT32_C(1) << tm->tm_mday, by_weekday = c->weekdays & UINT32_C(1) << tm->tm_wday;
	return c->is_any_day || c->is_any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* What the clock on the wall shows. */
static void clock_at(const struct zone *zone, time_t t, struct tm *ret)
{
	time_t shifted = zone ? t + zone_offset_s(zone, t) : t;
	if (zone)
		gmtime_r(&shifted, ret);
	else
		localtime_r(&shifted, ret);
}

/* When it shows this. The offset is that of the moment itself, for which that of one nearby is a first guess. */
static time_t time_at(const struct zone *zone, struct tm *tm)
{
	if (!zone)
		return mktime(tm);
	time_t shown = timegm(tm), guess = shown - zone_offset_s(zone, shown);
	return shown - zone_offset_s(zone, guess);
}

/* Midnight of the first of the next month, or of the next day. Never back. */
static time_t next_midnight(const struct zone *zone, time_t t, const struct tm *now, bool of_month)
{
	struct tm tm = {.tm_year = now->tm_year,
	        .tm_mon = now->tm_mon + of_month,
	        .tm_mday = of_month ? 1 : now->tm_mday + 1,
	        .tm_isdst = -1};
	time_t next = time_at(zone, &tm);
	return next > t ? next : t + 3600;
}

int64_t cron_next(const struct cron *c, int64_t after_s)
{
	return cron_next_in(c, NULL, after_s);
}

int64_t cron_next_in(const struct cron *c, const struct zone *zone, int64_t after_s)
{
	time_t t = (time_t)(after_s - after_s % 60 + 60);
	struct tm tm;
	if (c->every_s)
		return after_s + c->every_s;
	while (t - after_s < (int64_t)YEARS_MAX * 366 * 86400) {
		clock_at(zone, t, &tm);
		if (!(c->months & UINT32_C(1) << (tm.tm_mon + 1)))
			t = next_midnight(zone, t, &tm, true);
		else if (!is_day(c, &tm))
			t = next_midnight(zone, t, &tm, false);
		else if (!(c->hours & UINT32_C(1) << tm.tm_hour))
			t += 3600 - tm.tm_min * 60;
		else if (!(c->minutes & UINT64_C(1) << tm.tm_min))
			t += 60;
		else
			return t;
	}
	return 0;
}
