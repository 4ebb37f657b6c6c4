/* Options structs as JSON objects and back, by a table of their fields. */
#ifndef TRAIN_FIELDS_H
#define TRAIN_FIELDS_H

#include "base/json.h"

#include <stddef.h>

typedef enum {
    SL_FIELD_STRING,
    SL_FIELD_INT,
    SL_FIELD_U32,
    SL_FIELD_U64,
    SL_FIELD_DOUBLE
} sl_field_type;

typedef struct {
    const char *name; /* the JSON member; tables end with NULL */
    sl_field_type type;
    size_t offset;
} sl_field;

#define SL_FIELD(type_, options, member)          \
    {                                             \
#member, type_, offsetof(options, member) \
    }

/* Appends the fields of options to object; NULL strings become null. */
SL_CHECK sl_status sl_fields_to_json(const sl_field *fields, const void *options, json_t *object,
                                     sl_error *err);
/* Reads the fields from object; strings are borrowed from it. */
SL_CHECK sl_status sl_fields_from_json(const sl_field *fields, void *options, const json_t *object,
                                       sl_error *err);

#endif
