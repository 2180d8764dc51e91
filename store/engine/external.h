/* A datastore outside of this server, by its name: see docs/datastores.md. */
#ifndef K3X_STORE_ENGINE_EXTERNAL_H
#define K3X_STORE_ENGINE_EXTERNAL_H

#include "store/engine.h"
#include "store/engine/shared_log.h"

struct external_options {
	const char *endpoint;                              /* as --datastore-endpoint has it */
	const char *ca_file, *certificate_file, *key_file; /* PEM; NULL: none */
	const char *data_dir;                              /* of this server's copy; made when it is not there */
	/* 0: as log_engine.h says */
	unsigned connect_wait_ms, request_ms;
	int64_t snapshot_entries;
};

/* Opens it and blocks until this server has its state. Errors name what is wrong, and never a password. ERR_INVAL: the
 * name; ERR_UNIMPLEMENTED: a library is missing; ERR_UNAUTHENTICATED, ERR_FORBIDDEN; ERR_UNAVAILABLE: not reached. */
int external_engine_open(const struct external_options *o, struct engine **ret, struct err *err);

/* The log alone, not connected; data_dir is not looked at. Who opens it frees it. */
int external_log_open(const struct external_options *o, struct shared_log **ret, struct err *err);

/* Does this name a datastore, or a file? */
bool external_is_name(const char *text);

#endif
