/* Watch: many watches on one stream: making and ending them, filters, previous pairs, where they begin, fragments,
 * progress, and a client that does not read. */
#include "tests/unit/store/etcd/rpc_fixture.h"

#include <time.h>

typedef Etcdpb__WatchResponse answer; /* it is named in every line */

static struct rpc_stream *stream;

static struct rpc_stream *open_stream(void)
{
	return stream = rpc_stream_open("Watch/Watch", &etcdpb__watch_response__descriptor);
}

static Etcdpb__WatchCreateRequest watch_of(const char *key, const char *end, int64_t from)
{
	Etcdpb__WatchCreateRequest r = ETCDPB__WATCH_CREATE_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(key));
	r.range_end = etcd_bytes(slice_of(end));
	r.start_revision = from;
	return r;
}

static void create(Etcdpb__WatchCreateRequest r)
{
	Etcdpb__WatchRequest m = ETCDPB__WATCH_REQUEST__INIT;
	m.request_case = ETCDPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
	m.create_request = &r;
	rpc_stream_send(stream, &m.base);
}

/* Makes a watch; its answer. */
static answer *created(Etcdpb__WatchCreateRequest r)
{
	create(r);
	answer *m = rpc_stream_next(stream);
	assert_true(m->created);
	return m;
}

static void cancel(int64_t id)
{
	Etcdpb__WatchRequest m = ETCDPB__WATCH_REQUEST__INIT;
	Etcdpb__WatchCancelRequest r = ETCDPB__WATCH_CANCEL_REQUEST__INIT;
	r.watch_id = id;
	m.request_case = ETCDPB__WATCH_REQUEST__REQUEST_CANCEL_REQUEST;
	m.cancel_request = &r;
	rpc_stream_send(stream, &m.base);
}

static void ask_for_progress(void)
{
	Etcdpb__WatchRequest m = ETCDPB__WATCH_REQUEST__INIT;
	Etcdpb__WatchProgressRequest r = ETCDPB__WATCH_PROGRESS_REQUEST__INIT;
	m.request_case = ETCDPB__WATCH_REQUEST__REQUEST_PROGRESS_REQUEST;
	m.progress_request = &r;
	rpc_stream_send(stream, &m.base);
}

/* "+a=1@2 -b@3 ": puts and deletions with their revisions, and what was there before in brackets. */
static const char *events_of(const answer *m)
{
	struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; i < m->n_events; i++) {
		const Etcdpb__Event *e = m->events[i];
		bool is_put = e->type == ETCDPB__EVENT__TYPE__PUT;
		strbuf_addf(&text, "%s%.*s", is_put ? "+" : "-", SLICE_FMT(etcd_slice(e->kv->key)));
		if (is_put)
			strbuf_addf(&text, "=%.*s", SLICE_FMT(etcd_slice(e->kv->value)));
		strbuf_addf(&text, "@%d", (int)e->kv->mod_revision);
		if (e->prev_kv)
			strbuf_addf(&text, "[%.*s]", SLICE_FMT(etcd_slice(e->prev_kv->value)));
		strbuf_addc(&text, ' ');
	}
	const char *kept = arena_strdup(rpc_arena(), strbuf_cstr(&text));
	strbuf_release(&text);
	return kept;
}

/* As many events of a watch as there are in `want`, in however many answers. */
static void expect(int64_t id, const char *want)
{
	struct strbuf got = STRBUF_INIT;
	while (got.len < strlen(want)) {
		answer *m = rpc_stream_next(stream);
		assert_int_equal(m->watch_id, id);
		assert_false(m->canceled);
		strbuf_adds(&got, events_of(m));
	}
	assert_string_equal(strbuf_cstr(&got), want);
	strbuf_release(&got);
}

static void delete (const char *key)
{
	Etcdpb__DeleteRangeRequest d = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	d.key = etcd_bytes(slice_of(key));
	rpc_ok("KV/DeleteRange", &d.base, &etcdpb__delete_range_response__descriptor);
}

/* Revision 2: a=1, 3: b=1, 4: a=2, 5: a goes. */
static void fill(void)
{
	rpc_put("a", "1");
	rpc_put("b", "1");
	rpc_put("a", "2");
	delete ("a");
}

