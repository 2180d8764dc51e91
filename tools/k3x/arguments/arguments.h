/* --kube-NAME-arg=ARGUMENT=VALUE: arguments of the programs of Kubernetes that are parts of k3x. A table per program
 * says what becomes of each:
 *
 *   rows       what can be set: how its value is read, and into which member.
 *   fixed      what has one value here. Who says that value says what is so anyway, and is believed; all else is
 * refused with the reason. elsewhere  what a flag of k3x says, or what k3x keeps by itself.
 *
 * A name that is in none of them is refused, with the known one that it most looks like: an argument that is accepted
 * and does nothing would be a policy that its author believes in. */
#ifndef K3X_TOOLS_K3X_ARGUMENTS_ARGUMENTS_H
#define K3X_TOOLS_K3X_ARGUMENTS_ARGUMENTS_H

#include "base/flags.h"

struct argument {
	const char *name;
	/* False when the value is not what is wanted. What is kept of it goes into the arena. */
	bool (*read)(struct arena *a, struct slice value, void *to);
	size_t at;        /* of the member in the settings that are filled */
	const char *want; /* for who gave another: "a time like 30s" */
};

struct argument_fixed {
	const char *name, *value, *why;
};

struct argument_elsewhere {
	const char *name, *instead;
};

struct arguments {
	const char *flag, *documents; /* "--kube-proxy-arg"; the file in docs/ that lists them */
	const struct argument *rows;
	const struct argument_fixed *fixed;
	const struct argument_elsewhere *elsewhere;
	size_t n_rows, n_fixed, n_elsewhere;
};

/* Fills the settings `to` from the arguments given, each NAME=VALUE, with or without dashes before the name; of a
 * boolean the name alone will do. One that is repeated: the last one holds, lists grow. ERR_INVAL names the argument
 * and what would be right; ERR_UNIMPLEMENTED is of one that the program has and k3x has not, or has with one value
 * only. Any thread. */
int arguments_load(
        const struct arguments *table, const struct flag_list *given, struct arena *a, void *to, struct err *err);

/* For rows: const char *, struct flag_list (commas between), bool, int64_t, uint64_t of milliseconds. */
bool argument_text(struct arena *a, struct slice value, void *to);
bool argument_list(struct arena *a, struct slice value, void *to);
bool argument_bool(struct arena *a, struct slice value, void *to);
bool argument_int(struct arena *a, struct slice value, void *to);
bool argument_ms(struct arena *a, struct slice value, void *to);

/* For rows' own: a whole number, or a time in whole seconds, between the two. */
bool argument_int_within(struct slice value, int64_t min, int64_t max, void *to);
bool argument_seconds_within(struct arena *a, struct slice value, int64_t min, int64_t max, void *to);

#endif
