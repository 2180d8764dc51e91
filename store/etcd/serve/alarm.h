/* Alarms: what is said to be wrong with a member, kept in the system keyspace until somebody disarms it. */
#ifndef K3X_STORE_ETCD_SERVE_ALARM_H
#define K3X_STORE_ETCD_SERVE_ALARM_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdint.h>

enum etcd_alarm { ETCD_ALARM_NONE, ETCD_ALARM_NOSPACE, ETCD_ALARM_CORRUPT };

struct etcd_alarm_entry {
	uint64_t member_id;
	enum etcd_alarm alarm;
};

extern const char *const etcd_alarm_names[]; /* by enum etcd_alarm */

struct slice etcd_alarm_key(struct arena *a, uint64_t member_id, enum etcd_alarm alarm);
/* What a key of the system keyspace says about an alarm; false when it is about something else. */
bool etcd_alarm_parse(struct slice key, struct etcd_alarm_entry *ret);

#endif
