/* See uapi.h. Keys are 64 hexadecimal digits. A line "public_key" begins a peer, to which all that follow belong. Lines
 * of other names are passed over: a newer program may have more to say. */
#include "net/fabric/wireguard/uapi.h"

#include "base/check.h"

/* ---- what is said ---- */

static void write_key(struct strbuf *out, const char *name, const struct wireguard_key *k)
{
	char hex[2 * WIREGUARD_KEY_BYTES + 1];
	hex_write(k->bytes, sizeof k->bytes, hex);
	strbuf_addf(out, "%s=%s\n", name, hex);
}

static void write_change(struct strbuf *out, const struct wireguard_change *c)
{
	const struct wireguard_peer *p = &c->peer;
	char text[IP_NET_TEXT_MAX];
	write_key(out, "public_key", &p->key);
	if (c->is_removal) {
		strbuf_adds(out, "remove=true\n");
		return;
	}
	if (c->has_endpoint)
		strbuf_addf(out, p->endpoint.family == IP_V6 ? "endpoint=[%s]:%u\n" : "endpoint=%s:%u\n",
		        ip_write(&p->endpoint, text), p->port);
	strbuf_addf(out, "persistent_keepalive_interval=%u\nreplace_allowed_ips=true\n", p->keepalive_s);
	if (p->nets)
		strbuf_addf(out, "allowed_ip=%s\n", ip_net_write(&p->allowed, text));
}

void wireguard_uapi_write(struct strbuf *out, const struct wireguard_request *r)
{
	strbuf_adds(out, "set=1\n");
	if (r->private_key)
		write_key(out, "private_key", r->private_key);
	if (r->port)
		strbuf_addf(out, "listen_port=%u\n", r->port);
	if (r->replaces_peers)
		strbuf_adds(out, "replace_peers=true\n");
	for (size_t i = 0; i < r->count; i++)
		write_change(out, &r->changes[i]);
	strbuf_addc(out, '\n');
}

/* ---- what is answered ---- */

static bool read_key(struct slice text, struct wireguard_key *ret)
{
	struct wireguard_key k;
	if (text.len != 2 * sizeof k.bytes)
		return false;
	for (size_t i = 0; i < sizeof k.bytes; i++) {
		int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		k.bytes[i] = (unsigned char)(high << 4 | low);
	}
	*ret = k;
	return true;
}

static bool read_u16(struct slice text, uint16_t *ret)
{
	uint64_t n;
	if (!slice_to_u64(text, &n) || n > UINT16_MAX)
		return false;
	*ret = (uint16_t)n;
	return true;
}

/* "10.0.0.1:51820", "[fd00::1]:51821". One within a link's own network has a zone behind it, and is nobody's we know.
 */
static bool read_endpoint(struct slice text, struct wireguard_peer *p)
{
	size_t colon = text.len;
	while (colon && text.ptr[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return false;
	struct slice host = {text.ptr, colon - 1}, port = {text.ptr + colon, text.len - colon};
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = (struct slice){host.ptr + 1, host.len - 2};
	uint16_t n;
	if (!read_u16(port, &n))
		return false;
	if (ip_parse(host, &p->endpoint))
		p->port = n;
	return true;
}

static bool read_net(struct slice text, struct wireguard_peer *p)
{
	struct ip_net n;
	if (!ip_net_parse(text, &n))
		return false;
	if (!p->nets++)
		p->allowed = n;
	return true;
}

static bool read_of_peer(struct slice name, struct slice value, struct wireguard_peer *p)
{
	if (slice_is(name, "endpoint"))
		return read_endpoint(value, p);
	if (slice_is(name, "persistent_keepalive_interval"))
		return read_u16(value, &p->keepalive_s);
	if (slice_is(name, "allowed_ip"))
		return read_net(value, p);
	return true;
}

static bool read_of_device(struct slice name, struct slice value, struct wireguard_device *d)
{
	if (slice_is(name, "private_key"))
		return read_key(value, &d->private_key);
	if (slice_is(name, "listen_port"))
		return read_u16(value, &d->port);
	return true;
}

static int read_outcome(struct slice value, struct err *err)
{
	int64_t n;
	if (!slice_to_i64(value, &n))
		return err_set(err, ERR_PROTOCOL, "WireGuard answers \"errno=%.*s\"", SLICE_FMT(value));
	if (n == 0)
		return 0;
	return err_errno(err, (int)(n < 0 && n > -4096 ? -n : n & 0xfff), "WireGuard refuses");
}

int wireguard_uapi_read(struct slice answer, struct wireguard_device *ret, struct err *err)
{
	struct wireguard_peer *peer = NULL;
	while (answer.len) {
		struct slice value = slice_cut(&answer, '\n'), name = slice_cut(&value, '=');
		bool reads = value.ptr != NULL;
		if (slice_is(name, "errno"))
			return read_outcome(value, err);
		if (reads && slice_is(name, "public_key")) {
			struct wireguard_peer p = {0};
			reads = read_key(value, &p.key);
			peer = reads ? wireguard_device_put(ret, &p) : NULL;
		} else if (reads)
			reads = peer ? read_of_peer(name, value, peer) : read_of_device(name, value, ret);
		if (!reads)
			return err_set(err, ERR_PROTOCOL, "WireGuard's answer has a line \"%.*s\" that does not read",
			        (int)(name.len < 40 ? name.len : 40), name.ptr ? name.ptr : "");
	}
	return err_set(err, ERR_PROTOCOL, "WireGuard's answer has no outcome");
}

bool wireguard_uapi_is_whole(struct slice answer)
{
	while (answer.len) {
		struct slice line = slice_cut(&answer, '\n');
		if (slice_starts(line, "errno="))
			return answer.len >= 1 && answer.ptr[0] == '\n';
	}
	return false;
}
