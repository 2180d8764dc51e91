/* See nfs_mount.h.
 *
 *     LOOKING (pool: folder, helper, mountinfo) --> RUNNING (a program, with a limit) --> ... RUNNING --> OVER
 *
 * A job is one mount, one question, or all that is to be unmounted below a folder, one mount after the other, each by
 * the steps of nfs_unmount_step(). The program has a session of its own, so that its helper (mount.nfs, which retries
 * for two minutes) is killed with it at the limit. One that does not even die, because the kernel waits for the server,
 * is left: the mount went from the tree first, or never came to be.
 *
 * What can go wrong: no helper (told with the package that has it), whatever mount says, the limit. umount's failures
 * are logged and never the caller's: what is left after the last step the pool tries to detach (unmount.c). */
#include "node/volume/nfs_mount.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/log.h"
#include "base/mem/list.h"
#include "base/proc/process.h"
#include "base/rt/sm.h"
#include "node/ground/errand.h"
#include "node/ground/mount_table.h"
#include "node/ground/node_record.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOUNT_MS = 180000, ASK_MS = 10000, DIE_MS = 2000 };
enum { NO_PROGRAM = 127 }; /* a shell's status of a program that is not there */

/* Where mount(8) looks for it. */
static const char helper[] = "/sbin/mount.nfs";

enum job_state { JOB_LOOKING, JOB_RUNNING, JOB_OVER };

struct nfs_jobs {
	struct node *n;
	struct list_link running;
	unsigned limit_ms_max; /* 0: none */
	bool is_closing;
};

struct job {
	struct nfs_jobs *all;
	struct list_link link;
	struct sm sm; /* enum job_state */
	struct errand errand;
	void (*begin)(struct job *j); /* RUNNING, when the pool has looked */
	void (*end)(struct job *j, int status, struct slice output, bool is_late);
	const struct nfs_source *source;
	const char *path; /* of the mount, or the folder */
	const char *const *points;
	size_t n_points, at;
	unsigned step;
	bool is_there, is_late, is_given_up;
	struct process *child;
	uv_timer_t timer;
	void (*done)(void *arg, const struct err *err);
	void *arg;
	struct err err;
	struct arena arena;
};

static bool holds(const struct sm *m, int before)
{
	const struct job *j = CONTAINER_OF(m, struct job, sm);
	return sm_state(m) == JOB_RUNNING || !j->child;
}

static const struct sm_state states[] = {
        [JOB_LOOKING] = {"looking", SM_TO(JOB_RUNNING) | SM_TO(JOB_OVER)},
        [JOB_RUNNING] = {"running", SM_TO(JOB_RUNNING) | SM_TO(JOB_OVER)},
        [JOB_OVER] = {"over", 0},
};
static const struct sm_kind machine = SM_KIND("nfs", states, holds);

/* ---- the end ---- */

static void timer_closed(uv_handle_t *h)
{
	struct job *j = h->data;
	struct node *n = j->all->n;
	arena_release(&j->arena);
	free(j);
	closing_part_done(&n->parts);
}

static void over(struct job *j)
{
	sm_move(&j->sm, JOB_OVER);
	list_del(&j->link);
	uv_timer_stop(&j->timer);
	j->done(j->arg, j->err.code ? &j->err : NULL);
	uv_close((uv_handle_t *)&j->timer, timer_closed);
}

/* ---- a program ---- */

static void program_ended(struct process *p, int status, struct slice output, void *arg)
{
	struct job *j = arg;
	CHECK(j->child == p);
	j->child = NULL;
	uv_timer_stop(&j->timer);
	j->end(j, status, slice_trim(output), j->is_late);
}

static void limit_reached(uv_timer_t *t);

static void end_program(struct job *j)
{
	j->is_late = true;
	kill(-process_pid(j->child), SIGKILL);
	uv_timer_start(&j->timer, limit_reached, DIE_MS, 0);
}

/* At the limit it is killed; a while later it is not waited for any more. */
static void limit_reached(uv_timer_t *t)
{
	struct job *j = t->data;
	if (!j->is_late) {
		end_program(j);
		return;
	}
	process_forget(TAKE(j->child));
	j->end(j, 128 + SIGKILL, SLICE(""), true);
}

