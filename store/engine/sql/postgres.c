/* PostgreSQL through libpq, which is opened when a datastore asks for it: the program runs without. What is used of its
 * interface has been the same since version 7.4 and is declared here, so building needs nothing of it either.
 *
 * Statements with arguments are prepared once per connection. A pooler that hands out a server connection per
 * transaction (pgbouncer) has us find that one is not there (nothing was done then): it is sent again without a name,
 * and so are all others from then on. What is lost behind it is the telling: LISTEN stays on a connection that is
 * somebody else's next, and the log thread finds that it has to look. Nothing is waited for longer than
 * SHARED_LOG_CALL_MS: then the connection is given up, and what was asked on it is in doubt. */
#include "store/engine/sql/sql_db_int.h"

#include "base/check.h"
#include "base/clock.h"

#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef struct pgNotify {
	char *relname;
	int be_pid;
	char *extra;
} PGnotify;

enum { CONNECTION_OK = 0, CONNECTION_BAD = 1 };
enum { POLLING_FAILED = 0, POLLING_READING = 1, POLLING_WRITING = 2, POLLING_OK = 3 };
enum { COMMAND_OK = 1, TUPLES_OK = 2 };
enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_BYTEA = 17 };
enum { DIAG_SQLSTATE = 'C' };

#define LIBPQ \
	F(PGconn *, PQconnectStartParams, (const char *const *, const char *const *, int)) \
	F(int, PQconnectPoll, (PGconn *)) \
	F(int, PQstatus, (const PGconn *)) \
	F(int, PQsocket, (const PGconn *)) \
	F(char *, PQerrorMessage, (const PGconn *)) \
	F(void, PQfinish, (PGconn *)) \
	F(int, PQsetnonblocking, (PGconn *, int)) \
	F(int, PQsendQueryParams, \
	        (PGconn *, const char *, int, const unsigned *, const char *const *, const int *, const int *, int)) \
	F(int, PQsendPrepare, (PGconn *, const char *, const char *, int, const unsigned *)) \
	F(int, PQsendQueryPrepared, (PGconn *, const char *, int, const char *const *, const int *, const int *, int)) \
	F(int, PQflush, (PGconn *)) \
	F(int, PQconsumeInput, (PGconn *)) \
	F(int, PQisBusy, (PGconn *)) \
	F(PGresult *, PQgetResult, (PGconn *)) \
	F(int, PQresultStatus, (const PGresult *)) \
	F(char *, PQresultErrorField, (const PGresult *, int)) \
	F(char *, PQresultErrorMessage, (const PGresult *)) \
	F(int, PQntuples, (const PGresult *)) \
	F(int, PQnfields, (const PGresult *)) \
	F(unsigned, PQftype, (const PGresult *, int)) \
	F(char *, PQgetvalue, (const PGresult *, int, int)) \
	F(int, PQgetlength, (const PGresult *, int, int)) \
	F(int, PQgetisnull, (const PGresult *, int, int)) \
	F(char *, PQcmdTuples, (PGresult *)) \
	F(void, PQclear, (PGresult *)) \
	F(PGnotify *, PQnotifies, (PGconn *)) \
	F(void, PQfreemem, (void *)) \
	F(int, PQbackendPID, (const PGconn *)) \
	F(void *, PQsetNoticeProcessor, (PGconn *, void (*)(void *, const char *), void *))

static struct {
	void *handle;
#define F(type, name, args) type(*name) args;
	LIBPQ
#undef F
} pq;

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

enum { PREPARED_MAX = 16, ARGS_MAX = 4 };
#define STATE_NOT_PREPARED "26000"

struct postgres {
	struct sql_db base;
	PGconn *conn;
	bool is_listening;
	bool is_pooled;               /* what was prepared on this connection was not there */
	char state[6];                /* SQLSTATE of the last error */
	char *prepared[PREPARED_MAX]; /* texts; the name is k3x and the place */
	size_t n_prepared;
	char *dsn, *ca_file, *certificate_file, *key_file;
};

static struct postgres *postgres_of(struct sql_db *db)
{
	return CONTAINER_OF(db, struct postgres, base);
}

