/* All settings of finished fine-tuning runs: each model before tuning, after the control,
 * after human tuning, on every data set; mean and standard deviation over the runs that differ in
 * nothing but their seeds. */
#ifndef REPORT_MAIN_TABLE_H
#define REPORT_MAIN_TABLE_H

#include "report/run_set.h"
#include "report/table.h"

#include <stdio.h>

typedef struct sl_main_table sl_main_table;

/* folders: as sl_run_set_read has them. */
SL_CHECK sl_status sl_main_table_create(sl_main_table **out, const char *const *folders, size_t n,
                                        sl_error *err);
void sl_main_table_destroy(sl_main_table *table); /* NULL is fine */

/* One table a model, with the selection rules. */
SL_CHECK sl_status sl_main_table_write(const sl_main_table *table, sl_table_format format,
                                       FILE *out, sl_error *err);
/* The same, every number in full, with the folders it comes from; the caller's. */
SL_CHECK sl_status sl_main_table_json(const sl_main_table *table, json_t **out, sl_error *err);

#endif
