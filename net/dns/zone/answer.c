/* See answer.h. What is found for a name is collected first (struct found), for the weights of SRV records are parts of
 * how many there are, and then written as the type wants it. */
#include "net/dns/zone/answer.h"

#include "base/check.h"
#include "base/mem/map.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { FOUND_MAX = DNS_RECORDS_MAX / 2, SEEN_SLOTS_FIRST = 64, VERSION_TTL_S = 28800 };
enum { SOA_REFRESH_S = 7200, SOA_RETRY_S = 1800, SOA_EXPIRE_S = 86400 };

/* What a name asks for: the labels before the zone, from the right. */
struct request {
	struct slice kind; /* "svc" or "pod"; empty: the zone itself */
	struct slice ns, service, endpoint, port, protocol;
};

struct found {
	struct record_ip ip;
	int port;              /* 0: none declared */
	struct slice endpoint; /* its label; empty: the service itself */
};

/* A set of hashes, seeded per process (map_hash()): what is in it was told already. */
struct seen {
	uint64_t *slots; /* 0: free */
	size_t cap, n;
};

struct lookup {
	const struct zone *zone;
	const struct answer_options *options;
	struct arena *arena;
	const struct dns_name *name; /* the question */
	const struct dns_name *apex;
	uint16_t type;
	struct dns_message *reply;
	struct request request;
	struct found *found;
	size_t n_found, cap_found;
	struct seen seen;
};

/* ---- reading the name ---- */

static struct slice strip_underscore(struct slice s)
{
	return s.len && s.ptr[0] == '_' ? (struct slice){s.ptr + 1, s.len - 1} : s;
}

/* False: no name of the specification. */
static bool read_request(struct request *r, const struct slice *labels, size_t n)
{
	*r = (struct request){0};
	if (n == 0)
		return true;
	r->kind = labels[n - 1];
	if (!slice_is(r->kind, "svc") && !slice_is(r->kind, "pod"))
		return false;
	if (n >= 2)
		r->ns = labels[n - 2];
	if (n >= 3)
		r->service = labels[n - 3];
	if (n == 4)
		r->endpoint = labels[0];
	if (n == 5) {
		r->port = strip_underscore(labels[0]);
		r->protocol = strip_underscore(labels[1]);
	}
	return n <= 5;
}

/* ---- records ---- */

static struct dns_name *name_in_zone(struct lookup *l, size_t n, const struct slice *labels)
{
	struct dns_name *name = arena_alloc(l->arena, sizeof *name);
	*name = *l->apex;
	for (size_t i = n; i > 0; i--)
		if (labels[i - 1].len && !dns_name_prepend(name, labels[i - 1]))
			return NULL;
	return name;
}

static void add(struct lookup *l, enum dns_section s, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
        const void *data, size_t len)
{
	dns_message_add_copy(l->arena, l->reply, s, owner, type, ttl_s, data, len);
}

static void add_ip(struct lookup *l, enum dns_section s, const uint8_t *owner, const struct record_ip *ip)
{
	add(l, s, owner, ip->len == 4 ? DNS_A : DNS_AAAA, l->options->ttl_s, ip->bytes, ip->len);
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void add_soa(struct lookup *l, enum dns_section s)
{
	static const struct slice ns[] = {{"ns", 2}, {"dns", 3}}, mail[] = {{"hostmaster", 10}};
	const struct dns_name *server = name_in_zone(l, 2, ns), *who = name_in_zone(l, 1, mail);
	uint8_t data[2 * DNS_NAME_BYTES_MAX + 20];
	if (!server || !who)
		return;
	memcpy(data, server->wire, server->len);
	memcpy(data + server->len, who->wire, who->len);
	uint8_t *p = data + server->len + who->len;
	put32(p, zone_serial(l->zone));
	put32(p + 4, SOA_REFRESH_S);
	put32(p + 8, SOA_RETRY_S);
	put32(p + 12, SOA_EXPIRE_S);
	put32(p + 16, l->options->ttl_s);
	add(l, s, l->apex->wire, DNS_SOA, l->options->ttl_s, data, (size_t)(p + 20 - data));
}

static enum answer_outcome no_data(struct lookup *l)
{
	add_soa(l, DNS_AUTHORITY);
	return ANSWER_DONE;
}

static enum answer_outcome no_name(struct lookup *l)
{
	l->reply->rcode = DNS_NXDOMAIN;
	add_soa(l, DNS_AUTHORITY);
	return ANSWER_NXDOMAIN;
}

/* ---- what is found ---- */

static bool seen_put(struct seen *s, uint64_t hash)
{
	size_t i = hash % s->cap;
	while (s->slots[i] && s->slots[i] != hash)
		i = (i + 1) % s->cap;
	bool is_new = !s->slots[i];
	s->slots[i] = hash;
	s->n += is_new;
	return is_new;
}

static void seen_grow(struct lookup *l)
{
	struct seen old = l->seen;
	l->seen = (struct seen){.cap = old.cap ? old.cap * 4 : SEEN_SLOTS_FIRST};
	l->seen.slots = arena_zalloc(l->arena, l->seen.cap * sizeof *l->seen.slots);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i])
			seen_put(&l->seen, old.slots[i]);
}

