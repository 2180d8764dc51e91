/* jepsen/check_watch: every event once, in order, whole, without gaps. */
#include "tests/unit/jepsen/histories.h"

#define PUT_AT(key_, value_, mod, version_, create) \
	((struct history_item){.f = HISTORY_PUT, \
	        .key = (key_), \
	        .value = (value_), \
	        .prev = HISTORY_NIL, \
	        .mod_revision = (mod), \
	        .version = (version_), \
	        .create_revision = (create)})
#define DELETE_AT(key_, mod) \
	((struct history_item){.f = HISTORY_DELETE, \
	        .key = (key_), \
	        .value = HISTORY_NIL, \
	        .prev = HISTORY_NIL, \
	        .mod_revision = (mod), \
	        .version = HISTORY_NIL, \
	        .create_revision = HISTORY_NIL})
#define EVENTS(process, ...) R(process, OK, WATCH_EVENT, ITEMS(__VA_ARGS__))
#define PROGRESS(process, revision_) R(process, OK, WATCH_EVENT, o.revision = (revision_))

static void put(int process, const char *key, int64_t value, int64_t revision)
{
	R(process, INVOKE, PUT, o.key = key, o.value = value);
	R(process, OK, PUT, o.revision = revision);
}

static void watch(int process, int64_t from)
{
	R(process, INVOKE, WATCH, o.key = "k/", o.revision = from);
	R(process, OK, WATCH, o.revision = from);
}

/* Two puts, a transaction of two puts, a delete; process 9 watches from revision 2. */
static void begin_watch(void)
{
	begin("watch");
	put(0, "k/a", 1, 2);
	put(0, "k/b", 2, 3);
	R(0, INVOKE, TXN, ITEMS(HISTORY_ITEM_INIT(HISTORY_PUT, "k/a", 3), HISTORY_ITEM_INIT(HISTORY_PUT, "k/c", 4)));
	R(0, OK, TXN, o.revision = 4);
	R(0, INVOKE, DELETE, o.key = "k/b");
	R(0, OK, DELETE, o.value = 1, o.revision = 5);
	put(0, "other", 1, 6);
	watch(9, 2);
}

static void all_events_in_order_over_a_reconnect_are_valid(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3));
	watch(9, 4);
	EVENTS(9, PUT_AT("k/a", 3, 4, 2, 2), PUT_AT("k/c", 4, 4, 1, 4));
	EVENTS(9, DELETE_AT("k/b", 5));
	PROGRESS(9, 6);
	expect_valid("watch");
}

static void what_is_not_yet_covered_may_be_missing(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	expect_valid("watch");
}

static void an_acknowledged_write_must_be_sent(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	PROGRESS(9, 3);
	expect_invalid("watch", "missing event");
}

static void what_another_watcher_saw_must_be_sent(void **state)
{
	begin("watch");
	R(0, INVOKE, PUT, o.key = "k/a", o.value = 1);
	R(0, INFO, PUT);
	watch(8, 2);
	EVENTS(8, PUT_AT("k/a", 1, 2, 1, 2));
	watch(9, 2);
	PROGRESS(9, 2);
	expect_invalid("watch", "missing event");
}

static void an_event_twice_is_a_duplicate(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, HISTORY_NIL, HISTORY_NIL));
	EVENTS(9, PUT_AT("k/a", 1, 2, HISTORY_NIL, HISTORY_NIL));
	expect_invalid("watch", "duplicate event");
}

static void events_that_go_back_are_out_of_order(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/b", 2, 3, 1, 3));
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	expect_invalid("watch", "events out of order");
}

static void an_event_behind_a_progress_notification_is_out_of_order(void **state)
{
	begin_watch();
	PROGRESS(9, 3);
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	expect_invalid("watch", "events out of order");
}

static void a_transaction_in_two_responses_is_split(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3), PUT_AT("k/a", 3, 4, 2, 2));
	EVENTS(9, PUT_AT("k/c", 4, 4, 1, 4));
	expect_invalid("watch", "revision split");
}

static void an_event_from_before_the_start_is_wrong(void **state)
{
	begin_watch();
	watch(8, 3);
	EVENTS(8, PUT_AT("k/a", 1, 2, 1, 2));
	expect_invalid("watch", "event before the start");
}

static void resuming_too_late_leaves_a_gap(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	watch(9, 4);
	expect_invalid("watch", "gap over a reconnect");
}

static void a_compaction_excuses_the_gap(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	R(9, OK, WATCH_CANCEL, o.revision = 4);
	watch(9, 5);
	EVENTS(9, DELETE_AT("k/b", 5));
	expect_valid("watch");
}

static void a_version_follows_from_the_one_before(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3));
	EVENTS(9, PUT_AT("k/a", 3, 4, 3, 2), PUT_AT("k/c", 4, 4, 1, 4));
	expect_invalid("watch", "wrong version");
}

static void a_previous_value_is_that_of_the_event_before(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3));
	struct history_item item = PUT_AT("k/a", 3, 4, 2, 2);
	item.prev = 7;
	EVENTS(9, item, PUT_AT("k/c", 4, 4, 1, 4));
	expect_invalid("watch", "wrong previous value");
}

/* ---- generated: a store of a few keys, watchers that are cut off and resume, then one event goes wrong ---- */

enum { STORE_KEYS = 6, STORE_EVENTS_MAX = 400, WATCHERS = 3 };

