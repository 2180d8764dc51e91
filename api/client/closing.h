/* Closing something made of several parts that each close in their own time: hold once per part, and the whole is
 * closed when the last part has said so. One loop. */
#ifndef K3X_API_CLIENT_CLOSING_H
#define K3X_API_CLIENT_CLOSING_H

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
	if (--c->pending == 0)
		c->all_closed(c);
}

#endif
