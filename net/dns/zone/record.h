/* What DNS needs of an object of the API, packed: a service, an endpoint slice, a pod. An object of 1 to 2 KB becomes
 * some hundred bytes, which is what keeps a cluster of 10,000 services in a few megabytes. Packing is where texts of
 * the API are checked; what is packed is read without further questions. Pure, any thread. */
#ifndef K3X_NET_DNS_ZONE_RECORD_H
#define K3X_NET_DNS_ZONE_RECORD_H

#include "base/mem/rcbuf.h"
#include "base/mem/str.h"

enum record_protocol { RECORD_TCP, RECORD_UDP, RECORD_SCTP };

struct record_port {
	enum record_protocol protocol;
	int port; /* 0: none */
	struct slice name;
};

struct record_ip {
	uint8_t len; /* 4 or 16; 0: none */
	const uint8_t *bytes;
};

/* A place in a packed list; the bytes live as long as the record. */
struct record_cursor {
	const uint8_t *at;
	unsigned left;
};

struct record_service {
	bool is_headless;
	struct slice external; /* a wire name; SLICE_NULL: it is no ExternalName, or none that can be a CNAME */
	bool is_external;
	struct record_cursor ips, ports;
};

struct record_slice {
	struct slice service; /* its name */
	struct record_cursor ports, endpoints;
};

struct record_endpoint {
	bool is_ready;
	struct record_cursor ips;
	struct slice hostname, pod; /* empty: none */
};

/* One reference each, never NULL; what is missing or odd in the object is left out. */
struct rcbuf *record_pack_service(struct slice json);
struct rcbuf *record_pack_slice(struct slice json);
struct rcbuf *record_pack_pod(struct slice json);       /* its addresses, unless it has ended or is to go */
struct rcbuf *record_pack_namespace(struct slice json); /* nothing: its name is all */

void record_read_service(const struct rcbuf *b, struct record_service *ret);
void record_read_slice(const struct rcbuf *b, struct record_slice *ret);
struct record_cursor record_read_pod(const struct rcbuf *b); /* of addresses */

/* The next element; false at the end. */
bool record_next_ip(struct record_cursor *c, struct record_ip *ret);
bool record_next_port(struct record_cursor *c, struct record_port *ret);
bool record_next_endpoint(struct record_cursor *c, struct record_endpoint *ret);

/* An address from text; 4, 16, or 0 when it is none. */
size_t record_ip_parse(struct slice text, uint8_t ret_ip[16]);

#endif
