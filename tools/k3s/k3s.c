/* See k3s.h. Refusals for the parsers, and the table as a page for people. */
#include "tools/k3s/k3s.h"

#include "base/check.h"
#include "tools/programs.h"

#include <stdio.h>

static const struct k3s_command *find(const char *name)
{
	for (size_t i = 0; i < k3s_command_count; i++)
		if (strcmp(k3s_commands[i].name, name) == 0)
			return &k3s_commands[i];
	return NULL;
}

static bool is_truth(const char *value)
{
	return value && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0);
}

void k3s_refuse(struct flags *f, struct arena *a)
{
	const char *name = strncmp(f->program, "k3x ", 4) == 0 ? f->program + 4 : f->program;
	const struct k3s_command *c = find(name);
	size_t n = 0;
	for (size_t g = 0; c && g < COUNT_OF(c->groups); g++)
		n += c->groups[g].count;
	struct flag_refusal *rows = ARENA_ARRAY(a, struct flag_refusal, n + 1);
	f->refusals = rows;
	f->refusal_count = 0;
	for (size_t g = 0; c && g < COUNT_OF(c->groups); g++)
		for (size_t i = 0; i < c->groups[g].count; i++) {
			const struct k3s_flag *k = &c->groups[g].rows[i];
			if (k->answer != K3S_AS_IS)
				rows[f->refusal_count++] = (struct flag_refusal){.name = k->name,
				        .letter = k->letter,
				        .env = k->env,
				        .fixed = k->value,
				        .is_bool = is_truth(k->value),
				        .why = k->note};
		}
}

/* ---- the page ---- */

static void write_flag(struct strbuf *out, const struct k3s_flag *k)
{
	if (k->letter)
		strbuf_addf(out, "| `--%s`, `-%c` |", k->name, k->letter);
	else
		strbuf_addf(out, "| `--%s` |", k->name);
	if (k->env)
		strbuf_addf(out, " `%s` |", k->env);
	else
		strbuf_addf(out, "  |");
	switch (k->answer) {
	case K3S_AS_IS:
		strbuf_addf(out, " yes | %s |\n", k->note ? k->note : "");
		break;
	case K3S_FIXED:
		strbuf_addf(out, " only `%s` | %s |\n", k->value, k->note);
		break;
	case K3S_REFUSED:
		strbuf_addf(out, " refused | %s |\n", k->note);
		break;
	}
}

static void write_command(struct strbuf *out, const struct k3s_command *c)
{
	bool has_flags = c->groups[0].count > 0;
	strbuf_addf(out, "\n## k3x %s\n", c->name);
	if (c->note || !has_flags)
		strbuf_addf(out, "\n%s.\n", c->note ? c->note : "It has no flags");
	if (has_flags)
		strbuf_addf(out, "\n| flag | environment | honoured | |\n| --- | --- | --- | --- |\n");
	for (size_t g = 0; g < COUNT_OF(c->groups); g++)
		for (size_t i = 0; i < c->groups[g].count; i++)
			write_flag(out, &c->groups[g].rows[i]);
}

void k3s_document(struct strbuf *out)
{
	strbuf_addf(out, "%s",
	        "# k3s's commands and flags, one by one\n\n"
	        "<!-- Written by `k3x k3s` from tools/k3s/k3s_flags.c: change that, then `make docs`. -->\n\n"
	        "Every command and flag of k3s 1.32 to 1.36, hidden and deprecated ones too, and what becomes of it. "
	        "Environment variables are `K3X_` where\nk3s has `K3S_`; paths are `/etc/k3x` and `/var/lib/k3x` where "
	        "it "
	        "has `/etc/rancher/k3s` and `/var/lib/rancher/k3s`.\n\n"
	        "- **yes**: works as in k3s, but for what the last column says.\n"
	        "- **only X**: it is so anyway. Saying X is no error; another value is refused.\n"
	        "- **refused**: k3x does not start, and says why and what to use. So nothing is accepted that does "
	        "nothing.\n\n"
	        "All of it holds for the command line, the environment and the config file (docs/install.md). "
	        "`k3x COMMAND --help` lists what k3x has beyond k3s.\n");
	for (size_t i = 0; i < k3s_command_count; i++)
		write_command(out, &k3s_commands[i]);
}

int k3s_main(int argc, char **argv)
{
	struct strbuf text = STRBUF_INIT;
	k3s_document(&text);
	fwrite(text.data, 1, text.len, stdout);
	strbuf_release(&text);
	return 0;
}
