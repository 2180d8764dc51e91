/* Settings from the command line, the environment and a config file, by one table.
 *
 * A program describes its settings as an array of struct flag; flags_load() fills the values. Sources, strongest first:
 * command line (--name value, --name=value, -n value; booleans take no value or =true/=false), environment (`env`),
 * config file (YAML, keys are the names without dashes; also NAME.d/ *.yaml in order, where "key+" appends), default.
 * A list given on the command line replaces the whole list of the file, as in k3s. */
#ifndef K3X_BASE_FLAGS_H
#define K3X_BASE_FLAGS_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flag_type {
	FLAG_BOOL,
	FLAG_INT,
	FLAG_STRING,
	FLAG_LIST,  /* repeatable, or comma-separated */
	FLAG_ITEMS, /* repeatable; commas belong to the value */
};

struct flag_list {
	const char **items;
	size_t count;
};

struct flag {
	const char *name; /* "data-dir" */
	char letter;      /* 'd', or 0 */
	enum flag_type type;
	void *value; /* bool *, int64_t *, const char **, struct flag_list * (FLAG_LIST, FLAG_ITEMS): holds the default
	                before loading */
	const char *env;         /* "K3X_DATA_DIR", or NULL */
	const char *help;        /* NULL: accepted but not listed */
	const char *unsupported; /* not NULL: using it is an error that says this */
};

/* A flag of programs like this one that this one does not have. It is known, so that using it is answered with words of
 * its own and not as a misspelling. */
struct flag_refusal {
	const char *name;
	char letter;
	const char *env;
	const char *fixed; /* the value that is so anyway: saying it is no error; NULL: there is none */
	bool is_bool;      /* it takes no value, or =true and =false */
	const char *why;   /* what to use instead */
};

struct flags {
	const char *program; /* "k3x server" */
	const char *summary; /* one line */
	const struct flag *table;
	size_t count;
	const char *config_flag; /* name of the flag that names the config file; NULL: no config file */
	bool shares_config;      /* it is another program's too: what is not in the table is that one's */
	/* The flag that `key` in a map `section` of the config file stands for, in the arena; NULL: there is none.
	 * Without this function there are no maps in it. */
	const char *(*config_name)(struct arena *a, struct slice section, struct slice key);
	bool takes_arguments;
	const struct flag_refusal *refusals; /* in all sources, but for a shared config file */
	size_t refusal_count;
	/* set by flags_load() */
	const char **arguments;
	size_t argument_count;
	bool want_help;
	bool want_table; /* want_help, for programs: --help=table */
};

/* Parses argv[1..]. Values live in the arena. ERR_INVAL names the flag, the source and what would be right. With
 * want_help set the caller prints flags_help() and ends. A config file that is the default may be missing; one that was
 * named may not. */
int flags_load(struct flags *f, struct arena *a, int argc, char **argv, struct err *err);

/* Writes the help text to stdout. For --help=table a row per flag, tabs between: name, letter, kind ("bool", "int",
 * "string", "list", "items"), environment, help; what is empty is not there, or not listed. */
void flags_help(const struct flags *f);

bool flag_list_has(const struct flag_list *l, const char *item);
/* With commas between, in the arena; NULL: it is empty. */
const char *flag_list_join(struct arena *a, const struct flag_list *l);

/* An argument for a part, "name=value" or "--name=value": its name, and what comes behind the first '=' (ptr is NULL
 * where there is none). Both point into `given`. */
struct slice flag_argument_cut(const char *given, struct slice *ret_value);

#endif
