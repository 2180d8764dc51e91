/* Answers about the cluster: the Kubernetes DNS specification 1.1, as CoreDNS's kubernetes plugin gives them.
 *
 *   SERVICE.NS.svc.ZONE                  A, AAAA of the service, or of each ready endpoint of a headless one; CNAME of
 * an ExternalName; SRV of each port ENDPOINT.SERVICE.NS.svc.ZONE         A, AAAA of one endpoint, by its hostname, or
 * its address with dashes _PORT._PROTOCOL.SERVICE.NS.svc.ZONE  SRV of a named port (A and AAAA, too)
 *   A-B-C-D.NS.pod.ZONE                  A of a pod
 *   PTR below in-addr.arpa, ip6.arpa     the service with that address, or the endpoints with that one and a hostname
 *   dns-version.ZONE                     TXT
 *   ZONE, ns.dns.ZONE                    SOA and NS, and the address behind them
 *
 * A name that exists without records of the type is NODATA; one that does not is NXDOMAIN; both with the zone's SOA. A
 * headless service without ready endpoints is NXDOMAIN, as the specification says (section 2.4). Pure; one thread. */
#ifndef K3X_NET_DNS_ZONE_ANSWER_H
#define K3X_NET_DNS_ZONE_ANSWER_H

#include "net/dns/message/message.h"
#include "net/dns/zone/zone.h"

enum answer_pods { ANSWER_PODS_DISABLED, ANSWER_PODS_INSECURE, ANSWER_PODS_VERIFIED };

/* Lists and names live as long as the options. */
struct answer_options {
	const struct dns_name *zones; /* lower case; the first that is not reverse is where PTRs point to */
	size_t n_zones;
	uint32_t ttl_s;
	enum answer_pods pods;
	bool endpoint_pod_names, ignores_empty_services, no_endpoints;
	const struct slice *namespaces; /* the only ones exposed; none: all */
	size_t n_namespaces;
};

enum { ANSWER_TTL_S = 5, ANSWER_TTL_S_MAX = 3600 };

enum answer_outcome {
	ANSWER_NOT_MINE, /* the name is in none of the zones */
	ANSWER_DONE,     /* records, or NODATA */
	ANSWER_NXDOMAIN, /* with its SOA; who falls through drops it */
	ANSWER_ALIAS,    /* a CNAME, whose target *ret_target is to be asked for the same type */
};

/* Adds to `reply` what is to be said of `name` (lower case) and sets its rcode and AA. ret_target is a wire name. */
enum answer_outcome answer_cluster(const struct zone *z, const struct answer_options *o, struct arena *a,
        const struct dns_name *name, uint16_t type, struct dns_message *reply, const uint8_t **ret_target);

#endif
