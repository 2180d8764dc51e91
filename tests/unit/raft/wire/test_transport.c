/* The peer transport: who is turned away and told so, how long one that was waits, how long one that was merely lost.
 */
#include "tests/unit/base/wire/wire_test.h"

#include "raft/wire/conn_frame.h"
#include "raft/wire/transport.h"
#include "raft/wire/visitors.h"

#include "base/check.h"

enum { KEEP_MS = 5 };

/* A peer that the test plays: takes connections, and refuses or drops each when it has been greeted. */
struct fake {
	struct conn_listener *listener;
	struct wire_frame_reader reader; /* connections come one after the other */
	struct conn *conn;
	bool refuses;
	unsigned greeted, open;
	char url[64];
};

static struct peer_table table;
static struct transport *transport;
static struct fake fake;
static uint64_t heard_from;
static struct strbuf heard, answer;
static bool is_closed;
static uv_timer_t timer;

static int on_message(void *arg, uint64_t from, struct slice message, struct err *e)
{
	heard_from = from;
	strbuf_add_slice(&heard, message);
	return 0;
}

static bool on_visitor(void *arg, struct conn *c, const struct wire_hello *hello)
{
	return false;
}

static void on_closed(void *arg)
{
	is_closed = true;
}

static bool fake_frame(void *arg, struct slice payload)
{
	struct strbuf b = STRBUF_INIT;
	fake.greeted++;
	if (fake.refuses) {
		wire_refusal_encode(&b, "a stranger");
		conn_write_frame(fake.conn, strbuf_slice(&b));
	}
	strbuf_release(&b);
	conn_close(fake.conn, 100);
	return false;
}

static void fake_read(struct conn *c, const char *data, size_t len, void *arg)
{
	size_t used;
	assert_int_equal(wire_frame_feed(&fake.reader, data, len, fake_frame, NULL, &used, &err), 0);
}

static void fake_end(struct conn *c, const struct err *e, void *arg)
{
	conn_close(c, 0);
}

static void fake_closed(struct conn *c, void *arg)
{
	fake.open--;
}

static void fake_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	static const struct conn_callbacks callbacks = {
	        .on_read = fake_read, .on_end = fake_end, .on_closed = fake_closed};
	fake.conn = c;
	fake.open++;
	conn_start(c, &callbacks, NULL);
}

/* As raft_node does at each tick. */
static void keep(uv_timer_t *t)
{
	transport_keep(transport, 2, fake.url);
}

static struct slice secret;

static int setup(void **state)
{
	struct conn_listen_options l = {.on_accept = fake_accept};
	struct transport_options o = {.loop = &loop,
	        .listen_host = "127.0.0.1",
	        .cluster_id = 7,
	        .id = 1,
	        .secret = secret,
	        .address = "http://127.0.0.1:1",
	        .stats = &table,
	        .on_message = on_message,
	        .on_visitor = on_visitor};
	loop_begin();
	memset(&table, 0, sizeof table);
	fake = (struct fake){.reader.bytes_max = 1024};
	heard_from = 0;
	is_closed = false;
	assert_int_equal(transport_new(&o, &transport, &err), 0);
	assert_int_equal(conn_listen_tcp(&loop, "127.0.0.1", 0, &l, &fake.listener, &err), 0);
	snprintf(fake.url, sizeof fake.url, "http://127.0.0.1:%d", conn_listener_port(fake.listener));
	uv_timer_init(loop_uv(&loop), &timer);
	return 0;
}

static int teardown(void **state)
{
	uv_close((uv_handle_t *)&timer, NULL);
	transport_close(transport, on_closed, NULL);
	conn_listener_close(fake.listener, NULL, NULL);
	WAIT_FOR(is_closed && !fake.open);
	loop_finish();
	wire_frame_reader_release(&fake.reader);
	strbuf_release(&heard);
	strbuf_release(&answer);
	return 0;
}

/* How long it takes until the peer has been greeted n times. */
static uint64_t ms_until_greeted(unsigned n)
{
	uint64_t begun = uv_hrtime();
	uv_timer_start(&timer, keep, 0, KEEP_MS);
	WAIT_FOR(fake.greeted >= n);
	return (uv_hrtime() - begun) / 1000000;
}

static void one_that_is_turned_away_waits_longer_each_time(void **state)
{
	fake.refuses = true;
	assert_true(ms_until_greeted(6) >= 50 + 100 + 200 + 400 + 800);
}

static void one_that_is_lost_comes_back_soon(void **state)
{
	assert_true(ms_until_greeted(10) < 5000); /* refused, the tenth would come after sixteen seconds */
}

