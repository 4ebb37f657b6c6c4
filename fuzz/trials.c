/* Raw trials on any bytes, plain or gzip; behind an 'H', as rows under a good header. */
#include "fuzz.h"
#include <softlabel/labels.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const char header[] =
    "annotator_id,trial_index,is_attn_check,true_label,chosen_label,cifar10_test_set_idx,"
    "reaction_time,time_elapsed,correct_guess,chosen_category\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const input = "-";
    const sl_labels_rules rules = sl_labels_rules_default();
    sl_labels *labels;
    FILE *file = fdopen(memfd_create("trials", 0), "w+b");
    if (!file)
        abort();
    if (size > 0 && bytes[0] == 'H') {
        fputs(header, file);
        bytes++;
        size--;
    }
    if (fwrite(bytes, 1, size, file) != size || fflush(file) != 0 ||
        lseek(fileno(file), 0, SEEK_SET) != 0)
        abort();
    const sl_labels_source source = {
        .raw = &input, .n_raw = 1, .stream = file, .n_images = 7, .n_classes = 3, .rules = &rules
    };
    if (!sl_labels_count(&labels, &source, NULL, NULL)) {
        uint64_t n = 0, rows = labels->files[0].rows, trials = 0;
        for (size_t i = 0; i < labels->n_images * (size_t)labels->n_classes; i++)
            n += (uint64_t)labels->counts[i];
        for (size_t i = 0; i < labels->n_people; i++)
            trials += labels->people[i].n_trials;
        if (n != labels->n_judgments || n > rows || trials != rows)
            abort();
        sl_labels_destroy(labels);
    }
    fclose(file);
    return 0;
}
