/* What an entry of a shared log holds. See log_entry.c. */
#ifndef K3X_STORE_ENGINE_LOG_ENTRY_INT_H
#define K3X_STORE_ENGINE_LOG_ENTRY_INT_H

#include "store/machine/command.h"

enum log_item_kind {
	LOG_ITEM_COMMAND = 1,    /* bytes of command.h */
	LOG_ITEM_LEAD = 2,       /* who wrote it leads from here on, when the term is `term`: the next begins */
	LOG_ITEM_BEAT = 3,       /* who wrote it leads in `term` and lives; its state after `index` had `hash` */
	LOG_ITEM_RESIGN = 4,     /* it leads in `term` no longer */
	LOG_ITEM_KEEP_ALIVE = 5, /* `lease` has its time again */
};

struct log_item {
	enum log_item_kind kind;
	struct slice command;
	uint64_t term, index, hash;
	int64_t lease;
};

void log_item_add(struct strbuf *plain, const struct log_item *item);

/* The items of an entry, packed when that makes them smaller. */
void log_entry_pack(struct strbuf *out, struct slice plain);

/* Takes an entry apart: zeroed before, released after; items point into it or into `bytes`. */
struct log_entry_reader {
	struct command_reader rest;
	char *unpacked;
};
int log_entry_open(struct log_entry_reader *r, struct slice bytes, struct err *err);
/* 1: an item; 0: that was the last; negative: broken. */
int log_entry_next(struct log_entry_reader *r, struct log_item *ret, struct err *err);
void log_entry_close(struct log_entry_reader *r);

#endif
