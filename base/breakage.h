/* Deliberate faults, so that the fault tests can show that they find them: K3X_BREAK=NAME in the environment of a
 * program built with -DK3X_BREAKABLE (make VARIANT=breakable). In every other build all of this is the constant false.
 */
#ifndef K3X_BASE_BREAKAGE_H
#define K3X_BASE_BREAKAGE_H

#include <stdbool.h>

#define BREAKAGES \
	BREAKAGE(STALE_READ, "stale-read")             /* linearizable reads are answered without asking anybody */ \
	BREAKAGE(ACK_BEFORE_FSYNC, "ack-before-fsync") /* the log is not synced before it is acknowledged */ \
	BREAKAGE(FORGET_VOTE, "forget-vote")           /* a vote is given again in the same term */ \
	BREAKAGE(APPLY_TWICE, "apply-twice")           /* some commands are applied twice */ \
	BREAKAGE(LOSE_REVOKE, "lose-revoke")           /* a lease is revoked and its keys stay */ \
	BREAKAGE(DROP_EVENT, "drop-event")             /* some events are not given to watches */ \
	BREAKAGE(FLUSH_BEFORE_LOG, "flush-before-log") /* a flush counts entries as its own that only the log has */

enum breakage {
#define BREAKAGE(id, name) BREAK_##id,
	BREAKAGES
#undef BREAKAGE
};

#ifdef K3X_BREAKABLE
bool breakage_is(enum breakage b);
#else
static inline bool breakage_is(enum breakage b)
{
	return false;
}
#endif

#endif
