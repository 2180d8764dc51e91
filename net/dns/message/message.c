/* See message.h. What can go wrong is all the sender's: every read is checked against the message's end before it. */
#include "net/dns/message/message.h"

#include "base/check.h"

/* ---- which types have names in their data ---- */

/* A layout is read from left to right: a digit skips so many bytes, 'n' is a name. The rest is opaque. `packs`: names
 * may be packed when written (RFC 3597: those of RFC 1035 alone). */
struct layout {
	uint16_t type;
	const char *parts;
	bool packs;
};

static const struct layout layouts[] = {{DNS_NS, "n", true}, {3, "n", true}, {4, "n", true}, {DNS_CNAME, "n", true},
        {DNS_SOA, "nn", true}, {7, "n", true}, {8, "n", true}, {9, "n", true}, {DNS_PTR, "n", true}, {14, "nn", true},
        {DNS_MX, "2n", true}, {17, "nn", false}, {18, "2n", false}, {21, "2n", false}, {26, "2nn", false},
        {DNS_SRV, "6n", false}, {36, "2n", false}, {39, "n", false}};

static const struct layout *layout_of(uint16_t type)
{
	for (size_t i = 0; i < COUNT_OF(layouts); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

/* ---- reading ---- */

struct reader {
	const uint8_t *data;
	size_t len, at;
	struct arena *arena;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static int cut(struct err *err, const char *what)
{
	return err_set(err, ERR_PROTOCOL, "DNS message: %s", what);
}

/* Reads the name at r->at. Pointers go to before the place where the name, or the last pointer's aim, began. */
static int read_name(struct reader *r, struct dns_name *n, struct err *err)
{
	size_t at = r->at, lowest = r->at, out = 0;
	bool jumped = false;
	for (;;) {
		if (at >= r->len)
			return cut(err, "a name goes beyond its end");
		uint8_t len = r->data[at];
		if (len >= 0xc0) {
			if (at + 1 >= r->len)
				return cut(err, "a name goes beyond its end");
			size_t to = get16(r->data + at) & 0x3fff;
			if (to >= lowest)
				return cut(err, "a name's pointer does not go backwards");
			if (!jumped)
				r->at = at + 2;
			jumped = true;
			at = lowest = to;
			continue;
		}
		if (len > DNS_LABEL_BYTES_MAX)
			return cut(err, "a label of an unknown kind");
		if (at + 1 + len > r->len)
			return cut(err, "a name goes beyond its end");
		if (out + 1 + len + (len ? 1 : 0) > DNS_NAME_BYTES_MAX)
			return cut(err, "a name of more than 255 bytes");
		memcpy(n->wire + out, r->data + at, len + 1u);
		out += len + 1u;
		at += len + 1u;
		if (!len)
			break;
	}
	n->len = (uint8_t)out;
	if (!jumped)
		r->at = at;
	return 0;
}

/* The data of a record with its names whole. */
static int read_data(struct reader *r, struct dns_record *rec, size_t len, struct err *err)
{
	const struct layout *l = layout_of(rec->type);
	size_t end = r->at + len, out = 0;
	rec->data = r->data + r->at;
	rec->data_len = (uint16_t)len;
	if (!l) {
		rec->data = (const uint8_t *)arena_memdup(r->arena, rec->data, len);
		r->at = end;
		return 0;
	}
	struct dns_name name;
	uint8_t *whole = arena_alloc(r->arena, len + 2 * DNS_NAME_BYTES_MAX);
	for (const char *p = l->parts; *p; p++) {
		size_t skip = *p == 'n' ? 0 : (size_t)(*p - '0');
		if (skip > end - r->at)
			return cut(err, "a record's data is too short");
		memcpy(whole + out, r->data + r->at, skip);
		out += skip;
		r->at += skip;
		if (*p != 'n')
			continue;
		if (read_name(r, &name, err) != 0)
			return err->code;
		if (r->at > end)
			return cut(err, "a record's data is too short");
		memcpy(whole + out, name.wire, name.len);
		out += name.len;
	}
	memcpy(whole + out, r->data + r->at, end - r->at);
	out += end - r->at;
	r->at = end;
	if (out > UINT16_MAX)
		return cut(err, "a record's data is too long");
	rec->data = whole;
	rec->data_len = (uint16_t)out;
	return 0;
}

static int take_opt(struct dns_message *m, const struct dns_record *r, struct err *err)
{
	if (m->has_edns)
		return cut(err, "two OPT records");
	if (r->owner[0])
		return cut(err, "an OPT record with an owner");
	m->has_edns = true;
	m->udp_bytes = r->klass < DNS_UDP_BYTES_MIN ? DNS_UDP_BYTES_MIN : r->klass;
	m->edns_version = r->ttl >> 16 & 0xff;
	m->is_dnssec_ok = r->ttl >> 15 & 1;
	m->rcode |= r->ttl >> 24 << 4;
	return 0;
}

static int read_record(struct reader *r, struct dns_message *m, enum dns_section section, struct err *err)
{
	struct dns_record rec = {0};
	struct dns_name owner;
	if (read_name(r, &owner, err) != 0)
		return err->code;
	if (r->len - r->at < 10)
		return cut(err, "a record is cut off");
	const uint8_t *p = r->data + r->at;
	rec.type = get16(p);
	rec.klass = get16(p + 2);
	rec.ttl = get32(p + 4);
	size_t len = get16(p + 8);
	r->at += 10;
	if (len > r->len - r->at)
		return cut(err, "a record is cut off");
	if (rec.type == DNS_OPT && section == DNS_ADDITIONAL) {
		rec.owner = owner.wire;
		r->at += len;
		return take_opt(m, &rec, err);
	}
	if (rec.ttl > INT32_MAX)
		rec.ttl = 0; /* RFC 2181 section 8 */
	rec.owner = (const uint8_t *)arena_memdup(r->arena, owner.wire, owner.len);
	if (read_data(r, &rec, len, err) != 0)
		return err->code;
	dns_message_add(r->arena, m, section, &rec);
	return 0;
}

static int read_question(struct reader *r, struct dns_message *m, struct err *err)
{
	if (read_name(r, &m->name, err) != 0)
		return err->code;
	if (r->len - r->at < 4)
		return cut(err, "the question is cut off");
	m->type = get16(r->data + r->at);
	m->klass = get16(r->data + r->at + 2);
	r->at += 4;
	return 0;
}

int dns_message_parse(struct arena *a, struct dns_message *m, const uint8_t *data, size_t len, struct err *err)
{
	struct err own = ERR_INIT;
	err = err ? err : &own;
	struct reader r = {.data = data, .len = len, .at = DNS_HEADER_BYTES, .arena = a};
	*m = (struct dns_message){.name = DNS_ROOT, .udp_bytes = DNS_UDP_BYTES_MIN};
	if (len < DNS_HEADER_BYTES)
		return cut(err, "shorter than its header");
	uint16_t flags = get16(data + 2);
	m->id = get16(data);
	m->opcode = flags >> 11 & 0xf;
	m->rcode = flags & 0xf;
	m->flags = flags &
	           (DNS_FLAG_QR | DNS_FLAG_AA | DNS_FLAG_TC | DNS_FLAG_RD | DNS_FLAG_RA | DNS_FLAG_AD | DNS_FLAG_CD);
	unsigned records = 0;
	for (unsigned i = 0; i < DNS_SECTIONS; i++)
		records += get16(data + 6 + 2 * i);
	if (get16(data + 4) != 1)
		return cut(err, "not one question");
	if (records > DNS_RECORDS_MAX)
		return cut(err, "more than 4096 records");
	if (read_question(&r, m, err) != 0)
		return err->code;
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		for (unsigned n = get16(data + 6 + 2 * s); n; n--)
			if (read_record(&r, m, s, err) != 0)
				return err->code;
	return 0;
}

/* ---- building ---- */

void dns_message_add(struct arena *a, struct dns_message *m, enum dns_section section, const struct dns_record *r)
{
	struct dns_records *s = &m->sections[section];
	if (s->n >= DNS_RECORDS_MAX)
		return;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4;
		struct dns_record *list = arena_alloc(a, cap * sizeof *list);
		if (s->n)
			memcpy(list, s->list, s->n * sizeof *list);
		s->list = list;
		s->cap = cap;
	}
	s->list[s->n++] = *r;
}

void dns_message_add_copy(struct arena *a, struct dns_message *m, enum dns_section section, const uint8_t *owner,
        uint16_t type, uint32_t ttl, const void *data, size_t len)
{
	CHECK(len <= UINT16_MAX);
	struct dns_record r = {.owner = owner,
	        .type = type,
	        .klass = DNS_CLASS_IN,
	        .ttl = ttl,
	        .data_len = (uint16_t)len,
	        .data = (const uint8_t *)arena_memdup(a, data, len)};
	dns_message_add(a, m, section, &r);
}

/* ---- writing ---- */

/* Where names, and ends of names, were written: open addressing over their offsets. */
enum { PLACES = 256, PLACES_USED_MAX = 192 };

struct writer {
	uint8_t *out;
	size_t at, limit;
	bool is_full;
	unsigned places_used;
	uint16_t places[PLACES]; /* 0: free; the header is at 0 */
};

static void put16(struct writer *w, unsigned v)
{
	if (w->limit - w->at < 2) {
		w->is_full = true;
		return;
	}
	w->out[w->at++] = (uint8_t)(v >> 8);
	w->out[w->at++] = (uint8_t)v;
}

static void put32(struct writer *w, uint32_t v)
{
	put16(w, v >> 16);
	put16(w, v & 0xffff);
}

static void put(struct writer *w, const void *data, size_t len)
{
	if (w->limit - w->at < len) {
		w->is_full = true;
		return;
	}
	memcpy(w->out + w->at, data, len);
	w->at += len;
}

static unsigned name_hash(const uint8_t *p)
{
	unsigned h = 5381;
	for (; *p; p += *p + 1)
		for (unsigned i = 0; i <= *p; i++)
			h = h * 33 + (p[i] | 0x20);
	return h * 2654435761u >> 16;
}

/* Is what stands at `at` in the message, pointers followed, this name, its case included? */
static bool stands_at(const struct writer *w, size_t at, const uint8_t *name)
{
	for (;;) {
		while (w->out[at] >= 0xc0)
			at = get16(w->out + at) & 0x3fff;
		if (memcmp(w->out + at, name, *name + 1u) != 0)
			return false;
		if (!*name)
			return true;
		at += *name + 1u;
		name += *name + 1;
	}
}

/* A place where the name was written, or 0; *ret_free is then the slot for it. */
static unsigned find_place(const struct writer *w, const uint8_t *name, unsigned *ret_free)
{
	unsigned i = name_hash(name) % PLACES;
	for (; w->places[i]; i = (i + 1) % PLACES)
		if (stands_at(w, w->places[i], name))
			return w->places[i];
	*ret_free = i;
	return 0;
}

/* Notes where the name and its ends stand, once all of it does: bytes not yet written are never compared with. */
static void note_places(struct writer *w, const uint8_t *name, size_t at, const uint8_t *end)
{
	for (; name != end && at < 0x4000 && w->places_used < PLACES_USED_MAX; at += *name + 1u, name += *name + 1) {
		unsigned slot = 0;
		if (find_place(w, name, &slot))
			continue;
		w->places[slot] = (uint16_t)at;
		w->places_used++;
	}
}

static void put_name(struct writer *w, const uint8_t *name)
{
	const uint8_t *p = name;
	size_t begin = w->at;
	unsigned place = 0, unused;
	for (; *p && !(place = find_place(w, p, &unused)); p += *p + 1)
		put(w, p, *p + 1u);
	if (place)
		put16(w, 0xc000 | place);
	else
		put(w, p, 1);
	if (!w->is_full)
		note_places(w, name, begin, p);
}

static void put_data(struct writer *w, const struct dns_record *r)
{
	const struct layout *l = layout_of(r->type);
	const uint8_t *p = r->data, *end = r->data + r->data_len;
	if (l && l->packs)
		for (const char *part = l->parts; *part; part++) {
			size_t n = *part == 'n' ? dns_name_len(p) : (size_t)(*part - '0');
			if (*part == 'n')
				put_name(w, p);
			else
				put(w, p, n);
			p += n;
		}
	put(w, p, (size_t)(end - p));
}

/* Names that a dropped record brought are forgotten. */
static void forget_from(struct writer *w, size_t at)
{
	bool any = false;
	for (unsigned i = 0; i < PLACES; i++)
		any |= w->places[i] >= at;
	if (!any)
		return;
	memset(w->places, 0, sizeof w->places); /* what follows is no longer packed, but right */
	w->places_used = 0;
}

static bool put_record(struct writer *w, const struct dns_record *r)
{
	size_t begin = w->at;
	put_name(w, r->owner);
	put16(w, r->type);
	put16(w, r->klass);
	put32(w, r->ttl);
	size_t len_at = w->at;
	put16(w, 0);
	if (!w->is_full)
		put_data(w, r);
	if (w->is_full) {
		w->is_full = false;
		w->at = begin;
		forget_from(w, begin);
		return false;
	}
	size_t len = w->at - len_at - 2;
	w->out[len_at] = (uint8_t)(len >> 8);
	w->out[len_at + 1] = (uint8_t)len;
	return true;
}

enum { OPT_BYTES = 11 };

static void put_opt(struct writer *w, const struct dns_message *m)
{
	w->limit += OPT_BYTES;
	put(w, "", 1);
	put16(w, DNS_OPT);
	put16(w, m->udp_bytes);
	put16(w, m->rcode >> 4 << 8 | (m->edns_version & 0xff));
	put16(w, m->is_dnssec_ok ? 0x8000 : 0);
	put16(w, 0);
}

static void set16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t put_section(struct writer *w, const struct dns_records *s)
{
	size_t n = 0;
	while (n < s->n && put_record(w, &s->list[n]))
		n++;
	return n;
}

size_t dns_message_write(struct dns_message *m, uint8_t *out, size_t limit)
{
	struct writer w = {.out = out, .at = DNS_HEADER_BYTES, .limit = limit - (m->has_edns ? OPT_BYTES : 0)};
	size_t counts[DNS_SECTIONS] = {0};
	CHECK(limit >= DNS_UDP_BYTES_MIN && limit <= DNS_MESSAGE_BYTES_MAX);
	put_name(&w, m->name.wire);
	put16(&w, m->type);
	put16(&w, m->klass);
	for (unsigned s = 0; s < DNS_SECTIONS; s++) {
		counts[s] = put_section(&w, &m->sections[s]);
		if (counts[s] == m->sections[s].n)
			continue;
		if (s != DNS_ADDITIONAL)
			m->flags |= DNS_FLAG_TC;
		break;
	}
	if (m->has_edns)
		put_opt(&w, m);
	set16(out, m->id);
	set16(out + 2, m->flags | (m->opcode & 0xf) << 11 | (m->rcode & 0xf));
	set16(out + 4, 1);
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		set16(out + 6 + 2 * s, (unsigned)counts[s] + (s == DNS_ADDITIONAL && m->has_edns));
	return w.at;
}

/* ---- names of numbers ---- */

struct number_name {
	unsigned number;
	const char *name;
};

const char *dns_type_text(uint16_t type)
{
	static const struct number_name names[] = {{DNS_A, "A"}, {DNS_NS, "NS"}, {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"},
	        {DNS_PTR, "PTR"}, {DNS_HINFO, "HINFO"}, {DNS_MX, "MX"}, {DNS_TXT, "TXT"}, {DNS_AAAA, "AAAA"},
	        {DNS_SRV, "SRV"}, {35, "NAPTR"}, {43, "DS"}, {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {64, "SVCB"},
	        {65, "HTTPS"}, {DNS_IXFR, "IXFR"}, {DNS_AXFR, "AXFR"}, {DNS_ANY, "ANY"}};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (names[i].number == type)
			return names[i].name;
	return "other";
}

const char *dns_rcode_text(unsigned rcode)
{
	static const struct number_name names[] = {{DNS_NOERROR, "NOERROR"}, {DNS_FORMERR, "FORMERR"},
	        {DNS_SERVFAIL, "SERVFAIL"}, {DNS_NXDOMAIN, "NXDOMAIN"}, {DNS_NOTIMP, "NOTIMP"},
	        {DNS_REFUSED, "REFUSED"}, {DNS_BADVERS, "BADVERS"}};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (names[i].number == rcode)
			return names[i].name;
	return "other";
}
