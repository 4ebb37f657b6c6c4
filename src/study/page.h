/* The files of web/ that this program carries in itself. */
#ifndef STUDY_PAGE_H
#define STUDY_PAGE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *type;
    const unsigned char *bytes;
    size_t size;
    bool admin; /* for who has the password only */
} sl_page_file;

/* The file at exactly this path of the site; false if there is none. */
bool sl_page_find(const char *path, sl_page_file *out);

#endif
