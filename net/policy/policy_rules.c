/* See policy_rules_int.h.
 *
 *     table inet k3x-policy
 *       chain out            forward, before `in`: a pod of here to anybody
 *         established and related connections, and neighbour discovery: accept
 *         a pod to itself: accept
 *         ip saddr vmap @out4           isolated pods: jump out-group-7
 *         jump out-hold                 from here, and not known: drop
 *       chain in             forward: anybody to a pod of here; the same by daddr
 *       map out4, in4        address of an isolated pod -> its group
 *       chain out-group-7    jump out-policy-3; jump out-policy-5; drop
 *       chain out-policy-3   ip daddr @pods-9-4 tcp dport { 80, 443 } accept; ...
 *       set pods-9-4         the pods that a peer selects, wherever they run
 *       set ports-2-4        address . port of pods that have a port of some name
 *       set known4           the pods of here whose policies are in force
 *       set here4            the networks of this node's pods
 *     and the same with 6.
 *
 * A packet is judged twice, by two base chains, as what one of them accepts the next one sees still. Neither sees what
 * the node itself sends or gets (those are other hooks), so probes and a host's daemons pass. Addresses are the pods'
 * own: the service proxy has translated before, and masquerades behind. Packets between two pods of one bridge come by
 * here through br_netfilter.
 *
 * Chains and sets are numbered, and nothing about one changes but a set's members: what a policy says anew is a new
 * chain. So a pod that comes or goes is a few elements, whatever else there is. */
#include "net/policy/policy_rules_int.h"

#include "base/check.h"
#include "base/limits.h"

#include <inttypes.h>

#define T POLICY_TABLE

const char *policy_rules_prefix(enum policy_direction d)
{
	return d == POLICY_INGRESS ? "in" : "out";
}

/* Where a pod under policies stands in its packets. */
static const char *own_side(enum policy_direction d)
{
	return d == POLICY_INGRESS ? "daddr" : "saddr";
}

static const char *other_side(enum policy_direction d)
{
	return d == POLICY_INGRESS ? "saddr" : "daddr";
}

static char family_of(const struct policy_network *n)
{
	return n->is_v6 ? '6' : '4';
}

static const char *word_of(const struct policy_network *n)
{
	return n->is_v6 ? "ip6" : "ip";
}

/* ---- the frame ---- */

static void write_base_chain(struct strbuf *out, enum policy_direction d)
{
	const char *p = policy_rules_prefix(d), *own = own_side(d);
	strbuf_addf(out,
	        "	chain %s-hold { }\n"
	        "	chain %s {\n"
	        "		type filter hook forward priority filter%s; policy accept;\n"
	        "		ct state established,related accept\n"
	        "		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, "
	        "nd-router-advert, "
	        "mld-listener-query, mld-listener-report, mld2-listener-report } accept\n"
	        "		ip saddr . ip daddr @self4 accept\n"
	        "		ip6 saddr . ip6 daddr @self6 accept\n"
	        "		ip %s vmap @%s4\n"
	        "		ip6 %s vmap @%s6\n"
	        "		jump %s-hold\n"
	        "	}\n",
	        p, p, d == POLICY_EGRESS ? " - 1" : "", own, p, own, p, p);
}

void policy_rules_frame(struct strbuf *out)
{
	strbuf_adds(out, "add table " T "\n"
	                 "delete table " T "\n"
	                 "table " T " {\n");
	for (int v = 4; v <= 6; v += 2)
		strbuf_addf(out,
		        "	set known%d { type ipv%d_addr; }\n"
		        "	set here%d { type ipv%d_addr; flags interval; }\n"
		        "	set self%d { type ipv%d_addr . ipv%d_addr; }\n"
		        "	map in%d { type ipv%d_addr : verdict; }\n"
		        "	map out%d { type ipv%d_addr : verdict; }\n",
		        v, v, v, v, v, v, v, v, v, v, v);
	write_base_chain(out, POLICY_EGRESS);
	write_base_chain(out, POLICY_INGRESS);
	strbuf_adds(out, "}\n");
}

void policy_rules_wait(struct strbuf *out, struct slice networks)
{
	strbuf_adds(out, "create table " T "\n"
	                 "add chain " T " wait { type filter hook forward priority filter; policy accept; }\n"
	                 "add rule " T " wait ct state established,related accept\n");
	while (networks.len) {
		struct policy_network n;
		struct slice one = slice_cut(&networks, ',');
		for (int i = 0; i < 2 && policy_network_parse(one, &n); i++) {
			strbuf_addf(out, "add rule " T " wait %s %s ", word_of(&n), i ? "daddr" : "saddr");
			policy_network_write(out, &n);
			strbuf_adds(out, " drop\n");
		}
	}
}

/* ---- sets ---- */

void policy_rules_add_pods(struct strbuf *out, uint64_t id)
{
	for (int v = 4; v <= 6; v += 2)
		strbuf_addf(out, "add set " T " pods-%" PRIu64 "-%d { type ipv%d_addr; }\n", id, v, v);
}

