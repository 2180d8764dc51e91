/* Shuffle sharding: hands are hands, evenly dealt. */
#include "api/server/fairness/shuffle.h"

#include "tests/unit/unit.h"

static void no_card_is_dealt_twice(void **state)
{
	unsigned hand[SHUFFLE_HAND_MAX];
	for (uint64_t h = 0; h < 20000; h++) {
		unsigned deck = 1 + (unsigned)(h % 20),
		         n = 1 + (unsigned)(h / 20 % (deck < SHUFFLE_HAND_MAX ? deck : SHUFFLE_HAND_MAX));
		shuffle_deal(h * 0x9e3779b97f4a7c15, deck, n, hand);
		for (unsigned i = 0; i < n; i++) {
			assert_true(hand[i] < deck);
			for (unsigned k = 0; k < i; k++)
				assert_int_not_equal(hand[i], hand[k]);
		}
	}
}

/* Every ordered hand of 3 of 5 comes from as many of 60 numbers in a row as any other: from one. */
static void every_hand_is_as_likely(void **state)
{
	unsigned hand[3], count[125] = {0};
	for (uint64_t h = 600; h < 660; h++) {
		shuffle_deal(h, 5, 3, hand);
		count[hand[0] * 25 + hand[1] * 5 + hand[2]]++;
	}
	unsigned hands = 0;
	for (unsigned i = 0; i < 125; i++) {
		assert_true(count[i] <= 1);
		hands += count[i];
	}
	assert_int_equal(hands, 60);
}

static void the_whole_deck_may_be_dealt(void **state)
{
	unsigned hand[10], seen = 0;
	shuffle_deal(UINT64_MAX, 10, 10, hand);
	for (unsigned i = 0; i < 10; i++)
		seen |= 1u << hand[i];
	assert_int_equal(seen, 1023);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_card_is_dealt_twice),
	        cmocka_unit_test(every_hand_is_as_likely), cmocka_unit_test(the_whole_deck_may_be_dealt)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
