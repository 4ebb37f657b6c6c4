/* Predictions on any bytes: npy, npz or CSV. */
#include "eval/predictions.h"
#include "fuzz.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = { "cat", "dog", "newt" };
    char path[40];
    sl_predictions p;
    int fd = memfd_create("predictions", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!sl_predictions_read(&p, path, names, 3, NULL)) {
        for (size_t i = 0; i < p.n * (size_t)p.classes; i++)
            if (!(p.log_p[i] <= 1e-9)) /* the logarithm of a probability */
                abort();
        for (size_t i = 0; i < p.n && p.labels; i++)
            if (p.labels[i] < 0 || p.labels[i] >= p.classes)
                abort();
        sl_predictions_release(&p);
    }
    close(fd);
    return 0;
}
