/* Returns addresses that nobody uses. Loop's thread. */
#ifndef K3X_NODE_RUNTIME_ADDRESS_SWEEP_H
#define K3X_NODE_RUNTIME_ADDRESS_SWEEP_H

struct address_sweep;
struct node;

struct address_sweep *address_sweep_new(struct node *n);
void address_sweep_close(struct address_sweep *s);

#endif
