/* See table.h. Columns and printers stand in the kind's row (struct kind_ops); upstream's printers are in
 * pkg/printers/internalversion. */
#include "api/machinery/table/table.h"
#include "api/machinery/table/custom_columns.h"
#include "api/machinery/table/printers.h"

#include "api/machinery/schema/kind_ops.h"

static const struct kind_ops *ops_of(const struct resource *r)
{
	return resource_ops(r->storage ? r->storage : r); /* rows of one storage are printed alike */
}

void table_write_columns(struct strbuf *out, const struct resource *r)
{
	const char *columns = ops_of(r)->columns;
	struct slice rest = slice_of(columns ? columns : "Name,Age");
	bool first = true;
	if (r->columns) {
		custom_columns_write(out, r->columns);
		return;
	}
	strbuf_addc(out, '[');
	while (rest.ptr) {
		struct slice column = slice_cut(&rest, ','), name = slice_cut(&column, ':'),
		             type = slice_cut(&column, ':');
		bool is_name = slice_is(name, "Name") && !column.len;
		strbuf_addf(out,
		        "%s{\"name\":\"%.*s\",\"type\":\"%.*s\",\"format\":\"%s\",\"description\":\"%.*s\","
		        "\"priority\":%s}",
		        first ? "" : ",", SLICE_FMT(name), SLICE_FMT(type.len ? type : SLICE("string")),
		        is_name ? "name" : "", SLICE_FMT(name), column.len ? column.ptr[0] == '1' ? "1" : "0" : "0");
		first = false;
	}
	strbuf_addc(out, ']');
}

void table_write_cells(struct strbuf *out, const struct resource *r, struct slice object_text, int64_t now_s)
{
	const struct kind_ops *ops = ops_of(r);
	struct arena a = ARENA_INIT;
	struct cells c = {.out = out, .arena = &a, .now_s = now_s};
	c.object = json_parse(&a, object_text, NULL, NULL);
	/* events.k8s.io rows are printed from the core form, which is what is stored */
	if (c.object && r->storage && r->storage != r && !r->is_custom)
		resource_convert(&a, c.object, r, r->storage, NULL);
	strbuf_addc(out, '[');
	if (r->columns)
		custom_columns_cells(&c, r->columns);
	else
		(ops->cells ? ops->cells : table_plain)(&c);
	strbuf_addc(out, ']');
	arena_release(&a);
}
