/* See custom_format.h. Upstream: kube-openapi pkg/validation/strfmt and the list of supported formats in apiextensions.
 */
#include "api/machinery/rules/custom/custom_format.h"

#include "api/machinery/codec/scalar.h"
#include "base/base64.h"
#include "base/cel/cel.h"
#include "base/check.h"
#include "base/mem/arena.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 256 };

static bool to_text(struct slice s, char out[TEXT_MAX])
{
	if (s.len >= TEXT_MAX || memchr(s.ptr ? s.ptr : "", 0, s.len))
		return false;
	memcpy(out, s.ptr ? s.ptr : "", s.len);
	out[s.len] = 0;
	return true;
}

static bool is_family(struct slice s, int family)
{
	char text[TEXT_MAX];
	unsigned char address[16];
	return to_text(s, text) && inet_pton(family, text, address) == 1;
}

static bool is_ipv4(struct slice s)
{
	return is_family(s, AF_INET);
}

static bool is_ipv6(struct slice s)
{
	return is_family(s, AF_INET6);
}

static bool is_cidr(struct slice s)
{
	struct slice rest = s, address = slice_cut(&rest, '/');
	uint64_t bits;
	return slice_to_u64(rest, &bits) && ((bits <= 32 && is_ipv4(address)) || (bits <= 128 && is_ipv6(address)));
}

static bool all_of(struct slice s, const char *pattern, size_t count)
{
	if (s.len != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool fits = pattern[i] == 'x'   ? isxdigit(c)
		            : pattern[i] == '9' ? isdigit(c)
		                                : c == (unsigned char)pattern[i];
		if (!fits)
			return false;
	}
	return true;
}

static int digits(struct slice s, size_t at, size_t count)
{
	int n = 0;
	for (size_t i = at; i < at + count; i++)
		n = n * 10 + (s.ptr[i] - '0');
	return n;
}

static bool is_date(struct slice s)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (!all_of(s, "9999-99-99", 10))
		return false;
	int year = digits(s, 0, 4), month = digits(s, 5, 2), day = digits(s, 8, 2);
	bool leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (leaps && month == 2);
}

static bool is_date_time(struct slice s)
{
	int64_t seconds;
	int32_t nanos;
	return scalar_time_parse(s, &seconds, &nanos, NULL) == 0;
}

static bool is_duration(struct slice s)
{
	int64_t nanos;
	return cel_duration_parse(s, &nanos);
}

static bool is_byte(struct slice s)
{
	struct arena a = ARENA_INIT;
	struct slice bytes;
	bool fits = base64_decode(&a, s, &bytes);
	arena_release(&a);
	return fits;
}

static bool is_uuid(struct slice s)
{
	return all_of(s, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", 36) ||
	       (s.len == 32 && all_of(s, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32));
}

static bool is_uuid_of(struct slice s, char version)
{
	return is_uuid(s) && s.ptr[s.len == 36 ? 14 : 12] == version;
}

static bool is_uuid3(struct slice s)
{
	return is_uuid_of(s, '3');
}

static bool is_uuid4(struct slice s)
{
	return is_uuid_of(s, '4');
}

static bool is_uuid5(struct slice s)
{
	return is_uuid_of(s, '5');
}

static bool is_mac(struct slice s)
{
	return all_of(s, "xx:xx:xx:xx:xx:xx", 17) || all_of(s, "xx-xx-xx-xx-xx-xx", 17) ||
	       all_of(s, "xxxx.xxxx.xxxx", 14);
}

static bool is_host_label(struct slice s)
{
	if (!s.len || s.len > 63 || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '_')
			return false;
	return true;
}

static bool is_hostname(struct slice s)
{
	struct slice rest = s;
	if (!s.len || s.len > 255)
		return false;
	if (s.ptr[s.len - 1] == '.')
		rest.len--;
	while (rest.ptr)
		if (!is_host_label(slice_cut(&rest, '.')))
			return false;
	return true;
}

static bool is_email(struct slice s)
{
	const char *sign = s.len ? memrchr(s.ptr, '@', s.len) : NULL;
	return sign && sign > s.ptr && is_hostname((struct slice){sign + 1, (size_t)(s.ptr + s.len - sign - 1)}) &&
	       !memchr(s.ptr, ' ', s.len);
}

/* A scheme, or a path from the root, as Go's url.ParseRequestURI asks for. */
static bool is_uri(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
			return false;
	if (s.len && s.ptr[0] == '/')
		return true;
	while (n < s.len && (isalnum((unsigned char)s.ptr[n]) || memchr("+-.", s.ptr[n], 3)))
		n++;
	return n && isalpha((unsigned char)s.ptr[0]) && n < s.len && s.ptr[n] == ':';
}

static bool is_hex_color(struct slice s)
{
	return all_of(s, "#xxxxxx", 7) || all_of(s, "#xxx", 4);
}

static bool is_anything(struct slice s)
{
	return true;
}

const struct custom_format *custom_format_find(struct slice name)
{
	static const struct custom_format rows[] = {
	        {"byte", is_byte},
	        {"cidr", is_cidr},
	        {"date", is_date},
	        {"date-time", is_date_time},
	        {"datetime", is_date_time},
	        {"duration", is_duration},
	        {"email", is_email},
	        {"hexcolor", is_hex_color},
	        {"hostname", is_hostname},
	        {"ipv4", is_ipv4},
	        {"ipv6", is_ipv6},
	        {"mac", is_mac},
	        {"password", is_anything},
	        {"uri", is_uri},
	        {"uuid", is_uuid},
	        {"uuid3", is_uuid3},
	        {"uuid4", is_uuid4},
	        {"uuid5", is_uuid5},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}
