/* Addresses, networks and lists of them: what is read is written and read again as the same, and numbers of a network's
 * addresses go there and back. */
#include "base/check.h"
#include "base/ip.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_network(const struct ip_net *n)
{
	char text[IP_NET_TEXT_MAX];
	struct ip_net again;
	struct ip first = ip_net_at(n, ip_net_count(n) > 1, 0);
	uint64_t index;
	CHECK(ip_net_parse(slice_of(ip_net_write(n, text)), &again) && ip_net_equal(n, &again));
	CHECK(ip_net_contains(n, &first) && ip_net_overlaps(n, &again));
	CHECK(!ip_net_index(n, &first, 0, &index) || index == (ip_net_count(n) > 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct ip ip, again;
	struct ip_net net;
	struct ip_list list;
	struct ip_nets nets;
	struct err err = ERR_INIT;
	char copy[256], out[IP_TEXT_MAX];
	if (ip_parse(text, &ip))
		CHECK(ip_parse(slice_of(ip_write(&ip, out)), &again) && ip_equal(&ip, &again));
	if (ip_net_parse(text, &net))
		look_at_network(&net);
	snprintf(copy, sizeof copy, "%.*s", size < sizeof copy ? (int)size : (int)sizeof copy - 1, (const char *)data);
	if (ip_list_parse(copy, &list, &err) == 0)
		CHECK(list.count >= 1 && list.count <= IP_FAMILIES);
	if (ip_nets_parse(copy, &nets, &err) == 0)
		for (size_t i = 0; i < nets.count; i++)
			look_at_network(&nets.items[i]);
	return 0;
}
