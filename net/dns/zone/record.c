/* See record.h. Layouts, all counts in front of what they count:
 *
 *   service   flags, external: text, ips, ports         ip        length, bytes
 *   slice     service: text, ports, endpoints           port      protocol, port (2 bytes), name: text
 *   pod       ips                                       endpoint  flags, ips, hostname: text, pod: text
 *   text      length (1 byte), bytes                    counts    2 bytes
 *
 * A list's count is put in when its end is known. Lists longer than 65,535 are cut, texts longer than 255 are none. */
#include "net/dns/zone/record.h"

#include "base/json/json.h"
#include "net/dns/message/name.h"

#include <arpa/inet.h>

enum { IS_HEADLESS = 1, IS_EXTERNAL = 2, IS_READY = 1, COUNT_MAX = UINT16_MAX };

/* ---- packing ---- */

size_t record_ip_parse(struct slice text, uint8_t ret_ip[16])
{
	char buf[INET6_ADDRSTRLEN];
	if (!text.len || text.len >= sizeof buf)
		return 0;
	memcpy(buf, text.ptr, text.len);
	buf[text.len] = 0;
	if (inet_pton(AF_INET, buf, ret_ip) == 1)
		return 4;
	return inet_pton(AF_INET6, buf, ret_ip) == 1 ? 16 : 0;
}

static void add16(struct strbuf *b, unsigned v)
{
	strbuf_addc(b, (char)(v >> 8));
	strbuf_addc(b, (char)v);
}

static void add_text(struct strbuf *b, struct slice s)
{
	if (s.len > 255)
		s = SLICE_NULL;
	strbuf_addc(b, (char)s.len);
	strbuf_add_slice(b, s);
}

/* A list begins with its count, which list_end() writes. */
static size_t list_begin(struct strbuf *b)
{
	add16(b, 0);
	return b->len - 2;
}

static void list_end(struct strbuf *b, size_t at, unsigned n)
{
	b->data[at] = (char)(n >> 8);
	b->data[at + 1] = (char)n;
}

static bool add_ip(struct strbuf *b, struct slice text)
{
	uint8_t ip[16];
	size_t len = record_ip_parse(text, ip);
	if (!len)
		return false;
	strbuf_addc(b, (char)len);
	strbuf_add(b, ip, len);
	return true;
}

static void add_ips(struct strbuf *b, const struct json *list, const char *member)
{
	size_t at = list_begin(b);
	unsigned n = 0;
	JSON_FOREACH (it, list)
		if (n < COUNT_MAX)
			n += add_ip(b, member ? json_get_str(it, member) : json_str(it));
	list_end(b, at, n);
}

static void add_ports(struct strbuf *b, const struct json *list)
{
	size_t at = list_begin(b);
	unsigned n = 0;
	JSON_FOREACH (it, list) {
		int64_t port = json_get_int(it, "port", 0);
		struct slice protocol = json_get_str(it, "protocol");
		if (n == COUNT_MAX)
			break;
		strbuf_addc(b, slice_is(protocol, "UDP")    ? RECORD_UDP
		               : slice_is(protocol, "SCTP") ? RECORD_SCTP
		                                            : RECORD_TCP);
		add16(b, port > 0 && port <= UINT16_MAX ? (unsigned)port : 0);
		add_text(b, json_get_str(it, "name"));
		n++;
	}
	list_end(b, at, n);
}

/* One that is an address, or no name, is no CNAME. */
static void add_external(struct strbuf *b, struct slice text)
{
	struct dns_name name;
	uint8_t ip[16];
	if (!text.len || record_ip_parse(text, ip) || dns_name_parse(&name, text, NULL) != 0 || name.len == 1)
		add_text(b, SLICE_NULL);
	else
		add_text(b, (struct slice){(const char *)name.wire, name.len});
}

static struct rcbuf *packed(struct arena *a, struct strbuf *b)
{
	struct rcbuf *ret = rcbuf_copy(strbuf_cstr(b), b->len);
	strbuf_release(b);
	arena_release(a);
	return ret;
}

struct rcbuf *record_pack_service(struct slice text)
{
	struct arena a = ARENA_INIT;
	struct strbuf b = STRBUF_INIT;
	const struct json *spec = json_get(json_parse(&a, text, NULL, NULL), "spec");
	const struct json *ips = json_get(spec, "clusterIPs");
	bool external = slice_is(json_get_str(spec, "type"), "ExternalName");
	bool headless = !external && slice_is(json_get_str(spec, "clusterIP"), "None");
	strbuf_addc(&b, (char)((headless ? IS_HEADLESS : 0) | (external ? IS_EXTERNAL : 0)));
	add_external(&b, external ? json_get_str(spec, "externalName") : SLICE_NULL);
	if (json_is(ips, JSON_ARRAY) && ips->count) {
		add_ips(&b, external ? NULL : ips, NULL);
	} else {
		size_t at = list_begin(&b);
		list_end(&b, at, !external && add_ip(&b, json_get_str(spec, "clusterIP")));
	}
	add_ports(&b, json_get(spec, "ports"));
	return packed(&a, &b);
}

