/* DNS messages (RFC 1035, EDNS0 of RFC 6891): parsing and writing.
 *
 * Parsing makes of any bytes a struct dns_message or an error. Names come out whole: pointers of compression are
 * followed backwards alone, so that no message makes it loop, and names inside of records' data are unpacked where the
 * type is known to hold some (RFC 3597 section 4), so that a record can be put into another message. What a message may
 * hold is bounded by DNS_RECORDS_MAX.
 *
 * Writing packs the owners of records and the names inside of those types of RFC 1035 that everybody unpacks. What does
 * not fit is left out at a record's border and TC is set: first the additional records go (without TC, as RFC 2181
 * section 9 has it), then the rest. Pure; memory is the caller's arena. */
#ifndef K3X_NET_DNS_MESSAGE_MESSAGE_H
#define K3X_NET_DNS_MESSAGE_MESSAGE_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "net/dns/message/name.h"

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_HINFO = 13,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255,
};

enum { DNS_CLASS_IN = 1 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

enum { DNS_FLAG_QR = 0x8000, DNS_FLAG_AA = 0x400, DNS_FLAG_TC = 0x200, DNS_FLAG_RD = 0x100, DNS_FLAG_RA = 0x80 };
enum { DNS_FLAG_AD = 0x20, DNS_FLAG_CD = 0x10 };

enum { DNS_HEADER_BYTES = 12, DNS_MESSAGE_BYTES_MAX = 65535, DNS_RECORDS_MAX = 4096, DNS_UDP_BYTES_MIN = 512 };

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

struct dns_record {
	const uint8_t *owner; /* a wire name */
	uint16_t type, klass;
	uint32_t ttl;
	uint16_t data_len;
	const uint8_t *data; /* names in it are whole */
};

struct dns_records {
	struct dns_record *list;
	size_t n, cap;
};

struct dns_message {
	uint16_t id;
	uint16_t flags; /* opcode and rcode are apart */
	unsigned opcode, rcode;
	struct dns_name name; /* the question, case kept */
	uint16_t type, klass;
	struct dns_records sections[DNS_SECTIONS]; /* OPT is not among them: */
	bool has_edns, is_dnssec_ok;
	unsigned edns_version;
	uint16_t udp_bytes; /* what the sender takes over UDP; DNS_UDP_BYTES_MIN without EDNS */
};

/* Parses any bytes. ERR_PROTOCOL says what is wrong; then the header's id, flags and opcode are set all the same when
 * the bytes had one (else id and flags are 0). A message has one question, no more and no fewer. Records lie in the
 * arena. */
int dns_message_parse(struct arena *a, struct dns_message *m, const uint8_t *data, size_t len, struct err *err);

/* Writes the message into `out`, at most `limit` bytes of it (DNS_UDP_BYTES_MIN to DNS_MESSAGE_BYTES_MAX). Returns how
 * many; m->flags gets TC when records were left out that count. */
size_t dns_message_write(struct dns_message *m, uint8_t *out, size_t limit);

/* Adds a record; owner and data must live as long as the message. Not more than DNS_RECORDS_MAX: the rest is not taken.
 */
void dns_message_add(struct arena *a, struct dns_message *m, enum dns_section section, const struct dns_record *r);
/* The same with the data copied into the arena. */
void dns_message_add_copy(struct arena *a, struct dns_message *m, enum dns_section section, const uint8_t *owner,
        uint16_t type, uint32_t ttl, const void *data, size_t len);

/* The names of types and rcodes, as metrics and logs have them; "other" for those without. */
const char *dns_type_text(uint16_t type);
const char *dns_rcode_text(unsigned rcode);

#endif
