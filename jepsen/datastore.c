/* See datastore.h. A kind says how an empty database is made, by which command line it runs and what servers call it.
 * It takes everybody who is in this net, without a password: what is tested is what becomes of requests.
 *
 * PostgreSQL's processes have sessions of their own: whoever lives in the namespace is of the database, and signals go
 * to all of them. */
#include "jepsen/datastore.h"

#include "base/check.h"
#include "jepsen/command.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGV_MAX = 32 };

struct datastore_kind {
	const char *name;
	const char *user; /* whom it runs as; NULL: root */
	/* In `data`, which exists, is empty and is the user's. */
	int (*make)(const struct datastore *d, struct err *err);
	void (*argv)(const struct datastore *d, struct arena *a, const char **ret);
	const char *endpoint; /* with one %s, the address */
};

/* ---- PostgreSQL ---- */

/* Debian keeps its programs out of the PATH: the newest of them. */
static const char *postgres_program(struct arena *a, const char *name)
{
	const char *found = name;
	glob_t g;
	if (glob(arena_printf(a, "/usr/lib/postgresql/*/bin/%s", name), 0, NULL, &g) == 0) {
		found = arena_printf(a, "%s", g.gl_pathv[g.gl_pathc - 1]);
		globfree(&g);
	}
	return found;
}

static int admit_everybody(const char *path, struct err *err)
{
	FILE *f = fopen(path, "ae");
	bool ok = f && fputs("host all all 10.77.0.0/24 trust\n", f) >= 0;
	if (f)
		ok = fclose(f) == 0 && ok;
	return ok ? 0 : err_errno(err, errno, "write %s", path);
}

static int make_postgres(const struct datastore *d, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = command_line(NAMESPACE_OURS, err,
	        "setpriv --reuid postgres --regid postgres --clear-groups %s -D %s -A trust -U k3x --no-sync",
	        postgres_program(&a, "initdb"), d->node.data_dir);
	if (rc == 0)
		rc = admit_everybody(arena_printf(&a, "%s/pg_hba.conf", d->node.data_dir), err);
	arena_release(&a);
	return rc;
}

static void argv_postgres(const struct datastore *d, struct arena *a, const char **ret)
{
	const char *const words[] = {postgres_program(a, "postgres"), "-D", d->node.data_dir, "-k", d->node.data_dir,
	        "-c", arena_printf(a, "listen_addresses=%s", d->node.net->address), NULL};
	memcpy(ret, words, sizeof words);
}

/* ---- MariaDB ---- */

static int make_mysql(const struct datastore *d, struct err *err)
{
	return command_line(NAMESPACE_OURS, err,
	        "setpriv --reuid mysql --regid mysql --clear-groups mariadb-install-db --no-defaults --datadir=%s "
	        "--skip-test-db",
	        d->node.data_dir);
}

/* The file with its first statements lies beside the data, and is carried out at every start. */
static const char *first_statements(const struct datastore *d, struct arena *a)
{
	const char *path = arena_printf(a, "%s.sql", d->node.data_dir);
	FILE *f = fopen(path, "we");
	CHECK(f != NULL);
	fputs("CREATE DATABASE IF NOT EXISTS k3x;\nCREATE USER IF NOT EXISTS k3x@'%';\n"
	      "GRANT ALL ON k3x.* TO k3x@'%';\n",
	        f);
	fclose(f);
	return path;
}

static void argv_mysql(const struct datastore *d, struct arena *a, const char **ret)
{
	const char *data = d->node.data_dir;
	const char *const words[] = {"/usr/sbin/mariadbd", "--no-defaults", arena_printf(a, "--datadir=%s", data),
	        arena_printf(a, "--socket=%s/s.sock", data), arena_printf(a, "--pid-file=%s/pid", data),
	        arena_printf(a, "--bind-address=%s", d->node.net->address),
	        arena_printf(a, "--init-file=%s", first_statements(d, a)), "--innodb-buffer-pool-size=64M",
	        "--skip-name-resolve", NULL};
	memcpy(ret, words, sizeof words);
}

/* ---- etcd ---- */

static int make_etcd(const struct datastore *d, struct err *err)
{
	return 0;
}

