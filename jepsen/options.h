/* What a run is told: the command line of build/release/jepsen/jepsen. */
#ifndef K3X_JEPSEN_OPTIONS_H
#define K3X_JEPSEN_OPTIONS_H

#include "base/flags.h"

enum { JEPSEN_LANES_MAX = 4 };

struct jepsen_options {
	const char *target;     /* k3x, k3x-server, etcd */
	const char *binary;     /* of the target; NULL: its usual place */
	const char *workload;   /* "all", or names with commas between */
	const char *nemesis;    /* "mixed", "none", or names with commas between */
	const char *dir;        /* runs leave their folders here */
	const char *scratch;    /* disks of the nodes, removed at the end */
	const char *shim;       /* jepsen_shim.so */
	const char *datastore;  /* postgres, mysql, etcd: what the servers share; NULL: they keep their state */
	const char *break_name; /* a build that is wrong on purpose: a violation is expected */
	int64_t nodes, clients, seconds, seed, rate;
	int64_t lanes;     /* faults at a time; 0: as the nemeses say */
	bool serializable; /* reads that may be stale: a violation is expected */
	bool brisk;        /* faults are short and follow each other closely */
	bool keep_disks, verbose, list;
};

/* 0; 1: help or a list was asked for and printed; below 0: wrong. */
int jepsen_options_load(struct jepsen_options *o, struct arena *a, int argc, char **argv, struct err *err);

/* `names` ("a,b") has `name`. */
bool jepsen_names_have(const char *names, const char *name);

#endif
