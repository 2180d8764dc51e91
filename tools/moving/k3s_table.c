/* See k3s_table.h. Rows are found by what they are of, their fate and the reason; what finds no room is counted in a
 * row for all of it. */
#include "tools/moving/k3s_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add(struct k3s_table *t, const char *what, enum k3s_fate fate, const char *why)
{
	size_t i = 0;
	if (t->n >= K3S_TABLE_ROWS_MAX - K3S_FATES) {
		what = "others";
		why = NULL;
	}
	for (; i < t->n; i++)
		if (t->rows[i].fate == fate && t->rows[i].why == why && strcmp(t->rows[i].what, what) == 0)
			break;
	if (i == t->n) {
		t->n++;
		t->rows[i].fate = fate;
		t->rows[i].why = why;
		snprintf(t->rows[i].what, sizeof t->rows[i].what, "%s", what);
	}
	t->rows[i].n++;
}

void k3s_table_count(struct k3s_table *t, struct slice key, enum k3s_fate fate, const char *why)
{
	char what[96];
	struct slice rest = key;
	slice_cut(&rest, '/');
	slice_cut(&rest, '/'); /* "registry" */
	struct slice first = slice_cut(&rest, '/'), second = slice_cut(&rest, '/');
	if (memchr(first.ptr ? first.ptr : "", '.', first.len))
		snprintf(what, sizeof what, "%.*s/%.*s", SLICE_FMT(first), SLICE_FMT(second));
	else
		snprintf(what, sizeof what, "%.*s", SLICE_FMT(first));
	t->objects[fate]++;
	add(t, what, fate, why);
}

void k3s_table_add(struct k3s_table *t, const char *what, enum k3s_fate fate, const char *why)
{
	add(t, what, fate, why);
}

static int compare(const void *a, const void *b)
{
	const struct k3s_table_row *x = a, *y = b;
	if (x->fate != y->fate)
		return x->fate < y->fate ? -1 : 1;
	return strcmp(x->what, y->what);
}

void k3s_table_print(struct k3s_table *t, FILE *out)
{
	static const char *const names[K3S_FATES] = {"taken", "changed", "left out"};
	qsort(t->rows, t->n, sizeof t->rows[0], compare);
	for (size_t i = 0; i < t->n; i++)
		fprintf(out, "%-10s %6" PRId64 " %s%s%s%s\n", names[t->rows[i].fate], t->rows[i].n, t->rows[i].what,
		        t->rows[i].why ? " (" : "", t->rows[i].why ? t->rows[i].why : "", t->rows[i].why ? ")" : "");
}
