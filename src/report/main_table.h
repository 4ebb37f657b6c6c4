/* The paper's table 2 from finished fine-tuning runs: each model before tuning, after the control,
 * after human tuning, on every data set; mean and standard deviation over the runs that differ in
 * nothing but their seeds. */
#ifndef REPORT_MAIN_TABLE_H
#define REPORT_MAIN_TABLE_H

#include "report/run_result.h"

#include <stdio.h>

typedef struct sl_main_table sl_main_table;

/* folders: n >= 1 run folders, borrowed until destroy. SL_EMISMATCH when runs of one model were
 * scored on different data; SL_EINVAL when a run is given twice. */
SL_CHECK sl_status sl_main_table_create(sl_main_table **out, const char *const *folders, size_t n,
                                        sl_error *err);
void sl_main_table_destroy(sl_main_table *table); /* NULL is fine */

/* One text table a model, and the selection rules below. */
SL_CHECK sl_status sl_main_table_write(const sl_main_table *table, FILE *out, sl_error *err);
/* The same, every number in full, with the folders it comes from; the caller's. */
SL_CHECK sl_status sl_main_table_json(const sl_main_table *table, json_t **out, sl_error *err);

#endif
