/* jepsen-check: judges saved histories again, and writes their reports.
 *
 *   jepsen-check HISTORY.jsonl...     next to each history: result.json and report.html
 *   jepsen-check --summary DIR...     summary.html and summary.md in the current folder, over the runs in the folders
 *
 * Exits with 0 when all is valid, 1 when something is not, 2 when a file cannot be read, 3 when a verdict is unknown.
 */
#include "jepsen/check.h"
#include "jepsen/report.h"

#include "base/json_lib.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_VALID = 0, EXIT_INVALID = 1, EXIT_UNREADABLE = 2, EXIT_UNKNOWN = 3, RESULT_BYTES_MAX = 16 << 20 };

/* What stands before the last slash, with it. */
static char *folder_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? arena_memdup(a, path, (size_t)(slash - path) + 1) : arena_strdup(a, "");
}

static void print_verdict(const char *path, const struct check_report *report)
{
	printf("%s: %s\n", path, check_verdict_name(report->verdict));
	for (size_t i = 0; i < report->count; i++) {
		const struct check_result *r = &report->results[i];
		printf("  %-9s %-8s %6lld ms  %s\n", r->checker, check_verdict_name(r->verdict), (long long)r->took_ms,
		        r->reason);
		for (const struct check_finding *f = r->findings; f; f = f->next)
			printf("    %s: %s\n", f->anomaly, f->text);
		if (r->finding_count)
			printf("    %u violations\n", r->finding_count);
	}
}

/* What the harness itself had found stays found: it is in the result.json that will be written anew. */
static void keep_notes(struct arena *a, const char *folder, struct report_notes *ret)
{
	char block[65536];
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	FILE *f = fopen(arena_printf(a, "%sresult.json", folder), "re");
	for (size_t n; f && text.len < RESULT_BYTES_MAX && (n = fread(block, 1, sizeof block, f)) > 0;)
		strbuf_add(&text, block, n);
	if (f)
		fclose(f);
	json_auto_t *result = json_lib_parse(strbuf_slice(&text), &err);
	json_t *list = json_object_get(result, "violations"), *v;
	size_t i;
	if (!json_is_array(list))
		return;
	const char **texts = ARENA_ARRAY(a, const char *, json_array_size(list) + 1);
	json_array_foreach (list, i, v)
		texts[ret->count++] = arena_strdup(a, json_is_string(v) ? json_string_value(v) : "");
	ret->texts = texts;
}

static int judge(const char *path)
{
	struct history h;
	struct check_report report = {.results = NULL};
	struct check_options options = CHECK_OPTIONS_DEFAULT;
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct report_notes notes = {.count = 0};
	const char *folder = folder_of(&a, path);
	int status = EXIT_UNREADABLE;
	history_init(&h);
	keep_notes(&a, folder, &notes);
	if (history_read(&h, path, &err) == 0 && check_history(&h, &options, &report, &err) == 0 &&
	        report_save(&h, &report, &notes, folder, &err) == 0) {
		print_verdict(path, &report);
		for (size_t i = 0; i < notes.count; i++)
			printf("  harness: %s\n", notes.texts[i]);
		status = notes.count                       ? EXIT_INVALID
		         : report.verdict == CHECK_VALID   ? EXIT_VALID
		         : report.verdict == CHECK_INVALID ? EXIT_INVALID
		                                           : EXIT_UNKNOWN;
	} else {
		fprintf(stderr, "jepsen-check: %s\n", err.msg);
	}
	check_report_release(&report);
	history_release(&h);
	arena_release(&a);
	return status;
}

static int summarize(char **folders, int count)
{
	struct err err = ERR_INIT;
	if (report_summary(folders, count, "", &err) == 0)
		return EXIT_VALID;
	fprintf(stderr, "jepsen-check: %s\n", err.msg);
	return EXIT_UNREADABLE;
}

int main(int argc, char **argv)
{
	int worst = EXIT_VALID;
	if (argc < 2 || (argv[1][0] == '-' && strcmp(argv[1], "--summary") != 0) || (argv[1][0] == '-' && argc < 3)) {
		fprintf(stderr, "usage: jepsen-check HISTORY.jsonl... | --summary DIR...\n");
		return EXIT_UNREADABLE;
	}
	if (argv[1][0] == '-')
		return summarize(argv + 2, argc - 2);
	for (int i = 1; i < argc; i++) {
		int status = judge(argv[i]);
		if (status == EXIT_UNREADABLE || (status == EXIT_INVALID && worst != EXIT_UNREADABLE) ||
		        (status == EXIT_UNKNOWN && worst == EXIT_VALID))
			worst = status;
	}
	return worst;
}
