/* See source.h. */
#include "net/ingress/route/source.h"

#include <arpa/inet.h>
#include <stdio.h>

static const unsigned char v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct slice source_host(struct slice text)
{
	if (text.len && text.ptr[0] == '[') {
		const char *end = memchr(text.ptr, ']', text.len);
		return end ? (struct slice){text.ptr + 1, (size_t)(end - text.ptr) - 1} : text;
	}
	const char *colon = memchr(text.ptr, ':', text.len), *last = memrchr(text.ptr, ':', text.len);
	return colon && colon == last ? (struct slice){text.ptr, (size_t)(colon - text.ptr)} : text;
}

bool source_parse(struct slice text, unsigned char ret[16])
{
	struct slice host = source_host(text);
	char buf[INET6_ADDRSTRLEN];
	memset(ret, 0, 16);
	if (!host.len || host.len >= sizeof buf)
		return false;
	snprintf(buf, sizeof buf, "%.*s", SLICE_FMT(host));
	if (inet_pton(AF_INET, buf, ret + 12) == 1) {
		memcpy(ret, v4_prefix, sizeof v4_prefix);
		return true;
	}
	return inet_pton(AF_INET6, buf, ret) == 1;
}

static bool parse_one(struct slice text, struct source_net *ret)
{
	struct slice rest = text, address = slice_cut(&rest, '/');
	uint64_t bits;
	if (!source_parse(address, ret->address) || address.len != source_host(address).len)
		return false;
	unsigned most = memchr(address.ptr, ':', address.len) ? 128 : 32;
	bits = most;
	if (rest.ptr && (!slice_to_u64(rest, &bits) || bits > most))
		return false;
	ret->bits = (unsigned)bits + (128 - most);
	return true;
}

int source_nets_parse(struct arena *a, struct slice list, struct source_nets *ret, struct err *err)
{
	size_t most = 1;
	for (size_t i = 0; i < list.len; i++)
		most += list.ptr[i] == ',';
	*ret = (struct source_nets){ARENA_ARRAY(a, struct source_net, most), 0};
	while (list.ptr) {
		struct slice one = slice_trim(slice_cut(&list, ','));
		if (one.len && !parse_one(one, &ret->items[ret->count++]))
			return err_set(err, ERR_INVAL, "\"%.*s\" is neither an address nor a network", SLICE_FMT(one));
	}
	return 0;
}

bool source_nets_have(const struct source_nets *nets, const unsigned char address[16])
{
	for (size_t i = 0; i < nets->count; i++) {
		const struct source_net *n = &nets->items[i];
		unsigned whole = n->bits / 8, rest = n->bits % 8;
		unsigned char mask = (unsigned char)(0xff00 >> rest);
		if (memcmp(n->address, address, whole) == 0 &&
		        (!rest || ((n->address[whole] ^ address[whole]) & mask) == 0))
			return true;
	}
	return false;
}
