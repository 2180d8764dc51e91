/* Whole states on their way from one server to another, beside the log: the leader's machine writes a copy of its state
 * to a file, the follower fetches it in chunks over a connection of its own, as fast as both can and no faster than the
 * limit, and goes on where it was when the connection breaks. Only then is the raft message that announced it handed to
 * libraft. See state_export.c and state_fetch.c. All on the raft loop; files are read and written on a pool. Private to
 * raft/. */
#ifndef K3X_RAFT_WIRE_STATE_STREAM_H
#define K3X_RAFT_WIRE_STATE_STREAM_H

#include "raft/wire/state_copy.h"
#include "raft/wire/state_frame.h"
#include "raft/wire/transport.h"

#include "base/rt/pool.h"

struct state_exporter;
struct state_exporter *state_exporter_new(struct loop *loop, struct pool *pool, const char *folder,
        uint64_t bytes_per_s, void (*copy)(void *arg, struct raft_state_copy *c), void *arg);
/* Serves a connection that was greeted. False: too many. */
bool state_exporter_serve(struct state_exporter *x, struct conn *c);
bool state_exporter_is_busy(const struct state_exporter *x); /* somebody is being served */
void state_exporter_close(struct state_exporter *x, void (*closed)(void *arg), void *arg);

struct state_fetcher;
/* fetched: the file `path` is whole, checked and synced; it is the callee's. */
struct state_fetcher *state_fetcher_new(struct loop *loop, struct pool *pool, struct transport *t, const char *path,
        void (*fetched)(void *arg, uint64_t index), void *arg);
/* Fetches a state of at least min_index from this server; one that is on its way from it already goes on. */
void state_fetcher_want(struct state_fetcher *f, uint64_t from, const char *address, uint64_t min_index);
void state_fetcher_tick(struct state_fetcher *f); /* now and then: connects again */
bool state_fetcher_progress(const struct state_fetcher *f, uint64_t *ret_got, uint64_t *ret_size);
void state_fetcher_close(struct state_fetcher *f, void (*closed)(void *arg), void *arg);

#endif
