/* `k3x-store completion|man`: made from the table of commands and from what each says to --help, so that neither can
 * name a flag that is not there. A command's help is taken by running it with standard output turned into a buffer; it
 * ends before it does anything. */
#include "tools/store/commands.h"
#include "tools/store/tool_int.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct help_flag {
	struct slice name, kind, text; /* "data-dir", "VALUE", "where ..." */
	char letter;
};

struct help {
	char *all;
	struct slice summary; /* lines before "Usage:" */
	struct help_flag flags[64];
	size_t n_flags;
};

static struct slice cut_word(struct slice *s)
{
	struct slice word = slice_cut(s, ' ');
	*s = slice_trim(*s);
	return word;
}

/* "  -o, --output VALUE                    table or json" */
static bool parse_flag(struct slice line, struct help_flag *f)
{
	line = slice_trim(line);
	*f = (struct help_flag){0};
	if (line.len > 4 && line.ptr[0] == '-' && line.ptr[1] != '-') {
		f->letter = line.ptr[1];
		cut_word(&line);
	}
	if (!slice_starts(line, "--"))
		return false;
	f->name = cut_word(&line);
	f->name.ptr += 2;
	f->name.len -= 2;
	struct slice rest = line, kind = cut_word(&rest);
	if (slice_is(kind, "N") || slice_is(kind, "VALUE") || slice_is(kind, "LIST")) {
		f->kind = kind;
		line = rest;
	}
	f->text = line;
	return true;
}

static void take_help(const struct store_entry *e, struct help *h)
{
	char *argv[] = {(char *)e->name, (char *)"--help", NULL};
	size_t len = 0;
	FILE *kept = stdout;
	*h = (struct help){0};
	FILE *memory = open_memstream(&h->all, &len);
	CHECK(memory != NULL);
	stdout = memory;
	e->run(2, argv);
	fflush(stdout);
	stdout = kept;
	fclose(memory);
	char *usage = strstr(h->all, "\n\nUsage:");
	h->summary = (struct slice){h->all, usage ? (size_t)(usage - h->all) : len};
	struct slice rest = usage ? slice_of(usage) : SLICE_NULL;
	while (rest.len && h->n_flags < COUNT_OF(h->flags)) {
		struct help_flag f;
		if (parse_flag(slice_cut(&rest, '\n'), &f))
			h->flags[h->n_flags++] = f;
	}
}

static bool is_first_of_group(size_t i)
{
	return i == 0 || strcmp(store_entries[i].name, store_entries[i - 1].name) != 0;
}

/* ---- the manual ---- */

static void roff(struct slice text)
{
	bool is_start = true;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (is_start && (c == '.' || c == '\''))
			fputs("\\&", stdout);
		if (c == '\\' || c == '-')
			putchar('\\');
		putchar(c);
		is_start = c == '\n';
	}
}

/* A group has no help of its own: `completion --help` and `man --help` would print what they are there for. */
static bool speaks(const struct store_entry *e)
{
	return e->run != store_completion && e->run != store_man;
}

static void man_entry(const struct store_entry *e)
{
	struct help h = {0};
	printf(".SS %s%s%s %s\n", e->name, e->sub ? " " : "", e->sub ? e->sub : "", e->arguments);
	if (speaks(e))
		take_help(e, &h);
	if (h.summary.len)
		roff(h.summary);
	else
		roff(slice_of(e->help));
	putchar('\n');
	for (size_t i = 0; i < h.n_flags; i++) {
		const struct help_flag *f = &h.flags[i];
		fputs(".TP\n", stdout);
		if (f->letter)
			printf("\\fB\\-%c\\fR, ", f->letter);
		fputs("\\fB\\-\\-", stdout);
		roff(f->name);
		fputs("\\fR", stdout);
		if (f->kind.len)
			printf(" \\fI%.*s\\fR", SLICE_FMT(f->kind));
		putchar('\n');
		roff(f->text);
		putchar('\n');
	}
	free(h.all);
}