static void what_a_watch_sees(void **state)
{
	static const struct {
		const char *key, *end;
		int64_t from;
		bool prev_kv;
		int filter; /* -1: none */
		const char *events;
	} rows[] = {
	        {"a", "", 1, false, -1, "+a=1@2 +a=2@4 -a@5 "},
	        {"a", "", 4, false, -1, "+a=2@4 -a@5 "},
	        {"a", "", 1, true, -1, "+a=1@2 +a=2@4[1] -a@5[2] "},
	        {"a", "c", 1, false, -1, "+a=1@2 +b=1@3 +a=2@4 -a@5 "},
	        {"a", "c", 1, false, ETCDPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NOPUT, "-a@5 "},
	        {"a", "c", 3, false, ETCDPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NODELETE, "+b=1@3 +a=2@4 "},
	};
	open_stream();
	fill();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		Etcdpb__WatchCreateRequest r = watch_of(rows[i].key, rows[i].end, rows[i].from);
		Etcdpb__WatchCreateRequest__FilterType filter = (Etcdpb__WatchCreateRequest__FilterType)rows[i].filter;
		r.prev_kv = rows[i].prev_kv;
		r.filters = &filter;
		r.n_filters = rows[i].filter >= 0;
		int64_t id = created(r)->watch_id;
		expect(id, rows[i].events);
		cancel(id);
		assert_true(((answer *)rpc_stream_next(stream))->canceled);
	}
}

static void keys_without_an_end_and_without_a_key(void **state)
{
	Etcdpb__WatchCreateRequest all = watch_of("", "", 1), from = watch_of("b", "", 1);
	open_stream();
	fill();
	all.range_end = from.range_end = etcd_bytes(SLICE("\0"));
	expect(created(from)->watch_id, "+b=1@3 ");
	cancel(0);
	rpc_stream_next(stream);
	expect(created(all)->watch_id, "+a=1@2 +b=1@3 +a=2@4 -a@5 ");
}

static void a_watch_from_now_on_and_one_from_later(void **state)
{
	open_stream();
	rpc_put("a", "1");
	assert_int_equal(created(watch_of("a", "", 0))->header->revision, 2);
	created(watch_of("a", "", 4));
	rpc_put("a", "2");
	expect(0, "+a=2@3 ");
	rpc_put("a", "3");
	answer *one = rpc_stream_next(stream), *two = rpc_stream_next(stream);
	assert_int_equal(one->watch_id + two->watch_id, 1); /* each its own */
	assert_string_equal(events_of(one), "+a=3@4 ");
	assert_string_equal(events_of(two), "+a=3@4 ");
}

static void a_transaction_is_one_answer(void **state)
{
	Etcdpb__LeaseRevokeRequest r = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	open_stream();
	created(watch_of("a", "z", 0));
	rpc_grant(7, 100);
	rpc_put_under("b", 7);
	rpc_put_under("a", 7);
	expect(0, "+b=@2 +a=@3 ");
	r.id = 7;
	rpc_ok("Lease/LeaseRevoke", &r.base, NULL);
	assert_string_equal(events_of(rpc_stream_next(stream)), "-a@4 -b@4 ");
}

/* ---- ids, ends ---- */

static void ids_are_chosen_or_named(void **state)
{
	open_stream();
	Etcdpb__WatchCreateRequest r = watch_of("a", "", 0), named = r;
	named.watch_id = 1;
	assert_int_equal(created(r)->watch_id, 0);
	assert_int_equal(created(named)->watch_id, 1);
	assert_int_equal(created(r)->watch_id, 2); /* 1 is taken */
	answer *m = created(named);
	assert_true(m->canceled);
	assert_int_equal(m->watch_id, -1);
	assert_string_equal(m->cancel_reason, "mvcc: duplicate watch ID provided on the WatchStream");
}

static void a_watch_that_was_ended_sends_no_more(void **state)
{
	open_stream();
	created(watch_of("a", "", 0));
	created(watch_of("a", "", 0));
	cancel(0);
	answer *m = rpc_stream_next(stream);
	assert_true(m->canceled && !m->created && m->watch_id == 0);
	assert_string_equal(m->cancel_reason, "");
	cancel(0); /* no second answer */
	cancel(99);
	rpc_put("a", "1");
	expect(1, "+a=1@2 ");
	assert_int_equal(rpc_stream_waiting(stream), 0);
}

static void history_that_is_compacted_ends_a_watch(void **state)
{
	Etcdpb__CompactionRequest r = ETCDPB__COMPACTION_REQUEST__INIT;
	open_stream();
	fill();
	r.revision = 4;
	rpc_ok("KV/Compact", &r.base, NULL);
	created(watch_of("a", "", 3));
	answer *m = rpc_stream_next(stream);
	assert_true(m->canceled);
	assert_int_equal(m->compact_revision, 4);
	assert_int_equal(m->header->revision, 0);
	assert_string_equal(m->cancel_reason, "");
	expect(created(watch_of("a", "", 4))->watch_id, "+a=2@4 -a@5 "); /* exactly there is early enough */
}

/* ---- progress ---- */

