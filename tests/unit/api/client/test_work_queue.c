/* Work queues and events over a client that is made up: answers come on the loop's next turn, as the test says. */
#include "tests/unit/unit.h"

#include "api/client/recorder.h"
#include "api/client/work_queue.h"
#include "base/mem/arena.h"

struct fake {
	struct client base;
	struct loop loop;
	int code; /* every request's answer */
	int sent, posts, patches;
	char last_path[256], last_body[2048];
	struct work_queue *queue;
	int runs, again_left, calls_per_run;
	bool hang; /* answers only to a cancel */
	struct client_request *hanging;
};

static void answer(struct loop_task *t)
{
	struct client_request *req = CONTAINER_OF(t, struct client_request, task);
	struct fake *f = req->transport_data;
	if (f->code) {
		err_set(&req->err, f->code, "made up");
	} else {
		req->http_status = 200;
		req->response = rcbuf_copy("{\"metadata\":{\"name\":\"made\"}}", 28);
	}
	req->done(req);
}

static void fake_send(struct client *c, struct client_request *req)
{
	struct fake *f = (struct fake *)c;
	f->sent++;
	f->posts += strcmp(req->method, "POST") == 0;
	f->patches += strcmp(req->method, "PATCH") == 0;
	snprintf(f->last_path, sizeof f->last_path, "%s", req->path);
	snprintf(f->last_body, sizeof f->last_body, "%.*s", SLICE_FMT(req->body));
	req->transport_data = f;
	req->task.run = answer;
	if (f->hang)
		f->hanging = req;
	else
		loop_post(&f->loop, &req->task);
}

static void fake_cancel(struct client *c, struct client_request *req)
{
	struct fake *f = (struct fake *)c;
	f->code = ERR_CANCELED;
	if (f->hanging == req)
		loop_post(&f->loop, &req->task);
}

static const struct client_vtable fake_vtable = {.send = fake_send, .cancel = fake_cancel};

static void fake_init(struct fake *f)
{
	*f = (struct fake){.base = {&fake_vtable, &f->loop}};
	loop_init(&f->loop, "test");
}

static void closed(void *arg)
{
	struct fake *f = arg;
	loop_stop(&f->loop);
}

static void close_queue(struct fake *f)
{
	work_queue_close(f->queue, closed, f);
}

static void run(struct work *w)
{
	struct fake *f = w->arg;
	f->runs++;
	for (int i = 0; i < f->calls_per_run; i++)
		work_send(w, "GET", "/x", NULL, NULL);
	if (f->runs == 1)
		work_queue_add(f->queue, w->key); /* while it is worked on: once more after */
	if (f->again_left-- > 0)
		work_again(w, 1);
	else if (f->runs > 1 && !f->code)
		close_queue(f);
}

static struct work_queue *queue_new(struct fake *f, void (*fn)(struct work *w))
{
	return work_queue_new(
	        &(struct work_queue_options){.name = "test", .client = &f->base, .run = fn, .arg = f, .quiet = true});
}

static void a_key_is_worked_on_once_however_often_it_is_added(void **state)
{
	struct fake f;
	fake_init(&f);
	f.calls_per_run = 2;
	f.queue = queue_new(&f, run);
	for (int i = 0; i < 5; i++)
		work_queue_add(f.queue, SLICE("ns/name"));
	assert_int_equal(work_queue_len(f.queue), 1);
	work_queue_start(f.queue);
	loop_run(&f.loop);
	assert_int_equal(f.runs, 2); /* five adds are one; the add during the run is the second */
	assert_int_equal(f.sent, 4);
	loop_release(&f.loop);
}

static void work_comes_again_after_its_time(void **state)
{
	struct fake f;
	fake_init(&f);
	f.again_left = 3;
	f.queue = queue_new(&f, run);
	work_queue_add(f.queue, SLICE("ns/name"));
	work_queue_start(f.queue);
	loop_run(&f.loop);
	assert_true(f.runs >= 4);
	loop_release(&f.loop);
}

/* Something that is no call, and ends on the loop's next turn. */
struct held {
	struct loop_task task;
	struct fake *f;
	struct work *w;
};

static void held_is_done(struct loop_task *t)
{
	struct held *h = CONTAINER_OF(t, struct held, task);
	struct fake *f = h->f;
	struct work *w = h->w;
	free(h);
	assert_int_equal(f->runs, 1); /* the key came again, but not while it is held */
	if (f->hang) {
		assert_true(work_is_closing(w));
	} else {
		assert_false(work_is_closing(w));
		work_send(w, "GET", "/after", NULL, NULL);
	}
	work_let_go(w);
}

