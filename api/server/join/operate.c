/* What an operator asks of this server itself: rotate the token, make certificates anew, save a snapshot. Who may is
 * decided before (auth/authorize.c: masters, and whoever has the servers' token); what is done is not the API's affair
 * but of whoever started the server, who blocks as long as it takes: on a thread of its own, one after the other.
 *
 * What can go wrong: nobody here does such things (404), too many ask at once (429), and what the operation says. */
#include "api/server/join/join_int.h"

#include "api/server/answer.h"
#include "api/server/state.h"
#include "base/check.h"

#include <stdlib.h>

enum { OPERATING_THREADS = 1, OPERATING_QUEUE = 8 };

struct operation {
	struct join *join;
	struct call *call;
	struct arena arena;
	struct slice name, body;
	struct strbuf answer;
	struct pool_work work;
	struct err err;
};

static void work(struct pool_work *w)
{
	struct operation *o = CONTAINER_OF(w, struct operation, work);
	const struct join_operator *by = &o->join->options.operator;
	by->run(by->arg, o->name, o->body, &o->answer, &o->err);
}

static void finish(struct operation *o)
{
	if (o->err.code)
		strbuf_release(&o->answer);
	else
		call_respond_strbuf(o->call, 200, "application/json", &o->answer);
	join_end(o->join, o->call, &o->err);
	arena_release(&o->arena);
	free(o);
}

static void worked(struct pool_work *w)
{
	finish(CONTAINER_OF(w, struct operation, work));
}

void join_operate(struct join *j, struct call *c, struct slice name)
{
	struct operation *o = xcalloc(1, sizeof *o);
	o->join = j;
	o->call = c;
	o->name = (struct slice){arena_memdup(&o->arena, name.ptr, name.len), name.len};
	o->body = (struct slice){arena_memdup(&o->arena, c->body.len ? c->body.ptr : "", c->body.len), c->body.len};
	join_begin(j, c);
	if (!j->options.operator.run) {
		err_set(&o->err, ERR_NOT_FOUND, "this server takes no such orders");
		finish(o);
		return;
	}
	if (!j->operating)
		j->operating = pool_new("operating", OPERATING_THREADS, OPERATING_QUEUE);
	if (!pool_submit(j->operating, &o->work, j->server->loop, work, worked)) { /* else it is the pool's now */
		err_set(&o->err, ERR_BUSY, "too many orders wait already: try again");
		finish(o);
	}
}
