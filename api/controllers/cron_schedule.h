/* When a cron job is due. Pure: the time is passed in. Upstream: pkg/controller/cronjob/utils.go. */
#ifndef K3X_API_CONTROLLERS_CRON_SCHEDULE_H
#define K3X_API_CONTROLLERS_CRON_SCHEDULE_H

#include "base/time/cron.h"

enum { CRON_MISSED_MAX = 100 };

struct cron_schedule {
	struct cron cron;
	const struct zone *zone; /* NULL: the local one */
	int64_t created_s;
	int64_t last_s;     /* the newest time that was acted on; 0: none yet */
	int64_t deadline_s; /* how late a start may be; -1: any time */
};

struct cron_due {
	int64_t at_s;       /* the newest time that has come and was not acted on; 0: none */
	bool is_too_late;   /* its deadline is over */
	bool missed_many;   /* more than CRON_MISSED_MAX have come since */
	int64_t next_s;     /* when to look again; 0: never */
	const char *broken; /* why the schedule cannot be followed; NULL: it can. Static */
};

struct cron_due cron_schedule_due(const struct cron_schedule *s, int64_t now_s);

#endif