/* ---- a visitor that the test plays ---- */

struct guest {
	struct conn *conn;
	struct wire_hello hello;
	struct wire_frame_reader reader;
	bool opened, ended, closed;
};

static void caller_open(struct conn *c, const struct err *e, void *arg)
{
	struct guest *v = arg;
	struct strbuf b = STRBUF_INIT;
	assert_null(e);
	v->opened = true;
	wire_hello_encode(&b, &v->hello);
	conn_write_frame(c, strbuf_slice(&b));
	strbuf_release(&b);
}

static bool caller_frame(void *arg, struct slice payload)
{
	struct slice why;
	if (secret.len && slice_starts(payload, "X3xchal1"))
		return true;
	assert_true(wire_refusal_decode(payload, &why));
	strbuf_add_slice(&answer, why);
	return true;
}

static void caller_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct guest *v = arg;
	size_t used;
	assert_int_equal(wire_frame_feed(&v->reader, data, len, caller_frame, v, &used, &err), 0);
}

static void caller_end(struct conn *c, const struct err *e, void *arg)
{
	((struct guest *)arg)->ended = true;
}

static void caller_closed(struct conn *c, void *arg)
{
	((struct guest *)arg)->closed = true;
}

static void call(struct guest *v, uint64_t cluster, uint64_t from, uint64_t to, enum wire_purpose purpose)
{
	static const struct conn_callbacks callbacks = {
	        .on_open = caller_open, .on_read = caller_read, .on_end = caller_end, .on_closed = caller_closed};
	struct conn_connect_options o = {0};
	*v = (struct guest){
	        .hello = {cluster, from, to, purpose, SLICE("http://127.0.0.1:2")}, .reader.bytes_max = 1024};
	v->conn = conn_connect_tcp(&loop, "127.0.0.1", transport_port(transport), &o, &callbacks, v);
	WAIT_FOR(v->opened);
}

static void hang_up(struct guest *v)
{
	conn_close(v->conn, 0);
	WAIT_FOR(v->closed);
	wire_frame_reader_release(&v->reader);
}

static void silent_open(struct conn *c, const struct err *e, void *arg)
{
	((struct guest *)arg)->opened = true;
}

static unsigned count_ended(const struct guest *all, unsigned n)
{
	unsigned ended = 0;
	for (unsigned i = 0; i < n; i++)
		ended += all[i].ended;
	return ended;
}

static void keep_members(uv_timer_t *t)
{
	const uint64_t members[] = {1, 2};
	transport_members(transport, members, 2);
}

static void a_stranger_is_told_why(void **state)
{
	struct guest v;
	call(&v, 8, 2, 1, WIRE_MESSAGES);
	WAIT_FOR(v.ended);
	assert_non_null(strstr(strbuf_cstr(&answer), "it belongs to cluster 0000000000000008"));
	hang_up(&v);
	strbuf_reset(&answer);
	call(&v, 7, 2, 3, WIRE_MESSAGES);
	WAIT_FOR(v.ended);
	assert_non_null(strstr(strbuf_cstr(&answer), "it looks for server 0000000000000003"));
	hang_up(&v);
}

static void one_that_wants_something_else_is_just_closed(void **state)
{
	struct guest v;
	call(&v, 8, 2, 1, WIRE_STATE);
	WAIT_FOR(v.ended);
	assert_int_equal(answer.len, 0);
	hang_up(&v);
}

static void one_of_ours_is_heard_and_counted(void **state)
{
	struct guest v;
	call(&v, 7, 2, 1, WIRE_MESSAGES);
	conn_write_frame(v.conn, SLICE("hello"));
	WAIT_FOR(heard_from == 2);
	assert_string_equal(strbuf_cstr(&heard), "hello");
	assert_int_equal(peer_stats_of(&table, 2)->received_bytes, 5 + WIRE_FRAME_HEAD_BYTES);
	hang_up(&v);
}

static void one_that_turned_us_away_and_greets_us_is_tried_at_once(void **state)
{
	struct guest v;
	fake.refuses = true;
	ms_until_greeted(7); /* the next would come in three seconds */
	uint64_t begun = uv_hrtime();
	call(&v, 7, 2, 1, WIRE_MESSAGES);
	WAIT_FOR(fake.greeted >= 8);
	assert_true(uv_hrtime() - begun < UINT64_C(2500000000));
	hang_up(&v);
}

static void what_can_not_be_sent_is_counted(void **state)
{
	assert_false(transport_send(transport, 2, fake.url, SLICE("too soon")));
	assert_int_equal(peer_stats_of(&table, 2)->send_failures, 1);
	assert_int_equal(peer_stats_of(&table, 2)->sent_bytes, 0);
}

