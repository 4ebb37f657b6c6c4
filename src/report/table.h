/* Tables for people and for papers: the first column to the left, numbers to the right.
 *
 * Cells are UTF-8 of single-width characters. One thread at a time. */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include <softlabel/error.h>
#include <stdio.h>

typedef struct sl_table sl_table;

typedef enum {
    SL_TABLE_TEXT,     /* aligned */
    SL_TABLE_MARKDOWN, /* a pipe table */
    SL_TABLE_LATEX,    /* a table environment; needs no package */
    SL_TABLE_CSV,      /* header and rows alone (RFC 4180) */
    SL_TABLE_HTML,     /* a table element, notes below */
} sl_table_format;

SL_CHECK sl_status sl_table_create(sl_table **out, int n_columns, sl_error *err);
void sl_table_destroy(sl_table *table); /* NULL is fine */

/* Appends a cell, row by row; the first row is the header. */
SL_CHECK sl_status sl_table_cell(sl_table *table, sl_error *err, const char *format, ...)
    SL_PRINTF(3, 4);
/* Begins a section: a row of its own with text across all columns. Before it, rows are whole. */
SL_CHECK sl_status sl_table_section(sl_table *table, const char *text, sl_error *err);
/* The line above the table, and paragraphs below it. */
SL_CHECK sl_status sl_table_title(sl_table *table, const char *text, sl_error *err);
SL_CHECK sl_status sl_table_note(sl_table *table, sl_error *err, const char *format, ...)
    SL_PRINTF(3, 4);

/* The table as text with a rule under its header; cells that are still missing are blank. */
void sl_table_write(const sl_table *table, FILE *out);
/* In any format; what the format has a meaning for is escaped. */
void sl_table_write_as(const sl_table *table, sl_table_format format, FILE *out);

/* text with <, >, &, quotes replaced, as HTML's text and attributes have it. */
void sl_html_put_text(FILE *out, const char *text);

#endif
