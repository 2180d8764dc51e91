/* See hosts.h. Keys are wire names in lower case, and addresses with their family before them; each has a list of
 * values. */
#include "net/dns/resolve/hosts.h"

#include "base/mem/map.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct value {
	struct value *next; /* in the order of the file */
	uint8_t len;
	uint8_t bytes[DNS_NAME_BYTES_MAX];
};

struct entry {
	struct slice key;
	struct value *first, *last;
};

struct hosts {
	struct arena arena;
	struct map names, addresses;
};

struct hosts *hosts_new(void)
{
	return xcalloc(1, sizeof(struct hosts));
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	map_release(&h->names);
	map_release(&h->addresses);
	arena_release(&h->arena);
	free(h);
}

size_t hosts_count(const struct hosts *h)
{
	return h->names.count + h->addresses.count;
}

static void put(struct hosts *h, struct map *m, struct slice key, const uint8_t *bytes, size_t len)
{
	struct entry *e = map_get(m, key);
	if (!e) {
		e = ARENA_NEW(&h->arena, struct entry);
		e->key = (struct slice){arena_memdup(&h->arena, key.ptr, key.len), key.len};
		map_put(m, e->key, e);
	}
	for (const struct value *v = e->first; v; v = v->next)
		if (v->len == len && memcmp(v->bytes, bytes, len) == 0)
			return;
	struct value *v = arena_zalloc(&h->arena, offsetof(struct value, bytes) + len);
	v->len = (uint8_t)len;
	memcpy(v->bytes, bytes, len);
	if (e->last)
		e->last->next = v;
	else
		e->first = v;
	e->last = v;
}

static struct slice next_word(struct slice *rest)
{
	size_t from = 0, to;
	while (from < rest->len && strchr(" \t\r", rest->ptr[from]))
		from++;
	for (to = from; to < rest->len && !strchr(" \t\r", rest->ptr[to]);)
		to++;
	struct slice word = {rest->ptr + from, to - from};
	*rest = (struct slice){rest->ptr + to, rest->len - to};
	return word;
}

static size_t parse_ip(struct slice word, uint8_t ip[16])
{
	char text[INET6_ADDRSTRLEN];
	if (!word.len || word.len >= sizeof text)
		return 0;
	memcpy(text, word.ptr, word.len);
	text[word.len] = 0;
	if (inet_pton(AF_INET, text, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
}

static void add_line(struct hosts *h, struct slice line, bool no_reverse)
{
	uint8_t ip[16];
	struct slice word;
	struct slice address = next_word(&line);
	size_t len = parse_ip(address, ip);
	while (len && (word = next_word(&line)).len) {
		struct dns_name n;
		if (memchr(word.ptr, 0, word.len) || dns_name_parse(&n, word, NULL) != 0 || n.len == 1)
			continue;
		dns_name_lower(n.wire, n.len);
		put(h, &h->names, (struct slice){(const char *)n.wire, n.len}, ip, len);
		if (!no_reverse)
			put(h, &h->addresses, (struct slice){(const char *)ip, len}, n.wire, n.len);
	}
}

void hosts_add(struct hosts *h, struct slice text, bool no_reverse)
{
	while (text.len) {
		struct slice line = slice_cut(&text, '\n');
		line = slice_cut(&line, '#');
		add_line(h, line, no_reverse);
	}
}

static void give(struct arena *a, const struct dns_name *name, const struct entry *e, uint16_t type, uint32_t ttl_s,
        struct dns_message *reply)
{
	size_t len = type == DNS_A ? 4 : type == DNS_AAAA ? 16 : 0;
	for (const struct value *v = e->first; v; v = v->next)
		if (type == DNS_PTR || v->len == len)
			dns_message_add_copy(a, reply, DNS_ANSWER, name->wire, type, ttl_s, v->bytes, v->len);
}

enum hosts_outcome hosts_answer(const struct hosts *h, const struct conf_hosts *conf, struct arena *a,
        const struct dns_name *name, uint16_t type, struct dns_message *reply)
{
	uint8_t ip[16];
	const struct entry *e;
	size_t len = type == DNS_PTR ? dns_name_reverse(name->wire, ip) : 0;
	if (len && (e = map_get(&h->addresses, (struct slice){(const char *)ip, len})) != NULL) {
		reply->flags |= DNS_FLAG_AA;
		give(a, name, e, DNS_PTR, conf->ttl_s, reply);
		return HOSTS_DONE;
	}
	if (!conf_zones_have(&conf->zones, name->wire))
		return HOSTS_NOT_MINE;
	e = map_get(&h->names, (struct slice){(const char *)name->wire, name->len});
	if (!e)
		return HOSTS_NOT_MINE;
	reply->flags |= DNS_FLAG_AA;
	if (type == DNS_A || type == DNS_AAAA)
		give(a, name, e, type, conf->ttl_s, reply);
	return HOSTS_DONE;
}
