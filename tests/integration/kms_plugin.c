/* A KMS plugin for tests (k8s.io/kms apis/v2): `kms_plugin SOCKET FOLDER`.
 *
 * The file FOLDER/key holds the id of the key in use: "sick" instead is a plugin that is not well. FOLDER/lost may hold
 * an id whose key is gone. Each call adds its name to FOLDER/calls. Keys are made of their ids. */
#include "api/machinery/codec/wire.h"
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "base/pki/pki_cipher.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"

#include <stdio.h>
#include <stdlib.h>

static const char *folder;

static struct slice read_file(struct arena *a, const char *name)
{
	char *text;
	size_t len;
	if (pki_file_read(arena_printf(a, "%s/%s", folder, name), &text, &len, NULL) != 0)
		return SLICE("");
	struct slice s = slice_trim((struct slice){arena_memdup(a, text, len), len});
	free(text);
	return s;
}

static void note(const char *call)
{
	struct arena a = ARENA_INIT;
	FILE *f = fopen(arena_printf(&a, "%s/calls", folder), "a");
	CHECK(f != NULL);
	fprintf(f, "%s\n", call);
	fclose(f);
	arena_release(&a);
}

static struct slice key_of(struct slice id, unsigned char key[32])
{
	pki_sha256(id.ptr, id.len, key);
	return (struct slice){(const char *)key, 32};
}

static void read_fields(struct slice text, struct slice fields[5])
{
	struct wire_field f;
	while (wire_next(&text, &f, NULL) == 1)
		if (f.type == WIRE_BYTES && f.number < 5)
			fields[f.number] = f.bytes;
}

static void answer(struct grpc_stream *s, struct slice method, struct slice request)
{
	struct arena a = ARENA_INIT;
	struct strbuf out = STRBUF_INIT, data = STRBUF_INIT;
	struct slice in[5] = {{0}}, id = read_file(&a, "key");
	unsigned char key[32];
	struct err err = ERR_INIT;
	read_fields(request, in);
	note(strrchr(arena_memdup(&a, method.ptr, method.len), '/') + 1);
	if (slice_ends(method, "/Status")) {
		bool is_sick = slice_is(id, "sick");
		wire_put_bytes(&out, 1, SLICE("v2"));
		wire_put_bytes(&out, 2, is_sick ? SLICE("under the weather") : SLICE("ok"));
		wire_put_bytes(&out, 3, id);
	} else if (slice_ends(method, "/Encrypt")) {
		size_t mark;
		pki_cipher_seal(PKI_AES_GCM, key_of(id, key), SLICE(""), in[1], &data);
		wire_put_bytes(&out, 1, strbuf_slice(&data));
		wire_put_bytes(&out, 2, id);
		mark = wire_begin(&out, 3);
		wire_put_bytes(&out, 1, SLICE("version.example.com"));
		wire_put_bytes(&out, 2, SLICE("1"));
		wire_end(&out, mark);
	} else if (!in[4].len) {
		err_set(&err, ERR_INVAL, "the annotation is missing");
	} else if (slice_eq(in[3], read_file(&a, "lost")) ||
	           pki_cipher_open(PKI_AES_GCM, key_of(in[3], key), SLICE(""), in[1], &data, &err) != 0) {
		err_set(&err, ERR_NOT_FOUND, "no such key");
	} else {
		wire_put_bytes(&out, 1, strbuf_slice(&data));
	}
	if (err.code) {
		grpc_finish_err(s, &err);
	} else {
		grpc_send(s, strbuf_slice(&out));
		grpc_finish(s, GRPC_OK, NULL);
	}
	strbuf_release(&out);
	strbuf_release(&data);
	arena_release(&a);
}

struct taking {
	bool is_answered;
};

static void on_message(struct grpc_stream *s, struct slice message, void *arg)
{
	struct taking *t = arg;
	if (!t->is_answered) {
		t->is_answered = true;
		answer(s, http_request(grpc_exchange(s))->path, message);
	}
}

static void handle(struct http_exchange *x, void *arg)
{
	static const struct grpc_stream_callbacks callbacks = {.on_message = on_message};
	if (!grpc_is_request(x)) {
		grpc_refuse(x, GRPC_UNIMPLEMENTED, "not gRPC");
		return;
	}
	grpc_accept(x, 1 << 20, &callbacks, ARENA_NEW(http_arena(x), struct taking));
}

int main(int argc, char **argv)
{
	struct loop loop;
	struct http_server *server;
	struct err err = ERR_INIT;
	CHECK(argc == 3);
	folder = argv[2];
	loop_init(&loop, "plugin");
	loop_own(&loop);
	if (http_server_new(&(struct http_server_options){.loop = &loop, .handler = handle}, &server, &err) != 0 ||
	        http_server_listen_unix(server, argv[1], 0600, &err) != 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	for (;;)
		loop_turn(&loop);
}
