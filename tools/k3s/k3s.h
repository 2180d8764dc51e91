/* What k3s's command line has, and what becomes of it here: every command and every flag of k3s, hidden and deprecated
 * ones included, with an answer. Parsers take their refusals from here, and docs/k3s.md is written from here. */
#ifndef K3X_TOOLS_K3S_K3S_H
#define K3X_TOOLS_K3S_K3S_H

#include "base/flags.h"

enum k3s_answer {
	K3S_AS_IS,   /* the flag of the same name does it; `note` says what differs */
	K3S_FIXED,   /* it has one value here, `value`; another one is refused with `note` */
	K3S_REFUSED, /* refused with `note`, which says what to use */
};

struct k3s_flag {
	const char *name;
	char letter;
	const char *env; /* with K3X_ for k3s's K3S_ */
	enum k3s_answer answer;
	const char *value;
	const char *note;
};

struct k3s_command {
	const char *name; /* "server", "token create" */
	const char *note; /* what becomes of the command; NULL: it is there */
	struct {
		const struct k3s_flag *rows;
		size_t count;
	} groups[4];
};

extern const struct k3s_command k3s_commands[];
extern const size_t k3s_command_count;

/* Gives a program's flags the refusals of the k3s command that it stands for, in the arena: `program` is "k3x server",
 * "k3x token create". Without such a command there are none. */
void k3s_refuse(struct flags *f, struct arena *a);

/* docs/k3s.md, the whole text. */
void k3s_document(struct strbuf *out);

#endif
