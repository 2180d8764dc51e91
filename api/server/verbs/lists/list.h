/* What the files of LIST share, and the DELETE of a collection, which begins as a list. */
#ifndef K3X_API_SERVER_VERBS_LISTS_LIST_H
#define K3X_API_SERVER_VERBS_LISTS_LIST_H

#include "api/server/cache/object.h"
#include "api/server/call.h"
#include "store/engine.h"

/* The chosen objects, each with a reference. */
struct selection {
	struct object **objects;
	size_t count;
	size_t cap;
	struct slice next; /* key the next page starts with; empty: all was taken */
	int64_t remaining; /* objects from `next` on; -1: not known */
};

struct list {
	struct call *call;
	struct object_filter filter;
	int64_t limit;                  /* 0: none */
	int64_t revision;               /* of the answer */
	struct slice start;             /* key (namespace/name) to go on from */
	struct slice resumed;           /* the same, as the client's token had it */
	bool exact;                     /* from the store's history */
	void (*chosen)(struct list *l); /* what is done with the selection */
	struct selection selection;
	struct rcbuf *
	        *forms; /* of the selected objects, made one after the other, where a webhook knows them; else NULL */
	size_t forms_made;
	bool is_charged; /* for what is built, or it goes out by reference */
	struct store_request request;
};

/* Reads what the call's query asks for, waits until it can be told, and selects; then chosen(l), whose the selection
 * is, never from inside. What is wrong is answered. */
void list_choose(struct call *c, struct list *l, void (*chosen)(struct list *l));

/* ERR_INVAL unless it is an unsigned integer. */
int list_parse_version(struct slice text, int64_t *out, struct err *err);
/* A continue token; revision -1: of whatever is newest then. In the call's arena. */
struct slice list_make_continue(struct call *c, int64_t revision, struct slice next);
/* remainingItemCount cannot be told of a list that is selected from. */
bool list_has_selectors(const struct list *l);

/* Adds an object; the reference is taken over. */
void list_select(struct list *l, struct object *o);
void list_drop_selection(struct list *l);

/* What is to be built for the answer is taken account of, once. False: there is no room for it now, which is the call's
 * answer, and the selection is dropped (list_answer.c). */
bool list_charge(struct list *l);
/* Answers the call with the selection, whose references go with it (list_answer.c). */
void list_respond(struct list *l);

/* Lists from the store's history at l->revision, and answers (list_history.c). */
void list_from_history(struct list *l);

#endif
