/* See listener.h: UDP and TCP side by side. */
#include "net/dns/serve/listener.h"

#include "base/mem/arena.h"
#include "base/rt/closing.h"

#include <stdlib.h>

struct listener {
	struct udp *udp;
	struct tcp *tcp;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void all_closed(struct closing *c)
{
	struct listener *l = CONTAINER_OF(c, struct listener, closing);
	void (*closed)(void *) = l->closed;
	void *arg = l->closed_arg;
	free(l);
	if (closed)
		closed(arg);
}

int listener_new(const struct listener_options *o, struct listener **ret, struct err *err)
{
	struct listener *l = xcalloc(1, sizeof *l);
	l->closing.all_closed = all_closed;
	if (udp_new(o, &l->udp, err) != 0) {
		free(l);
		return err->code;
	}
	if (tcp_new(o, udp_port(l->udp), &l->tcp, err) != 0) {
		udp_close(l->udp, NULL, NULL);
		free(l);
		return err->code;
	}
	*ret = l;
	return 0;
}

int listener_port(const struct listener *l)
{
	return udp_port(l->udp);
}

void listener_close(struct listener *l, void (*closed)(void *arg), void *arg)
{
	l->closed = closed;
	l->closed_arg = arg;
	closing_hold(&l->closing);
	closing_hold(&l->closing), udp_close(l->udp, closing_part_done, &l->closing);
	closing_hold(&l->closing), tcp_close(l->tcp, closing_part_done, &l->closing);
	closing_part_done(&l->closing);
}
