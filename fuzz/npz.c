/* npz files around a right one: the input is a list of (offset, new byte) changes to an archive of
 * a stored and a deflated array. Offsets are two bytes, taken modulo the archive's size. */
#include "base/file.h"
#include "base/npy.h"
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zip.h>

static unsigned char archive[4096];
static size_t archive_size;

static const char npy[] =
    "\x93NUMPY\1\0\x36\0{'descr': '|u1', 'fortran_order': False, 'shape': (4,)}"
    "\1\2\3"; /* and the string's NUL */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char path[64];
    snprintf(path, sizeof path, "/tmp/softlabel-fuzz-%ld.npz", (long)getpid());
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    static const char *const names[] = { "a.npy", "b.npy" };
    static const int methods[] = { ZIP_CM_STORE, ZIP_CM_DEFLATE };
    for (zip_uint64_t i = 0; i < 2; i++) {
        zip_file_add(zip, names[i], zip_source_buffer(zip, npy, sizeof npy, 0), 0);
        zip_set_file_compression(zip, i, methods[i], 0);
    }
    unsigned char *bytes;
    if (zip_close(zip) != 0 || sl_file_read(path, sizeof archive, &bytes, &archive_size, NULL))
        abort();
    memcpy(archive, bytes, archive_size);
    free(bytes);
    unlink(path);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = { "a", "b" };
    unsigned char changed[sizeof archive];
    char path[64];
    sl_npz *npz;
    memcpy(changed, archive, archive_size);
    for (size_t i = 0; i + 3 <= size; i += 3)
        changed[((size_t)bytes[i + 1] << 8 | bytes[i]) % archive_size] = bytes[i + 2];
    int fd = memfd_create("npz", 0);
    if (fd < 0 || write(fd, changed, archive_size) != (ssize_t)archive_size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!sl_npz_open(&npz, path, NULL)) {
        for (int i = 0; i < 2; i++) {
            sl_npy array;
            bool is_whole = !sl_npz_read(npz, names[i], &array, NULL);
            if (is_whole ? array.count > sizeof npy : array.data != NULL)
                abort();
            sl_npy_release(&array);
        }
        sl_npz_close(npz);
    } else if (size < 3) {
        abort(); /* the unchanged archive is right */
    }
    close(fd);
    return 0;
}
