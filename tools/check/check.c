/* See check.h. `k3x check-config`: runs all of them and prints a line each; what is missing says how it is mended. */
#include "tools/check/check.h"

#include "base/check.h"
#include "base/flags.h"
#include "tools/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20, LINES_MAX = 128 };

void check_add(struct checks *c, enum check_level level, const char *name, const char *mend, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!c->lines)
		c->lines = ARENA_ARRAY(&c->arena, struct check_line, LINES_MAX);
	CHECK(c->count < LINES_MAX);
	c->lines[c->count++] = (struct check_line){.level = level,
	        .name = name,
	        .text = arena_strdup(&c->arena, text),
	        .mend = mend ? arena_strdup(&c->arena, mend) : NULL};
}

const char *check_read(struct checks *c, const char *path)
{
	FILE *f = fopen(arena_printf(&c->arena, "%s%s", c->root, path), "re");
	if (!f)
		return NULL;
	char *text = arena_alloc(&c->arena, FILE_BYTES_MAX + 1);
	size_t n = fread(text, 1, FILE_BYTES_MAX, f);
	fclose(f);
	text[n] = 0;
	return text;
}

bool check_exists(struct checks *c, const char *path)
{
	return access(arena_printf(&c->arena, "%s%s", c->root, path), F_OK) == 0;
}

/* ---- the command ---- */

static const char *const level_names[] = {"ok", "WARN", "FAIL"};

static void print(const struct checks *c, bool only_bad, unsigned counts[3])
{
	for (size_t i = 0; i < c->count; i++) {
		const struct check_line *l = &c->lines[i];
		counts[l->level]++;
		if (only_bad && l->level == CHECK_OK)
			continue;
		printf("%-4s  %-24s %s\n", level_names[l->level], l->name, l->text);
		if (l->mend && l->level != CHECK_OK)
			printf("      %-24s mend: %s\n", "", l->mend);
	}
}

int check_config_main(int argc, char **argv)
{
	struct checks c = {.root = "", .data_dir = "/var/lib/k3x"};
	struct err err = ERR_INIT;
	unsigned counts[3] = {0};
	bool quiet = false;
	const struct flag table[] = {
	        {"data-dir", 'd', FLAG_STRING, &c.data_dir, "K3X_DATA_DIR", "where state will be kept (/var/lib/k3x)",
	                NULL},
	        {"quiet", 'q', FLAG_BOOL, &quiet, NULL, "print only what is not as it should be", NULL},
	};
	struct flags f = {.program = "k3x check-config",
	        .summary = "k3x check-config: has this machine what k3x needs? A line for each thing; where something "
	                   "is missing, "
	                   "the mend.\nNothing is changed. Exit code 1 when something is missing without which a node "
	                   "does not "
	                   "run",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = flags_load(&f, &c.arena, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
	} else if (rc != 0) {
		fprintf(stderr, "k3x check-config: %s\n", err.msg);
		rc = err_exit_code(rc);
	} else if (geteuid() != 0) {
		fprintf(stderr, "k3x check-config: must be run as root: some of it is tried out\n");
		rc = err_exit_code(ERR_FORBIDDEN);
	} else {
		check_kernel(&c);
		check_nftables(&c);
		check_programs(&c);
		check_machine(&c);
		print(&c, quiet, counts);
		printf("%u as they should be, %u to look at, %u missing\n", counts[CHECK_OK], counts[CHECK_WARN],
		        counts[CHECK_FAIL]);
		rc = counts[CHECK_FAIL] ? 1 : 0;
	}
	arena_release(&c.arena);
	return rc;
}
