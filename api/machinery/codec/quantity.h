/* Quantities: "500m", "1Gi", "1e3", 2. Parsing, canonical text, and whole values for those who calculate.
 *
 * A quantity is a decimal number with a suffix: binary (Ki Mi Gi Ti Pi Ei), decimal (n u m k M G T P E) or an exponent
 * (e3, E-3). Numbers are held as whole units and nanos, which covers what upstream's int64 and the usual
 * infinite-precision values reach: finer than a nano is rounded up, away from zero, as upstream does, and what is
 * beyond 2^63-1 is capped there. No allocation, any thread. */
#ifndef K3X_API_MACHINERY_CODEC_QUANTITY_H
#define K3X_API_MACHINERY_CODEC_QUANTITY_H

#include "base/err.h"
#include "base/json/json.h"

enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

enum { QUANTITY_TEXT_MAX = 64 };

/* All zero: 0, decimal. */
struct quantity {
	uint64_t whole;   /* at most INT64_MAX, and then without nanos */
	uint32_t nanos;   /* below 10^9 */
	bool is_negative; /* which zero is not */
	enum quantity_format format;
};

/* ERR_INVAL with upstream's message when the text is not a quantity. */
int quantity_parse(struct slice text, struct quantity *out, struct err *err);
/* The canonical text ("1000m" -> "1", "0.5" -> "500m", "1024Mi" -> "1Gi"), terminated; returns its length. */
size_t quantity_format(const struct quantity *q, char out[QUANTITY_TEXT_MAX]);

/* Whole units and thousandths, rounded up, capped to the int64 range: memory in bytes, CPU in millicores. */
int64_t quantity_value(const struct quantity *q);
int64_t quantity_milli_value(const struct quantity *q);
/* -1, 0, 1; and about as a number. */
int quantity_sign(const struct quantity *q);
double quantity_double(const struct quantity *q);
struct quantity quantity_from_nanos(uint64_t nanos);
struct quantity quantity_from_value(int64_t value, enum quantity_format format);
struct quantity quantity_from_milli(int64_t milli, enum quantity_format format);
void quantity_add(
        struct quantity *q, const struct quantity *other); /* keeps q's format, takes other's when q is zero */
void quantity_sub(struct quantity *q, const struct quantity *other);
int quantity_cmp(const struct quantity *a, const struct quantity *b);

/* Of JSON values (string or number) and texts that were validated before; absent or broken ones count as 0. */
int64_t quantity_json_value(const struct json *v);
int64_t quantity_json_milli(const struct json *v);
int64_t quantity_text_value(struct slice text);
int64_t quantity_text_milli(struct slice text);

#endif