/* Is it the first time that this is told: an address and a port, a label and a port, a label and an address? */
static bool is_new(struct lookup *l, char what, struct slice label, int port, const struct record_ip *ip)
{
	char key[96];
	size_t n = 0;
	key[n++] = what;
	memcpy(key + n, &port, sizeof port);
	n += sizeof port;
	if (ip) {
		memcpy(key + n, ip->bytes, ip->len);
		n += ip->len;
	}
	if (label.len <= DNS_LABEL_BYTES_MAX && label.len) {
		memcpy(key + n, label.ptr, label.len);
		n += label.len;
	}
	if (l->seen.n * 2 >= l->seen.cap)
		seen_grow(l);
	return seen_put(&l->seen, map_hash((struct slice){key, n}) | 1);
}

static void find(struct lookup *l, const struct found *f)
{
	if (l->n_found >= FOUND_MAX || (f->endpoint.len && !is_new(l, 'f', f->endpoint, f->port, &f->ip)))
		return;
	if (l->n_found == l->cap_found) {
		size_t cap = l->cap_found ? l->cap_found * 2 : 8;
		struct found *list = arena_alloc(l->arena, cap * sizeof *list);
		if (l->n_found)
			memcpy(list, l->found, l->n_found * sizeof *list);
		l->found = list;
		l->cap_found = cap;
	}
	l->found[l->n_found++] = *f;
}

static bool matches_port(const struct request *r, const struct record_port *p)
{
	static const char *const protocols[] = {[RECORD_TCP] = "tcp", [RECORD_UDP] = "udp", [RECORD_SCTP] = "sctp"};
	if (r->port.len && (r->port.len != p->name.len || strncasecmp(r->port.ptr, p->name.ptr, p->name.len) != 0))
		return false;
	return !r->protocol.len || slice_is(r->protocol, protocols[p->protocol]);
}

/* "10-0-0-7"; "fd00--7", written as Go does. */
static struct slice dashed(struct arena *a, const struct record_ip *ip)
{
	char text[INET6_ADDRSTRLEN] = "";
	inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, text, sizeof text);
	for (char *p = text; *p; p++)
		if (*p == '.' || *p == ':')
			*p = '-';
	return slice_of(arena_strdup(a, text));
}

static struct slice endpoint_label(struct lookup *l, const struct record_endpoint *e, const struct record_ip *ip)
{
	if (e->hostname.len)
		return e->hostname;
	if (l->options->endpoint_pod_names && e->pod.len && e->pod.len <= DNS_LABEL_BYTES_MAX &&
	        !memchr(e->pod.ptr, '.', e->pod.len))
		return e->pod;
	return dashed(l->arena, ip);
}

static void find_on_ports(struct lookup *l, struct record_cursor ports, struct found f)
{
	const struct request *r = &l->request;
	struct record_port p;
	if (!ports.left && !r->port.len && !r->protocol.len)
		find(l, &f);
	while (record_next_port(&ports, &p)) {
		if (!matches_port(r, &p))
			continue;
		f.port = p.port;
		find(l, &f);
		if (l->type != DNS_SRV)
			return; /* an address is one record, whatever its ports */
	}
}

static void find_in_slice(struct lookup *l, const struct zone_item *i)
{
	const struct request *r = &l->request;
	struct record_slice s;
	struct record_endpoint e;
	struct record_ip ip;
	record_read_slice(i->record, &s);
	while (record_next_endpoint(&s.endpoints, &e)) {
		if (!e.is_ready)
			continue;
		while (record_next_ip(&e.ips, &ip)) {
			struct slice label = endpoint_label(l, &e, &ip);
			if (r->endpoint.len && (label.len != r->endpoint.len ||
			                               strncasecmp(label.ptr, r->endpoint.ptr, label.len) != 0))
				continue;
			find_on_ports(l, s.ports, (struct found){.ip = ip, .endpoint = label});
		}
	}
}

