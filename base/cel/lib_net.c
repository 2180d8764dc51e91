/* Kubernetes' functions of addresses and networks: net.IP and net.CIDR, as Go's netip reads and prints them. Zones, and
 * IPv4 dressed up as IPv6, are refused. */
#include "base/cel/program_int.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <stdio.h>

typedef const struct cel_value *args_t;

struct address {
	struct cel_opaque head;
	unsigned char bytes[16];
	size_t len; /* 4 or 16 */
	int prefix; /* of a network */
};

enum { WORDS_MAX = 64 };
static const struct cel_type ip_type = {.kind = CEL_OPAQUE, .name = "net.IP"},
                             cidr_type = {.kind = CEL_OPAQUE, .name = "net.CIDR"};

/* NULL, or what is wrong. */
static const char *parse(struct slice s, struct address *out)
{
	char text[INET6_ADDRSTRLEN];
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (s.len && memchr(s.ptr, '%', s.len))
		return "with zone value is not allowed";
	if (!s.len || s.len >= sizeof text || memchr(s.ptr, '\0', s.len))
		return "unable to parse IP";
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	out->len = memchr(s.ptr, ':', s.len) ? 16 : 4;
	if (inet_pton(out->len == 4 ? AF_INET : AF_INET6, text, out->bytes) != 1)
		return "unable to parse IP";
	if (out->len == 16 && memcmp(out->bytes, mapped, sizeof mapped) == 0)
		return "is not allowed: it is an IPv4-mapped IPv6 address";
	return NULL;
}

/* RFC 5952. */
static size_t write_v6(const unsigned char *b, char *out)
{
	int best = -1, best_len = 1, n = 0;
	for (int i = 0; i < 8;) {
		int j = i;
		while (j < 8 && !b[2 * j] && !b[2 * j + 1])
			j++;
		if (j - i > best_len) {
			best = i;
			best_len = j - i;
		}
		i = j > i ? j : i + 1;
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			n += snprintf(out + n, WORDS_MAX - (size_t)n, "::");
			i += best_len - 1;
			continue;
		}
		n += snprintf(out + n, WORDS_MAX - (size_t)n, "%s%x", i && i != best + best_len ? ":" : "",
		        (unsigned)(b[2 * i] << 8 | b[2 * i + 1]));
	}
	return (size_t)n;
}

static size_t write_address(const struct address *a, char *out)
{
	if (a->len == 16)
		return write_v6(a->bytes, out);
	return (size_t)snprintf(out, WORDS_MAX, "%u.%u.%u.%u", a->bytes[0], a->bytes[1], a->bytes[2], a->bytes[3]);
}

static struct cel_value value_of(struct cel_run *r, const struct address *from, bool is_network)
{
	struct address *a = ARENA_NEW(r->arena, struct address);
	char text[WORDS_MAX];
	size_t n = write_address(from, text);
	*a = *from;
	if (is_network)
		n += (size_t)snprintf(text + n, sizeof text - n, "/%d", a->prefix);
	a->head.words = arena_memdup(r->arena, text, n);
	return cel_of_opaque(is_network ? &cidr_type : &ip_type, &a->head);
}

static const struct address *of(struct cel_value v)
{
	return v.opaque;
}

/* ---- addresses ---- */

static struct cel_value ip(struct cel_run *r, args_t v, size_t n)
{
	struct address a = {0};
	const char *why = parse(v[0].text, &a);
	if (!why)
		return value_of(r, &a, false);
	return cel_error(r->arena, "IP Address \"%.*s\" parse error during conversion from string: %s",
	        SLICE_FMT(v[0].text), why);
}

static struct cel_value is_ip(struct cel_run *r, args_t v, size_t n)
{
	struct address a = {0};
	return cel_of_bool(!parse(v[0].text, &a));
}

static struct cel_value is_canonical(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value a = ip(r, v, n);
	return is_error(a) ? a : cel_of_bool(slice_is(v[0].text, of(a)->head.words));
}

static struct cel_value words(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_text(slice_of(of(v[0])->head.words));
}

static struct cel_value family(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_int(of(v[0])->len == 4 ? 4 : 6);
}

static bool unspecified(const struct address *a)
{
	static const unsigned char zero[16];
	return memcmp(a->bytes, zero, a->len) == 0;
}

static bool loopback(const struct address *a)
{
	static const unsigned char one[16] = {[15] = 1};
	return a->len == 4 ? a->bytes[0] == 127 : memcmp(a->bytes, one, 16) == 0;
}

static bool link_local_multicast(const struct address *a)
{
	return a->len == 4 ? a->bytes[0] == 224 && a->bytes[1] == 0 && a->bytes[2] == 0
	                   : a->bytes[0] == 0xff && (a->bytes[1] & 0x0f) == 2;
}

