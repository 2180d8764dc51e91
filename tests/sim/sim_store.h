/* The store's own state machine under the simulator: a memory table over SQLite files (in memory, too), one per server.
 * It is frozen, flushed and compacted at random; a crash takes what is in the table, and cuts the write-ahead log at
 * any byte after what was synced; a state that is installed takes the place of all. What each command does is held
 * against a simple model, and the hash after each entry against the other servers'. */
#ifndef K3X_TESTS_SIM_STORE_H
#define K3X_TESTS_SIM_STORE_H

#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_store;

/* fail: does not return. */
struct sim_store *sim_store_new(int id, void (*fail)(const char *what, const char *why), uint64_t (*random)(void));
void sim_store_free(struct sim_store *s);

/* What a simulation that died has left. */
void sim_store_remove(long pid, int servers);

/* Commands of an entry; what the store has already is passed over by the caller. */
void sim_store_apply(struct sim_store *s, uint64_t index, uint64_t term, const struct slice *commands, size_t n);
/* Flushes all of it and syncs. */
void sim_store_make_durable(struct sim_store *s);
uint64_t sim_store_crash(struct sim_store *s); /* the index that the store has after it */
void sim_store_copy_from(struct sim_store *s, struct sim_store *other);
uint64_t sim_store_hash(const struct sim_store *s); /* of all that was applied */

/* A random command for the log. */
void sim_store_command(struct strbuf *out, uint64_t id, uint64_t (*random)(void));

#endif
