/* `k3x man`: the manual page, made of what each program says to --help and --help=table, so that it can't name a flag
 * that is not there. A program is run with standard output turned into a buffer; it ends before it does anything. */
#include "base/check.h"
#include "base/mem/str.h"
#include "tools/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a program prints for these words; the caller frees it. */
static char *said(const struct k3x_program *p, const char *sub, const char *last)
{
	char *argv[4], *all = NULL;
	int argc = 0;
	size_t len = 0;
	FILE *kept = stdout, *memory = open_memstream(&all, &len);
	CHECK(memory != NULL);
	argv[argc++] = (char *)(uintptr_t)p->name;
	if (sub)
		argv[argc++] = (char *)(uintptr_t)sub;
	argv[argc++] = (char *)(uintptr_t)last;
	argv[argc] = NULL;
	stdout = memory;
	p->main(argc, argv);
	fflush(stdout);
	stdout = kept;
	fclose(memory);
	return all;
}

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

/* "name\tletter\tkind\tenv\thelp" */
static void flag(struct slice line)
{
	struct slice name = slice_cut(&line, '\t'), letter = slice_cut(&line, '\t'), kind = slice_cut(&line, '\t'),
	             env = slice_cut(&line, '\t');
	if (!line.len)
		return; /* not listed */
	fputs(".TP\n", stdout);
	if (letter.len)
		printf("\\fB\\-%.*s\\fR, ", SLICE_FMT(letter));
	fputs("\\fB\\-\\-", stdout);
	roff(name);
	printf("\\fR%s\n", slice_is(kind, "bool") ? "" : slice_is(kind, "int") ? " \\fIN\\fR" : " \\fIVALUE\\fR");
	roff(line);
	if (env.len)
		printf(" [%.*s]", SLICE_FMT(env));
	putchar('\n');
}

/* A program with flags of its own: five columns in its table. */
static void one(const struct k3x_program *p, const char *sub)
{
	char *help = said(p, sub, "--help"), *table = said(p, sub, "--help=table");
	char *usage = strstr(help, "\n\nUsage:");
	printf(".SS k3x %s%s%s\n", p->name, sub ? " " : "", sub ? sub : "");
	roff((struct slice){help, usage ? (size_t)(usage - help) : strlen(help)});
	putchar('\n');
	for (struct slice rest = slice_of(table); rest.len;)
		flag(slice_cut(&rest, '\n'));
	free(help);
	free(table);
}

/* Programs of others, which would be run; and the store, which has a page of its own. */
static bool speaks_for_itself(const char *name)
{
	static const char *const names[] = {"kubectl", "crictl", "ctr", "store", "bench", "completion"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void program(const struct k3x_program *p)
{
	if (speaks_for_itself(p->name)) {
		printf(".SS k3x %s\n", p->name);
		roff(slice_of(p->help));
		putchar('\n');
		return;
	}
	char *table = said(p, NULL, "--help=table"), *end = strchr(table, '\n');
	struct slice first = {table, end ? (size_t)(end - table) : 0}, left = first;
	size_t columns = 0;
	for (; left.ptr; columns++)
		slice_cut(&left, '\t');
	if (columns > 2 || !first.len)
		one(p, NULL);
	for (struct slice rest = slice_of(columns == 2 ? table : ""); rest.len;) {
		struct slice line = slice_cut(&rest, '\n'), name = slice_cut(&line, '\t');
		char sub[64];
		snprintf(sub, sizeof sub, "%.*s", SLICE_FMT(name));
		one(p, sub);
	}
	free(table);
}

static const char head[] = ".TH K3X 8 \"\" \"k3x " K3X_VERSION
                           "\" \"k3x\"\n.SH NAME\nk3x \\- a lightweight Kubernetes\n.SH SYNOPSIS\n.B k3x\n.I COMMAND\n"
                           "[flags]\n.SH DESCRIPTION\nA whole Kubernetes in one program: the control plane with its "
                           "datastore, and the node. "
                           "Kubernetes " K3X_KUBE_VERSION " is spoken.\n.SH COMMANDS\n";
static const char tail[] =
        ".SH FILES\n.TP\n/etc/k3x/config.yaml, /etc/k3x/config.yaml.d/*.yaml\nsettings: flags without their dashes, by "
        "the name; in the "
        "files of the folder, which come after in the order of their names, a name with + behind it adds to a "
        "list\n.TP\n"
        "/etc/k3x/k3x.yaml\nthe administrator's kubeconfig\n.TP\n/var/lib/k3x\nall data; agent/images holds archives "
        "of images that are "
        "imported, server/manifests files that are applied, server/token the secret by which others join\n.SH "
        "ENVIRONMENT\nFlags whose "
        "text ends with a name in brackets are set by that variable. The command line is stronger than the "
        "environment, and that stronger than "
        "the config file.\n.SH SEE ALSO\n.BR k3x\\-store (8),\n.BR kubectl (1),\n.BR containerd (8)\n";

int man_main(int argc, char **argv)
{
	fputs(head, stdout);
	for (size_t i = 0; i < k3x_programs_count; i++)
		if (k3x_programs[i].help)
			program(&k3x_programs[i]);
	fputs(tail, stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
