/* See retry.h. */
#include "node/ground/retry.h"

#include "base/check.h"

enum { TELL_MS = 60000 };

bool retry_failed(struct retry *r, const struct retry_rule *rule, uint64_t now_ms)
{
	CHECK(rule->first_ms > 0 && rule->first_ms <= rule->longest_ms);
	bool doubled_is_longest = r->pause_ms > rule->longest_ms / 2;
	r->pause_ms = !r->pause_ms ? rule->first_ms : doubled_is_longest ? rule->longest_ms : r->pause_ms * 2;
	r->failures++;
	r->not_before_ms = now_ms + r->pause_ms;
	if (r->told_ms && now_ms - r->told_ms < TELL_MS)
		return false;
	r->told_ms = now_ms ? now_ms : 1;
	return true;
}

void retry_succeeded(struct retry *r)
{
	r->pause_ms = r->failures = 0;
	r->not_before_ms = 0;
}

uint64_t retry_wait_ms(const struct retry *r, uint64_t now_ms)
{
	DCHECK(!r->failures || r->pause_ms);
	return r->not_before_ms > now_ms ? r->not_before_ms - now_ms : 0;
}
