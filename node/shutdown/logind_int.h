/* logind: holds its delay lock and hears when the machine goes down. Loop's thread. */
#ifndef K3X_NODE_SHUTDOWN_LOGIND_INT_H
#define K3X_NODE_SHUTDOWN_LOGIND_INT_H

#include "base/rt/loop.h"

struct logind;

struct logind_options {
	struct loop *loop;
	int64_t delay_s;                           /* so long the machine has to wait for us */
	void (*on_end)(void *arg, bool is_coming); /* the machine goes down, or does not after all */
	void *arg;
};

/* Connects in the background, and again when the bus goes away. */
struct logind *logind_new(const struct logind_options *o);
/* Lets the machine go on. The lock is taken again when the end is called off. */
void logind_release(struct logind *l);
void logind_close(struct logind *l, void (*closed)(void *arg), void *arg);

#endif
