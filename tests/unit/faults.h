/* Calls of the system that fail when the test says so: the first, the second, and so on, until nothing of what is tried
 * is left that could fail. For tests that are linked with faults.c, which stands between all of our code, and the
 * libraries that we link, and the C library (tests/module.mk does so for whoever includes this).
 *
 * What is shown by it of an operation: whichever call fails, it says clearly what failed, leaves no descriptor open,
 * ends no process, and works when it is tried again. */
#ifndef K3X_TESTS_FAULTS_H
#define K3X_TESTS_FAULTS_H

#include "tests/unit/unit.h"

#include "base/err.h"

#include <stdbool.h>

/* The kinds of calls; X(name, bit, its calls). */
enum fault_kind {
	FAULT_OPEN = 1,    /* open, openat, fopen, opendir, memfd_create */
	FAULT_READ = 2,    /* read, pread */
	FAULT_WRITE = 4,   /* write, pwrite, posix_fallocate, ftruncate */
	FAULT_SYNC = 8,    /* fsync, fdatasync */
	FAULT_NAME = 16,   /* rename, renameat, mkdir */
	FAULT_PROCESS = 32 /* fork, posix_spawnp, pipe2, socket, and the system call that makes a pidfd */
};

struct fault_plan {
	unsigned kinds; /* of fault_kind */
	int error;      /* the errno of what fails */
	/* Does all of it, looks at the result and closes what it opened. 0, or negative with *err set. */
	int (*run)(struct err *err);
	/* Makes things as they were before the first try; NULL: nothing is to be done. Nothing fails in it. */
	void (*reset)(void);
	/* What the try after a failed one is like, when it is not a run() from the state that the failed one left. */
	int (*retry)(struct err *err);
	/* Some of what fails does no harm: run() may succeed all the same. Otherwise nothing may. */
	bool may_succeed;
};

/* Tries it with each call failing in turn. How many calls there were: 0 would show nothing. */
unsigned faults_try_all(const struct fault_plan *p);

#endif
