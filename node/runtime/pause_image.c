/* See pause_image.h. The program is node/runtime/pause/pause.c, static and without a C library: k3x itself is linked to
 * libc and could not run in an image that holds one file. The tar is the same bytes for the same name: times are zero.
 */
#include "node/runtime/pause_image.h"

#include "base/arch.h"
#include "base/json_lib.h"
#include "base/pki/pki.h"
#include "node/runtime/tar.h"

#include <stdio.h>

__asm__(".pushsection .rodata\n"
        ".globl pause_program\n.globl pause_program_end\n"
        "pause_program:\n.incbin \"build/gen/node/runtime/pause\"\npause_program_end:\n.byte 0\n"
        ".popsection\n");
extern const char pause_program[], pause_program_end[];

static void tar_file(struct strbuf *out, const char *name, unsigned mode, struct slice data)
{
	char header[TAR_BLOCK];
	tar_header(header, name, mode, data.len);
	strbuf_add(out, header, sizeof header);
	strbuf_add_slice(out, data);
	while (out->len % TAR_BLOCK)
		strbuf_addc(out, 0);
}

static void tar_end(struct strbuf *out)
{
	char zero[TAR_END] = {0};
	strbuf_add(out, zero, sizeof zero);
}

/* What the image's configuration is called follows from its bytes: members keep their order. */
static void write_json(struct strbuf *out, json_t *v)
{
	json_lib_write(out, v);
	json_decref(v);
}

void pause_image_write(struct strbuf *out, const char *name)
{
	struct strbuf layer = STRBUF_INIT, config = STRBUF_INIT, manifest = STRBUF_INIT;
	char hash[65], file[80];
	tar_file(&layer, "pause", 0755, (struct slice){pause_program, (size_t)(pause_program_end - pause_program)});
	tar_end(&layer);
	pki_sha256_hex(layer.data, layer.len, hash);
	write_json(&config,
	        json_pack("{s:s, s:s, s:{s:[s], s:s}, s:{s:s, s:[o]}, s:[{s:s}]}", "architecture", ARCH_NAME, "os",
	                "linux", "config", "Entrypoint", "/pause", "WorkingDir", "/", "rootfs", "type", "layers",
	                "diff_ids", json_sprintf("sha256:%s", hash), "history", "created_by", "k3x"));
	pki_sha256_hex(config.data, config.len, hash);
	snprintf(file, sizeof file, "%s.json", hash);
	write_json(&manifest, json_pack("[{s:s, s:[o], s:[s]}]", "Config", file, "RepoTags",
	                              json_lib_new_str(slice_of(name)), "Layers", "layer.tar"));
	tar_file(out, "layer.tar", 0644, strbuf_slice(&layer));
	tar_file(out, file, 0644, strbuf_slice(&config));
	tar_file(out, "manifest.json", 0644, strbuf_slice(&manifest));
	tar_end(out);
	strbuf_release(&layer);
	strbuf_release(&config);
	strbuf_release(&manifest);
}