static bool has_ready_endpoint(struct lookup *l)
{
	const struct list_link *slices = zone_slices(l->zone, l->request.ns, l->request.service);
	if (!slices)
		return false;
	LIST_FOREACH (it, slices) {
		struct record_slice s;
		struct record_endpoint e;
		record_read_slice(CONTAINER_OF(it, struct zone_item, in_service)->record, &s);
		while (record_next_endpoint(&s.endpoints, &e))
			if (e.is_ready)
				return true;
	}
	return false;
}

static void find_service(struct lookup *l, const struct record_service *s)
{
	struct record_cursor ips = s->ips;
	struct record_ip ip;
	const struct list_link *slices = zone_slices(l->zone, l->request.ns, l->request.service);
	if (s->is_headless || l->request.endpoint.len) {
		if (!slices || l->options->no_endpoints)
			return;
		LIST_FOREACH (it, slices)
			find_in_slice(l, CONTAINER_OF(it, struct zone_item, in_service));
		return;
	}
	while (record_next_ip(&ips, &ip))
		find_on_ports(l, s->ports, (struct found){.ip = ip});
}

/* ---- writing what is found ---- */

static enum answer_outcome give_addresses(struct lookup *l)
{
	size_t len = l->type == DNS_A ? 4 : 16;
	for (size_t i = 0; i < l->n_found; i++)
		if (l->found[i].ip.len == len)
			add_ip(l, DNS_ANSWER, l->name->wire, &l->found[i].ip);
	return l->reply->sections[DNS_ANSWER].n ? ANSWER_DONE : no_data(l);
}

static void add_srv(struct lookup *l, const struct found *f, unsigned weight, const struct dns_name *target)
{
	uint8_t data[6 + DNS_NAME_BYTES_MAX] = {
	        0, 0, (uint8_t)(weight >> 8), (uint8_t)weight, (uint8_t)(f->port >> 8), (uint8_t)f->port};
	memcpy(data + 6, target->wire, target->len);
	add(l, DNS_ANSWER, l->name->wire, DNS_SRV, l->options->ttl_s, data, 6u + target->len);
}

/* A target and a port are one record, also when the target has two addresses; an address is told once. */
static enum answer_outcome give_srv(struct lookup *l)
{
	unsigned weight = l->n_found ? 100 / (unsigned)l->n_found : 0;
	for (size_t i = 0; i < l->n_found; i++) {
		const struct found *f = &l->found[i];
		const struct slice labels[] = {f->endpoint, l->request.service, l->request.ns, l->request.kind};
		const struct dns_name *target = f->port ? name_in_zone(l, 4, labels) : NULL;
		if (target && is_new(l, 's', f->endpoint, f->port, NULL))
			add_srv(l, f, weight ? weight : 1, target);
		if (target && is_new(l, 'a', f->endpoint, 0, &f->ip))
			add_ip(l, DNS_ADDITIONAL, target->wire, &f->ip);
	}
	return l->reply->sections[DNS_ANSWER].n ? ANSWER_DONE : no_data(l);
}

/* ---- the kinds of names ---- */

static bool is_exposed(const struct lookup *l, struct slice ns)
{
	const struct answer_options *o = l->options;
	bool listed = o->n_namespaces == 0;
	for (size_t i = 0; i < o->n_namespaces; i++)
		listed |= slice_eq(o->namespaces[i], ns);
	return listed && zone_get(l->zone, ZONE_NAMESPACE, SLICE_NULL, ns);
}

static enum answer_outcome give_external(struct lookup *l, struct slice target, const uint8_t **ret_target)
{
	if (!target.len || l->request.endpoint.len || l->request.port.len || l->request.protocol.len)
		return no_name(l);
	add(l, DNS_ANSWER, l->name->wire, DNS_CNAME, l->options->ttl_s, target.ptr, target.len);
	if (l->type != DNS_A && l->type != DNS_AAAA)
		return ANSWER_DONE;
	*ret_target = l->reply->sections[DNS_ANSWER].list[l->reply->sections[DNS_ANSWER].n - 1].data;
	return ANSWER_ALIAS;
}