static const char man_head[] =
        ".TH K3X\\-STORE 8 \"\" \"k3x " K3X_VERSION
        "\" \"k3x\"\n.SH NAME\nk3x\\-store \\- run and look after the datastore "
        "of k3x\n.SH SYNOPSIS\n.B k3x\\-store\n.I COMMAND\n[flags]\n.SH DESCRIPTION\nServes etcd's v3 API from a "
        "replicated SQLite file, and is a client of it and of etcd. The same program is called\n.BR \"k3x store\" .\n"
        ".SH COMMANDS\n";
static const char man_tail[] =
        ".SH EXIT STATUS\n.TP\n0\nit was done\n.TP\n2\na wrong command line or request\n.TP\n3\nnot permitted\n.TP\n4\n"
        "it is not there, is there already, or is in conflict\n.TP\n5\nthe server could not be reached or could not do "
        "it "
        "now: try again\n.TP\n6\ninput, output, or in use by another process\n.TP\n7\nsomething is damaged\n"
        ".SH FILES\nIn a data directory:\n.TP\nstate.db\nthe state, a SQLite database\n.TP\nraft/\nlog, term and vote\n"
        ".TP\ncluster, member\nthe ids, 16 hex digits\n.TP\nstate.db.before\\-restore, raft.before\\-restore\nwhat a "
        "restore "
        "replaced\n.SH SEE ALSO\n.BR etcdctl (1),\n.BR sqlite3 (1)\n";

