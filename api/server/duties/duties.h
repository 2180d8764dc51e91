/* Duties: what a server does by itself, beside answering requests. Each has a name; most are for one holder, the server
 * that leads the store (store_leads()), and are taken over by whoever leads next.
 *
 * A duty is a row in duties.c and a file. It is run when its time has come, one run at a time, and says when it is
 * through; a run that fails is logged and tried again sooner. Leadership may be lost in the middle of a run, so every
 * duty must be safe to be done by two at once: it writes by compare-and-swap. API loop. */
#ifndef K3X_API_SERVER_DUTIES_DUTIES_H
#define K3X_API_SERVER_DUTIES_DUTIES_H

#include "base/err.h"

struct api_server;
struct duties;

struct duties *duties_new(struct api_server *s);

/* The cache is loaded: begins. `ready` is called once, when this server has done, or does not hold, what must be done
 * before requests are answered; err.code tells when that failed for a reason that time does not mend. */
void duties_start(struct duties *d, void (*ready)(void *arg, const struct err *err), void *arg);

/* Ends what runs, says goodbye where others should know, frees. The server still answers requests until `closed`. */
void duties_close(struct duties *d, void (*closed)(void *arg), void *arg);

#endif
