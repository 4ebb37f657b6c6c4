/* A table of distances between classes on any bytes. */
#include "fuzz.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[40], (*names)[SL_CLASS_NAME_SIZE];
    double *distances;
    int classes;
    int fd = memfd_create("distances", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!sl_distances_read(&distances, &names, &classes, path, NULL)) {
        const size_t k = (size_t)classes;
        for (size_t i = 0; i < k * k; i++)
            if (!(distances[i] >= 0 && isfinite(distances[i])) ||
                (i / k == i % k && distances[i] != 0))
                abort();
        free(distances);
        free(names);
    }
    close(fd);
    return 0;
}
