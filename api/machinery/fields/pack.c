/* See pack.h. Packed: the text's length in four bytes, then an LZ4 block. The dictionary is loaded once; each use
 * copies the loaded state (16 KB), which is less work than loading it anew. */
#include "api/machinery/fields/pack.h"

#include "api/machinery/fields/pack_dictionary.h"
#include "base/check.h"

#include <lz4.h>

#include <pthread.h>

enum { HEAD = sizeof(uint32_t) };

static LZ4_stream_t loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
	LZ4_initStream(&loaded, sizeof loaded);
	LZ4_loadDict(&loaded, fields_pack_dictionary, (int)sizeof fields_pack_dictionary - 1);
}

size_t fields_pack_bound(size_t text_len)
{
	return HEAD + (size_t)LZ4_compressBound((int)text_len);
}

size_t fields_pack(struct slice text, char *out)
{
	LZ4_stream_t stream;
	uint32_t len = (uint32_t)text.len;
	pthread_once(&once, load);
	CHECK(text.len <= LZ4_MAX_INPUT_SIZE);
	memcpy(&stream, &loaded, sizeof stream);
	memcpy(out, &len, HEAD);
	int n = LZ4_compress_fast_continue(
	        &stream, text.ptr, out + HEAD, (int)text.len, LZ4_compressBound((int)text.len), 1);
	CHECK(n > 0);
	return HEAD + (size_t)n;
}

size_t fields_packed_text_len(struct slice packed)
{
	uint32_t len;
	CHECK(packed.len > HEAD);
	memcpy(&len, packed.ptr, HEAD);
	return len;
}

void fields_unpack(struct slice packed, char *out)
{
	int len = (int)fields_packed_text_len(packed);
	int n = LZ4_decompress_safe_usingDict(packed.ptr + HEAD, out, (int)(packed.len - HEAD), len,
	        fields_pack_dictionary, (int)sizeof fields_pack_dictionary - 1);
	CHECK(n == len);
}
