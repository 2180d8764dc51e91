/* Helpers for tests that talk to an engine through store/engine.h only, and a suite that any engine can be run through
 * (engine_suite.c, included by one test program per engine). */
#ifndef K3X_TESTS_ENGINE_SUITE_H
#define K3X_TESTS_ENGINE_SUITE_H

#include "store/engine.h"
#include "tests/unit/unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own under /tmp, removed by suite_folder_remove(). */
static char suite_folder[64];

static inline const char *suite_path(void)
{
	static char path[96];
	snprintf(path, sizeof path, "%s/state.db", suite_folder);
	return path;
}

static inline void suite_folder_make(void)
{
	snprintf(suite_folder, sizeof suite_folder, "/tmp/k3x-store-XXXXXX");
	assert_non_null(mkdtemp(suite_folder));
}

static inline int suite_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void suite_folder_remove(void)
{
	nftw(suite_folder, suite_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

struct suite_call {
	struct store_request req;
	uv_sem_t done;
};

static inline void suite_call_done(struct store_request *req)
{
	uv_sem_post(&CONTAINER_OF(req, struct suite_call, req)->done);
}

/* Submits and waits. The call is released with suite_end(). */
static inline int suite_run(struct engine *e, struct suite_call *c)
{
	assert_int_equal(uv_sem_init(&c->done, 0), 0);
	c->req.done = suite_call_done;
	store_submit(e, &c->req);
	uv_sem_wait(&c->done);
	uv_sem_destroy(&c->done);
	return c->req.err.code;
}

static inline void suite_end(struct suite_call *c)
{
	store_request_release(&c->req);
	memset(c, 0, sizeof *c);
}

static inline struct store_op suite_op_put(const char *key, const char *value)
{
	return (struct store_op){.type = STORE_OP_PUT, .put = {.key = slice_of(key), .value = slice_of(value)}};
}

static inline struct store_op suite_op_get(const char *key)
{
	return (struct store_op){.type = STORE_OP_RANGE, .range = {.keys = {.key = slice_of(key)}}};
}

static inline struct store_op suite_op_delete(const char *key)
{
	return (struct store_op){.type = STORE_OP_DELETE, .del = {.keys = {.key = slice_of(key)}}};
}

static inline struct store_op suite_op_list(const char *key, const char *end)
{
	struct slice e = end[0] ? slice_of(end) : SLICE("\0");
	return (struct store_op){.type = STORE_OP_RANGE, .range = {.keys = {.key = slice_of(key), .end = e}}};
}

/* Runs one operation; the revision, or a negative error. */
static inline int64_t suite_do(struct engine *e, struct store_op op)
{
	struct suite_call c = {.req.op = op};
	int rc = suite_run(e, &c);
	int64_t revision = c.req.revision;
	suite_end(&c);
	return rc ? rc : revision;
}

static inline int64_t suite_put(struct engine *e, const char *key, const char *value)
{
	return suite_do(e, suite_op_put(key, value));
}

static inline int64_t suite_delete(struct engine *e, const char *key)
{
	return suite_do(e, suite_op_delete(key));
}

/* The value of a key at a revision in a static buffer, NULL when it is not there. */
static inline const char *suite_get_at(struct engine *e, const char *key, int64_t revision)
{
	static char text[4096];
	struct suite_call c = {.req.op = suite_op_get(key)};
	c.req.op.range.revision = revision;
	assert_int_equal(suite_run(e, &c), 0);
	bool there = c.req.result.n_kvs == 1;
	if (there)
		snprintf(text, sizeof text, "%.*s", SLICE_FMT(c.req.result.kvs[0].value));
	suite_end(&c);
	return there ? text : NULL;
}

static inline const char *suite_get(struct engine *e, const char *key)
{
	return suite_get_at(e, key, 0);
}

static inline int suite_compact(struct engine *e, int64_t revision)
{
	struct suite_call c = {.req.type = STORE_REQUEST_COMPACT, .req.revision_arg = revision, .req.physical = true};
	int rc = suite_run(e, &c);
	suite_end(&c);
	return rc;
}

#endif
