/* What managedFields are made of, as managers_write() writes it; what is most common stands last, where it is found
 * first. A change needs no migration: packed bytes never leave the process. Only pack.c includes it. */
#ifndef K3X_API_MACHINERY_FIELDS_PACK_DICTIONARY_H
#define K3X_API_MACHINERY_FIELDS_PACK_DICTIONARY_H

static const char fields_pack_dictionary[] =
        "";

#endif