static bool link_local_unicast(const struct address *a)
{
	return a->len == 4 ? a->bytes[0] == 169 && a->bytes[1] == 254
	                   : a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static bool global_unicast(const struct address *a)
{
	static const unsigned char all[4] = {255, 255, 255, 255};
	bool multicast = a->len == 4 ? (a->bytes[0] & 0xf0) == 224 : a->bytes[0] == 0xff;
	bool broadcast = a->len == 4 && memcmp(a->bytes, all, 4) == 0;
	return !unspecified(a) && !loopback(a) && !multicast && !broadcast && !link_local_unicast(a);
}

#define ASK(name, question) \
	static struct cel_value name(struct cel_run *r, args_t v, size_t n) \
	{ \
		return cel_of_bool(question(of(v[0]))); \
	}
ASK(is_unspecified, unspecified)
ASK(is_loopback, loopback)
ASK(is_link_local_multicast, link_local_multicast)
ASK(is_link_local_unicast, link_local_unicast)
ASK(is_global_unicast, global_unicast)

/* ---- networks ---- */

static const char *parse_network(struct slice s, struct address *out)
{
	uint64_t bits;
	const char *slash = memrchr(s.ptr ? s.ptr : "", '/', s.len);
	if (!slash)
		return "no '/'";
	struct slice tail = {slash + 1, (size_t)(s.ptr + s.len - slash - 1)};
	const char *why = parse((struct slice){s.ptr, (size_t)(slash - s.ptr)}, out);
	if (why)
		return why;
	if (!slice_to_u64(tail, &bits) || (tail.len > 1 && tail.ptr[0] == '0') || bits > out->len * 8)
		return "bad bits after slash";
	out->prefix = (int)bits;
	return NULL;
}

static struct cel_value cidr(struct cel_run *r, args_t v, size_t n)
{
	struct address a = {0};
	const char *why = parse_network(v[0].text, &a);
	if (!why)
		return value_of(r, &a, true);
	return cel_error(r->arena, "network address parse error during conversion from string: \"%.*s\": %s",
	        SLICE_FMT(v[0].text), why);
}

static struct cel_value is_cidr(struct cel_run *r, args_t v, size_t n)
{
	struct address a = {0};
	return cel_of_bool(!parse_network(v[0].text, &a));
}

static bool holds(const struct address *network, const struct address *a)
{
	int whole = network->prefix / 8, rest = network->prefix % 8;
	if (network->len != a->len || memcmp(network->bytes, a->bytes, (size_t)whole) != 0)
		return false;
	return !rest || (network->bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

static struct cel_value contains_ip(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value a = v[1].kind == CEL_STRING ? ip(r, v + 1, 1) : v[1];
	return is_error(a) ? a : cel_of_bool(holds(of(v[0]), of(a)));
}

static struct cel_value contains_cidr(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value a = v[1].kind == CEL_STRING ? cidr(r, v + 1, 1) : v[1];
	return is_error(a) ? a : cel_of_bool(of(v[0])->prefix <= of(a)->prefix && holds(of(v[0]), of(a)));
}

static struct cel_value network_ip(struct cel_run *r, args_t v, size_t n)
{
	return value_of(r, of(v[0]), false);
}

static struct cel_value prefix_length(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_int(of(v[0])->prefix);
}

static struct cel_value masked(struct cel_run *r, args_t v, size_t n)
{
	struct address a = *of(v[0]);
	for (int bit = a.prefix; bit < (int)a.len * 8; bit++)
		a.bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
	return value_of(r, &a, true);
}

static const struct cel_overload rows[] = {
        {"ip", "(string)net.IP", ip, CEL_COST_SCAN},
        {"isIP", "(string)bool", is_ip, CEL_COST_SCAN},
        {"ip.isCanonical", "(string)bool", is_canonical, CEL_COST_SCAN_TWICE},
        {"string", "(net.IP)string", words, CEL_COST_ONE},
        {"family", "net.IP.()int", family, CEL_COST_ONE},
        {"isUnspecified", "net.IP.()bool", is_unspecified, CEL_COST_ONE},
        {"isLoopback", "net.IP.()bool", is_loopback, CEL_COST_ONE},
        {"isLinkLocalMulticast", "net.IP.()bool", is_link_local_multicast, CEL_COST_ONE},
        {"isLinkLocalUnicast", "net.IP.()bool", is_link_local_unicast, CEL_COST_ONE},
        {"isGlobalUnicast", "net.IP.()bool", is_global_unicast, CEL_COST_ONE},
        {"cidr", "(string)net.CIDR", cidr, CEL_COST_SCAN},
        {"isCIDR", "(string)bool", is_cidr, CEL_COST_SCAN},
        {"string", "(net.CIDR)string", words, CEL_COST_ONE},
        {"containsIP", "net.CIDR.(string)bool", contains_ip, CEL_COST_HAS_IP_TEXT},
        {"containsIP", "net.CIDR.(net.IP)bool", contains_ip, CEL_COST_HAS_IP},
        {"containsCIDR", "net.CIDR.(string)bool", contains_cidr, CEL_COST_HAS_NET_TEXT},
        {"containsCIDR", "net.CIDR.(net.CIDR)bool", contains_cidr, CEL_COST_HAS_NET},
        {"ip", "net.CIDR.()net.IP", network_ip, CEL_COST_ONE},
        {"prefixLength", "net.CIDR.()int", prefix_length, CEL_COST_ONE},
        {"masked", "net.CIDR.()net.CIDR", masked, CEL_COST_ONE},
};

const struct cel_library cel_addresses = {rows, COUNT_OF(rows)};
