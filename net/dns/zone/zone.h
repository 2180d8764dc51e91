/* The cluster as DNS sees it: which services, endpoints, namespaces and (when they are asked for) pods there are, each
 * as its packed record (record.h), found by name and by address. Filled by whoever follows the API; read by answers.
 *
 * One thread. Keys are "namespace/name" ("name" for namespaces) and copied; a record's reference is taken. */
#ifndef K3X_NET_DNS_ZONE_ZONE_H
#define K3X_NET_DNS_ZONE_ZONE_H

#include "base/mem/list.h"
#include "net/dns/zone/record.h"

struct zone;

enum zone_kind { ZONE_SERVICE, ZONE_SLICE, ZONE_NAMESPACE, ZONE_POD, ZONE_KINDS };

struct zone_item {
	struct slice key;
	struct rcbuf *record;
	struct list_link in_service; /* slices: those of one service */
	struct zone_use *uses;       /* the addresses by which it is found */
	unsigned n_uses;
};

/* An item is found by an address. */
struct zone_use {
	struct list_link link;
	struct zone_address *address;
	struct zone_item *item;
	enum zone_kind kind;
};

struct zone *zone_new(void);
void zone_free(struct zone *z);

/* Adds or replaces; `now_s` (of the wall clock) becomes the serial. */
void zone_set(struct zone *z, enum zone_kind kind, struct slice key, struct rcbuf *record, int64_t now_s);
void zone_drop(struct zone *z, enum zone_kind kind, struct slice key, int64_t now_s);

/* NULL when there is none; `ns` empty: the key is `name` alone. */
struct zone_item *zone_get(const struct zone *z, enum zone_kind kind, struct slice ns, struct slice name);
size_t zone_count(const struct zone *z, enum zone_kind kind);
uint32_t zone_serial(const struct zone *z);

/* The slices of a service, linked by in_service; NULL: none. */
const struct list_link *zone_slices(const struct zone *z, struct slice ns, struct slice service);
/* What is found by an address, struct zone_use linked by link; NULL: nothing. Services by their addresses; slices by
 * those of ready endpoints with a hostname; pods by theirs. */
const struct list_link *zone_by_address(const struct zone *z, struct slice ip);

struct slice zone_item_namespace(const struct zone_item *i);
struct slice zone_item_name(const struct zone_item *i);

#endif