static uint64_t seed;
static struct history_item log_[STORE_EVENTS_MAX];
static size_t log_count;

static unsigned roll(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static struct history_item *change(const char *key, enum history_f f, int64_t value, int64_t revision)
{
	struct history_item *e = &log_[log_count];
	*e = HISTORY_ITEM_INIT(f, key, value);
	e->mod_revision = e->create_revision = revision;
	e->version = 1;
	for (size_t i = log_count; i-- > 0;)
		if (strcmp(log_[i].key, key) == 0) {
			if (log_[i].f == HISTORY_PUT) {
				e->version = log_[i].version + 1;
				e->create_revision = log_[i].create_revision;
				e->prev = log_[i].value;
			}
			break;
		}
	log_count++;
	return e;
}

static void write_some(int64_t revision)
{
	static const char *const keys[STORE_KEYS] = {"k/a", "k/b", "k/c", "k/d", "k/e", "k/f"};
	unsigned k = roll(STORE_KEYS);
	bool exists = false;
	for (size_t i = 0; i < log_count; i++)
		if (strcmp(log_[i].key, keys[k]) == 0)
			exists = log_[i].f == HISTORY_PUT;
	if (roll(4) == 0 && exists) {
		change(keys[k], HISTORY_DELETE, HISTORY_NIL, revision);
		R(0, INVOKE, DELETE, o.key = keys[k]);
		R(0, OK, DELETE, o.revision = revision, o.value = 1);
	} else if (roll(4) == 0) {
		unsigned other = (k + 1) % STORE_KEYS;
		struct history_item *a = change(keys[k], HISTORY_PUT, revision * 2, revision);
		struct history_item *b = change(keys[other], HISTORY_PUT, revision * 2 + 1, revision);
		R(0, INVOKE, TXN, ITEMS(*a, *b));
		R(0, OK, TXN, o.revision = revision);
	} else {
		change(keys[k], HISTORY_PUT, revision * 2, revision);
		R(0, INVOKE, PUT, o.key = keys[k], o.value = revision * 2);
		R(0, OK, PUT, o.revision = revision);
	}
}

/* Sends a watcher some whole revisions, beginning with log_[at]. */
static size_t send(int process, size_t at)
{
	size_t end = at + roll(5);
	if (end > log_count)
		end = log_count;
	while (end > at && end < log_count && log_[end].mod_revision == log_[end - 1].mod_revision)
		end++;
	if (end == at)
		return at;
	R(process, OK, WATCH_EVENT, o.items = &log_[at], o.item_count = (uint32_t)(end - at));
	return end;
}

static void simulate(void)
{
	size_t at[WATCHERS] = {0};
	log_count = 0;
	for (int w = 0; w < WATCHERS; w++)
		watch(10 + w, 2);
	for (int64_t revision = 2; log_count + 2 < STORE_EVENTS_MAX / 2; revision++) {
		write_some(revision);
		int w = (int)roll(WATCHERS);
		at[w] = send(10 + w, at[w]);
		if (roll(15) == 0)
			watch(10 + w, at[w] ? log_[at[w] - 1].mod_revision + 1 : 2);
	}
	for (int w = 0; w < WATCHERS; w++) {
		while (at[w] < log_count)
			at[w] = send(10 + w, at[w]);
		PROGRESS(10 + w, log_[log_count - 1].mod_revision);
	}
}

static struct history_record *random_response(void)
{
	struct history_record *r;
	do
		r = &h.records[roll((unsigned)h.count)];
	while (r->f != HISTORY_WATCH_EVENT || !r->item_count);
	return r;
}

static void accepts_generated_watches_and_refuses_each_mutation(void **state)
{
	for (uint64_t s = 1; s <= 300; s++) {
		seed = s * 7919;
		begin("watch");
		history_set(&h, "prev_kv", "yes");
		simulate();
		struct history_record *r = random_response();
		struct history_item *items = (struct history_item *)r->items;
		switch (s % 4) {
		case 0: /* nothing went wrong */
			expect_valid("watch");
			continue;
		case 1: /* the first event is dropped */
			r->items++;
			r->item_count--;
			break;
		case 2: /* the last event is dropped */
			r->item_count--;
			break;
		default: /* an event is changed */
			items[roll(r->item_count)].mod_revision += 3;
			break;
		}
		expect_verdict("watch", CHECK_INVALID, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_events_in_order_over_a_reconnect_are_valid),
	        cmocka_unit_test(what_is_not_yet_covered_may_be_missing),
	        cmocka_unit_test(an_acknowledged_write_must_be_sent),
	        cmocka_unit_test(what_another_watcher_saw_must_be_sent),
	        cmocka_unit_test(an_event_twice_is_a_duplicate),
	        cmocka_unit_test(events_that_go_back_are_out_of_order),
	        cmocka_unit_test(an_event_behind_a_progress_notification_is_out_of_order),
	        cmocka_unit_test(a_transaction_in_two_responses_is_split),
	        cmocka_unit_test(an_event_from_before_the_start_is_wrong),
	        cmocka_unit_test(resuming_too_late_leaves_a_gap),
	        cmocka_unit_test(a_compaction_excuses_the_gap),
	        cmocka_unit_test(a_version_follows_from_the_one_before),
	        cmocka_unit_test(a_previous_value_is_that_of_the_event_before),
	        cmocka_unit_test(accepts_generated_watches_and_refuses_each_mutation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
