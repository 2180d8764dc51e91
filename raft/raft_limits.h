/* Sizes that all of raft/ and who looks at members knows. */
#ifndef K3X_RAFT_RAFT_LIMITS_H
#define K3X_RAFT_RAFT_LIMITS_H

enum { RAFT_MEMBERS_MAX = 32, RAFT_ADDRESS_BYTES_MAX = 256 };

#endif