void policy_rules_remove_pods(struct strbuf *out, uint64_t id)
{
	for (int v = 4; v <= 6; v += 2)
		strbuf_addf(out, "delete set " T " pods-%" PRIu64 "-%d\n", id, v);
}

void policy_rules_add_ports(struct strbuf *out, uint64_t id)
{
	for (int v = 4; v <= 6; v += 2)
		strbuf_addf(out, "add set " T " ports-%" PRIu64 "-%d { type ipv%d_addr . inet_service; }\n", id, v, v);
}

void policy_rules_remove_ports(struct strbuf *out, uint64_t id)
{
	for (int v = 4; v <= 6; v += 2)
		strbuf_addf(out, "delete set " T " ports-%" PRIu64 "-%d\n", id, v);
}

/* ---- a policy ---- */

/* One of what the other side may be, as the beginning of a rule. */
struct match {
	const char *text; /* "", or ends with a space */
	char family;      /* '4', '6', or 0: both */
};

static void write_ranges(struct strbuf *out, const char *head, const char *protocol, const struct policy_ports *p)
{
	strbuf_addf(out, "%s%s dport { ", head, protocol);
	for (size_t i = 0; i < p->ranges_count; i++) {
		const struct policy_range *r = &p->ranges[i];
		strbuf_addf(out, r->first == r->last ? "%s%u" : "%s%u-%u", i ? ", " : "", r->first, r->last);
	}
	strbuf_adds(out, " } accept\n");
}

static void write_names(struct strbuf *out, struct match m, enum policy_protocol protocol, const struct policy_ports *p,
        const struct policy_sets *sets)
{
	for (size_t i = 0; i < p->names_count; i++) {
		uint64_t id = sets->ports(sets->arg, protocol, p->names[i]);
		for (int v = 4; v <= 6; v += 2)
			if (!m.family || m.family == '0' + v)
				strbuf_addf(out, "%s%s daddr . %s dport @ports-%" PRIu64 "-%d accept\n", m.text,
				        v == 4 ? "ip" : "ip6", policy_protocol_name(protocol), id, v);
	}
}

static void write_ports(struct strbuf *out, struct match m, const struct policy_rule *r, const struct policy_sets *sets)
{
	if (r->any_port) {
		strbuf_addf(out, "%saccept\n", m.text);
		return;
	}
	for (enum policy_protocol i = 0; i < POLICY_PROTOCOLS; i++) {
		const struct policy_ports *p = &r->ports[i];
		if (p->is_all) {
			strbuf_addf(out, "%smeta l4proto %s accept\n", m.text, policy_protocol_name(i));
			continue;
		}
		if (p->ranges_count)
			write_ranges(out, m.text, policy_protocol_name(i), p);
		write_names(out, m, i, p, sets);
	}
}

static void write_network(struct strbuf *out, enum policy_direction d, const struct policy_peer *p)
{
	const char *word = word_of(&p->network), *side = other_side(d);
	if (p->network.prefix) {
		strbuf_addf(out, "%s %s ", word, side);
		policy_network_write(out, &p->network);
		strbuf_adds(out, " ");
	} else {
		strbuf_addf(out, "meta nfproto %s ", p->network.is_v6 ? "ipv6" : "ipv4");
	}
	if (!p->except_count)
		return;
	strbuf_addf(out, "%s %s != { ", word, side);
	for (size_t i = 0; i < p->except_count; i++) {
		strbuf_adds(out, i ? ", " : "");
		policy_network_write(out, &p->except[i]);
	}
	strbuf_adds(out, " } ");
}

static void write_peer(struct strbuf *out, enum policy_direction d, const struct policy_rule *r,
        const struct policy_peer *p, const struct policy_sets *sets)
{
	struct strbuf head = STRBUF_INIT;
	if (p->is_network) {
		write_network(&head, d, p);
		write_ports(out, (struct match){strbuf_cstr(&head), family_of(&p->network)}, r, sets);
	} else {
		uint64_t id = sets->pods(sets->arg, p->pods);
		for (int v = 4; v <= 6; v += 2) {
			strbuf_reset(&head);
			strbuf_addf(&head, "%s %s @pods-%" PRIu64 "-%d ", v == 4 ? "ip" : "ip6", other_side(d), id, v);
			write_ports(out, (struct match){strbuf_cstr(&head), (char)('0' + v)}, r, sets);
		}
	}
	strbuf_release(&head);
}

void policy_rules_body(struct strbuf *out, enum policy_direction d, const struct policy_rule *rules, size_t n,
        const struct policy_sets *sets)
{
	for (size_t i = 0; i < n; i++) {
		const struct policy_rule *r = &rules[i];
		if (r->from_all)
			write_ports(out, (struct match){"", 0}, r, sets);
		for (size_t k = 0; k < r->peers_count; k++)
			write_peer(out, d, r, &r->peers[k], sets);
	}
}