static int load(struct err *err)
{
	int rc = 0;
	pthread_mutex_lock(&load_lock);
	if (!pq.handle) {
		void *h = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
		if (!h)
			rc = err_set(err, ERR_UNIMPLEMENTED, "libpq.so.5 is not there: apt-get install libpq5 (%s)",
			        dlerror());
#define F(type, name, args) \
	if (rc == 0 && !(pq.name = (type(*) args)dlsym(h, #name))) \
		rc = err_set(err, ERR_UNIMPLEMENTED, "libpq.so.5 has no %s: it is another library", #name);
		LIBPQ
#undef F
		if (rc == 0)
			pq.handle = h;
	}
	pthread_mutex_unlock(&load_lock);
	return rc;
}

/* ---- what the dialect says ---- */

static const char *const create[] = {
        "DO $$ BEGIN "
        "PERFORM pg_advisory_xact_lock(7311);"
        "CREATE TABLE IF NOT EXISTS k3x_meta (id smallint PRIMARY KEY CHECK (id = 1), version int NOT NULL, "
        "cluster bigint NOT NULL, last_index bigint NOT NULL, snapshot_index bigint NOT NULL, "
        "snapshot_id bigint NOT NULL, snapshot_parts bigint NOT NULL) WITH (fillfactor = 10);"
        "CREATE TABLE IF NOT EXISTS k3x_log (idx bigint PRIMARY KEY, origin bigint NOT NULL, sequence bigint NOT NULL, "
        "bytes bytea NOT NULL, UNIQUE (origin, sequence));"
        "ALTER TABLE k3x_log ALTER COLUMN bytes SET STORAGE EXTERNAL;"
        "CREATE TABLE IF NOT EXISTS k3x_snapshot (id bigint NOT NULL, part bigint NOT NULL, bytes bytea NOT NULL, "
        "PRIMARY KEY (id, part));"
        "ALTER TABLE k3x_snapshot ALTER COLUMN bytes SET STORAGE EXTERNAL;"
        "END $$",
        "INSERT INTO k3x_meta (id, version, cluster, last_index, snapshot_index, snapshot_id, snapshot_parts) VALUES",
        NULL};

static const struct sql_texts texts = {
        .look = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on', "
                "to_regclass('k3x_meta') IS NOT NULL, "
                "coalesce((SELECT string_agg(c.relname, ',' ORDER BY c.relname) FROM pg_class c "
                "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') "
                "AND c.relname NOT LIKE 'k3x\\_%'), '')",
        .create = create,
        .append = "WITH m AS (UPDATE k3x_meta SET last_index = last_index + 1 WHERE id = 1 RETURNING last_index), "
                  "i AS (INSERT INTO k3x_log (idx, origin, sequence, bytes) SELECT last_index, $1, $2, $3 FROM m "
                  "RETURNING idx) SELECT idx FROM i",
        .tell = "NOTIFY k3x_log",
        .drop = "DELETE FROM k3x_log WHERE idx IN (SELECT idx FROM k3x_log WHERE idx <= $1 ORDER BY idx LIMIT 5000)",
        .keep_snapshot = "DO $$ BEGIN PERFORM 1 FROM k3x_meta WHERE id = 1 FOR UPDATE;"
                         "UPDATE k3x_meta SET snapshot_id = %lld, snapshot_parts = %lld, snapshot_index = %lld, "
                         "last_index = greatest(last_index, %lld) "
                         "WHERE id = 1 AND (SELECT count(*) FROM k3x_snapshot WHERE id = %lld) = %lld "
                         "AND snapshot_index < %lld;"
                         "DELETE FROM k3x_snapshot WHERE id <> (SELECT snapshot_id FROM k3x_meta WHERE id = 1);"
                         "END $$",
};

/* ---- errors ---- */

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static const char *first_line(const char *text, char *out, size_t size)
{
	CHECK(text && size > 1);
	size_t n = strcspn(text, "\n");
	while (n && text[n - 1] == ' ')
		n--;
	snprintf(out, size, "%.*s", (int)(n < size - 1 ? n : size - 1), text);
	return out;
}

/* libpq has no code for what went wrong while connecting; the server's words are the same in every version. */
static int connect_error(PGconn *conn, struct err *err)
{
	char line[300];
	const char *text = conn ? pq.PQerrorMessage(conn) : "no memory";
	first_line(text, line, sizeof line);
	if (has(text, "password authentication failed") || has(text, "no password supplied") ||
	        has(text, "no pg_hba.conf entry") || (has(text, "role \"") && has(text, "does not exist")) ||
	        has(text, "authentication failed"))
		return err_set(err, ERR_UNAUTHENTICATED, "PostgreSQL: %s", line);
	if (has(text, "database \"") && has(text, "does not exist"))
		return err_set(err, ERR_INVAL, "PostgreSQL: %s: create it, empty", line);
	if (has(text, "permission denied for database"))
		return err_set(err, ERR_FORBIDDEN, "PostgreSQL: %s", line);
	if (has(text, "invalid URI") || has(text, "invalid connection option") || has(text, "invalid sslmode") ||
	        has(text, "invalid port") || has(text, "invalid integer value"))
		return err_set(err, ERR_INVAL, "PostgreSQL: %s", line);
	return err_set(err, ERR_UNAVAILABLE, "PostgreSQL: %s", line);
}

static int code_of(const char *state)
{
	static const struct {
		const char *state;
		int code;
	} rows[] = {{"08", ERR_UNAVAILABLE}, {"57", ERR_UNAVAILABLE}, {"53300", ERR_UNAVAILABLE},
	        {"25006", ERR_UNAVAILABLE}, {"55P03", ERR_BUSY}, {"55006", ERR_BUSY}, {"40", ERR_BUSY},
	        {"23505", ERR_EXISTS}, {"53100", ERR_NO_SPACE}, {"53200", ERR_NOMEM}, {"42501", ERR_FORBIDDEN},
	        {"58030", ERR_NO_SPACE}, {"XX001", ERR_IO}};
	for (size_t i = 0; state && i < COUNT_OF(rows); i++)
		if (strncmp(state, rows[i].state, strlen(rows[i].state)) == 0)
			return rows[i].code;
	return ERR_INTERNAL;
}

static int result_error(struct postgres *p, PGresult *r, struct err *err)
{
	char line[300];
	CHECK(p->conn && r);
	const char *state = pq.PQresultErrorField(r, DIAG_SQLSTATE);
	first_line(pq.PQresultErrorMessage(r), line, sizeof line);
	snprintf(p->state, sizeof p->state, "%s", state ? state : "");
	if (!state || pq.PQstatus(p->conn) == CONNECTION_BAD) /* the connection is gone: libpq says so itself */
		return err_set(err, ERR_UNAVAILABLE, "PostgreSQL: %s", line);
	int code = code_of(state);
	return err_set(err, code, "PostgreSQL: %s%s", line,
	        code == ERR_FORBIDDEN ? ": grant the datastore's user all rights on its database and schema" : "");
}

/* ---- waiting ---- */

/* False: time is over. */
static bool wait_socket(struct postgres *p, short events, uint64_t until_ms)
{
	CHECK(p->conn && (events & (POLLIN | POLLOUT)));
	struct pollfd fd = {.fd = pq.PQsocket(p->conn), .events = events};
	for (;;) {
		uint64_t now = clock_mono_ms();
		if (now >= until_ms)
			return false;
		int rc = poll(&fd, 1, (int)(until_ms - now));
		if (rc > 0)
			return true;
		if (rc < 0 && errno != EINTR)
			return false;
	}
}

static int too_slow(struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "PostgreSQL: no answer within %d ms", SHARED_LOG_CALL_MS);
}

/* ---- life ---- */

static void disconnect(struct sql_db *db)
{
	struct postgres *p = postgres_of(db);
	if (p->conn)
		pq.PQfinish(p->conn);
	p->conn = NULL;
	p->is_listening = p->is_pooled = false;
	while (p->n_prepared)
		free(p->prepared[--p->n_prepared]);
}

/* They would go to stderr. What matters among them comes as an error too. */
static void no_notice(void *arg, const char *text)
{
}

static PGconn *begin(struct postgres *p)
{
	const char *names[12], *values[12];
	int n = 0;
#define SET(name, value) (names[n] = (name), values[n] = (value), n++)
	SET("connect_timeout", "5");
	SET("tcp_user_timeout", "5000");
	SET("keepalives_idle", "10");
	SET("fallback_application_name", "k3x");
	if (p->ca_file) {
		SET("sslmode", "verify-full"); /* what the name says comes after, and counts */
		SET("sslrootcert", p->ca_file);
	}
	if (p->certificate_file)
		SET("sslcert", p->certificate_file);
	if (p->key_file)
		SET("sslkey", p->key_file);
	SET("dbname", p->dsn);
	SET(NULL, NULL);
#undef SET
	CHECK(n <= (int)COUNT_OF(names));
	return pq.PQconnectStartParams(names, values, 1);
}

static int run(struct sql_db *db, const char *sql, const struct sql_arg *args, size_t n_args, struct arena *a,
        struct sql_rows *ret, struct err *err);

/* Where the pooler does not take it, one has to look. */
static void listen_for(struct postgres *p)
{
	struct arena a = ARENA_INIT;
	struct sql_rows rows;
	struct err err = ERR_INIT;
	p->is_listening = run(&p->base, "LISTEN k3x_log", NULL, 0, &a, &rows, &err) == 0;
	arena_release(&a);
}

static int be_durable(struct postgres *p, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows rows;
	int rc = run(&p->base,
	        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = "
	        "'off'",
	        NULL, 0, &a, &rows, err);
	arena_release(&a);
	return rc;
}

static int connect(struct sql_db *db, size_t *ret_bytes_max, struct err *err)
{
	struct postgres *p = postgres_of(db);
	uint64_t until = clock_mono_ms() + SHARED_LOG_CALL_MS;
	int step = POLLING_WRITING;
	p->conn = begin(p);
	if (!p->conn || pq.PQstatus(p->conn) == CONNECTION_BAD)
		return connect_error(p->conn, err);
	pq.PQsetNoticeProcessor(p->conn, no_notice, NULL);
	while (step != POLLING_OK) {
		if (!wait_socket(p, step == POLLING_READING ? POLLIN : POLLOUT, until))
			return too_slow(err);
		step = pq.PQconnectPoll(p->conn);
		if (step == POLLING_FAILED)
			return connect_error(p->conn, err);
	}
	pq.PQsetnonblocking(p->conn, 1);
	*ret_bytes_max = 256u * 1024 * 1024;
	int rc = be_durable(p, err);
	if (rc == 0)
		listen_for(p);
	return rc;
}

/* ---- statements ---- */

static int64_t number(const char *bytes, int len)
{
	uint64_t v = 0;
	for (int i = 0; i < len && i < 8; i++)
		v = v << 8 | (unsigned char)bytes[i];
	return len == 4 ? (int32_t)v : len == 2 ? (int16_t)v : (int64_t)v;
}

static void take_rows(PGresult *r, struct arena *a, struct sql_rows *ret)
{
	size_t n = (size_t)pq.PQntuples(r), columns = (size_t)pq.PQnfields(r);
	*ret = (struct sql_rows){.n_rows = n, .n_columns = columns, .affected = strtoll(pq.PQcmdTuples(r), NULL, 10)};
	ret->cells = arena_alloc(a, (n * columns + 1) * sizeof *ret->cells);
	for (size_t i = 0; i < n * columns; i++) {
		int row = (int)(i / columns), column = (int)(i % columns);
		int len = pq.PQgetlength(r, row, column);
		const char *bytes = pq.PQgetvalue(r, row, column);
		unsigned type = pq.PQftype(r, column);
		struct sql_cell *c = &ret->cells[i];
		*c = (struct sql_cell){.is_null = pq.PQgetisnull(r, row, column)};
		if (type == OID_INT8 || type == OID_INT4 || type == OID_INT2 || type == OID_BOOL)
			c->number = number(bytes, len);
		else
			c->bytes = (struct slice){arena_memdup(a, bytes, (size_t)len), (size_t)len};
	}
}

static int flush(struct postgres *p, uint64_t until, struct err *err)
{
	int rc;
	while ((rc = pq.PQflush(p->conn)) == 1) {
		if (!wait_socket(p, POLLIN | POLLOUT, until))
			return too_slow(err);
		if (!pq.PQconsumeInput(p->conn))
			return connect_error(p->conn, err);
	}
	return rc < 0 ? connect_error(p->conn, err) : 0;
}

static void take_types(const struct sql_arg *args, size_t n, unsigned types[ARGS_MAX])
{
	CHECK(n <= ARGS_MAX);
	for (size_t i = 0; i < n; i++)
		types[i] = args[i].is_bytes ? OID_BYTEA : OID_INT8;
}

/* name NULL: it is not prepared. */
static int send(struct postgres *p, const char *name, const char *sql, const struct sql_arg *args, size_t n,
        uint64_t until, struct err *err)
{
	unsigned types[ARGS_MAX];
	const char *values[ARGS_MAX];
	int lengths[ARGS_MAX], formats[ARGS_MAX];
	uint64_t numbers[ARGS_MAX];
	take_types(args, n, types);
	for (size_t i = 0; i < n; i++) {
		numbers[i] = htobe64((uint64_t)args[i].number);
		values[i] = args[i].is_bytes ? (args[i].bytes.ptr ? args[i].bytes.ptr : "") : (const char *)&numbers[i];
		lengths[i] = args[i].is_bytes ? (int)args[i].bytes.len : 8;
		formats[i] = 1;
	}
	int is_sent = name ? pq.PQsendQueryPrepared(p->conn, name, (int)n, values, lengths, formats, 1)
	                   : pq.PQsendQueryParams(p->conn, sql, (int)n, types, values, lengths, formats, 1);
	return is_sent ? flush(p, until, err) : connect_error(p->conn, err);
}

static int receive(struct postgres *p, uint64_t until, struct arena *a, struct sql_rows *ret, struct err *err)
{
	int rc = 0;
	for (;;) {
		while (pq.PQisBusy(p->conn)) {
			if (!wait_socket(p, POLLIN, until))
				return too_slow(err);
			if (!pq.PQconsumeInput(p->conn))
				return connect_error(p->conn, err);
		}
		PGresult *r = pq.PQgetResult(p->conn);
		if (!r)
			return rc;
		int status = pq.PQresultStatus(r);
		if (rc == 0 && (status == TUPLES_OK || status == COMMAND_OK))
			take_rows(r, a, ret);
		else if (rc == 0)
			rc = result_error(p, r, err);
		pq.PQclear(r);
		if (pq.PQstatus(p->conn) == CONNECTION_BAD)
			return rc ? rc : connect_error(p->conn, err);
	}
}

/* The name of a statement that is prepared now; NULL: it is to be sent as it is. */
static const char *prepare(
        struct postgres *p, const char *sql, const struct sql_arg *args, size_t n, uint64_t until, char name[16])
{
	struct arena a = ARENA_INIT;
	struct sql_rows rows;
	struct err err = ERR_INIT;
	unsigned types[ARGS_MAX];
	size_t i = 0;
	while (i < p->n_prepared && strcmp(p->prepared[i], sql) != 0)
		i++;
	if (!n || p->is_pooled || i == PREPARED_MAX)
		return NULL;
	snprintf(name, 16, "k3x%zu", i);
	if (i < p->n_prepared)
		return name;
	take_types(args, n, types);
	int rc = pq.PQsendPrepare(p->conn, name, sql, (int)n, types) ? flush(p, until, &err)
	                                                             : connect_error(p->conn, &err);
	if (rc == 0)
		rc = receive(p, until, &a, &rows, &err);
	arena_release(&a);
	p->is_pooled = rc != 0;
	if (rc == 0)
		p->prepared[p->n_prepared++] = xstrdup(sql);
	return rc == 0 ? name : NULL;
}

static int run(struct sql_db *db, const char *sql, const struct sql_arg *args, size_t n_args, struct arena *a,
        struct sql_rows *ret, struct err *err)
{
	struct postgres *p = postgres_of(db);
	uint64_t until = clock_mono_ms() + SHARED_LOG_CALL_MS;
	char place[16];
	*ret = (struct sql_rows){0};
	if (!p->conn)
		return err_set(err, ERR_UNAVAILABLE, "PostgreSQL: not connected");
	p->state[0] = 0;
	const char *name = prepare(p, sql, args, n_args, until, place);
	int rc = send(p, name, sql, args, n_args, until, err);
	if (rc == 0)
		rc = receive(p, until, a, ret, err);
	if (rc == 0 || !name || strcmp(p->state, STATE_NOT_PREPARED) != 0)
		return rc;
	p->is_pooled = true;
	*err = ERR_INIT;
	rc = send(p, NULL, sql, args, n_args, until, err);
	return rc == 0 ? receive(p, until, a, ret, err) : rc;
}

/* ---- being told ---- */

static int fd(struct sql_db *db)
{
	struct postgres *p = postgres_of(db);
	return p->conn && p->is_listening ? pq.PQsocket(p->conn) : -1;
}

/* Told in a transaction of its own: in that of the entry it would cost a commit as much again. What this connection
 * itself told does not count. A connection that is gone is found out by looking. */
static bool heard(struct sql_db *db, bool *ret_tells)
{
	struct postgres *p = postgres_of(db);
	bool ok = p->conn && pq.PQconsumeInput(p->conn), any = !ok;
	PGnotify *n;
	while (ok && (n = pq.PQnotifies(p->conn)) != NULL) {
		*ret_tells = true;
		any = any || n->be_pid != pq.PQbackendPID(p->conn);
		pq.PQfreemem(n);
	}
	return any;
}

static void release(struct sql_db *db)
{
	struct postgres *p = postgres_of(db);
	disconnect(db);
	free(p->dsn);
	free(p->ca_file);
	free(p->certificate_file);
	free(p->key_file);
	free(p);
}

static const struct sql_db_vtable vtable = {.name = "postgres",
        .texts = &texts,
        .connect = connect,
        .disconnect = disconnect,
        .run = run,
        .fd = fd,
        .heard = heard,
        .free = release};

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

int postgres_open(const struct dsn *dsn, const struct dsn_tls *tls, struct sql_db **ret, struct err *err)
{
	if (load(err) != 0)
		return err->code;
	struct postgres *p = xcalloc(1, sizeof *p);
	p->base.v = &vtable;
	p->dsn = xstrdup(dsn->text);
	p->ca_file = copy(tls->ca_file);
	p->certificate_file = copy(tls->certificate_file);
	p->key_file = copy(tls->key_file);
	*ret = &p->base;
	return 0;
}
