/* The key pair of this node's end of WireGuard: of both families' devices, as flannel has it. Any thread. */
#ifndef K3X_NET_FABRIC_WIREGUARD_KEY_H
#define K3X_NET_FABRIC_WIREGUARD_KEY_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

enum { WIREGUARD_KEY_BYTES = 32 };

struct wireguard_key {
	unsigned char bytes[WIREGUARD_KEY_BYTES];
};

struct wireguard_keys {
	struct wireguard_key private_key, public_key;
};

/* From a file as wg(8) writes it (Base64 and a line's end); where there is none it is made, with mode 0600 and durably,
 * before anybody is told the public key. Blocks. ERR_CORRUPT: it holds no key; ERR_IO. */
int wireguard_keys_load(const char *file, struct wireguard_keys *ret, struct err *err);

/* Base64 of exactly 32 bytes that are not all zero. */
bool wireguard_key_parse(struct slice text, struct wireguard_key *ret);
struct slice wireguard_key_text(struct arena *a, const struct wireguard_key *k);
bool wireguard_key_equal(const struct wireguard_key *a, const struct wireguard_key *b);

#endif
