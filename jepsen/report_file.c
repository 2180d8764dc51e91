/* Writes what is left of a run: report.html and result.json. */
#include "jepsen/report_int.h"

#include "base/json_lib.h"

#include <errno.h>
#include <stdio.h>

int report_write_file(const char *folder, const char *name, const struct strbuf *text, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *path = arena_printf(&a, "%s%s", folder, name);
	FILE *f = fopen(path, "we");
	int rc = 0;
	if (!f) {
		rc = err_errno(err, errno, "make %s", path);
	} else {
		bool is_whole = fwrite(text->data, 1, text->len, f) == text->len;
		if (fclose(f) != 0 || !is_whole)
			rc = err_errno(err, errno, "write %s", path);
	}
	arena_release(&a);
	return rc;
}

static void write_result(
        const struct history *h, const struct check_report *r, const struct report_notes *notes, struct strbuf *out)
{
	static const char *const copied[] = {"workload", "target", "nemesis", "started"};
	json_auto_t *root = json_object();
	json_t *list = json_array();
	int64_t operations = 0;
	for (size_t i = 0; i < h->count; i++)
		operations += h->records[i].type == HISTORY_INVOKE;
	for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
		if (history_get(h, copied[i]))
			json_lib_set_cstr(root, copied[i], history_get(h, copied[i]));
	json_lib_set_int(root, "seed", history_get_int(h, "seed", 0));
	json_lib_set_int(root, "operations", operations);
	json_lib_set_int(root, "faults", (int64_t)h->fault_count);
	json_lib_set(root, "violations", list);
	for (size_t i = 0; notes && i < notes->count; i++)
		json_array_append_new(list, json_lib_new_str(slice_of(notes->texts[i])));
	json_lib_set(root, "check", check_report_json(h, r));
	json_lib_write_pretty(out, root);
	strbuf_addc(out, '\n');
}

int report_save(const struct history *h, const struct check_report *r, const struct report_notes *notes,
        const char *folder, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf page = STRBUF_INIT, result = STRBUF_INIT;
	report_write_html(h, r, notes, &page);
	write_result(h, r, notes, &result);
	if (report_write_file(folder, "report.html", &page, err) != 0)
		return err->code;
	return report_write_file(folder, "result.json", &result, err);
}
