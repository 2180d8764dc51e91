/* See policy_read_int.h. What is written into rules later is made here from checked parts, numbers and addresses; names
 * and selectors never get there.
 *
 * Ranges of ports are merged and networks that lie in another left out, because nft takes no set whose members
 * overlap. */
#include "net/policy/policy_read_int.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- networks ---- */

bool policy_network_parse(struct slice text, struct policy_network *ret)
{
	char ip[INET6_ADDRSTRLEN];
	struct slice bits = text, address = slice_cut(&bits, '/');
	uint64_t prefix = 0;
	*ret = (struct policy_network){.is_v6 = address.len && memchr(address.ptr, ':', address.len)};
	unsigned longest = ret->is_v6 ? 128 : 32;
	if (!address.len || address.len >= sizeof ip || memchr(address.ptr, 0, address.len))
		return false;
	snprintf(ip, sizeof ip, "%.*s", SLICE_FMT(address));
	if (inet_pton(ret->is_v6 ? AF_INET6 : AF_INET, ip, ret->bytes) != 1)
		return false;
	if (bits.ptr && (!slice_to_u64(bits, &prefix) || prefix > longest))
		return false;
	ret->prefix = bits.ptr ? (unsigned)prefix : longest;
	for (unsigned bit = ret->prefix; bit < longest; bit++)
		ret->bytes[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
	return true;
}

bool policy_network_contains(const struct policy_network *outer, const struct policy_network *inner)
{
	if (outer->is_v6 != inner->is_v6 || outer->prefix > inner->prefix)
		return false;
	for (unsigned bit = 0; bit < outer->prefix; bit++)
		if ((outer->bytes[bit / 8] ^ inner->bytes[bit / 8]) & (0x80u >> bit % 8))
			return false;
	return true;
}

void policy_network_write(struct strbuf *out, const struct policy_network *n)
{
	char ip[INET6_ADDRSTRLEN];
	CHECK(inet_ntop(n->is_v6 ? AF_INET6 : AF_INET, n->bytes, ip, sizeof ip));
	strbuf_adds(out, ip);
	if (n->prefix != (n->is_v6 ? 128 : 32))
		strbuf_addf(out, "/%u", n->prefix);
}

/* Widest first, so that what lies in another comes behind it. */
static int widest_first(const void *a, const void *b)
{
	const struct policy_network *x = a, *y = b;
	return x->prefix != y->prefix ? (x->prefix < y->prefix ? -1 : 1) : memcmp(x->bytes, y->bytes, sizeof x->bytes);
}

/* False: an exception that cannot be read; the whole block is then left out, for it would let too much through. */
static bool read_except(struct arena *a, const struct json *list, struct policy_peer *p)
{
	size_t n = 0;
	struct policy_network *all = ARENA_ARRAY(a, struct policy_network, (list ? list->count : 0) + 1);
	JSON_FOREACH (it, list)
		if (!policy_network_parse(json_str(it), &all[n++]))
			return false;
	qsort(all, n, sizeof *all, widest_first);
	p->except = all;
	for (size_t i = 0; i < n; i++) {
		bool is_within = all[i].is_v6 != p->network.is_v6;
		for (size_t k = 0; k < p->except_count && !is_within; k++)
			is_within = policy_network_contains(&all[k], &all[i]);
		if (!is_within)
			all[p->except_count++] = all[i];
	}
	return true;
}

/* ---- peers ---- */

static bool is_something(const struct json *v)
{
	return v && v->type != JSON_NULL;
}

static struct slice selector_text(struct arena *a, const struct json *selector)
{
	struct strbuf out = STRBUF_INIT;
	if (is_something(selector))
		json_write(&out, selector);
	else
		strbuf_adds(&out, "{}");
	struct slice text = {arena_memdup(a, out.data, out.len), out.len};
	strbuf_release(&out);
	return text;
}

static bool read_peer(struct arena *a, struct slice ns, const struct json *peer, struct policy_peer *ret)
{
	struct json *block = json_get(peer, "ipBlock"), *pods = json_get(peer, "podSelector"),
	            *namespaces = json_get(peer, "namespaceSelector");
	*ret = (struct policy_peer){.is_network = is_something(block)};
	if (ret->is_network)
		return policy_network_parse(json_get_str(block, "cidr"), &ret->network) &&
		       read_except(a, json_get(block, "except"), ret);
	if (!is_something(pods) && !is_something(namespaces))
		return false;
	struct slice of_pods = selector_text(a, pods);
	const char *text =
	        is_something(namespaces)
	                ? arena_printf(a, "\n%.*s\n%.*s", SLICE_FMT(selector_text(a, namespaces)), SLICE_FMT(of_pods))
	                : arena_printf(a, "%.*s\n%.*s", SLICE_FMT(ns), SLICE_FMT(of_pods));
	ret->pods = slice_of(text);
	return true;
}

static void read_peers(struct arena *a, struct slice ns, const struct json *list, struct policy_rule *r)
{
	r->from_all = !list || !list->first;
	r->peers = ARENA_ARRAY(a, struct policy_peer, (list ? list->count : 0) + 1);
	JSON_FOREACH (it, list)
		if (read_peer(a, ns, it, &r->peers[r->peers_count]))
			r->peers_count++;
}

/* ---- ports ---- */

const char *policy_protocol_name(enum policy_protocol p)
{
	static const char *const names[POLICY_PROTOCOLS] = {"tcp", "udp", "sctp"};
	return names[p];
}

bool policy_protocol_parse(struct slice text, enum policy_protocol *ret)
{
	for (*ret = 0; *ret < POLICY_PROTOCOLS; (*ret)++)
		if (slice_caseis(text, policy_protocol_name(*ret)))
			return true;
	return false;
}

static int by_first(const void *a, const void *b)
{
	const struct policy_range *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void merge_ranges(struct policy_ports *p)
{
	size_t n = 0;
	qsort(p->ranges, p->ranges_count, sizeof *p->ranges, by_first);
	for (size_t i = 0; i < p->ranges_count; i++) {
		struct policy_range *last = n ? &p->ranges[n - 1] : NULL, r = p->ranges[i];
		if (last && r.first <= last->last + 1)
			last->last = r.last > last->last ? r.last : last->last;
		else
			p->ranges[n++] = r;
	}
	p->ranges_count = n;
}

static void read_port(const struct json *port, struct policy_rule *r)
{
	struct json *which = json_get(port, "port");
	struct slice name = json_str(which), protocol_text = json_get_str(port, "protocol");
	enum policy_protocol protocol = POLICY_TCP;
	if (protocol_text.len && !policy_protocol_parse(protocol_text, &protocol))
		return;
	struct policy_ports *p = &r->ports[protocol];
	if (!is_something(which)) {
		p->is_all = true;
	} else if (json_is(which, JSON_STRING)) {
		p->names[p->names_count++] = name;
	} else {
		int64_t first = json_int(which, 0), last = json_get_int(port, "endPort", first);
		if (first > 0 && last >= first && last < 65536)
			p->ranges[p->ranges_count++] = (struct policy_range){(unsigned)first, (unsigned)last};
	}
}

static void read_ports(struct arena *a, const struct json *list, struct policy_rule *r)
{
	size_t cap = (list ? list->count : 0) + 1;
	r->any_port = !list || !list->first;
	for (size_t i = 0; i < POLICY_PROTOCOLS; i++) {
		r->ports[i].ranges = ARENA_ARRAY(a, struct policy_range, cap);
		r->ports[i].names = ARENA_ARRAY(a, struct slice, cap);
	}
	JSON_FOREACH (it, list)
		read_port(it, r);
	for (size_t i = 0; i < POLICY_PROTOCOLS; i++)
		merge_ranges(&r->ports[i]);
}

/* ---- the whole ---- */

static void read_rules(struct arena *a, struct slice ns, const struct json *list, const char *peers,
        enum policy_direction d, struct policy *p)
{
	p->rules[d] = ARENA_ARRAY(a, struct policy_rule, (list ? list->count : 0) + 1);
	JSON_FOREACH (it, list) {
		struct policy_rule *r = &p->rules[d][p->rules_count[d]++];
		read_peers(a, ns, json_get(it, peers), r);
		read_ports(a, json_get(it, "ports"), r);
	}
}

void policy_read(struct arena *a, struct slice ns, const struct json *object, struct policy *ret)
{
	struct json *spec = json_get(object, "spec"), *types = json_get(spec, "policyTypes");
	struct json *egress = json_get(spec, "egress");
	*ret = (struct policy){.selector = selector_text(a, json_get(spec, "podSelector"))};
	if (!types || !types->first) {
		ret->isolates[POLICY_INGRESS] = true;
		ret->isolates[POLICY_EGRESS] = egress && egress->first;
	}
	JSON_FOREACH (it, types) {
		ret->isolates[POLICY_INGRESS] |= slice_is(json_str(it), "Ingress");
		ret->isolates[POLICY_EGRESS] |= slice_is(json_str(it), "Egress");
	}
	if (ret->isolates[POLICY_INGRESS])
		read_rules(a, ns, json_get(spec, "ingress"), "from", POLICY_INGRESS, ret);
	if (ret->isolates[POLICY_EGRESS])
		read_rules(a, ns, egress, "to", POLICY_EGRESS, ret);
}
