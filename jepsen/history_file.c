/* Histories as JSON lines. Each line is one object: {"set":name,"to":text}, {"fault":name,...} or a record. Numbers
 * that are HISTORY_NIL are left out, so a file stays readable and small. Which member goes to which field is said in
 * one table for both ways. The reader trusts nothing: an unknown member, a number where a text belongs or a value out
 * of range refuses the file with its line.
 *
 * Lines are read with base/json, not with jansson as other JSON that is no API object: a history has millions of them,
 * and an arena that is reset for each is more than twice as fast as a tree that is freed. */
#include "jepsen/history.h"

#include "base/json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { HISTORY_FILE_BYTES_MAX = 1 << 30 };

struct field {
	const char *name;
	size_t offset;
};

static const struct field record_fields[] = {
        {"value", offsetof(struct history_record, value)},
        {"expect", offsetof(struct history_record, expect)},
        {"prev", offsetof(struct history_record, prev)},
        {"rev", offsetof(struct history_record, revision)},
        {"mod", offsetof(struct history_record, mod_revision)},
        {"version", offsetof(struct history_record, version)},
        {"lease", offsetof(struct history_record, lease)},
        {"ttl_ms", offsetof(struct history_record, ttl_ms)},
        {NULL, 0},
};

static const struct field item_fields[] = {
        {"value", offsetof(struct history_item, value)},
        {"prev", offsetof(struct history_item, prev)},
        {"mod", offsetof(struct history_item, mod_revision)},
        {"create", offsetof(struct history_item, create_revision)},
        {"version", offsetof(struct history_item, version)},
        {NULL, 0},
};

/* ---- writing ---- */

static void write_text(struct strbuf *out, const char *name, const char *text)
{
	strbuf_addf(out, "\"%s\":", name);
	json_write_str(out, slice_of(text));
}

static void write_fields(struct strbuf *out, const struct field *fields, const void *from)
{
	for (const struct field *f = fields; f->name; f++) {
		int64_t v;
		memcpy(&v, (const char *)from + f->offset, sizeof v);
		if (v != HISTORY_NIL)
			strbuf_addf(out, ",\"%s\":%" PRId64, f->name, v);
	}
}

static void write_values(struct strbuf *out, const int64_t *values, uint32_t count)
{
	strbuf_adds(out, ",\"values\":[");
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			strbuf_addc(out, ',');
		strbuf_add_i64(out, values[i]);
	}
	strbuf_addc(out, ']');
}

static void write_items(struct strbuf *out, const struct history_record *r)
{
	strbuf_adds(out, ",\"items\":[");
	for (uint32_t i = 0; i < r->item_count; i++) {
		const struct history_item *it = &r->items[i];
		strbuf_adds(out, i ? ",{" : "{");
		write_text(out, "f", history_f_name(it->f));
		strbuf_addc(out, ',');
		write_text(out, "key", it->key);
		write_fields(out, item_fields, it);
		if (it->value_count)
			write_values(out, it->values, it->value_count);
		strbuf_addc(out, '}');
	}
	strbuf_addc(out, ']');
}

static void write_record(struct strbuf *out, const struct history_record *r)
{
	strbuf_addf(out, "{\"t\":%" PRId64 ",\"p\":%" PRId32 ",\"n\":%d,", r->time_ns, r->process, r->node);
	write_text(out, "type", history_type_name((enum history_type)r->type));
	strbuf_addc(out, ',');
	write_text(out, "f", history_f_name((enum history_f)r->f));
	if (r->key[0]) {
		strbuf_addc(out, ',');
		write_text(out, "key", r->key);
	}
	write_fields(out, record_fields, r);
	if (r->flags)
		strbuf_addf(out, ",\"flags\":%u", r->flags);
	if (r->value_count)
		write_values(out, r->values, r->value_count);
	if (r->item_count)
		write_items(out, r);
	if (r->error) {
		strbuf_addc(out, ',');
		write_text(out, "error", r->error);
	}
	strbuf_adds(out, "}\n");
}

static void write_fault(struct strbuf *out, const struct history_fault *f)
{
	strbuf_addc(out, '{');
	write_text(out, "fault", f->name);
	strbuf_addf(out, ",\"begin\":%" PRId64 ",\"end\":%" PRId64 ",\"nodes\":%" PRIu64 ",", f->begin_ns, f->end_ns,
	        f->nodes & INT64_MAX);
	write_text(out, "detail", f->detail);
	strbuf_adds(out, "}\n");
}

void history_write(const struct history *h, struct strbuf *out)
{
	for (size_t i = 0; i < h->setting_count; i++) {
		strbuf_addc(out, '{');
		write_text(out, "set", h->settings[i].name);
		strbuf_addc(out, ',');
		write_text(out, "to", h->settings[i].value);
		strbuf_adds(out, "}\n");
	}
	for (size_t i = 0; i < h->fault_count; i++)
		write_fault(out, &h->faults[i]);
	for (size_t i = 0; i < h->count; i++)
		write_record(out, &h->records[i]);
}

