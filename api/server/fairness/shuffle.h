/* Shuffle sharding: of many queues a flow is dealt a few by its hash, so that two flows seldom have the same few, and a
 * flood in some of another's queues leaves it others. Pure. */
#ifndef K3X_API_SERVER_FAIRNESS_SHUFFLE_H
#define K3X_API_SERVER_FAIRNESS_SHUFFLE_H

#include <stdint.h>

enum { SHUFFLE_HAND_MAX = 10, SHUFFLE_DECK_MAX = 4096 };

/* Fills ret[hand] with numbers below `deck`, no two alike: the hash decides which, each hand as likely as any other.
 * 0 < hand <= deck, hand <= SHUFFLE_HAND_MAX, deck <= SHUFFLE_DECK_MAX. */
void shuffle_deal(uint64_t hash, unsigned deck, unsigned hand, unsigned ret[]);

#endif
