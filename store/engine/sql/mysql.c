/* MySQL and MariaDB through libmariadb, which is opened when a datastore asks for it: the program runs without, and its
 * interface, declared here as far as it is used, is as old as it is stable.
 *
 * An entry is added by one packet of statements: begin, raise the number (LAST_INSERT_ID(expression) remembers it),
 * insert under it, commit. The server runs them without waiting for anybody, so a client that stops in the middle holds
 * no lock. Arguments go into the text, escaped; bytes as hexadecimal digits would be twice as long, so they are quoted,
 * which is safe whatever the server's SQL mode: the connection says binary and sets a mode of its own.
 *
 * There is nothing that tells of new entries: one has to look. */
#include "store/engine/sql/sql_db_int.h"

#include "base/check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct my_handle MYSQL;
typedef struct my_result MYSQL_RES;
typedef char **MYSQL_ROW;

/* Numbers of enum mysql_option. */
enum { OPTION_CONNECT_TIMEOUT = 0, OPTION_CHARSET = 7, OPTION_READ_TIMEOUT = 11, OPTION_WRITE_TIMEOUT = 12 };
enum { OPTION_VERIFY_CERT = 21, OPTION_SSL_KEY = 25, OPTION_SSL_CERT = 26, OPTION_SSL_CA = 27 };
enum { OPTION_SSL_ENFORCE = 38, OPTION_MAX_PACKET = 39 };
enum { CLIENT_MULTI_STATEMENTS = 1 << 16, CLIENT_MULTI_RESULTS = 1 << 17, CLIENT_FOUND_ROWS = 2 };
enum { PORT = 3306 };

#define LIBMARIADB \
	F(MYSQL *, mysql_init, (MYSQL *)) \
	F(int, mysql_options, (MYSQL *, int, const void *)) \
	F(MYSQL *, mysql_real_connect, \
	        (MYSQL *, const char *, const char *, const char *, const char *, unsigned, const char *, \
	                unsigned long)) \
	F(void, mysql_close, (MYSQL *)) \
	F(int, mysql_real_query, (MYSQL *, const char *, unsigned long)) \
	F(MYSQL_RES *, mysql_store_result, (MYSQL *)) \
	F(int, mysql_next_result, (MYSQL *)) \
	F(signed char, mysql_more_results, (MYSQL *)) \
	F(unsigned, mysql_field_count, (MYSQL *)) \
	F(unsigned, mysql_num_fields, (MYSQL_RES *)) \
	F(unsigned long long, mysql_num_rows, (MYSQL_RES *)) \
	F(unsigned long long, mysql_affected_rows, (MYSQL *)) \
	F(MYSQL_ROW, mysql_fetch_row, (MYSQL_RES *)) \
	F(unsigned long *, mysql_fetch_lengths, (MYSQL_RES *)) \
	F(void, mysql_free_result, (MYSQL_RES *)) \
	F(unsigned, mysql_errno, (MYSQL *)) \
	F(const char *, mysql_error, (MYSQL *)) \
	F(unsigned long, mysql_real_escape_string, (MYSQL *, char *, const char *, unsigned long))

static struct {
	void *handle;
#define F(type, name, args) type(*name) args;
	LIBMARIADB
#undef F
} my;

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

struct mysql {
	struct sql_db base;
	MYSQL *conn;
	struct arena arena;
	struct dsn dsn;
	char *ca_file, *certificate_file, *key_file;
};

static struct mysql *mysql_of(struct sql_db *db)
{
	return CONTAINER_OF(db, struct mysql, base);
}

