/* Who leads, said in the log. A server that takes the lead writes an entry that names the term it was in: the first of
 * such entries in the log begins the next term, and all others of that term mean nothing. Every server reads the same
 * log, so there is one leader in every term, and whatever a former one still sends for its term (term_expected, expired
 * leases) is void.
 *
 *     not leading --silence of four beats, or who led has resigned, or it was this server itself--> asks
 *     asks --its entry was the first--> leads --another term begins--> not leading
 *
 * Who leads says so with every beat, in an entry it sends anyway or in one of its own. Silence is counted by each
 * server's own clock, and only while the log is within reach: when it was away nobody could be heard. Who can't reach
 * the log for as long stops acting as a leader by itself. The file "led" says which term this server led last, so that
 * a server that is started again does not wait for itself. */
#include "store/engine/log_engine_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pki/pki.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SILENT_BEATS = 4 };

static uint64_t term(struct log_engine *e)
{
	return (uint64_t)e->core.machine.meta.applied_term;
}

static bool is_leader(struct log_engine *e)
{
	return e->leader == e->origin;
}

/* Of one server longer than of another, so that not all ask at once. */
static uint64_t silence_ms(struct log_engine *e)
{
	return (uint64_t)e->options.beat_ms * SILENT_BEATS + e->origin % e->options.beat_ms;
}

/* ---- the file ---- */

static void note_led(struct log_engine *e)
{
	struct err err = ERR_INIT;
	char text[24], *path = xprintf("%s/led", e->data_dir);
	int n = snprintf(text, sizeof text, "%" PRIu64 "\n", term(e));
	if (pki_file_write(path, (struct slice){text, (size_t)n}, 0600, &err) != 0)
		log_warn("store", "not noted that this server leads", "error=\"%s\"", err.msg);
	free(path);
}

static uint64_t noted_term(struct log_engine *e)
{
	struct err err = ERR_INIT;
	uint64_t was = 0;
	size_t len;
	char *text, *path = xprintf("%s/led", e->data_dir);
	if (pki_file_read(path, &text, &len, &err) == 0) {
		was = strtoull(text, NULL, 10);
		free(text);
	}
	free(path);
	return was;
}

void log_role_open(struct log_engine *e)
{
	LOG_CHECK_OWNER(e);
	e->led_before = term(e) == 0 || noted_term(e) == term(e);
	e->heard_ms = clock_mono_ms();
}

void log_role_connected(struct log_engine *e)
{
	LOG_CHECK_OWNER(e);
	e->heard_ms = clock_mono_ms();
}

/* ---- what the log says ---- */

static void begin_term(struct log_engine *e, uint64_t origin)
{
	e->core.machine.meta.applied_term++;
	e->leader = origin;
	e->is_vacant = e->led_before = false;
	e->heard_ms = clock_mono_ms();
}

void log_role_heard(struct log_engine *e, uint64_t origin, const struct log_item *item)
{
	LOG_CHECK_OWNER(e);
	if (item->kind == LOG_ITEM_LEAD && origin == e->origin)
		e->wants_lead = false;
	if (item->term != term(e))
		return;
	if (item->kind == LOG_ITEM_LEAD) {
		begin_term(e, origin);
	} else if (item->kind == LOG_ITEM_BEAT) {
		e->leader = origin;
		e->is_vacant = e->led_before = false;
		e->heard_ms = clock_mono_ms();
	} else if (item->kind == LOG_ITEM_RESIGN) {
		e->leader = 0;
		e->is_vacant = true;
	}
}

/* For everybody to see. A leader that does not reach the log for long may have been followed by another. */
void log_role_show(struct log_engine *e)
{
	uint64_t now = clock_mono_ms();
	LOG_CHECK_OWNER(e);
	bool silent = now - e->heard_ms > (uint64_t)e->options.beat_ms * (SILENT_BEATS - 1);
	uint64_t led = is_leader(e) && !silent ? term(e) : 0;
	atomic_store(&e->is_led, e->leader && now - e->heard_ms <= silence_ms(e));
	atomic_store(&e->shown_term, term(e));
	if (atomic_exchange(&e->led_term, led) == led)
		return;
	lessor_rest(&e->core.lessor, true); /* each lease gets its whole time again when it begins to count */
	lessor_rest(&e->core.lessor, led == 0);
	log_info("store", led ? "leading" : "following", "term=%" PRIu64, term(e));
	if (led)
		note_led(e);
}

/* ---- what this server has to say ---- */

static bool is_stopping(struct log_engine *e)
{
	pthread_mutex_lock(&e->lock);
	bool stopping = e->stopping;
	pthread_mutex_unlock(&e->lock);
	return stopping;
}

static bool wants_to_lead(struct log_engine *e)
{
	if (e->wants_lead || is_leader(e))
		return false;
	return e->is_vacant || e->led_before || clock_mono_ms() - e->heard_ms >= silence_ms(e);
}

static bool is_beat_due(struct log_engine *e)
{
	return is_leader(e) && clock_mono_ms() - e->beaten_ms >= e->options.beat_ms;
}

bool log_role_has_to_say(struct log_engine *e)
{
	if (is_stopping(e))
		return is_leader(e);
	return is_beat_due(e) || wants_to_lead(e);
}

bool log_role_say(struct log_engine *e, struct strbuf *plain)
{
	struct log_item item = {.term = term(e)};
	LOG_CHECK_OWNER(e);
	CHECK(!e->flight.is_out);
	if (is_stopping(e) && is_leader(e) && list_empty(&e->writes)) {
		item.kind = LOG_ITEM_RESIGN;
	} else if (is_stopping(e)) {
		return false;
	} else if (wants_to_lead(e)) {
		item.kind = LOG_ITEM_LEAD;
		e->wants_lead = true;
	} else if (is_beat_due(e)) {
		item.kind = LOG_ITEM_BEAT;
		item.index = (uint64_t)log_applied(e);
		item.hash = e->core.machine.meta.hash;
		e->beaten_ms = clock_mono_ms();
	} else {
		return false;
	}
	log_item_add(plain, &item);
	return true;
}

unsigned log_role_wait_ms(struct log_engine *e)
{
	uint64_t now = clock_mono_ms(), at;
	if (is_leader(e))
		at = e->beaten_ms + e->options.beat_ms;
	else
		at = e->heard_ms + silence_ms(e);
	return at > now ? (unsigned)(at - now) : 0;
}
