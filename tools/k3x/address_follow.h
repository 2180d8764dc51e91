/* Follows the node's address, where none was given: a machine that gets another one by DHCP, or that starts before its
 * network does, goes on as the node that it was.
 *
 * Everything of a server or an agent counts with one address for as long as the process lives: certificates, peers,
 * endpoints, links, rules and statuses. So a process whose address has moved begins anew in place (process_restart()),
 * as it does whenever it is started; pods and their connections do not notice. */
#ifndef K3X_TOOLS_K3X_ADDRESS_FOLLOW_H
#define K3X_TOOLS_K3X_ADDRESS_FOLLOW_H

#include "base/rt/loop.h"
#include "tools/k3x/server_settings.h"

/* One of the node's addresses, and what the machine has. */
struct address_sight {
	bool is_held;   /* some link has it, and it is no loopback's */
	int link;       /* that had it; 0: unknown */
	bool has_next;  /* there is another one of its family */
	int next_link;  /* which has that */
	bool is_routed; /* the default route leaves by it */
};

/* The node is at that other one from now on. A link of somebody else's that happens to be left (docker0, say) is none.
 * Pure. */
bool address_has_moved(const struct address_sight *x);

struct address_follow;

/* moved(arg) from the loop, maybe several times: all addresses that the cluster wants are there, and one is another.
 * The settings are borrowed and complete. NULL: nothing has to be followed, or nobody tells of it, which is logged.
 * Loop's thread. */
struct address_follow *address_follow_new(
        struct loop *loop, const struct server_settings *s, void (*moved)(void *arg), void *arg);
/* NULL is allowed. It is gone when the loop has turned; moved is not called any more. */
void address_follow_close(struct address_follow *f);

#endif
