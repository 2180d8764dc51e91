/* The store's own state machine under the simulator: SQLite files in memory, one per server, that fall back to what was
 * durable when the server crashes and are replaced when a state is installed. What each command does is held against a
 * simple model, and the hash after each entry against the other servers'. */
#ifndef K3X_TESTS_SIM_STORE_H
#define K3X_TESTS_SIM_STORE_H

#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_store;

/* fail: does not return. */
struct sim_store *sim_store_new(int id, void (*fail)(const char *what, const char *why));
void sim_store_free(struct sim_store *s);

/* What a simulation that died has left. */
void sim_store_remove(long pid, int servers);

/* Commands of an entry; what the store has already is passed over by the caller. */
void sim_store_apply(struct sim_store *s, uint64_t index, uint64_t term, const struct slice *commands, size_t n);
void sim_store_make_durable(struct sim_store *s);
void sim_store_fall_back(struct sim_store *s); /* to what was durable */
void sim_store_copy_from(struct sim_store *s, struct sim_store *other);
uint64_t sim_store_hash(const struct sim_store *s); /* of all that was applied */

/* A random command for the log. */
void sim_store_command(struct strbuf *out, uint64_t id, uint64_t (*random)(void));

#endif
