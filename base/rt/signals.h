/* The signals that a process is told something by, on the loop of whoever is told.
 *
 * SIGTERM and SIGINT ask it to end. SIGPIPE is taken and does nothing, for to write to someone who has gone is an
 * error of that write; it is not ignored, for children would inherit that. */
#ifndef K3X_BASE_RT_SIGNALS_H
#define K3X_BASE_RT_SIGNALS_H

#include "base/rt/loop.h"

enum { SIGNALS_MAX = 5 };

struct signals {
	void (*told)(void *arg, int number);
	void *arg;
	uv_signal_t handles[SIGNALS_MAX];
	unsigned count;
};

/* From now on told(arg, SIGTERM or SIGINT) is called on the loop, each time one comes. The loop's thread, or before it
 * runs. */
void signals_watch(struct signals *s, struct loop *l, void (*told)(void *arg, int number), void *arg);
/* This one too. */
void signals_add(struct signals *s, struct loop *l, int number);
/* The loop's thread. What comes from now on does what it does by default. */
void signals_close(struct signals *s);

#endif
