/* One duty, as duties.c runs it and its file does it. */
#ifndef K3X_API_SERVER_DUTIES_DUTY_INT_H
#define K3X_API_SERVER_DUTIES_DUTY_INT_H

#include "api/server/state.h"
#include "base/err.h"

struct duty_run;

struct duty {
	const char *name;
	bool is_led;      /* for the server that leads; else every server has it */
	bool is_first;    /* done before requests are answered */
	bool is_later;    /* its first time comes when a period is over; else at once */
	bool is_compact;  /* its period is compact_interval_s, where that is set */
	unsigned every_s; /* 0: once, when it is taken over */
	/* Answers with duty_done(), never from inside. */
	void (*run)(struct duty_run *r);
	/* At the close; answers the same way. NULL: nothing is to be said. */
	void (*leave)(struct duty_run *r);
};

struct duty_run {
	struct api_server *server;
	const struct duty *duty;
	void *state; /* the duty's own, freed with free() at the end */
	bool is_out, was_done;
	uint64_t due_ms;
	struct duties *duties;
};

/* err.code 0: it is done until its time comes again. */
void duty_done(struct duty_run *r, const struct err *err);

/* The rows. */
void api_services_run(struct duty_run *r); /* api_services.c */
void bootstrap_run(struct duty_run *r);    /* bootstrap.c */
void claims_run(struct duty_run *r);       /* claims.c */
void compaction_run(struct duty_run *r);   /* compaction.c */
void endpoints_run(struct duty_run *r);    /* endpoints.c */
void endpoints_leave(struct duty_run *r);
void flow_status_run(struct duty_run *r);   /* flow_status.c */
void flows_run(struct duty_run *r);         /* flows.c */
void legacy_tokens_run(struct duty_run *r); /* legacy_tokens.c */
void roles_run(struct duty_run *r);         /* roles.c */

#endif
