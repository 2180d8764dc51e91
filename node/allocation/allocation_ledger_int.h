/* What each container was given. Pure. */
#ifndef K3X_NODE_ALLOCATION_ALLOCATION_LEDGER_INT_H
#define K3X_NODE_ALLOCATION_ALLOCATION_LEDGER_INT_H

#include "base/json/json.h"

struct allocation {
	char *uid, *container;
	char *given; /* resources as JSON: {"requests": ..., "limits": ...} */
	char *told;  /* the same as the runtime was told last; NULL: it was not yet */
};

struct allocation_ledger {
	struct allocation *list;
	size_t count;
};

void allocation_ledger_release(struct allocation_ledger *l);
struct allocation *allocation_ledger_of(const struct allocation_ledger *l, const char *uid, struct slice container);
/* resources NULL: none are asked for. */
struct allocation *allocation_ledger_give(
        struct allocation_ledger *l, const char *uid, struct slice container, const struct json *resources);
void allocation_tell(struct allocation *g, const struct json *resources);
bool allocation_ledger_give_back(struct allocation_ledger *l, const char *uid); /* true: it had some */

/* As JSON, and back. ERR_INVAL: garbage. */
void allocation_ledger_write(const struct allocation_ledger *l, struct strbuf *out);
int allocation_ledger_read(struct allocation_ledger *l, struct slice text, struct err *err);

#endif
