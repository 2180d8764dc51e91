/* Messages of generic netlink to and from the kernel's WireGuard (linux/wireguard.h), as bytes. Pure; any thread. */
#ifndef K3X_NET_FABRIC_WIREGUARD_MESSAGE_H
#define K3X_NET_FABRIC_WIREGUARD_MESSAGE_H

#include "net/fabric/wireguard/device.h"

/* ---- questions: each appends one whole message ---- */

/* Which number a family of generic netlink has. */
void wireguard_message_family(struct strbuf *out, uint32_t seq, const char *name);
/* What the device of this name is. family: WireGuard's number. */
void wireguard_message_get(struct strbuf *out, uint16_t family, uint32_t seq, const char *link);
/* Of a request what fits into one message: the device's part with the first, peers from number `from` on. Returns the
 * number of the first peer that is left for the next one; r->count: it is all. */
size_t wireguard_message_set(struct strbuf *out, uint16_t family, uint32_t seq, const char *link,
        const struct wireguard_request *r, size_t from);

/* ---- answers ---- */

/* Walks what came at once: fn for each message that answers question `seq`, with what is behind its netlink header.
 * True: it was the last, and *ret_errno is the outcome (0: fine); false: more comes. */
bool wireguard_message_walk(
        struct slice datagram, uint32_t seq, void (*fn)(void *arg, struct slice body), void *arg, int *ret_errno);
/* Of a message's body. False: it says no such thing. */
bool wireguard_message_read_family(struct slice body, uint16_t *ret);
/* Adds what a message says to *ret: a device of many peers comes in several. False: a part of it does not read. */
bool wireguard_message_read_device(struct slice body, struct wireguard_device *ret);

#endif
