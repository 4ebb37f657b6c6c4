#include "labels/raw_write.h"
#include <inttypes.h>

void sl_raw_put_header(FILE *stream)
{
    fputs("annotator_id,trial_index,is_attn_check,true_category,chosen_category,true_label,"
          "chosen_label,correct_guess,cifar10_test_set_idx,image_filename,subcategory,"
          "reaction_time,time_elapsed\n",
          stream);
}

/* A field, in quotes if CSV wants them. */
static void put_field(FILE *stream, const char *text, size_t n)
{
    if (!memchr(text, ',', n) && !memchr(text, '"', n) && !memchr(text, '\n', n) &&
        !memchr(text, '\r', n)) {
        fwrite(text, 1, n, stream);
        return;
    }
    fputc('"', stream);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"')
            fputc('"', stream);
        fputc(text[i], stream);
    }
    fputc('"', stream);
}

void sl_raw_put(FILE *stream, const sl_raw_trial *t, const char *const *names, const char *file)
{
    const char *truth = t->truth < 0 ? "" : names[t->truth];
    put_field(stream, t->annotator.text, t->annotator.length);
    fprintf(stream, ",%" PRId64 ",%d,", t->index, t->check);
    put_field(stream, truth, strlen(truth));
    fputc(',', stream);
    put_field(stream, names[t->choice], strlen(names[t->choice]));
    fprintf(stream, ",%d,%d,%d,%" PRId64 ",", t->truth, t->choice, t->choice == t->truth, t->image);
    put_field(stream, file, strlen(file));
    fprintf(stream, ",,%.15g,%.15g\n", t->reaction_ms, t->elapsed_ms);
}