static void progress_is_told_for_the_whole_stream(void **state)
{
	open_stream();
	fill();
	ask_for_progress(); /* without any watch, where etcd says nothing */
	answer *m = rpc_stream_next(stream);
	assert_true(m->watch_id == -1 && m->header->revision == 5 && m->n_events == 0);
	expect(created(watch_of("a", "", 1))->watch_id, "+a=1@2 +a=2@4 -a@5 ");
	rpc_put("other", "1");
	ask_for_progress();
	m = rpc_stream_next(stream);
	assert_true(m->watch_id == -1 && m->header->revision == 6 && m->n_events == 0);
}

static void quiet_watches_are_told_when_they_asked_for_it(void **state)
{
	struct etcd_service_options o = {.progress_ms = 1};
	rpc_open(&o);
	open_stream();
	Etcdpb__WatchCreateRequest r = watch_of("a", "", 0);
	created(r);
	r.progress_notify = true;
	created(r);
	rpc_put("b", "1");
	for (int i = 0; i < 2; i++) { /* once a second */
		answer *m = rpc_stream_next(stream);
		assert_true(m->watch_id == 1 && m->n_events == 0 && m->header->revision == 2);
	}
	rpc_close();
}

/* ---- large answers ---- */

enum { LARGE = 1000000, N_LARGE = 4 };

static void fill_large(int64_t lease)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.value = (ProtobufCBinaryData){LARGE, arena_zalloc(rpc_arena(), LARGE)};
	r.lease = lease;
	for (int i = 0; i < N_LARGE; i++) {
		r.key = etcd_bytes(slice_of(arena_printf(rpc_arena(), "large/%d", i)));
		rpc_ok("KV/Put", &r.base, NULL);
	}
}

/* All pairs of a lease end in one revision: with their previous pairs more than a client may take in one message. */
static void answers_come_in_fragments_when_they_may(void **state)
{
	Etcdpb__LeaseRevokeRequest end = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	open_stream();
	fill_large(rpc_grant(7, 1000));
	Etcdpb__WatchCreateRequest r = watch_of("large/", "large0", 0);
	r.prev_kv = true;
	created(r);
	end.id = 7;
	rpc_ok("Lease/LeaseRevoke", &end.base, NULL);
	answer *m = rpc_stream_next(stream);
	assert_true(m->n_events == N_LARGE && !m->fragment);
	rpc_stream_cancel(stream);
	open_stream();
	r.fragment = true;
	r.start_revision = m->header->revision;
	created(r);
	size_t n = 0, answers = 0;
	do {
		m = rpc_stream_next(stream);
		n += m->n_events;
		answers++;
		assert_int_equal(m->fragment, n < N_LARGE); /* the last one says so */
		assert_true(m->n_events <= 2);
	} while (n < N_LARGE);
	assert_int_equal(answers, 2);
}

static void what_is_no_request_is_passed_over(void **state)
{
	Etcdpb__WatchRequest nothing = ETCDPB__WATCH_REQUEST__INIT;
	open_stream();
	rpc_stream_send(stream, &nothing.base);
	assert_int_equal(created(watch_of("a", "", 0))->watch_id, 0);
}

static void a_watch_of_nothing_is_canceled(void **state)
{
	open_stream();
	answer *m = created(watch_of("b", "a", 0));
	assert_true(m->canceled);
	assert_int_equal(m->watch_id, -1);
	assert_string_equal(m->cancel_reason, "mvcc: watcher range is empty");
	assert_int_equal(created(watch_of("a", "b", 0))->watch_id, 0);
}

/* Finding an id walked a list of all watches, each time. */
static void many_watches_on_one_stream(void **state)
{
	enum { N = 20000 };
	open_stream();
	clock_t begun = clock();
	for (int i = 0; i < N; i++)
		create(watch_of("a", "", 0));
	for (int i = 0; i < N; i++)
		assert_int_equal(((answer *)rpc_stream_next(stream))->watch_id, i);
	assert_true((double)(clock() - begun) / CLOCKS_PER_SEC < 5);
	for (int i = 0; i < N; i++)
		cancel(i);
	for (int i = 0; i < N; i++)
		assert_true(((answer *)rpc_stream_next(stream))->canceled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_watch_of_nothing_is_canceled, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(many_watches_on_one_stream, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(what_a_watch_sees, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(keys_without_an_end_and_without_a_key, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_watch_from_now_on_and_one_from_later, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_transaction_is_one_answer, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(ids_are_chosen_or_named, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_watch_that_was_ended_sends_no_more, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(history_that_is_compacted_ends_a_watch, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(progress_is_told_for_the_whole_stream, rpc_setup, rpc_teardown),
	        cmocka_unit_test(quiet_watches_are_told_when_they_asked_for_it),
	        cmocka_unit_test_setup_teardown(answers_come_in_fragments_when_they_may, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(what_is_no_request_is_passed_over, rpc_setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
