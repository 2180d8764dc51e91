/* Time zones by name, from the system's tz database: what a process-wide TZ cannot do when each caller has its own
 * zone. A zone is read once and then only asked, from any thread. */
#ifndef K3X_BASE_TIME_ZONE_H
#define K3X_BASE_TIME_ZONE_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct zone;

/* "Europe/Berlin", "Etc/UTC". In the arena. ERR_NOT_FOUND when the database has no such zone, ERR_INVAL when it is no
 * name of one, ERR_CORRUPT when its file is damaged. */
int zone_load(struct arena *a, struct slice name, struct zone **ret, struct err *err);
/* The same from a file's bytes (RFC 8536). */
int zone_parse(struct arena *a, struct slice data, struct zone **ret, struct err *err);
/* Seconds east of Greenwich at a Unix time. */
int32_t zone_offset_s(const struct zone *z, int64_t unix_s);

#endif
