/* Alarms as keys of the system keyspace: "alarm/MEMBER/NAME". */
#include "store/etcd/serve/alarm.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const etcd_alarm_names[] = {"NONE", "NOSPACE", "CORRUPT"};

struct slice etcd_alarm_key(struct arena *a, uint64_t member_id, enum etcd_alarm alarm)
{
	return slice_of(arena_printf(a, "alarm/%016" PRIx64 "/%s", member_id, etcd_alarm_names[alarm]));
}

bool etcd_alarm_parse(struct slice key, struct etcd_alarm_entry *ret)
{
	char text[64] = "", name[16] = "";
	if (!slice_starts(key, "alarm/") || key.len >= sizeof text)
		return false;
	memcpy(text, key.ptr, key.len);
	if (sscanf(text, "alarm/%16" SCNx64 "/%15s", &ret->member_id, name) != 2)
		return false;
	for (int i = ETCD_ALARM_NOSPACE; i <= ETCD_ALARM_CORRUPT; i++)
		if (strcmp(name, etcd_alarm_names[i]) == 0) {
			ret->alarm = (enum etcd_alarm)i;
			return true;
		}
	return false;
}
