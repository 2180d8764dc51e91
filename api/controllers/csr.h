/* Requests for certificates, as their controllers see them. Pure, any thread. */
#ifndef K3X_API_CONTROLLERS_CSR_H
#define K3X_API_CONTROLLERS_CSR_H

#include "base/json/json.h"

/* A condition of the type that is True. */
bool csr_has(const struct json *object, const char *type);

/* Adds one, with its times, to the object's status. */
void csr_say(struct arena *a, struct json *object, const char *type, const char *reason, const char *message);

/* When (Unix time) the request is over and goes: pending ones a day after they came, those that were decided an hour
 * after that, and all whose certificate has ended. INT64_MAX: its certificate's end is not known. */
int64_t csr_ends_at(struct arena *a, const struct json *object);

#endif
