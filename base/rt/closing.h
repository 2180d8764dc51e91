/* Closing something made of several parts that each close in their own time: hold once per part, and the whole is
 * closed when the last part has said so. One loop. All parts are held before any may end: begin with a hold for the one
 * who closes, and give it up last.
 *
 *     closing_hold(&s->closing);
 *     closing_hold(&s->closing), informer_close(s->informer, closing_part_done, &s->closing);
 *     closing_hold(&s->closing), timer_close(&s->timer, closing_part_done, &s->closing);
 *     closing_part_done(&s->closing); */
#ifndef K3X_BASE_RT_CLOSING_H
#define K3X_BASE_RT_CLOSING_H

#include "base/check.h"

struct closing {
	unsigned pending;
	void (*all_closed)(struct closing *c); /* may free what embeds it */
};

static inline void closing_hold(struct closing *c)
{
	c->pending++;
}

/* For `closed` callbacks: arg is the struct closing. */
static inline void closing_part_done(void *arg)
{
	struct closing *c = arg;
	CHECK(c->pending > 0);
	if (--c->pending == 0)
		c->all_closed(c);
}

#endif
