/* Reading ranges of keys at the newest or an older revision, through a view. */
#ifndef K3X_STORE_MACHINE_READ_RANGE_H
#define K3X_STORE_MACHINE_READ_RANGE_H

#include "store/engine.h"
#include "store/machine/read/view.h"

/* Does the range, as etcd writes it (engine.h), have the key? */
bool store_range_has(const struct store_key_range *keys, struct slice key);

/* Walks the keys that live at `revision` (INT64_MAX: the newest, own writes included) in key order. Only one cursor per
 * view may be open, and nothing is written while it is. See range_cursor.c. */
struct range_cursor {
	struct store_view *view;
	struct store_key_range keys;
	int64_t id_max; /* newest row of interest */
	sqlite3_stmt *stmt;
	struct row db_row;
	bool has_db_row, is_db_over, is_done;
	const struct mem_node *at[2]; /* in each layer; NULL: at its end */
};

int range_open(struct range_cursor *c, struct store_view *v, const struct store_key_range *keys, int64_t revision,
        struct err *err);
int range_next(struct range_cursor *c, struct row *ret, struct err *err); /* 1 a row, 0 the end, negative error */
void range_close(struct range_cursor *c);
/* How many keys of the range live now, from `from` on. */
int range_count(
        struct store_view *v, const struct store_key_range *keys, struct slice from, int64_t *ret, struct err *err);

/* Is it a revision one can read? ERR_COMPACTED, ERR_FUTURE_REVISION. `revision` 0 is. */
int range_check_revision(const struct meta *m, int64_t revision, struct err *err);

/* Bytes that answering a range would take, at least: with `rows_more` rows beyond its limit. Stops once they are more
 * than bytes_max. */
int range_measure(struct store_view *v, const struct store_range *r, int64_t rows_more, size_t bytes_max,
        size_t *ret_bytes, struct err *err);

/* Answers a range; revision already checked. */
int range_eval(
        struct store_view *v, const struct store_range *r, struct store_result *res, struct arena *a, struct err *err);

/* Answers it when it is of one key, now, and memory knows that: no SQLite, any thread. False: it has to be read. */
bool range_eval_in_memory(
        const struct store_view *v, const struct store_range *r, struct store_result *res, struct arena *a);

#endif
