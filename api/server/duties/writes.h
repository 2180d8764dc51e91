/* What a run of a duty has to write: gathered first, then sent one after the other as the server itself
 * (system:apiserver in system:masters), and then the duty is done. What somebody else has made, changed or deleted in
 * the meantime is no error: the next run looks again. One that is refused does not keep the others; when the store
 * does not answer, the rest waits for the next run. */
#ifndef K3X_API_SERVER_DUTIES_WRITES_H
#define K3X_API_SERVER_DUTIES_WRITES_H

#include "api/client/client.h"
#include "api/server/duties/duty_int.h"
#include "base/json/json.h"

struct write;

/* Embedded by who gathers; all of it on the server's loop. */
struct writes {
	struct duty_run *run;
	struct arena arena; /* lives until `done`: the place for what is gathered */
	struct err err;     /* the first failure; one that who gathers has set is told, and nothing is sent */
	/* the list's own */
	struct write *next, **end;
	struct client *client;
	struct client_request request;
	void (*done)(struct writes *w);
};

void writes_init(struct writes *w, struct duty_run *run);
/* `method` and `path` are kept, in the arena or constant; body NULL: none. A PATCH is a merge patch. */
void writes_add(struct writes *w, const char *method, const char *path, const struct json *body);
/* Sends them, ends the duty's run, and lets the arena go. Before that `done` (NULL: nothing is to be done) is called
 * with the final w->err, never from inside; it may free what `w` lies in. */
void writes_send(struct writes *w, void (*done)(struct writes *w));

#endif
