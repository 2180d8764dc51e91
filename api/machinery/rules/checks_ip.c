/* See checks_ip.h. Upstream: apimachinery pkg/util/validation (ip.go, validation.go), and ParseIPSloppy of
 * k8s.io/utils/net. */
#include "api/machinery/rules/checks_ip.h"

#include "api/machinery/rules/checks.h"

enum { PORT_NAME_MAX = 15 };

/* ---- parsing ---- */

/* Dotted decimals without their leading zeros; what does not fit is no address anyway. */
static struct slice without_zeros(struct slice text, char out[IP_TEXT_MAX])
{
	size_t n = 0;
	bool is_start = true;
	for (size_t i = 0; i < text.len && n < IP_TEXT_MAX; i++) {
		bool is_more = i + 1 < text.len && text.ptr[i + 1] >= '0' && text.ptr[i + 1] <= '9';
		if (is_start && text.ptr[i] == '0' && is_more)
			continue;
		out[n++] = text.ptr[i];
		is_start = text.ptr[i] == '.';
	}
	return (struct slice){out, n};
}

bool sloppy_ip_parse(struct slice text, struct ip *ret)
{
	char plain[IP_TEXT_MAX];
	const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
	if (ip_parse(text, ret))
		return true;
	if (!colon)
		return text.len < IP_TEXT_MAX && ip_parse(without_zeros(text, plain), ret);
	struct slice last = {colon + 1, (size_t)(text.ptr + text.len - colon - 1)};
	struct slice head = {text.ptr, text.len - last.len};
	return slice_caseis(head, "::ffff:") && memchr(last.ptr, '.', last.len) && sloppy_ip_parse(last, ret);
}

bool sloppy_net_parse(struct slice text, struct ip_net *ret)
{
	struct slice bits = text, address = slice_cut(&bits, '/');
	struct ip_net n;
	uint64_t prefix;
	if (!bits.ptr || !sloppy_ip_parse(address, &n.first) || !slice_to_u64(bits, &prefix) ||
	        prefix > ip_bits(n.first.family))
		return false;
	n.bits = (unsigned)prefix;
	for (unsigned bit = n.bits; bit < ip_bits(n.first.family); bit++)
		n.first.bytes[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
	*ret = n;
	return true;
}

/* ---- addresses ---- */

void check_ip(struct field_errors *e, const char *field, struct slice text)
{
	struct ip unused;
	if (!sloppy_ip_parse(text, &unused))
		bad_value(e, field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

void check_net(struct field_errors *e, const char *field, struct slice text)
{
	struct ip_net unused;
	if (!sloppy_net_parse(text, &unused))
		bad_value(e, field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool is_loopback(const struct ip *ip)
{
	const unsigned char *b = ip->bytes;
	return ip->family == IP_V6 ? is_zero(b, 15) && b[15] == 1 : b[0] == 127;
}

/* Why nobody may send to it from elsewhere; NULL: they may. */
static const char *unreachable_error(const struct ip *ip)
{
	const unsigned char *b = ip->bytes;
	bool v6 = ip->family == IP_V6;
	if (is_zero(b, ip_bytes(ip->family)))
		return "may not be unspecified";
	if (is_loopback(ip))
		return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
	if (v6 ? b[0] == 0xfe && (b[1] & 0xc0) == 0x80 : b[0] == 169 && b[1] == 254)
		return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
	if (v6 ? b[0] == 0xff && (b[1] & 0x0f) == 2 : b[0] == 224 && !b[1] && !b[2])
		return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
	return NULL;
}

void check_reachable_ip(struct field_errors *e, const char *field, struct slice text)
{
	struct ip ip;
	const char *bad = sloppy_ip_parse(text, &ip) ? unreachable_error(&ip) : NULL;
	if (bad && is_zero(ip.bytes, ip_bytes(ip.family)))
		bad = at(e, "%s (%.*s)", bad, SLICE_FMT(text)); /* as it was written */
	if (bad)
		bad_value(e, field, text, bad);
}

bool endpoint_ip_is_fine(const struct ip *ip)
{
	return is_loopback(ip) || !unreachable_error(ip);
}

void check_endpoint_ip(struct field_errors *e, const char *field, struct slice text)
{
	struct ip ip;
	if (sloppy_ip_parse(text, &ip) && !endpoint_ip_is_fine(&ip))
		check_reachable_ip(e, field, text);
}

/* ---- names ---- */

void check_port_name(struct field_errors *e, const char *field, struct slice name)
{
	bool is_plain = name.len > 0, has_letter = false;
	for (size_t i = 0; i < name.len; i++) {
		bool is_letter = name.ptr[i] >= 'a' && name.ptr[i] <= 'z';
		has_letter |= is_letter;
		is_plain &= is_letter || (name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '-';
	}
	if (name.len > PORT_NAME_MAX)
		bad_value(e, field, name, "must be no more than 15 characters");
	if (!is_plain)
		bad_value(e, field, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
	if (!has_letter)
		bad_value(e, field, name, "must contain at least one letter (a-z)");
	if (name.len && memmem(name.ptr, name.len, "--", 2))
		bad_value(e, field, name, "must not contain consecutive hyphens");
	if (slice_starts(name, "-") || slice_ends(name, "-"))
		bad_value(e, field, name, "must not begin or end with a hyphen");
}

void check_wildcard_domain(struct field_errors *e, const char *field, struct slice host)
{
	struct slice rest = slice_starts(host, "*.") ? (struct slice){host.ptr + 2, host.len - 2} : SLICE_NULL;
	if (validate_dns1123_subdomain(rest))
		bad_value(e, field, host,
		        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
		        "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
		        "character (e.g. '*.example.com', regex used for validation is "
		        "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
}

void check_full_domain(struct field_errors *e, const char *field, struct slice host)
{
	struct slice rest = slice_ends(host, ".") ? (struct slice){host.ptr, host.len - 1} : host;
	const char *bad = validate_dns1123_subdomain(rest);
	if (!host.len)
		bad_required(e, field, "");
	else if (bad)
		bad_value(e, field, rest, bad);
	else if (!memchr(rest.ptr, '.', rest.len))
		bad_value(e, field, rest, "should be a domain with at least two segments separated by dots");
	else
		while (rest.ptr) {
			struct slice label = slice_cut(&rest, '.');
			if ((bad = validate_dns1123_label(label)))
				bad_value(e, field, label, bad);
		}
}

static bool is_http_path(struct slice path)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];
		bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!is_alnum && (!c || !strchr("/-._~%!$&'()*+,;=:", c)))
			return false;
	}
	return path.len > 0;
}

void check_domain_path(struct field_errors *e, const char *field, struct slice path)
{
	struct slice rest = path, host = slice_cut(&rest, '/');
	const char *bad;
	if (!host.len || !rest.len) {
		bad_value(e, field, path, "must be a domain-prefixed path (such as \"acme.io/foo\")");
		return;
	}
	if ((bad = validate_dns1123_subdomain(host)))
		bad_value(e, field, host, bad);
	if (!is_http_path(rest))
		bad_value(e, field, rest,
		        "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')");
}
