/* What table.c keeps and table_formats.c writes. */
#ifndef REPORT_TABLE_PRIVATE_H
#define REPORT_TABLE_PRIVATE_H

#include "base/memory.h"
#include "report/table.h"
#include <stdbool.h>

struct sl_table {
    sl_arena memory;
    size_t n_columns, n_cells, capacity;
    const char **cells; /* row by row; NULL: covered by the section to the left */
    const char *title;  /* NULL: none */
    const char **notes;
    size_t n_notes, notes_capacity;
};

size_t sl_table_rows(const sl_table *table);
/* "" where there is none. */
const char *sl_table_at(const sl_table *table, size_t row, size_t column);
bool sl_table_is_section(const sl_table *table, size_t row);

#endif
