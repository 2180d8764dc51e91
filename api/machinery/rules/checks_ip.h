/* Addresses and names of networks, as the fields of objects may have them. Pure; any thread.
 *
 * Fields that are older than the strict rules take what Go's sloppy parsers take: leading zeros (010.0.0.1), IPv4
 * dressed up as IPv6 (::ffff:10.0.0.1, which is IPv4 then), and in networks bits behind the prefix (10.1.2.3/8). */
#ifndef K3X_API_MACHINERY_RULES_CHECKS_IP_H
#define K3X_API_MACHINERY_RULES_CHECKS_IP_H

#include "api/machinery/rules/field_errors.h"
#include "base/ip.h"

/* False: it is none, and *ret is what it was. */
bool sloppy_ip_parse(struct slice text, struct ip *ret);
/* The same of a network; bits behind the prefix are cleared. */
bool sloppy_net_parse(struct slice text, struct ip_net *ret);

/* Each adds what is wrong with the value to `e` at `field`. */
void check_ip(struct field_errors *e, const char *field, struct slice text);
void check_net(struct field_errors *e, const char *field, struct slice text);
/* One that others may send to: neither unspecified, nor loopback, nor of one link. What is no address at all is
 * check_ip()'s. */
void check_reachable_ip(struct field_errors *e, const char *field, struct slice text);
/* The same of an endpoint's, where loopback is taken: a server that is bound to it says so of itself. */
void check_endpoint_ip(struct field_errors *e, const char *field, struct slice text);
bool endpoint_ip_is_fine(const struct ip *ip);
/* Of a service or container: "http". Every rule that is broken is an error of its own. */
void check_port_name(struct field_errors *e, const char *field, struct slice name);
/* "*.example.com" */
void check_wildcard_domain(struct field_errors *e, const char *field, struct slice host);
/* "example.com", with a dot behind it or not, and of two parts at least. */
void check_full_domain(struct field_errors *e, const char *field, struct slice host);
/* "example.com/controller" */
void check_domain_path(struct field_errors *e, const char *field, struct slice path);

#endif
