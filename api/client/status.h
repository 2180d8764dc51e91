/* Reading the Status objects that servers answer errors with. */
#ifndef K3X_API_CLIENT_STATUS_H
#define K3X_API_CLIENT_STATUS_H

#include "base/err.h"
#include "base/mem/str.h"

/* Fills err from an HTTP status and the body of the answer: code by reason, then by status; the message is the Status'
 * own, or the start of the body when it is not a Status. Returns err->code, 0 for 2xx. */
int client_status_to_err(int http_status, struct slice body, struct err *err);

#endif
