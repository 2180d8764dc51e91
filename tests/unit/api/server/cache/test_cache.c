/* The watch cache over a real engine whose watch can be broken: it reads everything anew, watchers list again, and
 * waits end. */
#include "store/engine/raft_engine.h"
#include "tests/unit/unit.h"

#include "api/machinery/rules/custom/custom_kind.h"
#include "api/server/cache/cache.h"
#include "base/check.h"

#include <ftw.h>
#include <semaphore.h>
#include <unistd.h>

struct house {
	char dir[64];
	struct engine *store;
	struct engine breakable; /* the same, but for its watch */
	struct loop loop;
	struct cache *cache;
	struct err err;
	sem_t step;
	struct store_request request;
	char key[64], value[128];
	struct cache_wait wait;
	bool was_inside;
	struct cache_watcher watcher;
	bool lost;
	struct slice look_for;
	int64_t found; /* revision; 0: absent */
};

static struct house *the_house;
static atomic_bool is_broken; /* the next read of the watch fails */

/* ---- an engine whose watch breaks ---- */

static void submit(struct engine *e, struct store_request *req)
{
	store_submit(the_house->store, req);
}

static int64_t revision(struct engine *e)
{
	return store_revision(the_house->store);
}

static struct store_watch *watch_open(struct engine *e, const struct store_watch_options *options, struct loop *loop,
        void (*ready)(void *arg), void *arg)
{
	return store_watch_open(the_house->store, options, loop, ready, arg);
}

static int watch_read(struct store_watch *w, struct store_watch_batch *out, struct err *err)
{
	if (!is_broken)
		return store_watch_read(the_house->store, w, out, err);
	is_broken = false;
	return err_set(err, ERR_COMPACTED, "compacted");
}

static void watch_close(struct store_watch *w, void (*closed)(void *arg), void *arg)
{
	store_watch_close(the_house->store, w, closed, arg);
}

static const struct engine_vtable breakable = {.name = "breakable",
        .submit = submit,
        .revision = revision,
        .watch_open = watch_open,
        .watch_read = watch_read,
        .watch_close = watch_close};

/* ---- the house ---- */

static void loaded(void *arg, const struct err *err)
{
	struct house *h = arg;
	h->err = *err;
	sem_post(&h->step);
}

static void make_cache(void *arg)
{
	struct house *h = arg;
	h->cache = cache_new(&h->loop, &h->breakable, NULL, loaded, h);
}

