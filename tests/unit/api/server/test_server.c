/* The whole API server in this process, on a store in a temporary folder, through the in-process client: start,
 * restart, compaction and what clients of old revisions are told. What HTTP adds is in tests/integration/api_test.py.
 */
#include "tests/unit/unit.h"

#include "api/server/server.h"
#include "store/engine/raft_engine.h"
#include "base/json/json.h"
#include "base/pki/pki.h"

#include <ftw.h>
#include <unistd.h>

struct house {
	char dir[64];
	struct arena arena;
	struct loop loop;
	struct engine *store;
	struct api_server *api;
	struct client *client;
	struct err err;
	uv_sem_t step;
};

static const char *in(struct house *h, const char *name)
{
	return arena_printf(&h->arena, "%s/%s", h->dir, name);
}

static void make_files(struct house *h)
{
	struct pki_pair ca = PKI_PAIR_INIT, leaf = PKI_PAIR_INIT;
	struct pki_request request = {.common_name = "test", .is_server = true};
	struct err err = ERR_INIT;
	char *key;
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	assert_int_equal(pki_issue(&ca, &request, &leaf, &err), 0);
	assert_int_equal(pki_pair_save(&ca, in(h, "ca.crt"), in(h, "ca.key"), &err), 0);
	assert_int_equal(pki_pair_save(&leaf, in(h, "s.crt"), in(h, "s.key"), &err), 0);
	assert_int_equal(pki_key_generate(&key, &err), 0);
	assert_int_equal(pki_file_write(in(h, "sa.key"), slice_of(key), 0600, &err), 0);
	free(key);
	pki_pair_release(&ca);
	pki_pair_release(&leaf);
}

static void ready(void *arg, const struct err *err)
{
	struct house *h = arg;
	h->err = *err;
	uv_sem_post(&h->step);
}

static void start_on_loop(void *arg)
{
	struct house *h = arg;
	struct api_server_options o = {.loop = &h->loop,
	        .store = h->store,
	        .bind_address = "127.0.0.1",
	        .cert_file = in(h, "s.crt"),
	        .key_file = in(h, "s.key"),
	        .client_ca_file = in(h, "ca.crt"),
	        .service_account_key_file = in(h, "sa.key"),
	        .service_account_issuer = "https://kubernetes.default.svc.cluster.local",
	        .server_ca_file = in(h, "ca.crt"),
	        .service_cidr = "10.43.0.0/16",
	        .node_port_min = 30000,
	        .node_port_max = 32767,
	        .advertise_address = "127.0.0.1",
	        .compact_interval_s = 1};
	if (api_server_new(&o, ready, h, &h->api, &h->err) != 0)
		uv_sem_post(&h->step);
}

static void start(struct house *h)
{
	struct raft_engine_options o = {.data_dir = h->dir};
	assert_int_equal(raft_engine_open_alone(&o, &h->store, &h->err), 0);
	loop_init(&h->loop, "api");
	loop_start_thread(&h->loop);
	loop_call(&h->loop, start_on_loop, h);
	uv_sem_wait(&h->step);
	if (h->err.code)
		fail_msg("%s", h->err.msg);
	h->client = api_server_client(h->api, &h->loop, "tester", "system:masters");
}

static void api_closed(void *arg)
{
	struct house *h = arg;
	loop_stop(&h->loop);
}

static void client_closed(void *arg)
{
	struct house *h = arg;
	api_server_close(h->api, 0, api_closed, h);
}

static void stop_on_loop(void *arg)
{
	struct house *h = arg;
	client_close(h->client, client_closed, h);
}

static void stop(struct house *h)
{
	loop_call(&h->loop, stop_on_loop, h);
	loop_join(&h->loop);
	loop_release(&h->loop);
	store_close(h->store);
}

struct exchange {
	struct client_request request;
	struct house *house;
};

static void answered(struct client_request *req)
{
	uv_sem_post(&CONTAINER_OF(req, struct exchange, request)->house->step);
}

static void send_on_loop(void *arg)
{
	struct exchange *x = arg;
	client_send(x->house->client, &x->request);
}

/* The answer's tree in the house's arena. */
static struct json *ask(struct house *h, const char *method, const char *path, const char *body, int want)
{
	struct exchange x = {
	        .request = {.method = method, .path = path, .body = slice_of(body), .done = answered}, .house = h};
	loop_call(&h->loop, send_on_loop, &x);
	uv_sem_wait(&h->step);
	struct json *v = x.request.response ? json_parse(&h->arena,
	                                              (struct slice){x.request.response->data, x.request.response->len},
	                                              NULL, NULL)
	                                    : NULL;
	if (x.request.http_status != want)
		fail_msg("%s %s: %d, want %d: %s", method, path, x.request.http_status, want, x.request.err.msg);
	client_request_release(&x.request);
	return v;
}

static int set_up(void **state)
{
	struct house *h = xcalloc(1, sizeof *h);
	snprintf(h->dir, sizeof h->dir, "/tmp/k3x-api-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	uv_sem_init(&h->step, 0);
	make_files(h);
	start(h);
	*state = h;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct house *h = *state;
	stop(h);
	nftw(h->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	uv_sem_destroy(&h->step);
	arena_release(&h->arena);
	free(h);
	return 0;
}

#define CM "/api/v1/namespaces/default/configmaps"

static void a_server_starts_again_on_its_data(void **state)
{
	struct house *h = *state;
	ask(h, "POST", CM, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", 201);
	for (int i = 0; i < 2; i++) {
		stop(h);
		start(h);
		assert_true(slice_is(json_str(json_path(ask(h, "GET", CM "/a", "", 200), "data", "k", NULL)), "v"));
	}
	ask(h, "GET", "/api/v1/namespaces/default/services/kubernetes", "", 200);
}

static void old_revisions_are_gone_after_two_intervals(void **state)
{
	struct house *h = *state;
	for (int i = 0; i < 5; i++)
		ask(h, "POST", CM, arena_printf(&h->arena, "{\"metadata\":{\"name\":\"p%d\"}}", i), 201);
	struct json *page = ask(h, "GET", CM "?limit=2", "", 200);
	struct slice token = json_str(json_path(page, "metadata", "continue", NULL)),
	             version = json_str(json_path(page, "metadata", "resourceVersion", NULL));
	const char *next = arena_printf(&h->arena, CM "?limit=2&continue=%.*s", SLICE_FMT(token));
	const char *exact =
	        arena_printf(&h->arena, CM "?resourceVersion=%.*s&resourceVersionMatch=Exact", SLICE_FMT(version));
	ask(h, "GET", next, "", 200);
	ask(h, "GET", exact, "", 200);
	struct store_stats stats = {0};
	int64_t made;
	slice_to_i64(version, &made);
	for (int i = 0; i < 600 && stats.compacted_revision <= made;
	        i++) { /* a revision newer than the page's must be noted first */
		ask(h, "POST", CM, "{\"metadata\":{\"generateName\":\"g-\"}}", 201);
		usleep(20000);
		store_stats(h->store, &stats);
	}
	assert_true(stats.compacted_revision > made);
	assert_true(slice_is(json_get_str(ask(h, "GET", next, "", 410), "reason"), "Expired"));
	assert_true(slice_is(json_get_str(ask(h, "GET", exact, "", 410), "reason"), "Expired"));
	ask(h, "GET", CM "?limit=2", "", 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_server_starts_again_on_its_data, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(old_revisions_are_gone_after_two_intervals, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
