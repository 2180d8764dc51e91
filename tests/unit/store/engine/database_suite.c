/* What every engine over a database of somebody else shows beside the suite, with a real server: that a server without
 * a copy takes the snapshot, and that one whose database is killed waits for it. Included after engine_suite.c by a
 * test that has `server` (database_server.h), `snapshot_entries` for the engines it opens, and open_in(). */

/* The log is cut behind it, so that nobody else can have it otherwise. */
static void test_a_server_without_a_copy_takes_the_snapshot(void **state)
{
	struct engine *e = *state, *b;
	char key[16];
	store_close(e);
	snapshot_entries = 100;
	*state = e = open_in("one");
	for (int i = 0; i < 2600; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_true(suite_put(e, key, "v") > 0);
	}
	struct log_engine_status s = {0};
	for (int i = 0; i < 60000 && s.snapshot_index < 2500; i++) {
		assert_true(suite_put(e, "more", "v") > 0);
		usleep(1000);
		log_engine_status(log_engine_of(e), &s);
	}
	assert_true(s.snapshot_index >= 2500);
	snapshot_entries = 0;
	b = open_in("two");
	assert_string_equal(suite_get(b, "k0"), "v");
	assert_string_equal(suite_get(b, "k2599"), "v");
	assert_int_equal(store_revision(b), store_revision(e));
	store_close(b);
}

static void test_a_killed_database_is_waited_for(void **state)
{
	struct engine *e = *state;
	suite_put(e, "a", "1");
	database_stop(&server, SIGKILL);
	struct suite_call c = {.req.op = suite_op_put("a", "2")};
	uv_sem_init(&c.done, 0);
	c.req.done = suite_call_done;
	store_submit(e, &c.req);
	database_start(&server);
	uv_sem_wait(&c.done);
	if (c.req.err.code)
		print_message("%s\n", c.req.err.msg);
	assert_int_equal(c.req.err.code, 0);
	assert_int_equal(c.req.revision, 3);
	suite_end(&c);
	assert_string_equal(suite_get(e, "a"), "2");
}