void policy_rules_add_chain(
        struct strbuf *out, enum policy_direction d, uint64_t id, struct slice comment, struct slice body)
{
	const char *p = policy_rules_prefix(d);
	if (comment.len > NFT_COMMENT_BYTES_MAX)
		comment.len = NFT_COMMENT_BYTES_MAX;
	strbuf_addf(out, "add chain " T " %s-policy-%" PRIu64 " { comment \"%.*s\"; }\n", p, id, SLICE_FMT(comment));
	while (body.len) {
		struct slice rule = slice_cut(&body, '\n');
		strbuf_addf(out, "add rule " T " %s-policy-%" PRIu64 " %.*s\n", p, id, SLICE_FMT(rule));
	}
}

static void remove_chain(struct strbuf *out, const char *prefix, const char *kind, uint64_t id)
{
	strbuf_addf(out, "flush chain " T " %s-%s-%" PRIu64 "\ndelete chain " T " %s-%s-%" PRIu64 "\n", prefix, kind,
	        id, prefix, kind, id);
}

void policy_rules_remove_chain(struct strbuf *out, enum policy_direction d, uint64_t id)
{
	remove_chain(out, policy_rules_prefix(d), "policy", id);
}

void policy_rules_add_group(struct strbuf *out, enum policy_direction d, uint64_t id, const uint64_t *chains, size_t n)
{
	const char *p = policy_rules_prefix(d);
	strbuf_addf(out, "add chain " T " %s-group-%" PRIu64 "\n", p, id);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(
		        out, "add rule " T " %s-group-%" PRIu64 " jump %s-policy-%" PRIu64 "\n", p, id, p, chains[i]);
	strbuf_addf(out, "add rule " T " %s-group-%" PRIu64 " counter drop\n", p, id);
}

void policy_rules_remove_group(struct strbuf *out, enum policy_direction d, uint64_t id)
{
	remove_chain(out, policy_rules_prefix(d), "group", id);
}

/* ---- elements ---- */

/* "add element inet k3x-policy NAME { 10.42.0.5": the rest is the caller's. */
static void begin_element(struct strbuf *out, const char *verb, const char *name, const struct policy_network *ip)
{
	strbuf_addf(out, "%s element " T " %s%c { ", verb, name, family_of(ip));
	policy_network_write(out, ip);
}

static void end_element(struct strbuf *out)
{
	strbuf_adds(out, " }\n");
}

void policy_rules_known(struct strbuf *out, const char *verb, const struct policy_network *ip)
{
	begin_element(out, verb, "known", ip);
	end_element(out);
}

void policy_rules_self(struct strbuf *out, const char *verb, const struct policy_network *ip)
{
	begin_element(out, verb, "self", ip);
	strbuf_adds(out, " . ");
	policy_network_write(out, ip);
	end_element(out);
}

void policy_rules_isolate(
        struct strbuf *out, const char *verb, enum policy_direction d, const struct policy_network *ip, uint64_t group)
{
	const char *p = policy_rules_prefix(d);
	begin_element(out, verb, p, ip);
	if (verb[0] == 'a')
		strbuf_addf(out, " : jump %s-group-%" PRIu64, p, group);
	end_element(out);
}

static void begin_numbered(
        struct strbuf *out, const char *verb, const char *kind, uint64_t id, const struct policy_network *ip)
{
	strbuf_addf(out, "%s element " T " %s-%" PRIu64 "-%c { ", verb, kind, id, family_of(ip));
	policy_network_write(out, ip);
}

void policy_rules_member(struct strbuf *out, const char *verb, uint64_t id, const struct policy_network *ip)
{
	begin_numbered(out, verb, "pods", id, ip);
	end_element(out);
}

void policy_rules_port(
        struct strbuf *out, const char *verb, uint64_t id, const struct policy_network *ip, unsigned port)
{
	begin_numbered(out, verb, "ports", id, ip);
	strbuf_addf(out, " . %u", port);
	end_element(out);
}

/* ---- those who wait ---- */

void policy_rules_here(struct strbuf *out, const char *verb, const struct policy_network *n)
{
	begin_element(out, verb, "here", n);
	end_element(out);
}

void policy_rules_add_hold(struct strbuf *out)
{
	for (enum policy_direction d = 0; d < POLICY_DIRECTIONS; d++) {
		const char *p = policy_rules_prefix(d), *own = own_side(d);
		strbuf_addf(out,
		        "add rule " T " %s-hold ip %s @here4 ip %s != @known4 counter drop\n"
		        "add rule " T " %s-hold ip6 %s @here6 ip6 %s != @known6 counter drop\n",
		        p, own, own, p, own, own);
	}
}

void policy_rules_remove_hold(struct strbuf *out)
{
	strbuf_adds(out, "flush chain " T " in-hold\nflush chain " T " out-hold\n");
}