static enum answer_outcome of_service(struct lookup *l, const uint8_t **ret_target)
{
	const struct request *r = &l->request;
	const struct zone_item *i = zone_get(l->zone, ZONE_SERVICE, r->ns, r->service);
	struct record_service s;
	if (!i)
		return no_name(l);
	record_read_service(i->record, &s);
	if (s.is_external)
		return give_external(l, s.external, ret_target);
	if (l->options->ignores_empty_services && !s.is_headless && !has_ready_endpoint(l))
		return no_name(l);
	find_service(l, &s);
	if (!l->n_found)
		return no_name(l);
	if (l->type == DNS_A || l->type == DNS_AAAA)
		return give_addresses(l);
	return l->type == DNS_SRV ? give_srv(l) : no_data(l);
}

static size_t pod_address(struct slice label, uint8_t ip[16])
{
	char text[INET6_ADDRSTRLEN];
	unsigned dashes = 0;
	bool twice = false;
	if (!label.len || label.len >= sizeof text)
		return 0;
	for (size_t i = 0; i < label.len; i++) {
		dashes += label.ptr[i] == '-';
		twice |= i && label.ptr[i] == '-' && label.ptr[i - 1] == '-';
	}
	char with = dashes == 3 && !twice ? '.' : ':';
	for (size_t i = 0; i < label.len; i++)
		text[i] = label.ptr[i] == '-' ? with : label.ptr[i];
	return record_ip_parse((struct slice){text, label.len}, ip);
}

static bool pod_is_there(const struct lookup *l, const struct record_ip *ip)
{
	const struct list_link *uses = zone_by_address(l->zone, (struct slice){(const char *)ip->bytes, ip->len});
	if (!uses)
		return false;
	LIST_FOREACH (it, uses) {
		const struct zone_use *u = CONTAINER_OF(it, struct zone_use, link);
		if (u->kind == ZONE_POD && slice_eq(zone_item_namespace(u->item), l->request.ns))
			return true;
	}
	return false;
}

static enum answer_outcome of_pod(struct lookup *l)
{
	uint8_t bytes[16];
	struct record_ip ip = {.bytes = bytes};
	if (l->options->pods == ANSWER_PODS_DISABLED || l->request.endpoint.len || l->request.port.len ||
	        l->request.protocol.len)
		return no_name(l);
	ip.len = (uint8_t)pod_address(l->request.service, bytes);
	if (!ip.len || (l->options->pods == ANSWER_PODS_VERIFIED && !pod_is_there(l, &ip)))
		return no_name(l);
	if (l->type != (ip.len == 4 ? DNS_A : DNS_AAAA))
		return no_data(l);
	add_ip(l, DNS_ANSWER, l->name->wire, &ip);
	return ANSWER_DONE;
}

static bool ptr_target(struct lookup *l, const struct slice *labels, size_t n)
{
	const struct dns_name *target = name_in_zone(l, n, labels);
	if (target)
		add(l, DNS_ANSWER, l->name->wire, DNS_PTR, l->options->ttl_s, target->wire, target->len);
	return target != NULL;
}

static bool ptr_of_endpoints(struct lookup *l, const struct zone_item *i, struct slice address)
{
	struct record_slice s;
	struct record_endpoint e;
	struct record_ip ip;
	bool any = false;
	record_read_slice(i->record, &s);
	while (record_next_endpoint(&s.endpoints, &e)) {
		const struct slice labels[] = {e.hostname, s.service, zone_item_namespace(i), SLICE("svc")};
		while (e.is_ready && e.hostname.len && record_next_ip(&e.ips, &ip))
			if (slice_eq((struct slice){(const char *)ip.bytes, ip.len}, address))
				any |= ptr_target(l, labels, 4);
	}
	return any;
}

/* A service's address has one name; an endpoint's has one for each service that names it. */
static bool give_ptr(struct lookup *l, struct slice address)
{
	const struct list_link *uses = zone_by_address(l->zone, address);
	bool any = false;
	if (!uses)
		return false;
	LIST_FOREACH (it, uses) {
		const struct zone_use *u = CONTAINER_OF(it, struct zone_use, link);
		const struct slice labels[] = {zone_item_name(u->item), zone_item_namespace(u->item), SLICE("svc")};
		if (u->kind == ZONE_SERVICE && is_exposed(l, labels[1]))
			return ptr_target(l, labels, 3);
	}
	LIST_FOREACH (it, uses) {
		const struct zone_use *u = CONTAINER_OF(it, struct zone_use, link);
		if (u->kind == ZONE_SLICE && is_exposed(l, zone_item_namespace(u->item)))
			any |= ptr_of_endpoints(l, u->item, address);
	}
	return any;
}

