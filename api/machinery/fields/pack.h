/* managedFields as they lie beside an object in memory: LZ4 against a dictionary of what such lists are made of. They
 * are a fifth of a pod's text and are much the same in all of them; packed, those of a pod take some 250 bytes. Packed
 * bytes never leave the process. Any thread. */
#ifndef K3X_API_MACHINERY_FIELDS_PACK_H
#define K3X_API_MACHINERY_FIELDS_PACK_H

#include "base/mem/str.h"

/* Room that pack needs for a text of so many bytes. */
size_t fields_pack_bound(size_t text_len);
/* Returns the length. */
size_t fields_pack(struct slice text, char *out);
size_t fields_packed_text_len(struct slice packed);
/* `out` has room for fields_packed_text_len() bytes. */
void fields_unpack(struct slice packed, char *out);

#endif
