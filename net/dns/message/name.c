/* See name.h. Letters are ASCII's alone, as RFC 4343 says: no locale has a say in what is the same name. */
#include "net/dns/message/name.h"

#include <stdio.h>

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

size_t dns_name_len(const uint8_t *wire)
{
	size_t at = 0;
	while (wire[at])
		at += wire[at] + 1u;
	return at + 1;
}

void dns_name_set(struct dns_name *n, const uint8_t *wire)
{
	n->len = (uint8_t)dns_name_len(wire);
	memcpy(n->wire, wire, n->len);
}

/* One character of a text, escapes resolved; how many bytes it took, 0: a broken escape. */
static size_t next_char(struct slice text, uint8_t *ret)
{
	*ret = (uint8_t)text.ptr[0];
	if (text.ptr[0] != '\\')
		return 1;
	if (text.len < 2)
		return 0;
	*ret = (uint8_t)text.ptr[1];
	if (*ret < '0' || *ret > '9')
		return 2;
	unsigned v = 0;
	for (size_t i = 1; i <= 3; i++) {
		if (i >= text.len || text.ptr[i] < '0' || text.ptr[i] > '9')
			return 0;
		v = v * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*ret = (uint8_t)v;
	return v > 255 ? 0 : 4;
}

static int bad(struct err *err, struct slice text, const char *why)
{
	return err_set(err, ERR_INVAL, "\"%.*s\" is no domain name: %s", (int)(text.len < 300 ? text.len : 300),
	        text.ptr ? text.ptr : "", why);
}

int dns_name_parse(struct dns_name *n, struct slice text, struct err *err)
{
	struct slice rest = text;
	size_t at = 1, label = 0; /* where the next byte goes; where the label's length is */
	if (slice_is(text, "."))
		rest.len = 0;
	while (rest.len) {
		uint8_t c;
		size_t took = next_char(rest, &c);
		if (!took)
			return bad(err, text, "broken escape");
		bool ends = took == 1 && c == '.';
		if (ends && at == label + 1)
			return bad(err, text, "empty label");
		if (!ends && at - label > DNS_LABEL_BYTES_MAX)
			return bad(err, text, "a label is longer than 63 bytes");
		if (at >= DNS_NAME_BYTES_MAX)
			return bad(err, text, "longer than 255 bytes");
		if (ends) {
			n->wire[label] = (uint8_t)(at - label - 1);
			label = at++;
		} else {
			n->wire[at++] = c;
		}
		rest = (struct slice){rest.ptr + took, rest.len - took};
	}
	if (at > label + 1) { /* a last label without its dot */
		n->wire[label] = (uint8_t)(at - label - 1);
		label = at;
	}
	if (label >= DNS_NAME_BYTES_MAX)
		return bad(err, text, "longer than 255 bytes");
	n->wire[label] = 0;
	n->len = (uint8_t)(label + 1);
	return 0;
}

static void add_char(struct strbuf *out, uint8_t c)
{
	if (c == '.' || c == '\\')
		strbuf_addc(out, '\\');
	if (c > ' ' && c < 127)
		strbuf_addc(out, (char)c);
	else
		strbuf_addf(out, "\\%03u", c);
}

void dns_name_text(struct strbuf *out, const uint8_t *wire, bool in_lower)
{
	if (!wire[0])
		strbuf_addc(out, '.');
	while (*wire) {
		for (unsigned i = 1; i <= *wire; i++)
			add_char(out, in_lower ? lower(wire[i]) : wire[i]);
		strbuf_addc(out, '.');
		wire += *wire + 1;
	}
}

bool dns_name_eq(const uint8_t *a, const uint8_t *b)
{
	for (;;) {
		if (*a != *b)
			return false;
		unsigned len = *a;
		if (!len)
			return true;
		for (unsigned i = 1; i <= len; i++)
			if (lower(a[i]) != lower(b[i]))
				return false;
		a += len + 1;
		b += len + 1;
	}
}

bool dns_name_is_in(const uint8_t *name, const uint8_t *zone)
{
	size_t n = dns_name_len(name), z = dns_name_len(zone);
	while (n > z) {
		n -= *name + 1u;
		name += *name + 1;
	}
	return n == z && dns_name_eq(name, zone);
}

/* Lengths are below 64, where no letter is. */
void dns_name_lower(uint8_t *wire, size_t len)
{
	for (size_t i = 0; i < len; i++)
		wire[i] = lower(wire[i]);
}

size_t dns_name_labels(const uint8_t *wire, struct slice *labels, size_t max)
{
	size_t n = 0;
	for (; *wire; wire += *wire + 1, n++)
		if (n < max)
			labels[n] = (struct slice){(const char *)wire + 1, *wire};
	return n;
}

bool dns_name_prepend(struct dns_name *n, struct slice label)
{
	if (!label.len || label.len > DNS_LABEL_BYTES_MAX || n->len + label.len + 1 > DNS_NAME_BYTES_MAX)
		return false;
	memmove(n->wire + label.len + 1, n->wire, n->len);
	n->wire[0] = (uint8_t)label.len;
	memcpy(n->wire + 1, label.ptr, label.len);
	n->len = (uint8_t)(n->len + label.len + 1);
	return true;
}

static const uint8_t in_addr_arpa[] = "\7in-addr\4arpa", ip6_arpa[] = "\3ip6\4arpa";

bool dns_name_is_reverse(const uint8_t *wire)
{
	return dns_name_is_in(wire, in_addr_arpa) || dns_name_is_in(wire, ip6_arpa);
}

static size_t reverse_v4(const struct slice *labels, uint8_t *ip)
{
	for (size_t i = 0; i < 4; i++) {
		uint64_t v;
		if (labels[i].len > 3 || !slice_to_u64(labels[i], &v) || v > 255)
			return 0;
		ip[3 - i] = (uint8_t)v;
	}
	return 4;
}

static size_t reverse_v6(const struct slice *labels, uint8_t *ip)
{
	memset(ip, 0, 16);
	for (size_t i = 0; i < 32; i++) {
		int v = labels[i].len == 1 ? hex_digit(labels[i].ptr[0]) : -1;
		if (v < 0)
			return 0;
		ip[15 - i / 2] |= (uint8_t)(i % 2 ? v << 4 : v);
	}
	return 16;
}

size_t dns_name_reverse(const uint8_t *wire, uint8_t ret_ip[16])
{
	struct slice labels[DNS_LABELS_MAX];
	size_t n = dns_name_labels(wire, labels, DNS_LABELS_MAX);
	if (n == 6 && dns_name_is_in(wire, in_addr_arpa))
		return reverse_v4(labels, ret_ip);
	if (n == 34 && dns_name_is_in(wire, ip6_arpa))
		return reverse_v6(labels, ret_ip);
	return 0;
}
