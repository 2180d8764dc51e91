/* The network of a WebAssembly sandbox: an address of the node's pods, a link to the node, routes. Blocks for some
 * calls of the kernel: on the pool. */
#ifndef K3X_NODE_WASM_NETWORK_H
#define K3X_NODE_WASM_NETWORK_H

#include "base/err.h"

#include <stdint.h>

struct wasm_network {
	const char *pod_cidr;      /* "10.42.0.0/24" */
	const char *addresses_dir; /* where host-local keeps what is given out: .../cbr0 */
	const char *bridge;        /* of ordinary pods */
	unsigned mtu;              /* 0: the kernel's */
};

enum { WASM_ADDRESS_BYTES = 16 };

/* Gives the sandbox an address and connects its namespace. ERR_NO_SPACE: no address is left. On an error nothing is
 * left. */
int wasm_network_add(const struct wasm_network *n, const char *box, int namespace_fd, char address[WASM_ADDRESS_BYTES],
        struct err *err);
/* Takes the link away and gives the address back; both may be gone. */
void wasm_network_remove(const struct wasm_network *n, const char *box, const char *address);
/* The name of a box's link on the node. */
void wasm_network_link(const char *box, char name[16]);

/* First and last address for pods of a network, in host order; ERR_INVAL. Pure. */
int wasm_network_range(const char *cidr, uint32_t *first, uint32_t *last, struct err *err);

#endif