static void argv_etcd(const struct datastore *d, struct arena *a, const char **ret)
{
	const char *clients = arena_printf(a, "http://%s:2379", d->node.net->address);
	const char *const words[] = {"etcd", "--data-dir", d->node.data_dir, "--listen-client-urls", clients,
	        "--advertise-client-urls", clients, "--listen-peer-urls", "http://127.0.0.1:2380",
	        "--initial-advertise-peer-urls", "http://127.0.0.1:2380", "--initial-cluster",
	        "default=http://127.0.0.1:2380", "--log-level", "warn", NULL};
	memcpy(ret, words, sizeof words);
}

static const struct datastore_kind kinds[] = {
        {"postgres", "postgres", make_postgres, argv_postgres, "postgres://k3x@%s:5432/postgres"},
        {"mysql", "mysql", make_mysql, argv_mysql, "mysql://k3x@tcp(%s:3306)/k3x"},
        {"etcd", NULL, make_etcd, argv_etcd, "http://%s:2379"},
};

const struct datastore_kind *datastore_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const char *datastore_endpoint(const struct datastore *d, struct arena *a)
{
	const char *at = strstr(d->kind->endpoint, "%s");
	return arena_printf(
	        a, "%.*s%s%s", (int)(at - d->kind->endpoint), d->kind->endpoint, d->node.net->address, at + 2);
}

/* ---- life ---- */

static int make_folder(struct datastore *d, const char *scratch, struct err *err)
{
	const struct passwd *user = d->kind->user ? getpwnam(d->kind->user) : NULL;
	if (d->kind->user && !user)
		return err_set(
		        err, ERR_NOT_FOUND, "there is no user %s: is %s installed?", d->kind->user, d->kind->name);
	if (chmod(scratch, 0711) != 0 || mkdir(d->node.data_dir, 0700) != 0 ||
	        (user && chown(d->node.data_dir, user->pw_uid, user->pw_gid) != 0))
		return err_errno(err, errno, "make folder %s", d->node.data_dir);
	return 0;
}

int datastore_open(struct datastore *d, const struct datastore_kind *kind, struct net_node *net, const char *scratch,
        const char *run_dir, struct err *err)
{
	*d = (struct datastore){.kind = kind, .node = {.net = net, .is_member = true}};
	struct node *n = &d->node;
	snprintf(n->name, sizeof n->name, "%s", kind->name);
	snprintf(n->data_dir, sizeof n->data_dir, "%.200s/%s", scratch, kind->name);
	snprintf(n->log_path, sizeof n->log_path, "%.200s/%s.log", run_dir, kind->name);
	if (make_folder(d, scratch, err) != 0 || kind->make(d, err) != 0 || datastore_start(d, err) != 0)
		return err_wrap(err, "datastore");
	return 0;
}

int datastore_start(struct datastore *d, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *argv[ARGV_MAX + 8] = {0};
	size_t k = 0;
	if (d->kind->user) {
		const char *const as[] = {
		        "setpriv", "--reuid", d->kind->user, "--regid", d->kind->user, "--clear-groups"};
		memcpy(argv, as, sizeof as);
		k = COUNT_OF(as);
	}
	d->kind->argv(d, &a, argv + k);
	int rc = node_start(&d->node, argv, NULL, err);
	arena_release(&a);
	return rc;
}

static bool lives_in(const char *pid, ino_t namespace)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%.20s/ns/net", pid);
	return stat(path, &st) == 0 && st.st_ino == namespace;
}

static void signal_all(const struct datastore *d, int number)
{
	struct stat own;
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	CHECK(proc && fstat(d->node.net->ns_fd, &own) == 0);
	while ((entry = readdir(proc)) != NULL)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && lives_in(entry->d_name, own.st_ino))
			kill((pid_t)strtol(entry->d_name, NULL, 10), number);
	closedir(proc);
}

void datastore_kill(struct datastore *d)
{
	signal_all(d, SIGKILL);
	node_kill(&d->node);
}

void datastore_pause(struct datastore *d)
{
	signal_all(d, SIGSTOP);
	node_pause(&d->node);
}

void datastore_resume(struct datastore *d)
{
	signal_all(d, SIGCONT);
	node_resume(&d->node);
}

void datastore_close(struct datastore *d)
{
	if (d->kind)
		datastore_kill(d);
}
