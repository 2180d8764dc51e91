/* Messages of other engines. Raft thread. See raft_peers.c. */
#ifndef K3X_STORE_ENGINE_RAFT_PEERS_INT_H
#define K3X_STORE_ENGINE_RAFT_PEERS_INT_H

#include "base/mem/str.h"

#include <stdint.h>

void peers_message(void *arg, uint64_t from, struct slice message);

#endif