static void run_and_hold(struct work *w)
{
	struct fake *f = w->arg;
	if (f->runs++ > 0) {
		close_queue(f);
		return;
	}
	struct held *h = xcalloc(1, sizeof *h);
	*h = (struct held){.task.run = held_is_done, .f = f, .w = w};
	work_hold(w);
	work_queue_add(f->queue, w->key);
	if (f->hang)
		close_queue(f);
	loop_post(&f->loop, &h->task);
}

static void work_that_is_held_is_not_over(void **state)
{
	struct fake f;
	fake_init(&f);
	f.queue = queue_new(&f, run_and_hold);
	work_queue_add(f.queue, SLICE("ns/name"));
	work_queue_start(f.queue);
	loop_run(&f.loop);
	assert_int_equal(f.runs, 2);
	assert_string_equal(f.last_path, "/after");
	loop_release(&f.loop);
}

static void a_queue_closes_when_nothing_is_held_any_more(void **state)
{
	struct fake f;
	fake_init(&f);
	f.hang = true;
	f.queue = queue_new(&f, run_and_hold);
	work_queue_add(f.queue, SLICE("ns/name"));
	work_queue_start(f.queue);
	loop_run(&f.loop);
	assert_int_equal(f.runs, 1);
	assert_int_equal(f.sent, 0);
	loop_release(&f.loop);
}

static void run_until_third(struct work *w)
{
	struct fake *f = w->arg;
	assert_true(slice_is(w->ns, "ns") && slice_is(w->name, "name"));
	if (++f->runs == 3)
		close_queue(f);
	else
		work_send(w, "GET", "/x", NULL, NULL);
}

static void failures_are_tried_again(void **state)
{
	struct fake f;
	fake_init(&f);
	f.code = ERR_CONFLICT;
	f.queue = queue_new(&f, run_until_third);
	work_queue_add(f.queue, SLICE("ns/name"));
	work_queue_start(f.queue);
	loop_run(&f.loop);
	assert_int_equal(f.runs, 3);
	loop_release(&f.loop);
}

static void never(struct work_call *call)
{
	fail();
}

static void run_and_hang(struct work *w)
{
	struct fake *f = w->arg;
	work_send(w, "GET", "/x", NULL, never);
	close_queue(f);
}

static void closing_cancels_what_is_outstanding(void **state)
{
	struct fake f;
	fake_init(&f);
	f.hang = true;
	f.queue = queue_new(&f, run_and_hang);
	work_queue_add(f.queue, SLICE("ns/name"));
	work_queue_add_after(f.queue, SLICE("later"), 100000);
	work_queue_add_after(f.queue, SLICE("soon"), 50000);
	work_queue_start(f.queue);
	loop_run(&f.loop);
	loop_release(&f.loop);
}

struct events {
	struct fake fake;
	struct recorder *recorder;
	uv_timer_t timer;
	int step;
};

static void next_event(uv_timer_t *t)
{
	struct events *e = t->data;
	struct recorder_subject about = {
	        .api_version = "v1", .kind = "Pod", .ns = SLICE("ns"), .name = SLICE("p"), .uid = SLICE("uid")};
	if (e->step == 0) {
		recorder_event(e->recorder, &about, "Normal", "Pulled", "image %d", 1);
		recorder_event(
		        e->recorder, &about, "Normal", "Pulled", "image %d", 1); /* while the first is under way */
	} else if (e->step == 1) {
		assert_int_equal(e->fake.posts, 1);
		assert_int_equal(e->fake.patches, 1);
		assert_string_equal(e->fake.last_path, "/api/v1/namespaces/ns/events/made");
		assert_non_null(strstr(e->fake.last_body, "\"count\":2"));
		for (int i = 0; i < 100; i++)
			recorder_event(e->recorder, &about, "Normal", "Pulled", "image %d", 100 + i);
	} else {
		assert_true(e->fake.posts <= 12); /* ten more messages, then one for all that are alike */
		uv_close((uv_handle_t *)&e->timer, NULL);
		recorder_close(e->recorder, closed, &e->fake);
		return;
	}
	e->step++;
}

static void events_are_counted_and_combined(void **state)
{
	struct events e = {0};
	fake_init(&e.fake);
	e.recorder = recorder_new(&e.fake.base, "test", "here");
	uv_timer_init(loop_uv(&e.fake.loop), &e.timer);
	e.timer.data = &e;
	uv_timer_start(&e.timer, next_event, 1, 20);
	loop_run(&e.fake.loop);
	loop_release(&e.fake.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_key_is_worked_on_once_however_often_it_is_added),
	        cmocka_unit_test(work_comes_again_after_its_time),
	        cmocka_unit_test(failures_are_tried_again),
	        cmocka_unit_test(closing_cancels_what_is_outstanding),
	        cmocka_unit_test(work_that_is_held_is_not_over),
	        cmocka_unit_test(a_queue_closes_when_nothing_is_held_any_more),
	        cmocka_unit_test(events_are_counted_and_combined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
