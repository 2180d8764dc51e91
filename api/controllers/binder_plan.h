/* What the binder does next for a claim, or for a volume: one write, or nothing. Pure: the world is asked through a
 * table of functions, so that tests play it in memory and stop it between any two writes. */
#ifndef K3X_API_CONTROLLERS_BINDER_PLAN_H
#define K3X_API_CONTROLLERS_BINDER_PLAN_H

#include "api/machinery/rules/volume_binding.h"

/* Objects are answered as text, SLICE_NULL when there is none; the text lives until the step was read. */
struct binder_world {
	void *arg;
	struct slice (*claim)(void *arg, struct slice ns, struct slice name);
	struct slice (*volume)(void *arg, struct slice name);
	struct slice (*storage_class)(void *arg, struct slice name);
	struct slice (*default_class)(void *arg); /* the name of the newest default; empty: none */
	/* Offers every volume that may fit. */
	void (*offer)(void *arg, struct volume_search *s);
	/* Names of pods without a node that use the claim, joined by commas; *count is how many. */
	const char *(*waiting_pods)(void *arg, struct arena *a, const struct claim_view *c, size_t *count);
};

enum binder_step_kind {
	BINDER_DONE,         /* nothing to write */
	BINDER_CLAIM,        /* write `object`, a claim */
	BINDER_CLAIM_STATUS, /* its status */
	BINDER_VOLUME,
	BINDER_VOLUME_STATUS,
	BINDER_ASK_CLAIM,  /* the claim of the volume is not known: ask the API server, then plan again */
	BINDER_WAKE_CLAIM, /* the claim of the volume has to be looked at */
};

/* To be told when the write went well, or at once when there is none. */
struct binder_event {
	bool about_volume; /* else the claim */
	bool is_warning;
	const char *reason, *message;
};

struct binder_step {
	enum binder_step_kind kind;
	struct json *object;
	struct binder_event events[2];
	size_t n_events;
};

/* `now` is the time as RFC 3339. */
struct binder_step binder_plan_claim(
        const struct binder_world *w, struct arena *a, const struct claim_view *c, const char *now);
/* `claim_is_gone`: the API server was asked for the volume's claim, and it is not there, or another of its name. */
struct binder_step binder_plan_volume(const struct binder_world *w, struct arena *a, const struct volume_view *v,
        bool claim_is_gone, const char *now);

#endif
