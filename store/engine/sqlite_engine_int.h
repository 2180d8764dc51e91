/* The sqlite engine's own part. See sqlite_engine.c. */
#ifndef K3X_STORE_ENGINE_SQLITE_ENGINE_INT_H
#define K3X_STORE_ENGINE_SQLITE_ENGINE_INT_H

#include "store/engine/core_int.h"

struct sqlite_engine {
	struct engine_core core; /* first */
	struct request_queue writes;
	pthread_t writer;
};

void *sqlite_engine_writer_main(void *arg);

#endif
