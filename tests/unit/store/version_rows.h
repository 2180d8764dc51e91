/* Versions put into a database by a test, past the state machine. */
#ifndef K3X_TESTS_UNIT_STORE_VERSION_ROWS_H
#define K3X_TESTS_UNIT_STORE_VERSION_ROWS_H

#include "store/machine/database/versions.h"
#include "tests/unit/unit.h"

/* In a block of its own. */
static inline void put_version(struct db *db, const struct version_row *v)
{
	struct version_writer w = {.db = db};
	struct err err = ERR_INIT;
	if (version_writer_add(&w, v, &err) != 0 || version_writer_end(&w, &err) != 0)
		fail_msg("%s", err.msg);
	version_writer_release(&w);
}

#endif