static void run_program(struct job *j, const char *const *argv, unsigned limit_ms)
{
	struct process_options o = {.loop = j->all->n->loop, .argv = argv, .on_exit = program_ended, .arg = j};
	struct err err = ERR_INIT;
	sm_move(&j->sm, JOB_RUNNING);
	j->is_late = false;
	if (j->all->limit_ms_max && limit_ms > j->all->limit_ms_max)
		limit_ms = j->all->limit_ms_max;
	if (process_start(&o, &j->child, &err) == 0)
		uv_timer_start(&j->timer, limit_reached, limit_ms, 0);
	else
		j->end(j, NO_PROGRAM, slice_of(err.msg), false);
}

/* ---- what all begin with ---- */

static void looked(struct errand *e)
{
	struct job *j = CONTAINER_OF(e, struct job, errand);
	if ((j->all->is_closing || j->is_given_up) && !j->err.code)
		err_set(&j->err, ERR_CANCELED, "nobody waits for it any more");
	if (j->err.code || j->is_there)
		over(j);
	else
		j->begin(j);
}

static void never_began(uv_timer_t *t)
{
	over(t->data);
}

/* `look` runs on the pool. */
static void start(struct job *j, void (*look)(struct errand *e))
{
	struct node *n = j->all->n;
	LOOP_CHECK_OWNER(n->loop);
	sm_init(&j->sm, &machine, JOB_LOOKING, "nfs");
	list_push_back(&j->all->running, &j->link);
	uv_timer_init(loop_uv(n->loop), &j->timer);
	j->timer.data = j;
	closing_hold(&n->parts);
	if (errand_start(n, &j->errand, look, looked))
		return;
	err_set(&j->err, ERR_BUSY, "too much blocking work is queued");
	uv_timer_start(&j->timer, never_began, 0, 0);
}

static struct job *new_job(
        struct nfs_jobs *all, const char *path, void (*done)(void *arg, const struct err *err), void *arg)
{
	struct job *j = xcalloc(1, sizeof *j);
	CHECK(done && *path == '/');
	j->all = all;
	j->path = path;
	j->done = done;
	j->arg = arg;
	arena_init(&j->arena);
	return j;
}

/* ---- mounting ---- */

static void look_before_mount(struct errand *e)
{
	struct job *j = CONTAINER_OF(e, struct job, errand);
	char *text;
	struct slice table = mount_table_read(0, &text);
	j->is_there = mount_count(table, j->path) > 0;
	free(text);
	if (j->is_there || file_make_dirs(j->path, 0750, &j->err) != 0)
		return;
	if (access(helper, X_OK) != 0)
		err_set(&j->err, ERR_NOT_FOUND,
		        "mount -t nfs needs %s, which this node does not have: install the package nfs-common (Debian, "
		        "Ubuntu) or nfs-utils (Fedora, SUSE)",
		        helper);
}

static void mount_ended(struct job *j, int status, struct slice output, bool is_late)
{
	const char *argv[NFS_ARGV_MAX], *words = "";
	nfs_mount_argv(j->source, j->path, argv);
	for (size_t i = 1; argv[i]; i++)
		words = arena_printf(&j->arena, "%s%s%s", words, i > 1 ? " " : "", argv[i]);
	if (j->is_given_up)
		err_set(&j->err, ERR_CANCELED, "nobody waits for the mount any more");
	else if (is_late)
		err_set(&j->err, ERR_TIMEOUT,
		        "mount failed: the server did not answer within %d s\nMounting command: mount\nMounting "
		        "arguments: %s",
		        MOUNT_MS / 1000, words);
	else if (status != 0)
		err_set(&j->err, ERR_UNAVAILABLE,
		        "mount failed: exit status %d\nMounting command: mount\nMounting arguments: %s\nOutput: %.*s",
		        status, words, SLICE_FMT(output));
	over(j);
}

static void begin_mount(struct job *j)
{
	const char *argv[NFS_ARGV_MAX];
	nfs_mount_argv(j->source, j->path, argv);
	run_program(j, argv, MOUNT_MS);
}

void nfs_mount(struct nfs_jobs *all, const struct nfs_source *s, const char *path,
        void (*done)(void *arg, const struct err *err), void *arg)
{
	struct job *j = new_job(all, path, done, arg);
	j->source = s;
	j->begin = begin_mount;
	j->end = mount_ended;
	start(j, look_before_mount);
}

