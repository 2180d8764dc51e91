/* The pages of a database, one after the other, looked at as they go by. See page_check.c. */
#ifndef K3X_STORE_SNAPSHOT_PAGE_CHECK_INT_H
#define K3X_STORE_SNAPSHOT_PAGE_CHECK_INT_H

#include "store/machine/database/page_file.h"

#include "base/err.h"

struct page_check {
	int64_t number; /* the page that came last, from 1 */
	/* What page 1 says: pages carry checksums; maps tell what each is for. Without both nothing else is known here.
	 */
	bool has_sums, has_maps;
	uint32_t pages, free;
	uint32_t n_free; /* of those that went by */
	char map[PAGE_BYTES];
};

/* Zeroed before its first use. ERR_CORRUPT names the page and what is wrong. */
int page_check_next(struct page_check *c, const char *page, struct err *err);
/* There are no more: do the numbers of page 1 fit? */
int page_check_end(const struct page_check *c, struct err *err);

#endif