static enum answer_outcome of_address(struct lookup *l)
{
	uint8_t ip[16];
	size_t len = dns_name_reverse(l->name->wire, ip);
	const struct dns_name *reverse = l->apex;
	bool found = false;
	for (size_t i = 0; len && l->type == DNS_PTR && i < l->options->n_zones && !found; i++)
		if (!dns_name_is_reverse(l->options->zones[i].wire)) {
			l->apex = &l->options->zones[i];
			found = give_ptr(l, (struct slice){(const char *)ip, len});
			break;
		}
	l->apex = reverse;
	return found ? ANSWER_DONE : no_name(l);
}

/* ---- the zone itself ---- */

static void add_server_addresses(struct lookup *l, enum dns_section section, const uint8_t *owner, uint16_t type)
{
	const struct zone_item *i = zone_get(l->zone, ZONE_SERVICE, SLICE("kube-system"), SLICE("kube-dns"));
	struct record_service s;
	struct record_ip ip;
	if (!i)
		return;
	record_read_service(i->record, &s);
	while (record_next_ip(&s.ips, &ip))
		if (!type || type == (ip.len == 4 ? DNS_A : DNS_AAAA))
			add_ip(l, section, owner, &ip);
}

static enum answer_outcome of_apex(struct lookup *l)
{
	static const struct slice labels[] = {{"ns", 2}, {"dns", 3}};
	const struct dns_name *server = name_in_zone(l, 2, labels);
	if (l->type == DNS_SOA) {
		add_soa(l, DNS_ANSWER);
		return ANSWER_DONE;
	}
	if (l->type != DNS_NS || !server)
		return no_data(l);
	add(l, DNS_ANSWER, l->apex->wire, DNS_NS, l->options->ttl_s, server->wire, server->len);
	add_server_addresses(l, DNS_ADDITIONAL, server->wire, 0);
	return ANSWER_DONE;
}

static enum answer_outcome of_name_server(struct lookup *l)
{
	if (l->type == DNS_A || l->type == DNS_AAAA)
		add_server_addresses(l, DNS_ANSWER, l->name->wire, l->type);
	return l->reply->sections[DNS_ANSWER].n ? ANSWER_DONE : no_data(l);
}

static enum answer_outcome of_version(struct lookup *l)
{
	if (l->type != DNS_TXT)
		return no_data(l);
	add(l, DNS_ANSWER, l->name->wire, DNS_TXT, VERSION_TTL_S, "\0051.1.0", 6);
	return ANSWER_DONE;
}

/* ---- all together ---- */

static const struct dns_name *zone_of(const struct answer_options *o, const struct dns_name *name)
{
	const struct dns_name *best = NULL;
	for (size_t i = 0; i < o->n_zones; i++)
		if ((!best || o->zones[i].len > best->len) && dns_name_is_in(name->wire, o->zones[i].wire))
			best = &o->zones[i];
	return best;
}

static enum answer_outcome of_labels(struct lookup *l, const struct slice *labels, size_t n, const uint8_t **ret_target)
{
	if (n == 1 && slice_is(labels[0], "dns-version"))
		return of_version(l);
	if (n == 1 && slice_is(labels[0], "dns"))
		return no_data(l);
	if (n == 2 && slice_is(labels[0], "ns") && slice_is(labels[1], "dns"))
		return of_name_server(l);
	if (!read_request(&l->request, labels, n))
		return no_name(l);
	if (!l->request.ns.len)
		return no_data(l);
	if (!is_exposed(l, l->request.ns))
		return no_name(l);
	if (!l->request.service.len)
		return no_data(l);
	return slice_is(l->request.kind, "pod") ? of_pod(l) : of_service(l, ret_target);
}

enum answer_outcome answer_cluster(const struct zone *z, const struct answer_options *o, struct arena *a,
        const struct dns_name *name, uint16_t type, struct dns_message *reply, const uint8_t **ret_target)
{
	struct slice labels[DNS_LABELS_MAX];
	struct lookup l = {.zone = z, .options = o, .arena = a, .name = name, .type = type, .reply = reply};
	l.apex = zone_of(o, name);
	if (!l.apex)
		return ANSWER_NOT_MINE;
	reply->flags |= DNS_FLAG_AA;
	if (name->len == l.apex->len)
		return of_apex(&l);
	if (dns_name_is_reverse(l.apex->wire))
		return of_address(&l);
	size_t n = dns_name_labels(name->wire, labels, DNS_LABELS_MAX);
	n -= dns_name_labels(l.apex->wire, NULL, 0);
	return of_labels(&l, labels, n, ret_target);
}