int store_man(int argc, char **argv)
{
	fputs(man_head, stdout);
	for (size_t i = 0; i < store_entries_count; i++)
		man_entry(&store_entries[i]);
	fputs(man_tail, stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- completion ---- */

static void print_flags(const struct store_entry *e)
{
	struct help h = {0};
	if (speaks(e))
		take_help(e, &h);
	for (size_t i = 0; i < h.n_flags; i++)
		printf("%s--%.*s", i ? " " : "", SLICE_FMT(h.flags[i].name));
	printf("%s--help", h.n_flags ? " " : "");
	free(h.all);
}

static void print_subs(const char *name)
{
	for (size_t i = 0; i < store_entries_count; i++)
		if (strcmp(store_entries[i].name, name) == 0 && store_entries[i].sub)
			printf(" %s", store_entries[i].sub);
}

static int bash(void)
{
	printf("# bash completion of k3x-store and of k3x store\n_k3x_store() {\n"
	       "\tlocal words=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\") cur=${COMP_WORDS[COMP_CWORD]} list=\n"
	       "\tif [[ ${COMP_WORDS[0]##*/} == k3x ]]; then\n\t\t[[ ${words[0]} == store ]] || return\n"
	       "\t\twords=(\"${words[@]:1}\")\n\tfi\n\tcase \"${words[0]} ${words[1]}\" in\n\t\" \") list=\"");
	for (size_t i = 0; i < store_entries_count; i++)
		if (is_first_of_group(i))
			printf("%s%s", i ? " " : "", store_entries[i].name);
	printf("\" ;;\n");
	for (size_t i = 0; i < store_entries_count; i++) {
		const struct store_entry *e = &store_entries[i];
		if (e->sub)
			printf("\t\"%s %s\") list=\"", e->name, e->sub);
		else
			printf("\t\"%s \"*) list=\"", e->name);
		if (e->run == store_completion)
			printf("bash zsh fish ");
		print_flags(e);
		printf("\" ;;\n");
	}
	for (size_t i = 0; i < store_entries_count; i++)
		if (is_first_of_group(i) && store_entries[i].sub) {
			printf("\t\"%s \") list=\"", store_entries[i].name);
			print_subs(store_entries[i].name);
			printf("\" ;;\n");
		}
	printf("\tesac\n\tCOMPREPLY=($(compgen -W \"$list\" -- \"$cur\"))\n}\n"
	       "complete -o default -F _k3x_store k3x-store k3x\n");
	return 0;
}

/* For 'single quotes' of a shell. */
static void quoted(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
}

static void zsh_entry(const struct store_entry *e)
{
	struct help h = {0};
	if (e->sub)
		printf("\t'%s %s')", e->name, e->sub);
	else
		printf("\t'%s '*)", e->name);
	if (speaks(e))
		take_help(e, &h);
	printf(" list=(");
	for (size_t i = 0; i < h.n_flags; i++) {
		char text[512];
		snprintf(text, sizeof text, "%.*s", SLICE_FMT(h.flags[i].text));
		printf("'--%.*s:", SLICE_FMT(h.flags[i].name));
		quoted(text);
		printf("' ");
	}
	printf("%s'--help:say what there is') ;;\n", e->run == store_completion ? "bash zsh fish " : "");
	free(h.all);
}

static int zsh(void)
{
	printf("#compdef k3x-store\n_k3x_store() {\n\tlocal -a list\n\tlocal at=\"\"\n\t(( CURRENT > 2 )) && "
	       "at=$words[2]\n"
	       "\tlocal sub=\"\"\n\t(( CURRENT > 3 )) && sub=$words[3]\n\tcase \"$at $sub\" in\n\t' ') list=(");
	for (size_t i = 0; i < store_entries_count; i++)
		if (is_first_of_group(i)) {
			printf("'%s:", store_entries[i].name);
			quoted(store_entries[i].sub ? "a group of commands" : store_entries[i].help);
			printf("' ");
		}
	printf(") ;;\n");
	for (size_t i = 0; i < store_entries_count; i++)
		zsh_entry(&store_entries[i]);
	for (size_t i = 0; i < store_entries_count; i++)
		if (is_first_of_group(i) && store_entries[i].sub) {
			printf("\t'%s ') list=(", store_entries[i].name);
			print_subs(store_entries[i].name);
			printf(" ) ;;\n");
		}
	printf("\tesac\n\t_describe k3x-store list || _files\n}\ncompdef _k3x_store k3x-store\n");
	return 0;
}

static void fish_entry(const struct store_entry *e)
{
	struct help h = {0};
	if (speaks(e))
		take_help(e, &h);
	for (size_t i = 0; i < h.n_flags; i++) {
		char text[512];
		snprintf(text, sizeof text, "%.*s", SLICE_FMT(h.flags[i].text));
		printf("complete -c k3x-store -n '__fish_seen_subcommand_from %s%s%s' -l %.*s %s-d '", e->name,
		        e->sub ? "; and __fish_seen_subcommand_from " : "", e->sub ? e->sub : "",
		        SLICE_FMT(h.flags[i].name), h.flags[i].kind.len ? "-r " : "");
		quoted(text);
		printf("'\n");
	}
	free(h.all);
}

static int fish(void)
{
	printf("# fish completion of k3x-store\n");
	for (size_t i = 0; i < store_entries_count; i++) {
		const struct store_entry *e = &store_entries[i];
		if (is_first_of_group(i)) {
			printf("complete -c k3x-store -n __fish_use_subcommand -a %s -d '", e->name);
			quoted(e->sub ? "a group of commands" : e->help);
			printf("'\n");
		}
		if (e->sub) {
			printf("complete -c k3x-store -n '__fish_seen_subcommand_from %s' -a %s -d '", e->name, e->sub);
			quoted(e->help);
			printf("'\n");
		}
		fish_entry(e);
	}
	printf("complete -c k3x-store -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n");
	return 0;
}

int store_completion(int argc, char **argv)
{
	static const char how[] = "k3x-store completion bash|zsh|fish: print a completion script, for\n"
	                          "  bash  /usr/share/bash-completion/completions/k3x-store\n"
	                          "  zsh   a folder of $fpath, as _k3x-store\n"
	                          "  fish  /usr/share/fish/vendor_completions.d/k3x-store.fish\n";
	const char *shell = argc == 2 ? argv[1] : "";
	if (strcmp(shell, "bash") == 0)
		return bash();
	if (strcmp(shell, "zsh") == 0)
		return zsh();
	if (strcmp(shell, "fish") == 0)
		return fish();
	bool is_help = strcmp(shell, "--help") == 0 || strcmp(shell, "-h") == 0;
	fputs(how, is_help ? stdout : stderr);
	return is_help ? 0 : 2;
}