static int set_up(void **state)
{
	struct house *h = xcalloc(1, sizeof *h);
	snprintf(h->dir, sizeof h->dir, "/tmp/k3x-cache-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	struct raft_engine_options o = {.data_dir = h->dir};
	assert_int_equal(raft_engine_open_alone(&o, &h->store, &h->err), 0);
	h->breakable.vtable = &breakable;
	the_house = h;
	sem_init(&h->step, 0, 0);
	loop_init(&h->loop, "cache");
	loop_start_thread(&h->loop);
	loop_call(&h->loop, make_cache, h);
	sem_wait(&h->step);
	assert_int_equal(h->err.code, 0);
	*state = h;
	return 0;
}

static void cache_closed(void *arg)
{
	struct house *h = arg;
	loop_stop(&h->loop);
}

static void close_cache(void *arg)
{
	struct house *h = arg;
	cache_watch_stop(&h->watcher);
	cache_close(h->cache, cache_closed, h);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct house *h = *state;
	loop_call(&h->loop, close_cache, h);
	loop_join(&h->loop);
	loop_release(&h->loop);
	store_close(h->store);
	nftw(h->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(h);
	return 0;
}

/* ---- steps ---- */

static void written(struct store_request *req)
{
	struct house *h = CONTAINER_OF(req, struct house, request);
	h->err = req->err;
	h->wait.revision = req->revision;
	store_request_release(req);
	sem_post(&h->step);
}

static void submit_and_wait(struct house *h)
{
	store_submit(h->store, &h->request);
	sem_wait(&h->step);
	assert_int_equal(h->err.code, 0);
}

static void write_at(struct house *h, const char *key, const char *value)
{
	h->request = (struct store_request){.type = STORE_REQUEST_OP, .done = written};
	h->request.op =
	        (struct store_op){.type = STORE_OP_PUT, .put = {.key = slice_of(key), .value = slice_of(value)}};
	submit_and_wait(h);
}

static void write_one(struct house *h, const char *name, bool is_delete)
{
	snprintf(h->key, sizeof h->key, "/registry/configmaps/ns/%s", name);
	snprintf(h->value, sizeof h->value, "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\"}}", name);
	h->request = (struct store_request){.type = STORE_REQUEST_OP, .done = written};
	if (is_delete) {
		h->request.op = (struct store_op){.type = STORE_OP_DELETE, .del = {.keys = {.key = slice_of(h->key)}}};
	} else {
		h->request.op = (struct store_op){
		        .type = STORE_OP_PUT, .put = {.key = slice_of(h->key), .value = slice_of(h->value)}};
	}
	submit_and_wait(h);
}

static void reached(struct cache_wait *w)
{
	sem_post(&CONTAINER_OF(w, struct house, wait)->step);
}

static void wait_on_loop(void *arg)
{
	struct house *h = arg;
	h->wait.reached = reached;
	cache_wait(h->cache, &h->wait);
	int posted;
	sem_getvalue(&h->step, &posted);
	h->was_inside = posted > 0;
}

/* Until the cache stands at the last write. */
static void catch_up(struct house *h)
{
	loop_call(&h->loop, wait_on_loop, h);
	sem_wait(&h->step);
}

static struct cache_resource *configmaps(struct house *h)
{
	return cache_resource(h->cache, resource_find(SLICE(""), SLICE("v1"), SLICE("configmaps")));
}

static void look(void *arg)
{
	struct house *h = arg;
	struct object *o = cache_get(configmaps(h), h->look_for);
	h->found = o ? o->revision : 0;
}

static int64_t revision_of(struct house *h, const char *key)
{
	h->look_for = slice_of(key);
	loop_call(&h->loop, look, h);
	return h->found;
}

static void no_wake(struct cache_watcher *w)
{
}

static void watch(void *arg)
{
	struct house *h = arg;
	h->watcher.wake = no_wake;
	assert_true(cache_watch_from(configmaps(h), &h->watcher, cache_revision(h->cache)));
}

static void read_watch(void *arg)
{
	struct house *h = arg;
	cache_watch_next(configmaps(h), &h->watcher, &h->lost);
}

/* ---- tests ---- */

static void what_is_written_is_there_at_its_revision(void **state)
{
	struct house *h = *state;
	write_one(h, "one", false);
	int64_t at = h->wait.revision;
	catch_up(h);
	assert_int_equal(revision_of(h, "ns/one"), at);
}

static void a_wait_never_ends_inside_the_call_that_begins_it(void **state)
{
	struct house *h = *state;
	write_one(h, "one", false);
	catch_up(h);
	catch_up(h); /* reached already */
	assert_false(h->was_inside);
}

static void writes_elsewhere_do_not_keep_a_wait_from_ending(void **state)
{
	struct house *h = *state;
	write_at(h, "/elsewhere", "x");
	catch_up(h);
}

static void a_broken_watch_brings_everything_anew_and_watchers_list_again(void **state)
{
	struct house *h = *state;
	write_one(h, "stays", false);
	write_one(h, "goes", false);
	catch_up(h);
	int64_t stays = revision_of(h, "ns/stays");
	loop_call(&h->loop, watch, h);
	is_broken = true;
	write_one(h, "goes", true);
	write_one(h, "comes", false);
	catch_up(h);
	assert_int_equal(revision_of(h, "ns/stays"), stays);
	assert_int_equal(revision_of(h, "ns/goes"), 0);
	assert_int_not_equal(revision_of(h, "ns/comes"), 0);
	loop_call(&h->loop, read_watch, h);
	assert_true(h->lost);
	write_one(h, "later", false); /* and it follows again */
	catch_up(h);
	assert_int_not_equal(revision_of(h, "ns/later"), 0);
}

static void it_closes_while_it_reads_everything_anew(void **state)
{
	struct house *h = *state;
	is_broken = true;
	write_one(h, "one", false);
}

/* ---- kinds that come and go ---- */

static struct custom_resources *kind_set;
static struct cache_kind kind;
static struct err kind_err;
static sem_t kind_is_loaded;

static void kind_loaded(struct cache_kind *k, const struct err *err)
{
	kind_err = *err;
	sem_post(&kind_is_loaded);
}

static void add_kind(void *arg)
{
	struct house *h = arg;
	kind = (struct cache_kind){.resource = &kind_set->rows[0], .loaded = kind_loaded};
	cache_kind_add(h->cache, &kind);
}

static void look_at_kind(void *arg)
{
	struct house *h = arg;
	struct cache_resource *cr = cache_resource(h->cache, &kind_set->rows[0]);
	struct object *o = cache_get(cr, h->look_for);
	h->found = o ? o->revision : 0;
	h->was_inside = o && memmem(o->json->data, o->json->len, "\"a\":\"x\"", 7);
}

static void watch_kind(void *arg)
{
	struct house *h = arg;
	h->watcher.wake = no_wake;
	assert_true(
	        cache_watch_from(cache_resource(h->cache, &kind_set->rows[0]), &h->watcher, cache_revision(h->cache)));
}

static void forget_kind(void *arg)
{
	struct house *h = arg;
	struct cache_resource *was = h->watcher.resource;
	cache_kind_forget(h->cache, &kind_set->rows[0]);
	assert_null(cache_watch_next(was, &h->watcher, &h->lost));
	assert_int_equal(cache_resource(h->cache, &kind_set->rows[0])->objects.count, 0);
}

static void make_kind(void)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *crd = json_parse(&a,
	        SLICE("{\"spec\":{\"group\":\"e.com\",\"scope\":\"Cluster\",\"names\":{\"plural\":\"things\",\"kind\":"
	              "\"Thing\"},"
	              "\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\":{\"openAPIV3Schema\":"
	              "{\"type\":"
	              "\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"default\":\"x\"}}}}}]}}"),
	        NULL, &err);
	assert_non_null(crd);
	assert_int_equal(custom_kind_new(crd, &kind_set, &err), 0);
	arena_release(&a);
}

static void a_kind_that_comes_has_what_lay_there_and_what_is_written_meanwhile(void **state)
{
	struct house *h = *state;
	sem_init(&kind_is_loaded, 0, 0);
	make_kind();
	write_at(h, "/registry/e.com/things/old", "{\"apiVersion\":\"e.com/v1\",\"metadata\":{\"name\":\"old\"}}");
	int64_t old = h->wait.revision;
	write_at(h, "/registry/e.com/things/both", "{\"metadata\":{\"name\":\"both\"}}");
	catch_up(h);
	loop_call(&h->loop, add_kind, h);
	write_at(h, "/registry/e.com/things/both", "{\"metadata\":{\"name\":\"both\"},\"a\":\"y\"}");
	int64_t both = h->wait.revision;
	sem_wait(&kind_is_loaded);
	assert_int_equal(kind_err.code, 0);
	catch_up(h);
	h->look_for = SLICE("old");
	loop_call(&h->loop, look_at_kind, h);
	assert_int_equal(h->found, old);
	assert_true(h->was_inside); /* it is older than the default */
	h->look_for = SLICE("both");
	loop_call(&h->loop, look_at_kind, h);
	assert_int_equal(h->found, both);
	loop_call(&h->loop, watch_kind, h);
	loop_call(&h->loop, forget_kind, h);
	assert_true(h->lost);
	custom_resources_unref(kind_set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(what_is_written_is_there_at_its_revision, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_wait_never_ends_inside_the_call_that_begins_it, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(writes_elsewhere_do_not_keep_a_wait_from_ending, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(
	                a_broken_watch_brings_everything_anew_and_watchers_list_again, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(it_closes_while_it_reads_everything_anew, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(
	                a_kind_that_comes_has_what_lay_there_and_what_is_written_meanwhile, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
