/* What is counted, under traefik's names. Loop's thread. */
#ifndef K3X_NET_INGRESS_SERVE_TALLY_H
#define K3X_NET_INGRESS_SERVE_TALLY_H

#include "base/mem/map.h"
#include "net/ingress/route/route_table.h"

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally *m);

/* One request has ended. method is as it came: what is no usual one counts as EXTENSION_METHOD. */
void tally_request(
        struct tally *m, enum entry_point entry, struct slice method, int status, bool is_upgrade, uint64_t took_ns);
void tally_reloaded(struct tally *m, int64_t now_s);
void tally_retried(struct tally *m);
/* Adds all of them, and those of the process; connections: open ones of each entry point. */
void tally_write(
        const struct tally *m, const struct map *backends, const size_t connections[ENTRY_POINTS], struct strbuf *out);

const char *entry_point_name(enum entry_point e); /* "web", "websecure" */

#endif