static void silent_strangers_do_not_keep_a_peer_out(void **state)
{
	enum { SILENT = 2 * VISITORS_STRANGERS_PER_ADDRESS_MAX };
	struct guest silent[SILENT], v;
	const struct conn_callbacks callbacks = {
	        .on_open = silent_open, .on_read = caller_read, .on_end = caller_end, .on_closed = caller_closed};
	struct conn_connect_options o = {0};
	for (int i = 0; i < SILENT; i++) {
		silent[i] = (struct guest){.reader.bytes_max = 1024};
		silent[i].conn =
		        conn_connect_tcp(&loop, "127.0.0.1", transport_port(transport), &o, &callbacks, &silent[i]);
		WAIT_FOR(silent[i].opened);
	}
	unsigned ended = 0;
	WAIT_FOR((ended = count_ended(silent, SILENT)) >= SILENT - VISITORS_STRANGERS_PER_ADDRESS_MAX);
	uv_timer_start(&timer, keep_members, 0, 100);
	WAIT_FOR(count_ended(silent, SILENT) == SILENT); /* none may stay silent for long */
	call(&v, 7, 2, 1, WIRE_MESSAGES);
	conn_write_frame(v.conn, SLICE("hello"));
	WAIT_FOR(heard_from == 2);
	hang_up(&v);
	for (int i = 0; i < SILENT; i++)
		hang_up(&silent[i]);
}

static void one_peer_has_so_many_connections(void **state)
{
	struct guest v[VISITORS_PER_PEER_MAX + 1];
	for (int i = 0; i <= VISITORS_PER_PEER_MAX; i++) {
		call(&v[i], 7, 2, 1, WIRE_MESSAGES);
		conn_write_frame(v[i].conn, SLICE("hello"));
		WAIT_FOR(heard.len == 5 * ((size_t)i + 1));
	}
	WAIT_FOR(v[0].ended);
	for (int i = 0; i <= VISITORS_PER_PEER_MAX; i++) {
		assert_int_equal(v[i].ended, i == 0);
		hang_up(&v[i]);
	}
}

/* The table of peers had room for sixty-four in all its life. */
static void members_that_left_are_forgotten(void **state)
{
	const uint64_t members[] = {1, 2};
	for (uint64_t id = 100; id < 300; id++)
		transport_send(transport, id, "http://127.0.0.1:1", SLICE("x"));
	assert_non_null(transport_address(transport, 299));
	assert_null(transport_address(transport, 100));
	transport_members(transport, members, 2);
	uv_timer_start(&timer, keep, 0, KEEP_MS);
	WAIT_FOR(fake.greeted >= 1);
	assert_int_equal(peer_stats_of(&table, 2)->id, 2);
}

/* ---- with a secret ---- */

static int setup_secret(void **state)
{
	secret = SLICE("correct horse battery staple");
	return setup(state);
}

static int teardown_secret(void **state)
{
	secret = SLICE_NULL;
	return teardown(state);
}

static void who_does_not_know_the_secret_is_turned_away(void **state)
{
	struct guest v;
	call(&v, 7, 2, 1, WIRE_MESSAGES);
	WAIT_FOR(v.ended);
	assert_non_null(strstr(strbuf_cstr(&answer), "secret"));
	assert_int_equal(heard_from, 0);
	hang_up(&v);
}

static void one_that_asks_for_no_proof_is_told_nothing(void **state)
{
	uv_timer_start(&timer, keep, 0, KEEP_MS);
	WAIT_FOR(fake.open == 1);
	WAIT_FOR(fake.open == 0);
	assert_int_equal(fake.greeted, 0);
}

#define SECRET_TEST(name) cmocka_unit_test_setup_teardown(name, setup_secret, teardown_secret)
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(one_that_is_turned_away_waits_longer_each_time),
	        TEST(one_that_is_lost_comes_back_soon),
	        TEST(a_stranger_is_told_why),
	        TEST(one_that_wants_something_else_is_just_closed),
	        TEST(one_of_ours_is_heard_and_counted),
	        TEST(one_that_turned_us_away_and_greets_us_is_tried_at_once),
	        TEST(what_can_not_be_sent_is_counted),
	        TEST(silent_strangers_do_not_keep_a_peer_out),
	        TEST(one_peer_has_so_many_connections),
	        TEST(members_that_left_are_forgotten),
	        SECRET_TEST(who_does_not_know_the_secret_is_turned_away),
	        SECRET_TEST(one_that_asks_for_no_proof_is_told_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
