/* Names that are asked for are made into others by rules, before anything looks at them. Pure; any thread. */
#ifndef K3X_NET_DNS_RESOLVE_REWRITE_H
#define K3X_NET_DNS_RESOLVE_REWRITE_H

#include "net/dns/conf/conf.h"

/* Rewrites *name (lower case) by the first rule that fits, and those behind it that say "continue". True: it is another
 * one now. What would be no name is left as it was. */
bool rewrite_name(const struct conf_rewrite *rules, size_t n, struct dns_name *name);

#endif
