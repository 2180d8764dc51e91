/* UDP has no connections: the kernel remembers a flow as long as packets come, and sends them where the first one went.
 * A client that keeps its port, as DNS resolvers and syslog senders do, would talk to an endpoint that is gone for
 * ever. So when endpoints of a UDP port change, flows to the port whose answers would come from none of its endpoints
 * are forgotten, and the next packet chooses anew; upstream's proxy does the same. Loop's thread. */
#ifndef K3X_NET_PROXY_UDP_SWEEP_H
#define K3X_NET_PROXY_UDP_SWEEP_H

#include "base/rt/loop.h"
#include "net/proxy/conntrack.h"
#include "net/proxy/proxy_rules_int.h"

/* Where all UDP ports lead. */
struct udp_view;

struct udp_view *udp_view_new(void);
void udp_view_free(struct udp_view *v); /* NULL is allowed */
/* The port with all its addresses and its node port. */
void udp_view_add(struct udp_view *v, const struct proxy_port *p);
void udp_view_add_all(struct udp_view *v, const struct udp_view *other);
/* An address of this machine, at which node ports are. The sweeper adds them by itself. */
void udp_view_add_local(struct udp_view *v, const struct ip *address);
/* Does it go to a port of the view, and to none of its endpoints? After udp_view_seal(). */
bool udp_view_is_stale(const struct udp_view *v, const struct conntrack_flow *f);
void udp_view_seal(struct udp_view *v);

struct udp_sweeper;

struct udp_sweeper *udp_sweeper_new(struct loop *loop);
/* The view is given away. While a sweep is under way the last one given waits. */
void udp_sweep(struct udp_sweeper *s, struct udp_view *v);
/* closed(arg) may be NULL. */
void udp_sweeper_close(struct udp_sweeper *s, void (*closed)(void *arg), void *arg);

#endif