int history_save(const struct history *h, const char *path, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	history_write(h, &text);
	FILE *f = fopen(path, "w");
	if (!f)
		return err_errno(err, errno, "write %s", path);
	bool wrote = fwrite(text.data, 1, text.len, f) == text.len;
	int failed = errno;
	if (fclose(f) != 0 || !wrote)
		return err_errno(err, wrote ? errno : failed, "write %s", path);
	return 0;
}

/* ---- reading ---- */

struct reader {
	struct history *h;
	struct arena line; /* the tree of one line, and what is copied from it */
	struct err *err;
};

static int bad_member(struct reader *r, const struct json *member, const char *what)
{
	return err_set(r->err, ERR_INVAL, "\"%.*s\": %s", SLICE_FMT(member->key), what);
}

static int read_number(struct reader *r, const struct json *v, int64_t min, int64_t max, int64_t *ret)
{
	int64_t n;
	if (!json_is(v, JSON_NUMBER) || !slice_to_i64(v->text, &n))
		return bad_member(r, v, "not a whole number");
	if (n < min || n > max)
		return bad_member(r, v, "out of range");
	*ret = n;
	return 0;
}

static int read_text(struct reader *r, const struct json *v, const char **ret)
{
	if (!json_is(v, JSON_STRING) || memchr(v->text.ptr, 0, v->text.len))
		return bad_member(r, v, "not a text");
	*ret = json_cstr(&r->line, v);
	return 0;
}

static int read_name(struct reader *r, const struct json *v, const char *(*name)(int), int count, int64_t *ret)
{
	for (int i = 0; i < count; i++)
		if (slice_is(json_str(v), name(i))) {
			*ret = i;
			return 0;
		}
	return bad_member(r, v, "unknown");
}

static const char *type_name_at(int i)
{
	return history_type_name((enum history_type)i);
}

static const char *f_name_at(int i)
{
	return history_f_name((enum history_f)i);
}

static int read_values(struct reader *r, const struct json *v, const int64_t **values, uint32_t *count)
{
	if (!json_is(v, JSON_ARRAY))
		return bad_member(r, v, "not an array");
	int64_t *copy = ARENA_ARRAY(&r->line, int64_t, v->count + 1);
	uint32_t n = 0;
	JSON_FOREACH (it, v)
		if (read_number(r, it, INT64_MIN, INT64_MAX, &copy[n++]) != 0)
			return r->err->code;
	*values = copy;
	*count = n;
	return 0;
}

/* A member of the table: 0 and *found, or an error. */
static int read_field(struct reader *r, const struct field *fields, const struct json *v, void *to, bool *found)
{
	for (const struct field *f = fields; f->name; f++)
		if (slice_is(v->key, f->name)) {
			*found = true;
			int64_t n;
			if (read_number(r, v, INT64_MIN, INT64_MAX, &n) != 0)
				return r->err->code;
			memcpy((char *)to + f->offset, &n, sizeof n);
		}
	return 0;
}

static int read_item_member(struct reader *r, const struct json *v, struct history_item *item)
{
	int64_t n = 0;
	bool found = false;
	if (slice_is(v->key, "f")) {
		if (read_name(r, v, f_name_at, HISTORY_FS, &n) == 0)
			item->f = (enum history_f)n;
		return r->err->code;
	}
	if (slice_is(v->key, "key"))
		return read_text(r, v, &item->key);
	if (slice_is(v->key, "values"))
		return read_values(r, v, &item->values, &item->value_count);
	if (read_field(r, item_fields, v, item, &found) != 0 || found)
		return r->err->code;
	return bad_member(r, v, "unknown member");
}

static int read_items(struct reader *r, const struct json *v, struct history_record *record)
{
	if (!json_is(v, JSON_ARRAY))
		return bad_member(r, v, "not an array");
	struct history_item *items = ARENA_ARRAY(&r->line, struct history_item, v->count + 1);
	uint32_t n = 0;
	JSON_FOREACH (it, v) {
		if (!json_is(it, JSON_OBJECT))
			return bad_member(r, v, "holds something that is not an object");
		items[n] = HISTORY_ITEM_INIT(HISTORY_READ, "", HISTORY_NIL);
		JSON_FOREACH (member, it)
			if (read_item_member(r, member, &items[n]) != 0)
				return r->err->code;
		n++;
	}
	record->items = items;
	record->item_count = n;
	return 0;
}

