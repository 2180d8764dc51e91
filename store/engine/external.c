/* From the name of a datastore to an engine over its log. The name is taken apart once; each connection the engine
 * opens later is made from a copy of it that lives as long as the process, for there is one datastore to a process. */
#include "store/engine/external.h"

#include "base/check.h"
#include "base/log.h"
#include "store/engine/etcd/etcd_log.h"
#include "store/engine/log_engine.h"
#include "store/engine/sql/sql_log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct source {
	struct arena arena;
	struct dsn dsn;
	struct dsn_tls tls;
	struct shared_log *first; /* opened to see whether it can be */
};

static int open_log(struct source *s, struct shared_log **ret, struct err *err)
{
	if (s->dsn.kind == DSN_ETCD)
		return etcd_log_open(&s->dsn, &s->tls, ret, err);
	return sql_log_open(&s->dsn, &s->tls, ret, err);
}

static struct shared_log *open_again(void *arg)
{
	struct source *s = arg;
	struct err err = ERR_INIT;
	struct shared_log *l = TAKE(s->first);
	if (!l && open_log(s, &l, &err) != 0)
		CHECK(!"a datastore's name that was good is bad");
	return l;
}

static void close_source(void *arg)
{
	struct source *s = arg;
	if (s->first)
		s->first->v->free(s->first);
	arena_release(&s->arena);
	free(s);
}

static const char *copy(struct arena *a, const char *text)
{
	return text ? arena_printf(a, "%s", text) : NULL;
}

int external_engine_open(const struct external_options *o, struct engine **ret, struct err *err)
{
	struct source *s = xcalloc(1, sizeof *s);
	int rc = dsn_parse(&s->arena, o->endpoint, &s->dsn, err);
	s->tls = (struct dsn_tls){
	        copy(&s->arena, o->ca_file), copy(&s->arena, o->certificate_file), copy(&s->arena, o->key_file)};
	if (rc == 0)
		rc = open_log(s, &s->first, err);
	if (rc == 0 && mkdir(o->data_dir, 0700) != 0 && errno != EEXIST)
		rc = err_errno(err, errno, "make folder %s", o->data_dir);
	if (rc == 0) {
		struct log_engine_options e = {.data_dir = o->data_dir,
		        .source = {open_again, close_source, s},
		        .connect_wait_ms = o->connect_wait_ms,
		        .request_ms = o->request_ms,
		        .snapshot_entries = o->snapshot_entries};
		log_info("store", "opening the datastore", "name=%s", dsn_redact(&s->arena, o->endpoint));
		rc = log_engine_open(&e, ret, err);
	} else {
		close_source(s);
	}
	return rc == 0 ? 0 : err_wrap(err, "datastore");
}

int external_log_open(const struct external_options *o, struct shared_log **ret, struct err *err)
{
	struct source s = {.tls = {o->ca_file, o->certificate_file, o->key_file}};
	int rc = dsn_parse(&s.arena, o->endpoint, &s.dsn, err);
	if (rc == 0)
		rc = open_log(&s, ret, err);
	arena_release(&s.arena);
	return rc;
}

bool external_is_name(const char *text)
{
	return strstr(text, "://") != NULL;
}
