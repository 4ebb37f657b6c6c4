#include "report/table.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2 };

struct sl_table {
    sl_arena memory;
    size_t n_columns, n_cells, capacity;
    const char **cells; /* row by row */
};

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

/* Characters, not bytes: a UTF-8 continuation byte is 10xxxxxx. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static const char *cell_at(const sl_table *t, size_t row, size_t column)
{
    size_t i = row * t->n_columns + column;

    return i < t->n_cells ? t->cells[i] : "";
}

static size_t column_width(const sl_table *t, size_t n_rows, size_t column)
{
    size_t widest = 0;

    for (size_t r = 0; r < n_rows; r++) {
        size_t w = width(cell_at(t, r, column));

        widest = w > widest ? w : widest;
    }
    return widest;
}

static void spaces(FILE *out, size_t n)
{
    fprintf(out, "%*s", (int)n, "");
}

static void write_row(const sl_table *t, size_t n_rows, size_t row, FILE *out)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        const char *text = cell_at(t, row, c);
        size_t rest = column_width(t, n_rows, c) - width(text);

        if (c > 0)
            spaces(out, GAP + rest);
        fputs(text, out);
        if (c == 0 && t->n_columns > 1)
            spaces(out, rest);
    }
    fputc('\n', out);
}

void sl_table_write(const sl_table *table, FILE *out)
{
    size_t n_rows = (table->n_cells + table->n_columns - 1) / table->n_columns;
    size_t total = 0;

    for (size_t c = 0; c < table->n_columns; c++)
        total += column_width(table, n_rows, c) + (c ? GAP : 0);
    for (size_t r = 0; r < n_rows; r++) {
        write_row(table, n_rows, r, out);
        if (r == 0) {
            for (size_t i = 0; i < total; i++)
                fputc('-', out);
            fputc('\n', out);
        }
    }
}
