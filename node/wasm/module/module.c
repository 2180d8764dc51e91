/* What a WebAssembly file says of itself, read far enough to refuse with a reason what would otherwise fail somewhere
 * deep in the engine.
 *
 * A file begins with "\0asm", a version of two bytes and a layer of two bytes: 1 and 0 for a core module, layer 1 for a
 * component. Sections follow, each an id, a length and a body; numbers are LEB128. Imports (section 2) and exports (7)
 * are lists of names. Everything is checked against the bytes that are there: modules come from anybody's image. */
#include "node/wasm/module/module.h"

#include "base/check.h"

enum { SECTION_IMPORT = 2, SECTION_EXPORT = 7, SECTION_ID_MAX = 13, HEADER_BYTES = 8, SHOWN_NAME_BYTES = 80 };
enum { KIND_FUNCTION, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL, KIND_TAG };

/* What is left to read. A read past the end empties it and says so for good. */
struct reader {
	const uint8_t *at, *end;
	bool is_broken;
};

static uint8_t read_byte(struct reader *r)
{
	if (r->at == r->end) {
		r->is_broken = true;
		return 0;
	}
	return *r->at++;
}

/* Unsigned LEB128, at most ten bytes (limits of 64-bit memories). */
static uint64_t read_number(struct reader *r)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = read_byte(r);
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	r->is_broken = true;
	return 0;
}

static struct slice read_bytes(struct reader *r, uint64_t len)
{
	if (len > (uint64_t)(r->end - r->at)) {
		r->is_broken = true;
		r->at = r->end;
		return SLICE_NULL;
	}
	struct slice s = {(const char *)r->at, (size_t)len};
	r->at += len;
	return s;
}

static struct slice read_name(struct reader *r)
{
	return read_bytes(r, read_number(r));
}

static void skip_limits(struct reader *r)
{
	uint8_t flags = read_byte(r);
	read_number(r);
	if (flags & 1)
		read_number(r);
}

static void skip_import_type(struct reader *r)
{
	switch (read_byte(r)) {
	case KIND_FUNCTION:
		read_number(r);
		break;
	case KIND_TABLE:
		read_byte(r);
		skip_limits(r);
		break;
	case KIND_MEMORY:
		skip_limits(r);
		break;
	case KIND_GLOBAL:
		read_byte(r);
		read_byte(r);
		break;
	case KIND_TAG:
		read_byte(r);
		read_number(r);
		break;
	default:
		r->is_broken = true;
	}
}

static int check_imports(struct reader *r, struct err *err)
{
	uint64_t count = read_number(r);
	for (uint64_t i = 0; i < count && !r->is_broken; i++) {
		struct slice from = read_name(r), name = read_name(r);
		skip_import_type(r);
		if (r->is_broken || slice_is(from, "wasi_snapshot_preview1"))
			continue;
		from.len = from.len > SHOWN_NAME_BYTES ? SHOWN_NAME_BYTES : from.len;
		name.len = name.len > SHOWN_NAME_BYTES ? SHOWN_NAME_BYTES : name.len;
		return err_set(err, ERR_UNIMPLEMENTED,
		        "the module imports \"%.*s\" from \"%.*s\": only wasi_snapshot_preview1 (WASI preview 1) is "
		        "served",
		        SLICE_FMT(name), SLICE_FMT(from));
	}
	return 0;
}

static bool exports_start(struct reader *r)
{
	uint64_t count = read_number(r);
	bool found = false;
	for (uint64_t i = 0; i < count && !r->is_broken; i++) {
		struct slice name = read_name(r);
		uint8_t kind = read_byte(r);
		read_number(r);
		found |= kind == KIND_FUNCTION && slice_is(name, "_start");
	}
	return found;
}

bool wasm_module_is(struct slice bytes)
{
	return bytes.len >= HEADER_BYTES && memcmp(bytes.ptr, "\0asm", 4) == 0;
}

static int check_header(struct slice bytes, struct err *err)
{
	const uint8_t *b = (const uint8_t *)bytes.ptr;
	if (!wasm_module_is(bytes))
		return err_set(err, ERR_INVAL, "it is no WebAssembly: it does not begin with \\0asm");
	unsigned version = b[4] | b[5] << 8, layer = b[6] | b[7] << 8;
	if (layer == 1)
		return err_set(err, ERR_UNIMPLEMENTED,
		        "it is a component (Component Model, WASI preview 2), which is not supported: build it as a "
		        "core "
		        "module for WASI preview 1 (target wasm32-wasip1)");
	if (version != 1 || layer != 0)
		return err_set(err, ERR_UNIMPLEMENTED,
		        "its WebAssembly version is %u of layer %u: only version 1 of "
		        "core modules is supported",
		        version, layer);
	return 0;
}

int wasm_module_check(struct slice bytes, struct err *err)
{
	bool is_command = false;
	if (check_header(bytes, err) != 0)
		return err->code;
	const uint8_t *start = (const uint8_t *)bytes.ptr;
	struct reader r = {start + HEADER_BYTES, start + bytes.len, false};
	while (r.at < r.end && !r.is_broken) {
		uint8_t id = read_byte(&r);
		struct slice body = read_name(&r);
		struct reader section = {(const uint8_t *)body.ptr, (const uint8_t *)body.ptr + body.len, false};
		if (r.is_broken || id > SECTION_ID_MAX)
			return err_set(
			        err, ERR_INVAL, "the module is broken at byte %td: section %u", r.at - start, id);
		if (id == SECTION_IMPORT && check_imports(&section, err) != 0)
			return err->code;
		if (id == SECTION_EXPORT)
			is_command |= exports_start(&section);
		if (section.is_broken)
			return err_set(err, ERR_INVAL, "the module is broken: section %u ends too early", id);
	}
	if (!is_command)
		return err_set(err, ERR_UNIMPLEMENTED,
		        "the module exports no function _start: only commands run as containers, not reactors or "
		        "libraries");
	return 0;
}
