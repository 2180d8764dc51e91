/* The arithmetic of controller revisions, the history that daemon sets and stateful sets keep of their templates: what
 * a revision holds, which one is the present template's, which ones are too many. Pure: no API, no clock. */
#ifndef K3X_API_CONTROLLERS_REVISIONS_H
#define K3X_API_CONTROLLERS_REVISIONS_H

#include "api/client/meta.h"

struct revision {
	struct meta meta;
	struct json *data;
	int64_t number;
	struct slice hash; /* label of the pods that were made from it, as its owner's kind writes it */
	bool is_live;      /* set by the owner before revisions_excess(): pods or the status name it */
	bool is_doomed;    /* set by revisions_excess() */
};

/* {"spec":{"template":{..., "$patch":"replace"}}}: as a strategic merge patch it brings the template back, which is
 * what `kubectl rollout undo` does with it. */
struct json *revisions_data(struct arena *a, const struct json *template);
/* The template that a revision holds, in the arena; NULL when there is none. */
struct json *revisions_template(struct arena *a, const struct json *data);
/* Oldest first: by number, then by age, then by name. */
void revisions_sort(struct revision *list, size_t n);
/* The newest of a sorted list that holds these data; NULL: none. */
struct revision *revisions_find(struct revision *list, size_t n, const struct json *data);
/* The number a new revision gets. */
int64_t revisions_next(const struct revision *list, size_t n);
/* Marks the oldest of those that are neither live nor `fresh` until `limit` of them are left. The number of marks. */
size_t revisions_excess(struct revision *list, size_t n, const struct revision *fresh, int64_t limit);

#endif
