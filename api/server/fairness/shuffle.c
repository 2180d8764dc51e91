/* See shuffle.h. The hash is a number in the mixed base deck, deck - 1, deck - 2, ...: its digits say which of the
 * cards that are left is drawn next. A digit becomes a card by stepping over those drawn before, in order. */
#include "api/server/fairness/shuffle.h"

#include "base/check.h"

void shuffle_deal(uint64_t hash, unsigned deck, unsigned hand, unsigned ret[])
{
	unsigned drawn[SHUFFLE_HAND_MAX]; /* ascending */
	CHECK(hand > 0 && hand <= deck && hand <= SHUFFLE_HAND_MAX && deck <= SHUFFLE_DECK_MAX);
	for (unsigned i = 0; i < hand; i++) {
		unsigned card = (unsigned)(hash % (deck - i)), at = 0;
		hash /= deck - i;
		while (at < i && card >= drawn[at]) {
			card++;
			at++;
		}
		for (unsigned k = i; k > at; k--)
			drawn[k] = drawn[k - 1];
		drawn[at] = card;
		ret[i] = card;
	}
}
