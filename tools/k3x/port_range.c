/* See port_range.h. */
#include "tools/k3x/port_range.h"

#include <stdint.h>
#include <string.h>

enum { PORT_MAX = 65535 };

static bool is_port(int64_t n)
{
	return n > 0 && n <= PORT_MAX;
}

bool port_range_parse(struct slice text, struct port_range *ret)
{
	bool is_sum = text.len && memchr(text.ptr, '+', text.len), is_one = !is_sum && !memchr(text.ptr, '-', text.len);
	struct slice rest = text, low = slice_cut(&rest, is_sum ? '+' : '-');
	uint64_t first, last;
	if (!slice_to_u64(low, &first) || !slice_to_u64(is_one ? low : rest, &last) || first > PORT_MAX ||
	        last > PORT_MAX)
		return false;
	if (is_sum)
		last += first;
	if (!is_port((int64_t)first) || !is_port((int64_t)last) || first > last)
		return false;
	*ret = (struct port_range){(int)first, (int)last};
	return true;
}
