/* See cron_schedule.h. Times that were missed are not walked one by one, for there may be millions: from the distance
 * of the first two it is told how many there are about, and only the last few are looked at. */
#include "api/controllers/cron_schedule.h"

struct missed {
	int64_t since_s;  /* where the search began */
	int64_t newest_s; /* 0: none */
	int64_t count;    /* about so many */
	const char *broken;
};

static int64_t next_of(const struct cron_schedule *s, int64_t after_s)
{
	return cron_next_in(&s->cron, s->zone, after_s);
}

static struct missed find_missed(const struct cron_schedule *s, int64_t now_s, bool with_deadline)
{
	struct missed m = {.since_s = s->last_s ? s->last_s : s->created_s};
	if (with_deadline && s->deadline_s >= 0 && now_s - s->deadline_s > m.since_s)
		m.since_s = now_s - s->deadline_s;
	int64_t first = next_of(s, m.since_s), second = first ? next_of(s, first) : 0;
	if (!first) {
		m.broken = "it names a day that never comes";
		return m;
	}
	if (now_s < first)
		return m;
	if (!second || now_s < second) {
		m.newest_s = first;
		return m;
	}
	int64_t distance = second - first;
	m.count = (now_s - first) / distance + 1;
	/* Not all schedules are regular ("30 6-16/4 * * 1-5"): the further back, the more surely one is found. */
	for (int64_t back = 2; !m.newest_s; back *= 2) {
		bool is_all = back >= m.count;
		int64_t from_s = is_all ? first : first + (m.count - back) * distance;
		m.newest_s = is_all ? first : 0;
		for (int64_t t = next_of(s, from_s); t && t <= now_s; t = next_of(s, t))
			m.newest_s = t;
	}
	return m;
}

/* From the newest time that has come on, whatever its deadline. */
static int64_t look_again_s(const struct cron_schedule *s, int64_t now_s)
{
	struct missed m = find_missed(s, now_s, false);
	int64_t from_s = m.newest_s ? m.newest_s : m.count || m.broken ? now_s : m.since_s;
	return next_of(s, from_s);
}

struct cron_due cron_schedule_due(const struct cron_schedule *s, int64_t now_s)
{
	struct missed m = find_missed(s, now_s, true);
	struct cron_due due = {.at_s = m.newest_s, .broken = m.broken};
	if (m.broken)
		return due;
	due.missed_many = m.count > CRON_MISSED_MAX;
	due.is_too_late = due.at_s && s->deadline_s >= 0 && due.at_s + s->deadline_s < now_s;
	due.next_s = look_again_s(s, now_s);
	return due;
}
