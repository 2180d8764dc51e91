/* The memory table: what has been applied and is not in SQLite yet.
 *
 * Two segments at most: the active one, to which the applying thread adds, and before it a frozen one that is being
 * moved to SQLite. What is beneath them is the database after so many flushes. See mem_table.c. */
#ifndef K3X_STORE_MACHINE_MEMORY_MEM_TABLE_H
#define K3X_STORE_MACHINE_MEMORY_MEM_TABLE_H

#include "store/machine/memory/mem_segment.h"
#include "store/machine/database/meta.h"

#include <pthread.h>

struct mem_table {
	pthread_mutex_t lock;
	struct mem_segment *active, *frozen;
	struct meta base;        /* of the database beneath */
	struct meta frozen_meta; /* after all that is in the frozen segment */
	struct meta meta;        /* after all that readers may see */
	int64_t change;          /* the number of the last change that readers may see */
};

/* A look at the table: the same for as long as it is held, whatever is added meanwhile. */
struct mem_view {
	struct mem_segment *layers[2]; /* newest first */
	unsigned n_layers;
	bool has_frozen;
	int64_t flushes; /* of the database that belongs beneath */
	struct meta meta;
	int64_t id_max, change_max; /* newest to be seen */
};

/* `meta` is that of the database. */
void mem_table_init(struct mem_table *t, const struct meta *meta);
void mem_table_release(struct mem_table *t);
/* Another database has taken the place of the one beneath: forgets everything. */
void mem_table_reset(struct mem_table *t, const struct meta *meta);

/* Readers may see everything up to here. The applying thread. */
void mem_table_publish(struct mem_table *t, const struct meta *meta, int64_t change);

/* The active segment becomes the frozen one. False: there is nothing in it that the database lacks, or a frozen one
 * still. Everything added is published; nobody adds meanwhile. */
bool mem_table_freeze(struct mem_table *t);
/* The frozen segment and what its meta is, for the thread that flushes; NULL: none. Borrowed until
 * mem_table_flushed(). */
struct mem_segment *mem_table_frozen(struct mem_table *t, struct meta *ret_meta);
/* The database has what was frozen. */
void mem_table_flushed(struct mem_table *t);

/* Any thread. What the table holds, and how far the database is behind it. */
struct mem_table_state {
	bool is_frozen, is_dirty; /* there is a frozen segment; there is something that the database lacks */
	size_t active_bytes, frozen_bytes;
	size_t data_bytes;     /* of keys and values, in both */
	int64_t applied_index; /* that readers see */
	int64_t flushed_index; /* that the database has */
	int64_t compacted, flushed_compacted;
};
void mem_table_state(struct mem_table *t, struct mem_table_state *ret);

/* Any thread. */
void mem_view_open(struct mem_view *v, struct mem_table *t);
void mem_view_close(struct mem_view *v);
/* The database beneath turned out to have what is frozen here. */
void mem_view_drop_frozen(struct mem_view *v);

#endif
