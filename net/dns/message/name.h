/* Domain names as they are on the wire (RFC 1035 section 3.1): labels with their lengths before them, a zero byte at
 * the end, 255 bytes at the most. A wire name is a pointer to its first length byte; whoever made it has checked it.
 * Case is kept and does not count in comparisons. Pure, any thread. */
#ifndef K3X_NET_DNS_MESSAGE_NAME_H
#define K3X_NET_DNS_MESSAGE_NAME_H

#include "base/err.h"
#include "base/mem/str.h"

enum { DNS_NAME_BYTES_MAX = 255, DNS_LABEL_BYTES_MAX = 63, DNS_LABELS_MAX = 128 };

struct dns_name {
	uint8_t len; /* with the zero byte; 1: the root */
	uint8_t wire[DNS_NAME_BYTES_MAX];
};

#define DNS_ROOT ((struct dns_name){.len = 1})

/* Bytes of a wire name, its zero byte included. */
size_t dns_name_len(const uint8_t *wire);
void dns_name_set(struct dns_name *n, const uint8_t *wire);

/* From text, "Example.org" or "example.org."; "." and "" are the root. \DDD and \X are escapes. ERR_INVAL says why it
 * is no name. */
int dns_name_parse(struct dns_name *n, struct slice text, struct err *err);
/* Appends it as text with its dot at the end, what is not plain escaped; lower: in small letters. */
void dns_name_text(struct strbuf *out, const uint8_t *wire, bool lower);

bool dns_name_eq(const uint8_t *a, const uint8_t *b);
/* Is it `zone`, or below it? */
bool dns_name_is_in(const uint8_t *name, const uint8_t *zone);
void dns_name_lower(uint8_t *wire, size_t len);

/* The labels as slices into the wire name, the leftmost first; at most `max`. Returns how many there are. */
size_t dns_name_labels(const uint8_t *wire, struct slice *labels, size_t max);

/* Puts labels before a name; false: it would be too long. `n` holds the name they go before. */
bool dns_name_prepend(struct dns_name *n, struct slice label);

/* An address from the reverse name of it (under in-addr.arpa or ip6.arpa): how many bytes it has, 4 or 16, else 0. */
size_t dns_name_reverse(const uint8_t *wire, uint8_t ret_ip[16]);
/* Is it below in-addr.arpa or ip6.arpa? */
bool dns_name_is_reverse(const uint8_t *wire);

#endif
