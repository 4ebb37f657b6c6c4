#include "report/table_private.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

sl_status sl_table_create(sl_table **out, int n_columns, sl_error *err)
{
    sl_status st = sl_alloc(out, 1, sizeof **out, err);

    if (!st)
        (*out)->n_columns = (size_t)n_columns;
    return st;
}

void sl_table_destroy(sl_table *table)
{
    if (!table)
        return;
    sl_arena_release(&table->memory);
    free(table->cells);
    free(table->notes);
    free(table);
}

sl_status sl_table_cell(sl_table *table, sl_error *err, const char *format, ...)
{
    char text[256];
    va_list args;
    sl_status st;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    st = sl_grow(&table->cells, &table->capacity, table->n_cells + 1, sizeof *table->cells, err);
    if (st)
        return st;
    st = sl_arena_strdup(&table->memory, &table->cells[table->n_cells], text, err);
    if (!st)
        table->n_cells++;
    return st;
}

sl_status sl_table_section(sl_table *table, const char *text, sl_error *err)
{
    const size_t wanted = table->n_cells + table->n_columns;
    sl_status st = sl_grow(&table->cells, &table->capacity, wanted, sizeof *table->cells, err);

    if (!st)
        st = sl_arena_strdup(&table->memory, &table->cells[table->n_cells], text, err);
    if (st)
        return st;
    while (++table->n_cells < wanted)
        table->cells[table->n_cells] = NULL;
    return SL_OK;
}

sl_status sl_table_title(sl_table *table, const char *text, sl_error *err)
{
    return sl_arena_strdup(&table->memory, &table->title, text, err);
}

sl_status sl_table_note(sl_table *table, sl_error *err, const char *format, ...)
{
    char text[1000];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sl_status st = sl_grow(&table->notes, &table->notes_capacity, table->n_notes + 1,
                           sizeof *table->notes, err);
    if (!st)
        st = sl_arena_strdup(&table->memory, &table->notes[table->n_notes], text, err);
    table->n_notes += !st;
    return st;
}

size_t sl_table_rows(const sl_table *t)
{
    return (t->n_cells + t->n_columns - 1) / t->n_columns;
}

const char *sl_table_at(const sl_table *t, size_t row, size_t column)
{
    const size_t i = row * t->n_columns + column;

    return i < t->n_cells && t->cells[i] ? t->cells[i] : "";
}

bool sl_table_is_section(const sl_table *t, size_t row)
{
    const size_t second = row * t->n_columns + 1;

    return t->n_columns > 1 && second < t->n_cells && !t->cells[second];
}
