/* Priority levels: how many seats each has, who waits for them, and whose turn it is. No loop, no time but what is
 * given: tests count.
 *
 * Seats. The server has so many in all. A level's share of them (nominal) is by its shares; some of it, its lendable
 * part, may be used by others while it is idle, the rest (lower) is always its own. A level takes seats beyond its
 * lower limit only while all levels' lower limits and what is in use above them leave room, up to its upper limit.
 * kube-apiserver moves limits every ten seconds by what was wanted before; here a seat is lent the moment it is free
 * and comes back when its request ends.
 *
 * Queues. What a level has no seat for waits in the shortest of the queues its flow was dealt, or is turned away: the
 * level has no queues, or that one is full. When a seat is free the queue that has had least for its turn comes first
 * (start-time fair queueing, in seats): flows share evenly, however many requests each sends.
 *
 * An exempt level is only counted. One thread. */
#ifndef K3X_API_SERVER_FAIRNESS_LEVELS_H
#define K3X_API_SERVER_FAIRNESS_LEVELS_H

#include "base/mem/list.h"
#include "base/mem/str.h"

enum { LEVEL_NO_LIMIT = -1 };

/* What a PriorityLevelConfiguration says. */
struct level_spec {
	bool is_exempt;
	bool has_queues; /* limitResponse Queue; else Reject */
	unsigned queues, hand, queue_length;
	unsigned shares;
	unsigned lendable_percent;
	int borrowing_percent; /* LEVEL_NO_LIMIT */
};

struct level_queue {
	struct list_link waiting; /* of struct seat, first come first */
	unsigned length;
	uint64_t turn; /* virtual time of its first */
};

struct level {
	struct list_link link;
	struct levels *all;
	struct slice name, uid;
	struct level_spec spec;
	unsigned nominal, lower, upper; /* seats */
	unsigned seats_used, executing, waiting;
	struct level_queue *queues;
	uint64_t turn;            /* virtual time */
	struct list_link running; /* of struct seat, in the order in which they began */
	uint64_t dispatched, cancelled;
	bool is_gone; /* no configuration names it: it goes when it is empty */
};

struct levels {
	struct list_link list; /* of struct level */
	unsigned seats;
	unsigned waiting;
};

enum seat_state { SEAT_NONE, SEAT_WAITING, SEAT_TAKEN };

/* Of one request, embedded. */
struct seat {
	struct list_link link;
	struct level *level;
	struct level_queue *queue;
	enum seat_state state;
	unsigned width;
	uint64_t hash;   /* of its flow */
	bool is_patient; /* waits however long the queue is */
	uint64_t since_ms;
};

void levels_init(struct levels *l, unsigned seats);
void levels_release(struct levels *l); /* nothing runs or waits any more */

/* Makes the level, or gives it another spec; call levels_share() when all are there. Those who wait are dealt anew. */
struct level *levels_put(struct levels *l, struct slice name, struct slice uid, const struct level_spec *spec);
struct level *levels_find(const struct levels *l, struct slice name); /* NULL: none, or it is gone */
/* Nobody is sent to it any more; those who wait are let through in their turn. */
void levels_drop(struct level *level);
/* Computes limits from the shares of all. */
void levels_share(struct levels *l);

/* width, hash, is_patient and since_ms are set. */
enum level_answer { LEVEL_RUN, LEVEL_WAIT, LEVEL_FULL /* its queue is */, LEVEL_BUSY /* and has no queues */ };
enum level_answer level_enter(struct level *level, struct seat *s);
/* It ran, or waited and gives up. Frees what others wait for: levels_next(). */
void level_leave(struct seat *s);
/* One that waits and may run now, which it does: LEVEL_RUN's state. NULL: nobody. */
struct seat *levels_next(struct levels *l);
/* One that waits since before this moment and is not patient, taken out of its queue; NULL: nobody. */
struct seat *levels_overdue(struct levels *l, uint64_t before_ms);

#endif
