/* Quantities as whole units and nanos, without integers of 128 bits, which a 32-bit machine has not.
 *
 * Parsing keeps the significant digits and where the point is, which an exponent moves; a binary suffix doubles whole
 * and fraction, digit by digit. It remembers whether anything was cut so that rounding up stays right. The canonical
 * text follows upstream: no more than three digits are moved into the suffix, binary suffixes only for whole numbers
 * from 1024 on. */
#include "api/machinery/codec/quantity.h"

#include "base/check.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NANO 1000000000u
/* Significant digits that are kept: more than the 28 that a value with nanos may have, and than what 2^60 makes of a
 * fraction. */
enum { DIGITS_MAX = 64, NANO_DIGITS = 9 };

/* 0.DIGITS * 10^point, the first digit not being 0. */
struct number {
	unsigned char digits[DIGITS_MAX];
	int n, point;
	bool is_cut; /* others followed that are not all 0 */
};

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

/* Digits with at most one point. Returns how much of the text they are. */
static size_t parse_digits(struct slice s, struct number *ret)
{
	size_t i = 0;
	bool seen_point = false;
	*ret = (struct number){.n = 0};
	for (; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '.' && !seen_point) {
			seen_point = true;
			continue;
		}
		if (!isdigit((unsigned char)c))
			break;
		if (!ret->n && c == '0') {
			ret->point -= seen_point;
			continue;
		}
		ret->point += !seen_point;
		if (ret->n < DIGITS_MAX)
			ret->digits[ret->n++] = (unsigned char)(c - '0');
		else
			ret->is_cut |= c != '0';
	}
	return i;
}

/* The digit at 10^-(i+1) of the fraction. */
static unsigned fraction_digit(const struct number *v, int i)
{
	int at = v->point + i;
	return at >= 0 && at < v->n ? v->digits[at] : 0;
}

static void cap(struct quantity *q)
{
	if (q->whole >= INT64_MAX) {
		q->whole = INT64_MAX;
		q->nanos = 0;
	}
}

/* Adds one nano for what is finer. */
static void round_up(struct quantity *q, bool is_cut)
{
	q->nanos += is_cut;
	if (q->nanos == NANO) {
		q->nanos = 0;
		q->whole++;
	}
}

/* The digits before the point; UINT64_MAX: too many. */
static uint64_t whole_part(const struct number *v)
{
	uint64_t whole = 0;
	for (int i = 0; v->n && i < v->point; i++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		        __builtin_add_overflow(whole, i < v->n ? v->digits[i] : 0, &whole))
			return UINT64_MAX;
	return whole;
}

static void take_decimal(const struct number *v, struct quantity *q)
{
	bool is_cut = v->is_cut;
	q->whole = whole_part(v);
	if (v->n <= v->point) {
		cap(q);
		return;
	}
	for (int i = 0; i < NANO_DIGITS; i++)
		q->nanos = q->nanos * 10 + fraction_digit(v, i);
	for (int i = v->point + NANO_DIGITS > 0 ? v->point + NANO_DIGITS : 0; i < v->n; i++)
		is_cut |= v->digits[i] != 0;
	if (q->whole < INT64_MAX)
		round_up(q, is_cut);
	cap(q);
}

/* times 2^exponent: whole and fraction are doubled so often. */
static void take_binary(const struct number *v, int exponent, struct quantity *q)
{
	unsigned char fraction[DIGITS_MAX];
	bool is_cut = v->is_cut;
	q->whole = whole_part(v);
	if (v->n <= v->point) { /* as nearly all are: without a fraction */
		q->whole = q->whole > (uint64_t)INT64_MAX >> exponent ? INT64_MAX : q->whole << exponent;
		return;
	}
	for (int i = 0; i < DIGITS_MAX; i++)
		fraction[i] = (unsigned char)fraction_digit(v, i);
	for (int i = v->point + DIGITS_MAX; i < v->n; i++)
		is_cut |= i >= 0 && v->digits[i] != 0;
	for (int e = 0; e < exponent && q->whole < INT64_MAX; e++) {
		unsigned carry = 0;
		for (int i = DIGITS_MAX - 1; i >= 0; i--) {
			unsigned twice = fraction[i] * 2u + carry;
			fraction[i] = (unsigned char)(twice % 10);
			carry = twice / 10;
		}
		q->whole = q->whole * 2 + carry;
	}
	for (int i = 0; i < DIGITS_MAX; i++)
		if (i < NANO_DIGITS)
			q->nanos = q->nanos * 10 + fraction[i];
		else
			is_cut |= fraction[i] != 0;
	if (q->whole < INT64_MAX)
		round_up(q, is_cut);
	cap(q);
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
	struct number number;
	size_t n = parse_digits(s, &number);
	if (n == 0 || (n == 1 && *s.ptr == '.'))
		return bad_format(err);
	int exponent;
	struct quantity q = {0};
	if (!parse_suffix((struct slice){s.ptr + n, s.len - n}, &exponent, &q.format)) {
		for (size_t i = n; i < s.len; i++)
			if (!strchr("eEinumkKMGTP+-0123456789", s.ptr[i]))
				return bad_format(err);
		return err_set(err, ERR_INVAL, "unable to parse quantity's suffix");
	}
	if (q.format == QUANTITY_BINARY_SI) {
		take_binary(&number, exponent, &q);
	} else {
		number.point += number.n ? exponent : 0;
		take_decimal(&number, &q);
	}
	if (q.format == QUANTITY_BINARY_SI && !q.whole && q.nanos)
		q.format = QUANTITY_DECIMAL_SI;
	q.is_negative = negative && (q.whole || q.nanos);
	*out = q;
	return 0;
}

