/* One request to an engine, waited for. Not on a loop or a thread that the engine needs. */
#ifndef K3X_STORE_ASK_H
#define K3X_STORE_ASK_H

#include "store/engine.h"

#include <semaphore.h>

/* Zeroed but for req's arguments before; q->req has the answer, which is the caller's to release
 * (store_request_release()). */
struct store_question {
	struct store_request req;
	sem_t done;
};

/* Returns q->req.err.code. */
int store_ask(struct engine *e, struct store_question *q);

#endif
