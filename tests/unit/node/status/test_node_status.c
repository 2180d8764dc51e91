/* The Node object's keeper at its end: what is under way then is answered when the timer is gone long since, and the
 * answer must find it there. */
#include "tests/unit/unit.h"

#include "node/config/kubelet_config.h"
#include "node/csi/csi.h"
#include "node/ground/api_call.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/image.h"
#include "node/status/node_status.h"

enum { LATE_MS = 30 };

struct fake {
	struct client base;
	struct loop loop;
	struct node node;
	struct loop_task close;
	uv_timer_t late;
	struct client_request *request; /* NULL: none is under way */
	struct client_watch *watch;
	int asked;
	bool is_closed;
};

static void end_watch(struct loop_task *t)
{
	struct client_watch *w = CONTAINER_OF(t, struct client_watch, task);
	struct err err = ERR_INIT;
	err_set(&err, ERR_CANCELED, "closed");
	w->on_end(w, &err);
}

static void fake_watch_open(struct client *c, struct client_watch *w)
{
	w->task.run = end_watch;
}

static void fake_watch_close(struct client *c, struct client_watch *w)
{
	loop_post(c->loop, &w->task);
}

static void answer(uv_timer_t *t)
{
	struct fake *f = t->data;
	struct client_request *r = f->request;
	f->request = NULL;
	err_set(&r->err, ERR_CANCELED, "closed");
	uv_close((uv_handle_t *)t, NULL);
	r->done(r);
}

static void fake_cancel(struct client *c, struct client_request *r)
{
	struct fake *f = (struct fake *)c;
	uv_timer_start(&f->late, answer, LATE_MS, 0);
}

static void fake_send(struct client *c, struct client_request *r)
{
	struct fake *f = (struct fake *)c;
	f->request = r;
	f->asked++;
	loop_post(&f->loop, &f->close);
}

static void all_closed(struct closing *parts)
{
	struct fake *f = CONTAINER_OF(parts, struct fake, node.parts);
	f->is_closed = true;
	assert_null(f->request);
	node_status_free(f->node.status);
	csi_free(f->node.csi);
	loop_stop(&f->loop);
}

static void close_node(struct loop_task *t)
{
	struct fake *f = CONTAINER_OF(t, struct fake, close);
	f->node.closing = true;
	node_status_close(f->node.status);
	api_cancel_all(&f->node);
	closing_hold(&f->node.parts);
	csi_close(f->node.csi, closing_part_done, &f->node.parts);
	closing_part_done(&f->node.parts);
}

static void network_ready(struct node *n)
{
}

static void pod_may_go_on(struct pod *p)
{
}

static void pod_is_clean(struct node *n, const char *uid)
{
}

static const struct csi_callbacks csi_callbacks = {node_status_poke, pod_may_go_on, pod_is_clean};

static const struct client_vtable vtable = {
        .send = fake_send, .cancel = fake_cancel, .watch_open = fake_watch_open, .watch_close = fake_watch_close};

static void a_late_answer_finds_it(void **state)
{
	struct fake f = {.base = {&vtable, &f.loop}};
	struct node *n = &f.node;
	struct kubelet_config config;
	struct err err = ERR_INIT;
	assert_int_equal(kubelet_config_load(&(struct kubelet_config_source){NULL, 0, NULL}, &config, &err), 0);
	n->config = &config;
	loop_init(&f.loop, "test");
	loop_own(&f.loop);
	uv_timer_init(loop_uv(&f.loop), &f.late);
	f.late.data = &f;
	f.close.run = close_node;
	n->loop = &f.loop;
	n->client = &f.base;
	n->o.node_name = "one";
	n->o.node_ip = "10.0.0.1";
	char folder[] = "/tmp/k3x-node-XXXXXX";
	n->o.data_dir = mkdtemp(folder);
	list_init(&n->api_calls);
	n->parts.all_closed = all_closed;
	closing_hold(&n->parts);
	n->images = images_new(n, node_status_poke);
	assert_int_equal(csi_new(n, &csi_callbacks, &n->csi, &err), 0);
	n->status = node_status_new(n, network_ready);
	loop_run(&f.loop);
	assert_int_equal(f.asked, 1);
	assert_true(f.is_closed);
	images_free(n->images);
	kubelet_config_release(&config);
	loop_release(&f.loop);
	file_remove_tree(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_late_answer_finds_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
