/* Any bytes as a DNS message: what is read is written again and says the same. */
#include "net/dns/message/message.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(struct arena *a, struct dns_message *m, size_t limit)
{
	static uint8_t out[DNS_MESSAGE_BYTES_MAX];
	struct dns_message again;
	size_t len = dns_message_write(m, out, limit);
	CHECK(len <= limit);
	CHECK(dns_message_parse(a, &again, out, len, NULL) == 0);
	CHECK(dns_name_eq(m->name.wire, again.name.wire));
	CHECK(m->type == again.type && m->klass == again.klass && m->has_edns == again.has_edns);
	for (unsigned s = 0; s < DNS_SECTIONS; s++) {
		CHECK(again.sections[s].n <= m->sections[s].n);
		for (size_t i = 0; i < again.sections[s].n; i++) {
			const struct dns_record *x = &m->sections[s].list[i], *y = &again.sections[s].list[i];
			CHECK(dns_name_eq(x->owner, y->owner) && x->type == y->type && x->ttl == y->ttl);
			CHECK(x->data_len == y->data_len);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct dns_message m;
	if (dns_message_parse(&a, &m, data, size, NULL) == 0) {
		write_and_read(&a, &m, DNS_UDP_BYTES_MIN);
		write_and_read(&a, &m, DNS_MESSAGE_BYTES_MAX);
	}
	arena_release(&a);
	return 0;
}
