/* See refusals.h. */
#include "raft/wire/refusals.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

static struct refusal *find(struct refusals *r, const char *text)
{
	struct refusal *oldest = &r->at[0];
	for (struct refusal *x = r->at; x < r->at + REFUSALS_KEPT; x++) {
		if (strcmp(x->text, text) == 0)
			return x;
		if (x->noted_ms < oldest->noted_ms)
			oldest = x;
	}
	*oldest = (struct refusal){0};
	memcpy(oldest->text, text, sizeof oldest->text);
	return oldest;
}

static bool may_say(struct refusals *r, uint64_t now_ms)
{
	if (!r->minute_ms || now_ms - r->minute_ms >= REFUSAL_SAID_EVERY_MS) {
		r->minute_ms = now_ms;
		r->n_said = 0;
	}
	return r->n_said < REFUSALS_SAID_MAX;
}

bool refusals_note(struct refusals *r, const char *who, const char *why, uint64_t now_ms, uint64_t *ret_times)
{
	char text[REFUSAL_BYTES_MAX] = "";
	snprintf(text, sizeof text, "%s %s", who, why);
	struct refusal *x = find(r, text);
	x->noted_ms = now_ms;
	x->unsaid++;
	if (x->said_ms && now_ms - x->said_ms < REFUSAL_SAID_EVERY_MS)
		return false;
	if (!may_say(r, now_ms))
		return false;
	r->n_said++;
	CHECK(x->unsaid >= 1 && r->n_said <= REFUSALS_SAID_MAX);
	*ret_times = x->unsaid;
	x->said_ms = now_ms;
	x->unsaid = 0;
	return true;
}