static int load(struct err *err)
{
	int rc = 0;
	pthread_mutex_lock(&load_lock);
	if (!my.handle) {
		void *h = dlopen("libmariadb.so.3", RTLD_NOW | RTLD_LOCAL);
		if (!h)
			rc = err_set(err, ERR_UNIMPLEMENTED,
			        "libmariadb.so.3 is not there: apt-get install libmariadb3 (%s)", dlerror());
#define F(type, name, args) \
	if (rc == 0 && !(my.name = (type(*) args)dlsym(h, #name))) \
		rc = err_set(err, ERR_UNIMPLEMENTED, "libmariadb.so.3 has no %s: it is another library", #name);
		LIBMARIADB
#undef F
		if (rc == 0)
			my.handle = h;
	}
	pthread_mutex_unlock(&load_lock);
	return rc;
}

/* ---- what the dialect says ---- */

static const char *const create[] = {
        "CREATE TABLE IF NOT EXISTS k3x_log (idx BIGINT NOT NULL PRIMARY KEY, origin BIGINT NOT NULL, "
        "sequence BIGINT NOT NULL, bytes LONGBLOB NOT NULL, UNIQUE KEY k3x_log_once (origin, sequence)) ENGINE=InnoDB",
        "CREATE TABLE IF NOT EXISTS k3x_snapshot (id BIGINT NOT NULL, part BIGINT NOT NULL, bytes LONGBLOB NOT NULL, "
        "PRIMARY KEY (id, part)) ENGINE=InnoDB",
        "CREATE TABLE IF NOT EXISTS k3x_meta (id SMALLINT NOT NULL PRIMARY KEY, version INT NOT NULL, "
        "cluster BIGINT NOT NULL, last_index BIGINT NOT NULL, snapshot_index BIGINT NOT NULL, "
        "snapshot_id BIGINT NOT NULL, snapshot_parts BIGINT NOT NULL) ENGINE=InnoDB",
        "INSERT IGNORE INTO k3x_meta (id, version, cluster, last_index, snapshot_index, snapshot_id, snapshot_parts) "
        "VALUES",
        NULL};

static const struct sql_texts texts = {
        .look = "SELECT @@global.read_only, "
                "(SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND "
                "table_name = 'k3x_meta'), "
                "coalesce((SELECT group_concat(table_name ORDER BY table_name) FROM information_schema.tables "
                "WHERE table_schema = database() AND table_name NOT LIKE 'k3x\\_%'), '')",
        .create = create,
        .append = "START TRANSACTION;"
                  "UPDATE k3x_meta SET last_index = LAST_INSERT_ID(last_index + 1) WHERE id = 1;"
                  "INSERT INTO k3x_log (idx, origin, sequence, bytes) VALUES (LAST_INSERT_ID(), $1, $2, $3);"
                  "COMMIT;"
                  "SELECT LAST_INSERT_ID()",
        .drop = "DELETE FROM k3x_log WHERE idx <= $1 ORDER BY idx LIMIT 5000",
        .keep_snapshot = "START TRANSACTION;"
                         "SELECT id FROM k3x_meta WHERE id = 1 FOR UPDATE;"
                         "UPDATE k3x_meta SET snapshot_id = %lld, snapshot_parts = %lld, snapshot_index = %lld, "
                         "last_index = greatest(last_index, %lld) "
                         "WHERE id = 1 AND (SELECT count(*) FROM k3x_snapshot WHERE id = %lld) = %lld "
                         "AND snapshot_index < %lld;"
                         "DELETE FROM k3x_snapshot WHERE id <> (SELECT snapshot_id FROM k3x_meta WHERE id = 1);"
                         "COMMIT",
};

/* ---- errors ---- */

static int code_of(unsigned number)
{
	static const struct {
		unsigned number;
		int code;
	} rows[] = {{1045, ERR_UNAUTHENTICATED}, {1044, ERR_FORBIDDEN}, {1142, ERR_FORBIDDEN}, {1143, ERR_FORBIDDEN},
	        {1227, ERR_FORBIDDEN}, {1049, ERR_INVAL}, {1698, ERR_UNAUTHENTICATED}, {1205, ERR_BUSY},
	        {1213, ERR_BUSY}, {1020, ERR_BUSY}, {1062, ERR_EXISTS}, {1021, ERR_NO_SPACE}, {1114, ERR_NO_SPACE},
	        {1153, ERR_TOO_BIG}, {1040, ERR_UNAVAILABLE}, {1053, ERR_UNAVAILABLE}, {1290, ERR_UNAVAILABLE},
	        {1836, ERR_UNAVAILABLE}, {1047, ERR_UNAVAILABLE}, {1152, ERR_UNAVAILABLE}, {1927, ERR_UNAVAILABLE},
	        {1317, ERR_UNAVAILABLE}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].number == number)
			return rows[i].code;
	return number >= 2000 && number < 3000 ? ERR_UNAVAILABLE : ERR_INTERNAL; /* of the client: the connection */
}

static int fail(struct mysql *m, struct err *err)
{
	static const char *const mends[] = {
	        ": grant the datastore's user all rights on its database", ": create it, empty"};
	unsigned number = my.mysql_errno(m->conn);
	int code = code_of(number);
	const char *mend = code == ERR_FORBIDDEN ? mends[0] : number == 1049 ? mends[1] : "";
	return err_set(err, code, "MySQL: %.300s%s", my.mysql_error(m->conn), mend);
}

/* ---- life ---- */

static void disconnect(struct sql_db *db)
{
	struct mysql *m = mysql_of(db);
	if (m->conn)
		my.mysql_close(m->conn);
	m->conn = NULL;
}

static int set_tls(struct mysql *m, bool is_wanted, bool is_verified, struct err *err)
{
	signed char on = 1, verify = is_verified;
	if (m->ca_file)
		my.mysql_options(m->conn, OPTION_SSL_CA, m->ca_file);
	if (m->certificate_file)
		my.mysql_options(m->conn, OPTION_SSL_CERT, m->certificate_file);
	if (m->key_file)
		my.mysql_options(m->conn, OPTION_SSL_KEY, m->key_file);
	if (is_wanted && my.mysql_options(m->conn, OPTION_SSL_ENFORCE, &on) != 0)
		return err_set(err, ERR_UNIMPLEMENTED, "MySQL: this libmariadb knows no TLS");
	my.mysql_options(m->conn, OPTION_VERIFY_CERT, &verify);
	return 0;
}

/* tls=true | false | skip-verify, as the names of datastores have it in k3s. */
static int set_parameters(struct mysql *m, struct err *err)
{
	bool is_wanted = m->ca_file != NULL, is_verified = is_wanted;
	for (size_t i = 0; i < m->dsn.n_parameters; i++) {
		const struct dsn_parameter *p = &m->dsn.parameters[i];
		if (strcmp(p->name, "tls") != 0)
			return err_set(err, ERR_INVAL,
			        "the datastore's name has a parameter %s: tls is the one that is known", p->name);
		if (strcmp(p->value, "true") != 0 && strcmp(p->value, "false") != 0 &&
		        strcmp(p->value, "skip-verify") != 0)
			return err_set(err, ERR_INVAL, "the datastore's name has tls=%s: true, false or skip-verify",
			        p->value);
		is_wanted = strcmp(p->value, "false") != 0;
		is_verified = strcmp(p->value, "true") == 0;
	}
	return set_tls(m, is_wanted, is_verified, err);
}

static int run(struct sql_db *db, const char *sql, const struct sql_arg *args, size_t n_args, struct arena *a,
        struct sql_rows *ret, struct err *err);

/* The packet must hold an entry with every byte escaped. */
static int prepare(struct mysql *m, size_t *ret_bytes_max, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows rows;
	int rc = run(&m->base,
	        "SET SESSION sql_mode = 'STRICT_ALL_TABLES', innodb_lock_wait_timeout = 5, autocommit = 1;"
	        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
	        "SELECT @@max_allowed_packet",
	        NULL, 0, &a, &rows, err);
	if (rc == 0) {
		*ret_bytes_max = (size_t)sql_at(&rows, 0, 0)->number / 2 - 4096;
		if (sql_at(&rows, 0, 0)->number < 4 * 1024 * 1024)
			rc = err_set(err, ERR_INVAL, "MySQL: max_allowed_packet is %lld: set it to 16M or more",
			        (long long)sql_at(&rows, 0, 0)->number);
	}
	arena_release(&a);
	return rc;
}

static int connect(struct sql_db *db, size_t *ret_bytes_max, struct err *err)
{
	struct mysql *m = mysql_of(db);
	unsigned seconds = SHARED_LOG_CALL_MS / 1000;
	const struct dsn *d = &m->dsn;
	CHECK(!m->conn);
	m->conn = my.mysql_init(NULL);
	if (!m->conn)
		return err_set(err, ERR_UNAVAILABLE, "MySQL: no memory");
	my.mysql_options(m->conn, OPTION_CONNECT_TIMEOUT, &seconds);
	my.mysql_options(m->conn, OPTION_READ_TIMEOUT, &seconds);
	my.mysql_options(m->conn, OPTION_WRITE_TIMEOUT, &seconds);
	unsigned long packet = 1024ul * 1024 * 1024; /* the server's limit is the one that counts */
	my.mysql_options(m->conn, OPTION_MAX_PACKET, &packet);
	my.mysql_options(m->conn, OPTION_CHARSET, "binary");
	if (set_parameters(m, err) != 0)
		return err->code;
	if (!my.mysql_real_connect(m->conn,
	            d->socket[0] ? NULL
	            : d->host[0] ? d->host
	                         : "127.0.0.1",
	            d->user, d->password, d->database, (unsigned)(d->port ? d->port : PORT),
	            d->socket[0] ? d->socket : NULL, CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS))
		return fail(m, err);
	return prepare(m, ret_bytes_max, err);
}

/* ---- statements ---- */

static void add_arg(struct mysql *m, struct strbuf *out, const struct sql_arg *arg)
{
	if (!arg->is_bytes) {
		strbuf_add_i64(out, arg->number);
		return;
	}
	strbuf_adds(out, "_binary'");
	CHECK(arg->bytes.len < SIZE_MAX / 4);
	strbuf_reserve(out, 2 * arg->bytes.len + 1);
	out->len += my.mysql_real_escape_string(
	        m->conn, out->data + out->len, arg->bytes.ptr ? arg->bytes.ptr : "", arg->bytes.len);
	strbuf_addc(out, '\'');
}

/* $1 .. $9 of our own texts. */
static void put_together(struct mysql *m, struct strbuf *out, const char *sql, const struct sql_arg *args, size_t n)
{
	for (const char *p = sql; *p; p++) {
		if (n && *p == '$' && p[1] >= '1' && p[1] <= '9') {
			size_t i = (size_t)(*++p - '1');
			CHECK(i < n);
			add_arg(m, out, &args[i]);
		} else {
			strbuf_addc(out, *p);
		}
	}
}

/* Whole numbers have their value beside their text. */
static void take_rows(MYSQL_RES *r, struct arena *a, struct sql_rows *ret)
{
	size_t columns = my.mysql_num_fields(r), n = (size_t)my.mysql_num_rows(r);
	MYSQL_ROW row;
	*ret = (struct sql_rows){.n_rows = n, .n_columns = columns};
	ret->cells = arena_alloc(a, (n * columns + 1) * sizeof *ret->cells);
	for (size_t i = 0; i < n && (row = my.mysql_fetch_row(r)) != NULL; i++) {
		unsigned long *lengths = my.mysql_fetch_lengths(r);
		for (size_t c = 0; c < columns; c++) {
			struct sql_cell *cell = &ret->cells[i * columns + c];
			*cell = (struct sql_cell){.is_null = !row[c]};
			if (!row[c])
				continue;
			cell->bytes = (struct slice){arena_memdup(a, row[c], lengths[c]), lengths[c]};
			if (lengths[c] <= 20)
				slice_to_i64(cell->bytes, &cell->number);
		}
	}
}

/* The rows of the last statement that has some. */
static int receive(struct mysql *m, struct arena *a, struct sql_rows *ret, struct err *err)
{
	for (;;) {
		MYSQL_RES *r = my.mysql_store_result(m->conn);
		if (r) {
			take_rows(r, a, ret);
			my.mysql_free_result(r);
		} else if (my.mysql_field_count(m->conn)) {
			return fail(m, err);
		} else {
			ret->affected = (int64_t)my.mysql_affected_rows(m->conn);
		}
		int next = my.mysql_next_result(m->conn);
		if (next < 0)
			return 0;
		if (next > 0)
			return fail(m, err);
	}
}

/* A packet of statements that broke off leaves its transaction open. */
static void roll_back(struct mysql *m)
{
	if (my.mysql_real_query(m->conn, "ROLLBACK", 8) != 0)
		disconnect(&m->base);
}

static int run(struct sql_db *db, const char *sql, const struct sql_arg *args, size_t n_args, struct arena *a,
        struct sql_rows *ret, struct err *err)
{
	struct mysql *m = mysql_of(db);
	struct strbuf text = STRBUF_INIT;
	*ret = (struct sql_rows){0};
	if (!m->conn)
		return err_set(err, ERR_UNAVAILABLE, "MySQL: not connected");
	put_together(m, &text, sql, args, n_args);
	int rc = my.mysql_real_query(m->conn, text.data, text.len) != 0 ? fail(m, err) : receive(m, a, ret, err);
	strbuf_release(&text);
	if (rc != 0 && rc != ERR_UNAVAILABLE)
		roll_back(m);
	return rc;
}

static int fd(struct sql_db *db)
{
	return -1;
}

static bool heard(struct sql_db *db, bool *ret_tells)
{
	return false;
}

static void release(struct sql_db *db)
{
	struct mysql *m = mysql_of(db);
	disconnect(db);
	free(m->ca_file);
	free(m->certificate_file);
	free(m->key_file);
	arena_release(&m->arena);
	free(m);
}

static const struct sql_db_vtable vtable = {.name = "mysql",
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

int mysql_open(const struct dsn *dsn, const struct dsn_tls *tls, struct sql_db **ret, struct err *err)
{
	if (load(err) != 0)
		return err->code;
	struct mysql *m = xcalloc(1, sizeof *m);
	m->base.v = &vtable;
	if (dsn_parse(&m->arena, dsn->text, &m->dsn, err) != 0) { /* a copy of its own */
		arena_release(&m->arena);
		free(m);
		return err->code;
	}
	m->ca_file = copy(tls->ca_file);
	m->certificate_file = copy(tls->certificate_file);
	m->key_file = copy(tls->key_file);
	*ret = &m->base;
	return 0;
}
