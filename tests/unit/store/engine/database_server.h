/* Database servers of Debian's packages, in a folder of their own under /tmp, on a socket alone, as a user without
 * rights. */
#ifndef K3X_TESTS_DATABASE_SERVER_H
#define K3X_TESTS_DATABASE_SERVER_H

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct database_server {
	char folder[64];
	char command[400]; /* that runs it */
	pid_t pid;
};

__attribute__((format(printf, 1, 2))) static inline int database_shell(const char *fmt, ...)
{
	char text[2000];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return system(text);
}

/* As root the server is run as the user of its package. */
static inline const char *database_user(const char *user)
{
	static char prefix[100];
	snprintf(prefix, sizeof prefix, geteuid() == 0 ? "setpriv --reuid %s --regid %s --clear-groups " : "", user,
	        user);
	return prefix;
}

static inline void database_start(struct database_server *s)
{
	s->pid = fork();
	if (s->pid == 0) {
		char log[100];
		snprintf(log, sizeof log, "%s/server.log", s->folder);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		char text[500];
		snprintf(text, sizeof text, "exec %s", s->command);
		execl("/bin/sh", "sh", "-c", text, NULL);
		_exit(127);
	}
}

static inline void database_stop(struct database_server *s, int signal)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, signal);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

static inline void database_folder(struct database_server *s, const char *user)
{
	snprintf(s->folder, sizeof s->folder, "/tmp/k3x-database-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	if (geteuid() == 0)
		assert_int_equal(database_shell("chown %s %s", user, s->folder), 0);
}

static inline void database_remove(struct database_server *s)
{
	database_stop(s, SIGKILL);
	database_shell("rm -rf %s", s->folder);
}

/* ---- PostgreSQL ---- */

#define POSTGRES_BIN "$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)"

static inline bool postgres_is_there(void)
{
	return database_shell("test -x " POSTGRES_BIN "/postgres") == 0;
}

static inline void postgres_make(struct database_server *s)
{
	database_folder(s, "postgres");
	assert_int_equal(database_shell("cd %s && %s" POSTGRES_BIN
	                                "/initdb -D %s/data -A trust -U postgres --no-sync >%s/initdb.log 2>&1",
	                         s->folder, database_user("postgres"), s->folder, s->folder),
	        0);
	snprintf(s->command, sizeof s->command,
	        "%s" POSTGRES_BIN "/postgres -D %s/data -k %s -c listen_addresses= -c fsync=off -c max_connections=40",
	        database_user("postgres"), s->folder, s->folder);
	database_start(s);
	WAIT_FOR(database_shell("psql -qtA -h %s -U postgres -c 'SELECT 1' >/dev/null 2>&1", s->folder) == 0);
}

static inline int postgres_sql(struct database_server *s, const char *sql)
{
	return database_shell("psql -q -h %s -U postgres -c \"%s\" >/dev/null 2>&1", s->folder, sql);
}

/* ---- MariaDB ---- */

static inline bool mariadb_is_there(void)
{
	return database_shell("test -x /usr/sbin/mariadbd") == 0;
}

static inline int mariadb_sql(struct database_server *s, const char *sql)
{
	return database_shell("mariadb --no-defaults -u root -S %s/s.sock -e \"%s\" >/dev/null 2>&1", s->folder, sql);
}

static inline void mariadb_make(struct database_server *s)
{
	database_folder(s, "mysql");
	assert_int_equal(database_shell("%s mariadb-install-db --no-defaults --datadir=%s/data "
	                                "--auth-root-authentication-method=normal --skip-test-db >%s/install.log 2>&1",
	                         database_user("mysql"), s->folder, s->folder),
	        0);
	snprintf(s->command, sizeof s->command,
	        "%s/usr/sbin/mariadbd --no-defaults --datadir=%s/data --socket=%s/s.sock --pid-file=%s/pid "
	        "--skip-networking --innodb-flush-log-at-trx-commit=2 --innodb-buffer-pool-size=32M",
	        database_user("mysql"), s->folder, s->folder, s->folder);
	database_start(s);
	WAIT_FOR(mariadb_sql(s, "SELECT 1") == 0);
	assert_int_equal(mariadb_sql(s, "CREATE DATABASE k3x"), 0);
}

/* ---- etcd ---- */

/* On loopback at this port, and the next for its peers. */
static inline void etcd_make(struct database_server *s, int port)
{
	snprintf(s->folder, sizeof s->folder, "/tmp/k3x-database-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->command, sizeof s->command,
	        "etcd --data-dir %s/data --listen-client-urls http://127.0.0.1:%d --advertise-client-urls "
	        "http://127.0.0.1:%d --listen-peer-urls http://127.0.0.1:%d --initial-advertise-peer-urls "
	        "http://127.0.0.1:%d --initial-cluster default=http://127.0.0.1:%d --log-level error --unsafe-no-fsync",
	        s->folder, port, port, port + 1, port + 1, port + 1);
	database_start(s);
	WAIT_FOR(database_shell("ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:%d endpoint health >/dev/null 2>&1",
	                 port) == 0);
}

#endif
