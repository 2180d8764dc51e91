/* Quantities as an integer of nano units in 128 bits.
 *
 * Parsing keeps the first 38 significant digits, which is more than the 28 of the largest nano value and so of any text
 * of ours, and remembers whether anything was cut so that rounding up stays right. The canonical text follows upstream:
 * no more than three digits are moved into the suffix, binary suffixes only for whole numbers from 1024 on. */
#include "api/machinery/codec/quantity.h"

#include "base/check.h"

#include <ctype.h>
#include <stdio.h>

#define NANO 1000000000
#define NANOS_MAX ((__int128)INT64_MAX * NANO)

enum { DIGITS_MAX = 38 }; /* 10^38 < 2^128 */

typedef unsigned __int128 u128;

struct suffix {
	const char *text;
	int exponent;
};

static const struct suffix decimal_suffixes[] = {
        {"n", -9}, {"u", -6}, {"m", -3}, {"", 0}, {"k", 3}, {"M", 6}, {"G", 9}, {"T", 12}, {"P", 15}, {"E", 18}};
static const struct suffix binary_suffixes[] = {{"Ki", 10}, {"Mi", 20}, {"Gi", 30}, {"Ti", 40}, {"Pi", 50}, {"Ei", 60}};

/* ---- parsing ---- */

static int bad_format(struct err *err)
{
	return err_set(err, ERR_INVAL,
	        "quantities must match the regular expression "
	        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

static bool parse_suffix(struct slice s, int *exponent, enum quantity_format *format)
{
	for (size_t i = 0; i < COUNT_OF(decimal_suffixes); i++)
		if (slice_is(s, decimal_suffixes[i].text)) {
			*exponent = decimal_suffixes[i].exponent;
			*format = QUANTITY_DECIMAL_SI;
			return true;
		}
	for (size_t i = 0; i < COUNT_OF(binary_suffixes); i++)
		if (slice_is(s, binary_suffixes[i].text)) {
			*exponent = binary_suffixes[i].exponent;
			*format = QUANTITY_BINARY_SI;
			return true;
		}
	if (s.len < 2 || (s.ptr[0] != 'e' && s.ptr[0] != 'E'))
		return false;
	size_t at = 1 + (s.ptr[1] == '+' || s.ptr[1] == '-');
	uint64_t v;
	if (!slice_to_u64((struct slice){s.ptr + at, s.len - at}, &v))
		return false;
	int value = v > 1000 ? 1000 : (int)v; /* past any cap */
	*exponent = s.ptr[1] == '-' ? -value : value;
	*format = QUANTITY_DECIMAL_EXPONENT;
	return true;
}

/* Digits with at most one point. Leaves the number as digits * 10^scale; `cut` says that more followed. */
static size_t parse_digits(struct slice s, u128 *digits, int *scale, bool *cut)
{
	size_t i = 0;
	int kept = 0;
	bool seen_point = false;
	for (; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '.' && !seen_point) {
			seen_point = true;
			continue;
		}
		if (!isdigit((unsigned char)c))
			break;
		if (kept < DIGITS_MAX) {
			*digits = *digits * 10 + (unsigned)(c - '0');
			kept += *digits != 0;
			*scale -= seen_point;
		} else {
			*cut |= c != '0';
			*scale += !seen_point;
		}
	}
	return i;
}

/* digits * 2^exponent; digits that have no room any more go. */
static u128 shifted(u128 digits, int exponent, int *scale, bool *cut)
{
	for (; digits > ~(u128)0 >> exponent; (*scale)++) {
		*cut |= digits % 10 != 0;
		digits /= 10;
	}
	return digits << exponent;
}

static __int128 scaled(u128 v, int scale, bool cut)
{
	bool up = cut;
	for (; scale > 0 && v < (u128)NANOS_MAX; scale--)
		v *= 10;
	for (; scale < 0 && v; scale++) {
		up |= v % 10 != 0;
		v /= 10;
	}
	v += up;
	return v > (u128)NANOS_MAX ? NANOS_MAX : (__int128)v;
}

int quantity_parse(struct slice text, struct quantity *out, struct err *err)
{
	if (text.len == 0)
		return bad_format(err);
	struct slice s = text;
	bool negative = *s.ptr == '-';
	if (*s.ptr == '-' || *s.ptr == '+') {
		s.ptr++;
		s.len--;
	}
	u128 digits = 0;
	int scale = 9;
	bool cut = false;
	size_t n = parse_digits(s, &digits, &scale, &cut);
	if (n == 0 || (n == 1 && *s.ptr == '.'))
		return bad_format(err);
	int exponent;
	enum quantity_format format;
	if (!parse_suffix((struct slice){s.ptr + n, s.len - n}, &exponent, &format)) {
		for (size_t i = n; i < s.len; i++)
			if (!strchr("eEinumkKMGTP+-0123456789", s.ptr[i]))
				return bad_format(err);
		return err_set(err, ERR_INVAL, "unable to parse quantity's suffix");
	}
	if (format == QUANTITY_BINARY_SI)
		digits = shifted(digits, exponent, &scale, &cut);
	else
		scale += exponent;
	__int128 nanos = scaled(digits, scale, cut);
	if (format == QUANTITY_BINARY_SI && nanos > 0 && nanos < NANO)
		format = QUANTITY_DECIMAL_SI;
	out->nanos = negative ? -nanos : nanos;
	out->format = format;
	return 0;
}

/* ---- canonical text ---- */

static size_t put_i128(char *out, __int128 v)
{
	char digits[48];
	size_t n = 0;
	size_t len = 0;
	u128 u = v < 0 ? (u128)-v : (u128)v;
	do
		digits[n++] = (char)('0' + (int)(u % 10));
	while (u /= 10);
	if (v < 0)
		out[len++] = '-';
	while (n)
		out[len++] = digits[--n];
	return len;
}

static size_t format_binary(__int128 whole, char *out)
{
	int exponent = 0;
	while (whole % 1024 == 0 && exponent < 60) {
		whole /= 1024;
		exponent += 10;
	}
	size_t n = put_i128(out, whole);
	return n + (size_t)snprintf(out + n, QUANTITY_TEXT_MAX - n, "%s",
	                   exponent ? binary_suffixes[exponent / 10 - 1].text : "");
}

size_t quantity_format(const struct quantity *q, char out[QUANTITY_TEXT_MAX])
{
	if (q->nanos == 0)
		return (size_t)snprintf(out, QUANTITY_TEXT_MAX, "0");
	if (q->format == QUANTITY_BINARY_SI && q->nanos % NANO == 0 &&
	        (q->nanos >= (__int128)1024 * NANO || q->nanos <= (__int128)-1024 * NANO))
		return format_binary(q->nanos / NANO, out);
	__int128 v = q->nanos;
	int exponent = -9;
	while (v % 1000 == 0 && exponent < 18) {
		v /= 1000;
		exponent += 3;
	}
	size_t n = put_i128(out, v);
	if (q->format == QUANTITY_DECIMAL_EXPONENT)
		return n + (size_t)(exponent ? snprintf(out + n, QUANTITY_TEXT_MAX - n, "e%d", exponent)
		                             : snprintf(out + n, QUANTITY_TEXT_MAX - n, "%s", ""));
	return n + (size_t)snprintf(out + n, QUANTITY_TEXT_MAX - n, "%s", decimal_suffixes[exponent / 3 + 3].text);
}

/* ---- values ---- */

/* v / unit, rounded away from zero, capped to int64. */
static int64_t divide_up(__int128 v, int64_t unit)
{
	__int128 whole = v / unit;
	if (v % unit)
		whole += v < 0 ? -1 : 1;
	if (whole > INT64_MAX)
		return INT64_MAX;
	return whole < INT64_MIN ? INT64_MIN : (int64_t)whole;
}

int64_t quantity_value(const struct quantity *q)
{
	return divide_up(q->nanos, NANO);
}

int64_t quantity_milli_value(const struct quantity *q)
{
	return divide_up(q->nanos, NANO / 1000);
}

struct quantity quantity_from_value(int64_t value, enum quantity_format format)
{
	return (struct quantity){(__int128)value * NANO, format};
}

struct quantity quantity_from_milli(int64_t milli, enum quantity_format format)
{
	return (struct quantity){(__int128)milli * (NANO / 1000), format};
}

static __int128 capped(__int128 v)
{
	if (v > NANOS_MAX)
		return NANOS_MAX;
	return v < -NANOS_MAX ? -NANOS_MAX : v;
}

void quantity_add(struct quantity *q, const struct quantity *other)
{
	if (q->nanos == 0)
		q->format = other->format;
	q->nanos = capped(q->nanos + other->nanos);
}

void quantity_sub(struct quantity *q, const struct quantity *other)
{
	if (q->nanos == 0)
		q->format = other->format;
	q->nanos = capped(q->nanos - other->nanos);
}

int quantity_cmp(const struct quantity *a, const struct quantity *b)
{
	return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

static struct quantity parsed_or_zero(struct slice text)
{
	struct quantity q = {0, QUANTITY_DECIMAL_SI};
	quantity_parse(text, &q, NULL);
	return q;
}

static struct slice json_text(const struct json *v)
{
	return json_is(v, JSON_STRING) || json_is(v, JSON_NUMBER) ? v->text : SLICE_NULL;
}

int64_t quantity_json_value(const struct json *v)
{
	return quantity_text_value(json_text(v));
}

int64_t quantity_json_milli(const struct json *v)
{
	return quantity_text_milli(json_text(v));
}

int64_t quantity_text_value(struct slice text)
{
	struct quantity q = parsed_or_zero(text);
	return quantity_value(&q);
}

int64_t quantity_text_milli(struct slice text)
{
	struct quantity q = parsed_or_zero(text);
	return quantity_milli_value(&q);
}