static void add_endpoint(struct strbuf *b, const struct json *e)
{
	const struct json *target = json_get(e, "targetRef");
	bool ready = json_bool(json_path(e, "conditions", "ready", NULL), true);
	strbuf_addc(b, ready ? IS_READY : 0);
	add_ips(b, json_get(e, "addresses"), NULL);
	add_text(b, json_get_str(e, "hostname"));
	add_text(b, slice_is(json_get_str(target, "kind"), "Pod") ? json_get_str(target, "name") : SLICE_NULL);
}

struct rcbuf *record_pack_slice(struct slice text)
{
	struct arena a = ARENA_INIT;
	struct strbuf b = STRBUF_INIT;
	const struct json *o = json_parse(&a, text, NULL, NULL);
	unsigned n = 0;
	add_text(&b, json_str(json_path(o, "metadata", "labels", "kubernetes.io/service-name", NULL)));
	add_ports(&b, json_get(o, "ports"));
	size_t at = list_begin(&b);
	if (!slice_is(json_get_str(o, "addressType"), "FQDN"))
		JSON_FOREACH (e, json_get(o, "endpoints"))
			if (n < COUNT_MAX) {
				add_endpoint(&b, e);
				n++;
			}
	list_end(&b, at, n);
	return packed(&a, &b);
}

struct rcbuf *record_pack_pod(struct slice text)
{
	struct arena a = ARENA_INIT;
	struct strbuf b = STRBUF_INIT;
	const struct json *o = json_parse(&a, text, NULL, NULL), *status = json_get(o, "status");
	struct slice phase = json_get_str(status, "phase");
	bool over = slice_is(phase, "Succeeded") || slice_is(phase, "Failed") ||
	            json_path(o, "metadata", "deletionTimestamp", NULL);
	add_ips(&b, over ? NULL : json_get(status, "podIPs"), "ip");
	return packed(&a, &b);
}

struct rcbuf *record_pack_namespace(struct slice text)
{
	(void)text;
	return rcbuf_new(0);
}

/* ---- reading ---- */

static unsigned take16(const uint8_t **at)
{
	unsigned v = (unsigned)((*at)[0] << 8 | (*at)[1]);
	*at += 2;
	return v;
}

static struct slice take_text(const uint8_t **at)
{
	struct slice s = {(const char *)*at + 1, **at};
	*at += s.len + 1;
	return s;
}

static struct record_cursor take_list(const uint8_t **at)
{
	unsigned n = take16(at);
	return (struct record_cursor){*at, n};
}

bool record_next_ip(struct record_cursor *c, struct record_ip *ret)
{
	if (!c->left)
		return false;
	*ret = (struct record_ip){c->at[0], c->at + 1};
	c->at += ret->len + 1u;
	c->left--;
	return true;
}

bool record_next_port(struct record_cursor *c, struct record_port *ret)
{
	if (!c->left)
		return false;
	ret->protocol = *c->at++;
	ret->port = (int)take16(&c->at);
	ret->name = take_text(&c->at);
	c->left--;
	return true;
}

static const uint8_t *behind_ips(struct record_cursor c)
{
	struct record_ip ip;
	while (record_next_ip(&c, &ip))
		;
	return c.at;
}

static const uint8_t *behind_ports(struct record_cursor c)
{
	struct record_port port;
	while (record_next_port(&c, &port))
		;
	return c.at;
}

bool record_next_endpoint(struct record_cursor *c, struct record_endpoint *ret)
{
	if (!c->left)
		return false;
	ret->is_ready = *c->at++ & IS_READY;
	ret->ips = take_list(&c->at);
	c->at = behind_ips(ret->ips);
	ret->hostname = take_text(&c->at);
	ret->pod = take_text(&c->at);
	c->left--;
	return true;
}

void record_read_service(const struct rcbuf *b, struct record_service *ret)
{
	const uint8_t *at = (const uint8_t *)b->data;
	unsigned flags = *at++;
	ret->is_headless = flags & IS_HEADLESS;
	ret->is_external = flags & IS_EXTERNAL;
	ret->external = take_text(&at);
	ret->ips = take_list(&at);
	at = behind_ips(ret->ips);
	ret->ports = take_list(&at);
}

void record_read_slice(const struct rcbuf *b, struct record_slice *ret)
{
	const uint8_t *at = (const uint8_t *)b->data;
	ret->service = take_text(&at);
	ret->ports = take_list(&at);
	at = behind_ports(ret->ports);
	ret->endpoints = take_list(&at);
}

struct record_cursor record_read_pod(const struct rcbuf *b)
{
	const uint8_t *at = (const uint8_t *)b->data;
	return take_list(&at);
}
