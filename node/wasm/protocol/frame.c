/* A packet is "VERB ID NUMBER\nTEXT". Words, so that strace shows what goes on; the socket keeps packets apart. Either
 * side drops a connection whose packets it cannot read: it is then another version's, or not ours. */
#include "node/wasm/protocol/frame.h"

#include "base/check.h"

static const char *const names[] = {
#define X(name) #name,
        WASM_VERBS(X)
#undef X
};

const char *wasm_verb_name(enum wasm_verb verb)
{
	CHECK(verb < WASM_VERBS_COUNT);
	return names[verb];
}

bool wasm_id_is_good(struct slice id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return id.len > 0 && id.len <= WASM_ID_BYTES_MAX && id.ptr[0] != '-';
}

void wasm_frame_write(struct strbuf *out, const struct wasm_frame *f)
{
	CHECK(wasm_id_is_good(slice_of(f->id)));
	strbuf_addf(out, "%s %s %lld\n", wasm_verb_name(f->verb), f->id, (long long)f->number);
	strbuf_add(out, f->text.ptr, f->text.len > WASM_TEXT_BYTES_MAX ? WASM_TEXT_BYTES_MAX : f->text.len);
}

int wasm_frame_read(struct slice packet, struct wasm_frame *f, struct err *err)
{
	struct slice text = packet, line = slice_cut(&text, '\n');
	struct slice verb = slice_cut(&line, ' '), id = slice_cut(&line, ' ');
	unsigned v = 0;
	if (packet.len > WASM_FRAME_BYTES_MAX)
		return err_set(err, ERR_PROTOCOL, "a packet of %zu bytes", packet.len);
	while (v < WASM_VERBS_COUNT && !slice_is(verb, names[v]))
		v++;
	if (v == WASM_VERBS_COUNT || !wasm_id_is_good(id) || !slice_to_i64(line, &f->number))
		return err_set(err, ERR_PROTOCOL, "a packet that cannot be read: \"%.*s\"",
		        packet.len > 60 ? 60 : (int)packet.len, packet.ptr);
	f->verb = (enum wasm_verb)v;
	memcpy(f->id, id.ptr, id.len);
	f->id[id.len] = 0;
	f->text = text;
	return 0;
}