/* ---- canonical text ---- */

static size_t put(char *out, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static size_t put(char *out, size_t at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(out + at, QUANTITY_TEXT_MAX - at, fmt, ap);
	va_end(ap);
	return at + (size_t)n;
}

static size_t format_binary(const struct quantity *q, char *out)
{
	uint64_t whole = q->whole;
	int exponent = 0;
	while (whole % 1024 == 0 && exponent < 60) {
		whole /= 1024;
		exponent += 10;
	}
	return put(out, 0, "%s%" PRIu64 "%s", q->is_negative ? "-" : "", whole,
	        exponent ? binary_suffixes[exponent / 10 - 1].text : "");
}

size_t quantity_format(const struct quantity *q, char out[QUANTITY_TEXT_MAX])
{
	uint64_t whole = q->whole;
	uint32_t nanos = q->nanos;
	int exponent = nanos ? -9 : 0, width = NANO_DIGITS;
	if (!whole && !nanos)
		return put(out, 0, "0");
	if (q->format == QUANTITY_BINARY_SI && !nanos && whole >= 1024)
		return format_binary(q, out);
	for (; nanos && nanos % 1000 == 0; exponent += 3, width -= 3)
		nanos /= 1000;
	for (; !nanos && whole % 1000 == 0 && exponent < 18; exponent += 3)
		whole /= 1000;
	size_t n = put(out, 0, "%s", q->is_negative ? "-" : "");
	if (whole)
		n = put(out, n, "%" PRIu64, whole);
	if (nanos)
		n = put(out, n, "%0*" PRIu32, whole ? width : 1, nanos);
	if (q->format == QUANTITY_DECIMAL_EXPONENT)
		return exponent ? put(out, n, "e%d", exponent) : n;
	return put(out, n, "%s", decimal_suffixes[exponent / 3 + 3].text);
}

/* ---- values ---- */

int quantity_sign(const struct quantity *q)
{
	return q->is_negative ? -1 : q->whole || q->nanos;
}

double quantity_double(const struct quantity *q)
{
	double v = (double)q->whole + (double)q->nanos / NANO;
	return q->is_negative ? -v : v;
}

/* In units of which one whole has `parts`, rounded away from zero, capped to int64. */
static int64_t in_parts(const struct quantity *q, uint64_t parts)
{
	uint64_t nanos_of_one = NANO / parts, v;
	if (__builtin_mul_overflow(q->whole, parts, &v) ||
	        __builtin_add_overflow(v, (q->nanos + nanos_of_one - 1) / nanos_of_one, &v) || v > INT64_MAX)
		return q->is_negative ? INT64_MIN : INT64_MAX;
	return q->is_negative ? -(int64_t)v : (int64_t)v;
}

int64_t quantity_value(const struct quantity *q)
{
	return in_parts(q, 1);
}

int64_t quantity_milli_value(const struct quantity *q)
{
	return in_parts(q, 1000);
}

struct quantity quantity_from_nanos(uint64_t nanos)
{
	return (struct quantity){.whole = nanos / NANO, .nanos = (uint32_t)(nanos % NANO)};
}

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

struct quantity quantity_from_value(int64_t value, enum quantity_format format)
{
	struct quantity q = {.whole = magnitude(value), .is_negative = value < 0, .format = format};
	cap(&q);
	return q;
}

struct quantity quantity_from_milli(int64_t milli, enum quantity_format format)
{
	uint64_t v = magnitude(milli);
	return (struct quantity){.whole = v / 1000,
	        .nanos = (uint32_t)(v % 1000) * (NANO / 1000),
	        .is_negative = milli < 0,
	        .format = format};
}

static int compare_magnitudes(const struct quantity *a, const struct quantity *b)
{
	if (a->whole != b->whole)
		return a->whole < b->whole ? -1 : 1;
	return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

/* large - small, of magnitudes. */
static void take_away(struct quantity *large, const struct quantity *small)
{
	bool borrows = large->nanos < small->nanos;
	large->whole -= small->whole + borrows;
	large->nanos = large->nanos + (borrows ? NANO : 0) - small->nanos;
}

void quantity_add(struct quantity *q, const struct quantity *other)
{
	enum quantity_format format = quantity_sign(q) ? q->format : other->format;
	if (q->is_negative == other->is_negative) {
		uint32_t nanos = q->nanos + other->nanos;
		q->whole += other->whole + nanos / NANO; /* both are below 2^63 */
		q->nanos = nanos % NANO;
		cap(q);
	} else if (compare_magnitudes(q, other) >= 0) {
		take_away(q, other);
		q->is_negative &= q->whole || q->nanos;
	} else {
		struct quantity small = *q;
		*q = *other;
		take_away(q, &small);
	}
	q->format = format;
}

void quantity_sub(struct quantity *q, const struct quantity *other)
{
	struct quantity negated = *other;
	negated.is_negative = quantity_sign(other) > 0;
	quantity_add(q, &negated);
}

int quantity_cmp(const struct quantity *a, const struct quantity *b)
{
	if (a->is_negative != b->is_negative)
		return a->is_negative ? -1 : 1;
	return a->is_negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

static struct quantity parsed_or_zero(struct slice text)
{
	struct quantity q = {0};
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
