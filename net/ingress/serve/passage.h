/* One request on its way through: route, checks, endpoint, and the answer back. See passage.c. Loop's thread. */
#ifndef K3X_NET_INGRESS_SERVE_PASSAGE_H
#define K3X_NET_INGRESS_SERVE_PASSAGE_H

#include "base/mem/list.h"
#include "base/wire/http.h"
#include "net/ingress/route/route_table.h"
#include "net/ingress/serve/tally.h"
#include "net/ingress/serve/login.h"
#include "net/ingress/serve/rate.h"

/* What requests need; its owner changes the table as it likes. */
struct passages {
	struct loop *loop;
	struct route_table *table; /* NULL: not made yet */
	struct tally *tally;
	struct rates *rates;
	struct logins *logins;
	struct list_link sessions;         /* upgraded connections */
	void (*sessions_ended)(void *arg); /* NULL: it goes on */
	void *sessions_arg;
	uint64_t turns;             /* by which backends of one rule have their shares */
	struct source_nets trusted; /* whose X-Forwarded-* are believed */
	bool has_access_log;
	/* The htpasswd file of a Secret; SLICE_NULL: not there (yet). */
	struct slice (*auth_file)(void *arg, struct slice secret);
	void *arg;
};

void passage_begin(struct passages *p, struct http_exchange *x, enum entry_point entry);
/* Ends upgraded connections; ended(arg) when none is left, maybe from inside. */
void passages_cut(struct passages *p, void (*ended)(void *arg), void *arg);
void passages_release(struct passages *p); /* its table */

#endif
