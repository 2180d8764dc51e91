/* A hosts file as a table: names to addresses and back (hosts(5)). Lines without an address, or with a name that is
 * none, are left out, as the C library does. Pure; immutable once made. */
#ifndef K3X_NET_DNS_RESOLVE_HOSTS_H
#define K3X_NET_DNS_RESOLVE_HOSTS_H

#include "net/dns/conf/conf.h"
#include "net/dns/message/message.h"

struct hosts;

struct hosts *hosts_new(void);
void hosts_add(struct hosts *h, struct slice text, bool no_reverse); /* may be called for several texts */
void hosts_free(struct hosts *h);                                    /* NULL is allowed */
size_t hosts_count(const struct hosts *h);                           /* names and addresses */

enum hosts_outcome {
	HOSTS_NOT_MINE, /* no such name, or of no zone of these hosts */
	HOSTS_DONE,     /* records, or none of this type */
};

enum hosts_outcome hosts_answer(const struct hosts *h, const struct conf_hosts *conf, struct arena *a,
        const struct dns_name *name, uint16_t type, struct dns_message *reply);

#endif
