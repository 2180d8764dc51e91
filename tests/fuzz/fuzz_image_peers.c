/* What other nodes ask the registry between nodes for, and what a Node says of its images: paths that would name a file
 * are of 64 hex digits or refused, and what is kept of any Node can be searched. */
#include "net/mirror/image_peers.h"
#include "node/server/kubelet_registry_int.h"

#include "base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_path(struct slice path)
{
	struct registry_path p;
	if (!kubelet_registry_is_path(path) || !kubelet_registry_parse(path, &p))
		return;
	CHECK(!p.is_blob || kubelet_registry_is_digest(p.reference));
	CHECK(!p.reference.len ||
	        (!memchr(p.reference.ptr, '/', p.reference.len) && !memchr(p.reference.ptr, '"', p.reference.len)));
	CHECK(!p.name.len || !memchr(p.name.ptr, '"', p.name.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size}, path = slice_cut(&rest, '\n');
	look_at_path(path);
	struct rcbuf *kept = image_peers_digest(rest);
	struct slice text = {kept->data, kept->len};
	CHECK(!text.len || text.ptr[text.len - 1] == '\n');
	image_peers_match(text, path, SLICE("1"));
	image_peers_match(text, SLICE("docker.io/a/b"), path);
	rcbuf_unref(kept);
	return 0;
}