/* The members that are not plain 64-bit numbers. */
static int read_special(struct reader *r, const struct json *v, struct history_record *record)
{
	int64_t n = 0;
	int rc;
	if (slice_is(v->key, "t")) {
		return read_number(r, v, 0, INT64_MAX, &record->time_ns);
	} else if (slice_is(v->key, "p")) {
		rc = read_number(r, v, 0, INT32_MAX, &n);
		record->process = (int32_t)n;
	} else if (slice_is(v->key, "n")) {
		rc = read_number(r, v, -1, 63, &n);
		record->node = (int16_t)n;
	} else if (slice_is(v->key, "flags")) {
		rc = read_number(r, v, 0, UINT16_MAX, &n);
		record->flags = (uint16_t)n;
	} else if (slice_is(v->key, "type")) {
		rc = read_name(r, v, type_name_at, HISTORY_TYPES, &n);
		record->type = (uint8_t)n;
	} else if (slice_is(v->key, "f")) {
		rc = read_name(r, v, f_name_at, HISTORY_FS, &n);
		record->f = (uint8_t)n;
	} else if (slice_is(v->key, "key")) {
		return read_text(r, v, &record->key);
	} else if (slice_is(v->key, "error")) {
		return read_text(r, v, &record->error);
	} else if (slice_is(v->key, "values")) {
		return read_values(r, v, &record->values, &record->value_count);
	} else if (slice_is(v->key, "items")) {
		return read_items(r, v, record);
	} else {
		return bad_member(r, v, "unknown member");
	}
	return rc;
}

static int read_record(struct reader *r, const struct json *line)
{
	struct history_record record = HISTORY_RECORD_INIT;
	if (!json_get(line, "t") || !json_get(line, "p") || !json_get(line, "type") || !json_get(line, "f"))
		return err_set(r->err, ERR_INVAL, "a record needs t, p, type and f");
	JSON_FOREACH (v, line) {
		bool found = false;
		if (read_field(r, record_fields, v, &record, &found) != 0)
			return r->err->code;
		if (!found && read_special(r, v, &record) != 0)
			return r->err->code;
	}
	history_append(r->h, &record);
	return 0;
}

static int read_fault(struct reader *r, const struct json *line)
{
	const char *name = "", *detail = "";
	int64_t begin = 0, end = -1, nodes = 0;
	JSON_FOREACH (v, line) {
		int rc;
		if (slice_is(v->key, "fault"))
			rc = read_text(r, v, &name);
		else if (slice_is(v->key, "detail"))
			rc = read_text(r, v, &detail);
		else if (slice_is(v->key, "begin"))
			rc = read_number(r, v, 0, INT64_MAX, &begin);
		else if (slice_is(v->key, "end"))
			rc = read_number(r, v, -1, INT64_MAX, &end);
		else if (slice_is(v->key, "nodes"))
			rc = read_number(r, v, 0, INT64_MAX, &nodes);
		else
			rc = bad_member(r, v, "unknown member");
		if (rc != 0)
			return rc;
	}
	if (end >= 0 && end < begin)
		return err_set(r->err, ERR_INVAL, "a fault ends before it begins");
	size_t fault = history_fault_begin(r->h, begin, name, (uint64_t)nodes, detail);
	history_fault_end(r->h, fault, end);
	return 0;
}

static int read_line(struct reader *r, struct slice text)
{
	const struct json *line = json_parse(&r->line, text, NULL, r->err);
	if (!line)
		return r->err->code;
	if (line->type != JSON_OBJECT)
		return err_set(r->err, ERR_INVAL, "not an object");
	if (json_get(line, "fault"))
		return read_fault(r, line);
	if (!json_get(line, "set"))
		return read_record(r, line);
	const char *name, *value;
	struct json *to = json_get(line, "to");
	if (!to)
		return err_set(r->err, ERR_INVAL, "a setting needs \"to\"");
	if (read_text(r, json_get(line, "set"), &name) != 0 || read_text(r, to, &value) != 0)
		return r->err->code;
	history_set(r->h, name, value);
	return 0;
}

int history_parse(struct history *h, struct slice text, struct err *err)
{
	struct err local = ERR_INIT;
	struct reader r = {.h = h, .err = &local};
	int rc = 0;
	for (size_t number = 1; rc == 0 && text.len; number++) {
		struct slice line = slice_trim(slice_cut(&text, '\n'));
		if (!line.len)
			continue;
		rc = read_line(&r, line);
		arena_reset(&r.line);
		if (rc != 0)
			rc = err_set(err, ERR_INVAL, "line %zu: %s", number, local.msg);
	}
	arena_release(&r.line);
	return rc;
}

static int slurp(FILE *f, const char *path, struct strbuf *text, struct err *err)
{
	char block[65536];
	for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;) {
		strbuf_add(text, block, n);
		if (text->len > HISTORY_FILE_BYTES_MAX)
			return err_set(err, ERR_TOO_BIG, "%s: a history has at most 1 GiB", path);
	}
	return ferror(f) ? err_errno(err, errno, "read %s", path) : 0;
}

int history_read(struct history *h, const char *path, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	FILE *f = fopen(path, "r");
	if (!f)
		return err_errno(err, errno, "open %s", path);
	int rc = slurp(f, path, &text, err);
	fclose(f);
	if (rc == 0 && history_parse(h, strbuf_slice(&text), err) != 0)
		rc = err_wrap(err, "%s", path);
	return rc;
}
