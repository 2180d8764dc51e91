/* Scalars in text: a quantity, a time, and two quantities to calculate with, on lines of their own. What parses has a
 * canonical text that parses to the same and is a fixed point; adding and taking away again comes back; comparing is an
 * order. */
#include "api/machinery/codec/quantity.h"
#include "api/machinery/codec/scalar.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sums beyond 2^63-1 are capped. */
static bool is_far_from_cap(const struct quantity *q)
{
	return q->whole < INT64_MAX / 2;
}

static bool try_quantity(struct slice text, struct quantity *q)
{
	struct err err = ERR_INIT;
	struct quantity again;
	char once[QUANTITY_TEXT_MAX], twice[QUANTITY_TEXT_MAX];
	if (quantity_parse(text, q, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
		return false;
	}
	size_t n = quantity_format(q, once);
	CHECK(n < QUANTITY_TEXT_MAX && once[n] == 0);
	CHECK(quantity_parse((struct slice){once, n}, &again, &err) == 0);
	CHECK(quantity_format(&again, twice) == n && memcmp(once, twice, n) == 0);
	CHECK(quantity_cmp(q, &again) == 0);
	int64_t milli = quantity_milli_value(q); /* rounded up, as the whole value is, and capped */
	if (quantity_sign(q) >= 0 && milli < INT64_MAX)
		CHECK(quantity_value(q) == milli / 1000 + (milli % 1000 != 0));
	return true;
}

static void try_time(struct slice text)
{
	struct err err = ERR_INIT;
	int64_t seconds, again_s;
	int32_t nanos, again_n;
	if (scalar_time_parse(text, &seconds, &nanos, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
		return;
	}
	CHECK(nanos >= 0 && nanos < 1000000000);
	for (int micro = 0; micro < 2; micro++) {
		char out[SCALAR_TIME_MAX];
		if (!scalar_time_format(seconds, nanos, micro, out))
			continue; /* an offset has moved it out of the four-digit years */
		CHECK(scalar_time_parse(slice_of(out), &again_s, &again_n, &err) == 0);
		CHECK(again_s == seconds && again_n == (micro ? nanos / 1000 * 1000 : 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct slice first = slice_cut(&rest, '\n'), time = slice_cut(&rest, '\n'), second = slice_cut(&rest, '\n');
	struct quantity a, b;
	bool both = try_quantity(first, &a);
	both = try_quantity(second, &b) && both;
	try_time(time);
	if (!both)
		return 0;
	struct quantity sum = a;
	CHECK(quantity_cmp(&a, &b) == -quantity_cmp(&b, &a));
	if (!is_far_from_cap(&a) || !is_far_from_cap(&b))
		return 0;
	quantity_add(&sum, &b);
	quantity_sub(&sum, &b);
	CHECK(quantity_cmp(&sum, &a) == 0);
	return 0;
}
