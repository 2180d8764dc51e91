/* Places where a server can be told to die, so that tests can show that a start after kill -9 goes on from each of
 * them: K3X_STOP=NAME in the environment of a program built with -DK3X_BREAKABLE (make VARIANT=breakable). It kills
 * itself there, as kill -9 would. In every other build it is nothing at all. */
#ifndef K3X_BASE_STOP_POINT_H
#define K3X_BASE_STOP_POINT_H

#define STOP_POINTS \
	/* of a server that joins (tools/k3x/join/server_join.c) */ \
	STOP_POINT(JOIN_MARKED, "join-marked")         /* server/joining is there, the keys are not */ \
	STOP_POINT(JOIN_KEYS, "join-keys")             /* the keys are there, the cluster's id is not */ \
	STOP_POINT(JOIN_IDENTIFIED, "join-identified") /* there is no store yet */ \
	STOP_POINT(JOIN_OPENED, "join-opened")         /* there is one, and nobody was asked for anything */ \
	STOP_POINT(JOIN_ADDED, "join-added")           /* it is a member without a vote */ \
	STOP_POINT(JOIN_PROMOTED, "join-promoted")     /* it has a vote, and server/joining is there */ \
	/* of the server that it asks (api/server/join/members.c) */ \
	STOP_POINT(ADD_BEGUN, "add-begun") /* nothing was changed */ \
	STOP_POINT(ADD_ADDED, "add-added") /* it is a member, and nobody knows its name */ \
	STOP_POINT(ADD_NAMED, "add-named") /* all was done, and it was not told */ \
	/* of the one that leads (store/engine/raft_members.c) */ \
	STOP_POINT(CHANGE_HALF, "change-half")         /* it is a member that is sent nothing */ \
	STOP_POINT(CHANGE_ANSWERED, "change-answered") /* it has its vote, and was not told */ \
	/* of a server whose cluster changes its keys (tools/k3x/keys/server_keeper.c) */ \
	STOP_POINT(KEYS_HALF, "keys-half") /* some files have the new keys, others the old */ \
	STOP_POINT(KEYS_DONE, "keys-done") /* all have, and no certificate was made of them */

enum stop_point {
#define STOP_POINT(id, name) STOP_##id,
	STOP_POINTS
#undef STOP_POINT
};

#ifdef K3X_BREAKABLE
void stop_point(enum stop_point p);
#else
static inline void stop_point(enum stop_point p)
{
}
#endif

#endif
