/* See conn_join.h.
 *
 * A side that breaks takes the other with it, after what it had sent has gone out, for at most LINGER_MS. A side that
 * ends in order is over when the other has, too. */
#include "base/wire/conn_join.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { LINGER_MS = 5000 };

struct conn_join {
	struct conn *side[2];
	bool ended[2], closed[2];
	enum conn_join_end end;
	void (*done)(void *arg);
	void *arg;
};

static int side_of(const struct conn_join *j, const struct conn *c)
{
	return j->side[1] == c;
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct conn_join *j = arg;
	if (!conn_write(j->side[!side_of(j, c)], data, len))
		conn_read_pause(c);
}

static void on_drained(struct conn *c, void *arg)
{
	struct conn_join *j = arg;
	conn_read_resume(j->side[!side_of(j, c)]);
}

static void on_end(struct conn *c, const struct err *err, void *arg)
{
	struct conn_join *j = arg;
	int i = side_of(j, c);
	j->ended[i] = true;
	if (!err && j->end == CONN_JOIN_HALVES && !j->ended[!i]) {
		conn_shutdown(j->side[!i]);
		return;
	}
	conn_close(j->side[!i], LINGER_MS);
	conn_close(c, err ? 0 : LINGER_MS);
}

static void on_closed(struct conn *c, void *arg)
{
	struct conn_join *j = arg;
	j->closed[side_of(j, c)] = true;
	if (!j->closed[0] || !j->closed[1])
		return;
	void (*done)(void *) = j->done;
	void *done_arg = j->arg;
	free(j);
	if (done)
		done(done_arg);
}

struct conn_join *conn_join(struct conn *a, struct conn *b, enum conn_join_end end, void (*done)(void *arg), void *arg)
{
	static const struct conn_callbacks callbacks = {NULL, on_read, on_end, on_drained, on_closed};
	struct conn_join *j = xcalloc(1, sizeof *j);
	CHECK(conn_loop(a) == conn_loop(b));
	*j = (struct conn_join){.side = {a, b}, .end = end, .done = done, .arg = arg};
	conn_start(a, &callbacks, j);
	conn_start(b, &callbacks, j);
	return j;
}

void conn_join_cut(struct conn_join *j)
{
	for (int i = 0; i < 2; i++) /* one may have closed while the other still sends what it has */
		if (!j->closed[i])
			conn_close(j->side[i], 0);
}
