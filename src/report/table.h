/* Aligned text tables for people: the first column to the left, numbers to the right.
 *
 * Cells are UTF-8 of single-width characters. One thread at a time. */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include <softlabel/error.h>
#include <stdio.h>

typedef struct sl_table sl_table;

SL_CHECK sl_status sl_table_create(sl_table **out, int n_columns, sl_error *err);
void sl_table_destroy(sl_table *table); /* NULL is fine */

/* Appends a cell, row by row; the first row is the header. */
SL_CHECK sl_status sl_table_cell(sl_table *table, sl_error *err, const char *format, ...)
    SL_PRINTF(3, 4);

/* The table with a rule under its header; cells that are still missing are blank. */
void sl_table_write(const sl_table *table, FILE *out);

#endif
