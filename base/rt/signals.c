/* See signals.h. */
#include "base/rt/signals.h"

#include <signal.h>

static void came(uv_signal_t *h, int number)
{
	struct signals *s = h->data;
	if (number != SIGPIPE)
		s->told(s->arg, number);
}

void signals_watch(struct signals *s, struct loop *l, void (*told)(void *arg, int number), void *arg)
{
	*s = (struct signals){.told = told, .arg = arg};
	signals_add(s, l, SIGTERM);
	signals_add(s, l, SIGINT);
	signals_add(s, l, SIGPIPE);
}

void signals_add(struct signals *s, struct loop *l, int number)
{
	CHECK(s->count < SIGNALS_MAX);
	uv_signal_t *h = &s->handles[s->count++];
	CHECK(uv_signal_init(loop_uv(l), h) == 0);
	h->data = s;
	CHECK(uv_signal_start(h, came, number) == 0);
}

void signals_close(struct signals *s)
{
	for (unsigned i = 0; i < s->count; i++)
		uv_close((uv_handle_t *)&s->handles[i], NULL);
	s->count = 0;
}
