/* The CSV reader on any bytes, plain or gzip. */
#include "base/csv.h"
#include "fuzz.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    sl_csv *csv;
    const sl_text *fields;
    size_t n, total = 0;
    bool packed = size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
    FILE *file = fdopen(memfd_create("csv", 0), "w+b");
    if (!file || fwrite(bytes, 1, size, file) != size || fflush(file) != 0 ||
        lseek(fileno(file), 0, SEEK_SET) != 0 || sl_csv_open_stream(&csv, file, "fuzz", NULL))
        abort();
    while (!sl_csv_next(csv, &fields, &n, NULL) && n > 0) {
        for (size_t i = 0; i < n; i++) {
            total += fields[i].length;
            if (memchr(fields[i].text, '\0', fields[i].length)) /* reads all of the field */
                abort();
        }
    }
    if (!packed && total > size)
        abort();
    sl_csv_close(csv);
    fclose(file);
    return 0;
}
