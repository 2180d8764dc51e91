/* Child processes: started with their output in a file or in memory, their end reported to a loop.
 *
 * posix_spawn does it: in the C library it is a vfork-like clone that runs nothing but system calls between clone and
 * exec, with signals blocked, so it is safe in a threaded process and costs no copy of page tables; a spawner process
 * of our own would add a protocol for nothing. Every child gets a session of its own, no descriptor but 0, 1 and 2,
 * default signal handlers and an empty signal mask; it is not tied to us: it goes on when this process dies. The end is
 * seen through a pidfd, so pids are never mixed up. All on the loop's thread. */
#ifndef K3X_BASE_PROC_PROCESS_H
#define K3X_BASE_PROC_PROCESS_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"

#include <sys/types.h>

struct process;

struct process_options {
	struct loop *loop;
	const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
	const char *const *env;  /* NULL-terminated; NULL: ours */
	const char *output_file; /* stdout and stderr are appended here; NULL: kept in memory */
	/* Once, from the loop; the process is freed on return. status: exit code, or 128 + signal. `output` is what it
	 * wrote (at most PROCESS_OUTPUT_BYTES_MAX, the end of it), empty with output_file. */
	void (*on_exit)(struct process *p, int status, struct slice output, void *arg);
	void *arg;
};

enum { PROCESS_OUTPUT_BYTES_MAX = 64 * 1024 };

/* ERR_NOT_FOUND when there is no such program, ERR_IO. */
int process_start(const struct process_options *options, struct process **ret, struct err *err);
pid_t process_pid(const struct process *p);
void process_signal(struct process *p, int signal_number);
/* Watches it no longer; on_exit is not called. It runs on. */
void process_forget(struct process *p);

/* Begins this process anew in its place: the same program, arguments, environment and id; no descriptor but 0, 1 and 2,
 * no thread and no handler of signals is left. Children stay its children, which nobody waits for any more: those that
 * have ended by now are waited for. Returns only when it can't be: ERR_IO. Any thread. */
int process_restart(struct err *err);

/* This process is among the last that the kernel ends when memory is short: pods go first. ERR_IO: the kernel does not
 * let us (it needs CAP_SYS_RESOURCE). Any thread. */
enum { PROCESS_OOM_SCORE_ADJ = -999 };
int process_set_own_oom_score(struct err *err);

/* As many descriptors as the system allows this process. Any thread. */
void process_raise_file_limit(void);

#endif