void nfs_give_up(struct nfs_jobs *all, const char *dir)
{
	size_t n = strlen(dir);
	LIST_FOREACH (it, &all->running) {
		struct job *j = CONTAINER_OF(it, struct job, link);
		if (!j->source || j->is_given_up || strncmp(j->path, dir, n) != 0 || j->path[n] != '/')
			continue;
		j->is_given_up = true;
		if (j->child)
			end_program(j);
	}
}

/* ---- unmounting ---- */

static void look_before_unmount(struct errand *e)
{
	struct job *j = CONTAINER_OF(e, struct job, errand);
	char *text;
	struct slice table = mount_table_read(0, &text);
	j->n_points = nfs_points_below(&j->arena, table, j->path, &j->points);
	j->is_there = !j->n_points;
	free(text);
}

static void unmount_next(struct job *j)
{
	const struct nfs_unmount_step *step = nfs_unmount_step(j->step);
	const char *argv[4] = {"umount"};
	size_t n = 1;
	if (j->at == j->n_points) {
		over(j);
		return;
	}
	if (step->option)
		argv[n++] = step->option;
	argv[n] = j->points[j->at];
	run_program(j, argv, step->limit_ms);
}

static void unmount_ended(struct job *j, int status, struct slice output, bool is_late)
{
	const struct nfs_unmount_step *step = nfs_unmount_step(j->step);
	if (status != 0)
		log_warn("node", "an nfs volume was not unmounted", "path=%s option=%s why=\"%.*s\"", j->points[j->at],
		        step->option ? step->option : "", SLICE_FMT(is_late ? SLICE("it took too long") : output));
	j->step++;
	if (status == 0 || !nfs_unmount_step(j->step)) {
		j->at++;
		j->step = 0;
	}
	unmount_next(j);
}

bool nfs_has_any_below(const char *dir)
{
	char path[4096];
	return snprintf(path, sizeof path, "%s/volumes/kubernetes.io~nfs", dir) < (int)sizeof path &&
	       access(path, F_OK) == 0;
}

void nfs_unmount_below(struct nfs_jobs *all, const char *dir, void (*done)(void *arg, const struct err *err), void *arg)
{
	struct job *j = new_job(all, dir, done, arg);
	j->begin = unmount_next;
	j->end = unmount_ended;
	start(j, look_before_unmount);
}

/* ---- asking ---- */

static void look_at_nothing(struct errand *e)
{
}

static void ask_ended(struct job *j, int status, struct slice output, bool is_late)
{
	if (is_late)
		err_set(&j->err, ERR_TIMEOUT, "the nfs server of the volume at %s did not answer within %d s", j->path,
		        ASK_MS / 1000);
	else if (status != 0)
		err_set(&j->err, ERR_UNAVAILABLE, "%.*s", SLICE_FMT(output));
	over(j);
}

static void begin_asking(struct job *j)
{
	const char *const argv[] = {"stat", "-L", "--", j->path, NULL};
	run_program(j, argv, ASK_MS);
}

void nfs_ask(struct nfs_jobs *all, const char *path, void (*done)(void *arg, const struct err *err), void *arg)
{
	struct job *j = new_job(all, path, done, arg);
	j->begin = begin_asking;
	j->end = ask_ended;
	start(j, look_at_nothing);
}

/* ---- life ---- */

struct nfs_jobs *nfs_jobs_new(struct node *n, unsigned limit_ms_max)
{
	struct nfs_jobs *all = xcalloc(1, sizeof *all);
	all->n = n;
	all->limit_ms_max = limit_ms_max;
	list_init(&all->running);
	return all;
}

/* Those that are looking end when the pool is through. */
void nfs_jobs_close(struct nfs_jobs *all)
{
	LOOP_CHECK_OWNER(all->n->loop);
	all->is_closing = true;
	LIST_FOREACH (it, &all->running) {
		struct job *j = CONTAINER_OF(it, struct job, link);
		if (!j->child)
			continue;
		process_forget(TAKE(j->child));
		err_set(&j->err, ERR_CANCELED, "the node closes");
		over(j);
	}
}

void nfs_jobs_free(struct nfs_jobs *all)
{
	free(all);
}
