/* A loop for each instruction, over sums that don't depend on one another: enough of them to hide
 * an instruction's latency (4 to 6 cycles at two a cycle), few enough to stay in registers. */
#include "nn/cpu/peak.h"

#include <math.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Every loop does n > 0 rounds of one step of each sum. */

/* What any compiler makes of it: compiled with -O3 in every build, so that sums are in registers.
 */
static void run_baseline(size_t n)
{
    typedef float v4 __attribute__((vector_size(16)));
    const v4 x = { 0.5f, 0.5f, 0.5f, 0.5f };
    v4 sums[12], total = { 0 };
    for (int i = 0; i < 12; i++)
        sums[i] = x * (float)(i + 3); /* apart, so that none can stand for another */
    while (n-- > 0)
        for (int i = 0; i < 12; i++)
            sums[i] = sums[i] * x + x;
    for (int i = 0; i < 12; i++)
        total += sums[i];
    volatile float used = total[0]; /* so that nothing is left out */
    (void)used;
}

#if defined(__x86_64__)
#define TARGET(isa) __attribute__((target(isa)))
#define LOW_REGISTERS                                                                        \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define HIGH_REGISTERS                                                                        \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

/* The loop as it shall run: step registers SUMS += registers X * X, where all begin with 0.5 (as
 * bfloat16: pairs 0, 0.5) and the sums grow to where the product rounds to nothing. */
#define DEFINE_LOOP(name, isa, step, r, X, SUMS, ...)                                   \
    TARGET(isa) static void name(size_t n)                                              \
    {                                                                                   \
        const float half = 0.5f;                                                        \
        __asm__ volatile(".irp i," X "," SUMS "\n"                                      \
                         "vbroadcastss %1, %%" r "\\i\n"                                \
                         ".endr\n"                                                      \
                         "1:\n"                                                         \
                         ".irp i," SUMS "\n" step " %%" r X ", %%" r X ", %%" r "\\i\n" \
                         ".endr\n"                                                      \
                         "dec %0\n"                                                     \
                         "jnz 1b\n"                                                     \
                         "vzeroupper"                                                   \
                         : "+r"(n)                                                      \
                         : "m"(half)                                                    \
                         : "cc", __VA_ARGS__);                                          \
    }

#define SUMS_12 "0,1,2,3,4,5,6,7,8,9,10,11"
#define SUMS_24 SUMS_12 ",12,13,14,15,16,17,18,19,20,21,22,23"
DEFINE_LOOP(run_avx2, "avx2,fma", "vfmadd231ps", "ymm", "15", SUMS_12, LOW_REGISTERS)
DEFINE_LOOP(run_avx512, "avx512f", "vfmadd231ps", "zmm", "31", SUMS_24, LOW_REGISTERS,
            HIGH_REGISTERS)
DEFINE_LOOP(run_avx512bf16, "avx512f,avx512bf16", "vdpbf16ps", "zmm", "31", SUMS_24, LOW_REGISTERS,
            HIGH_REGISTERS)

/* Tiles 0 to 5 are the sums (16 x 16 float32), 6 and 7 what is multiplied (16 x 32 bfloat16). */
static void run_amx(size_t n)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = { .palette = 1 };
    float half[16][16]; /* as bfloat16: pairs 0, 0.5 */
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++)
            half[i][j] = 0.5f;
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = sizeof half[0];
        config.rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %1\n"
                     ".irp i,0,1,2,3,4,5\n"
                     "tilezero %%tmm\\i\n"
                     ".endr\n"
                     "tileloadd (%3,%4), %%tmm6\n"
                     "tileloadd (%3,%4), %%tmm7\n"
                     "1:\n"
                     ".irp i,0,1,2,3,4,5\n"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm\\i\n"
                     ".endr\n"
                     "dec %0\n"
                     "jnz 1b\n"
                     "tilerelease"
                     : "+r"(n)
                     : "m"(config), "m"(half), "r"(half), "r"(sizeof half[0])
                     : "cc");
}

/* Also asks the kernel for the tiles, which a process gets only on request. */
static bool has_amx(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* Linux: asm/prctl.h, xstate.h */
    unsigned a, b, c, d;
    const unsigned tile_and_bf16 = 1U << 24 | 1U << 22;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tile_and_bf16) == tile_and_bf16 &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

typedef struct {
    const char *instruction;
    void (*run)(size_t n);
    int flops; /* of one round */
    bool here; /* this processor has it */
} loop;

enum { MAX_LOOPS = 3 };

/* All loops for a type; returns how many. */
static int list_loops(sl_dtype dtype, loop list[MAX_LOOPS])
{
    int n = 0;
    if (dtype == SL_DTYPE_F32)
        list[n++] = (loop){ "multiply and add, 128 bits", run_baseline, 12 * 4 * 2, true };
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = __builtin_cpu_supports("avx512f"), bf16 = __builtin_cpu_supports("avx512bf16");
    if (dtype == SL_DTYPE_F32) {
        list[n++] = (loop){ "vfmadd, 256 bits", run_avx2, 12 * 8 * 2, avx2 };
        list[n++] = (loop){ "vfmadd, 512 bits", run_avx512, 24 * 16 * 2, avx512 };
    } else {
        list[n++] = (loop){ "vdpbf16ps, 512 bits", run_avx512bf16, 24 * 32 * 2, bf16 };
        list[n++] = (loop){ "tdpbf16ps, tiles", run_amx, 6 * 16 * 16 * 32 * 2, has_amx() };
    }
#endif
    return n;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds that threads take for n rounds each. */
static double time_run(const loop *l, int threads, size_t n)
{
    double start = now();
#pragma omp parallel num_threads(threads)
    l->run(n);
    return now() - start;
}

/* Rounds that take one thread a millisecond or more, undisturbed. */
static size_t rounds_of_a_millisecond(const loop *l)
{
    size_t n = 1 << 10;
    while (fmin(fmin(time_run(l, 1, n), time_run(l, 1, n)), time_run(l, 1, n)) < 1e-3)
        n *= 2;
    return n;
}

/* The most operations a second of one loop. A run is so short that some escape whatever else runs
 * here, and long enough for the threads' start not to count. */
static double measure(const loop *l, int threads, double seconds)
{
    const size_t n = rounds_of_a_millisecond(l);
    double best = 0, end = now() + seconds;
    do {
        best = fmax(best, (double)n * l->flops * threads / time_run(l, threads, n));
    } while (now() < end);
    return best;
}

sl_cpu_peak sl_cpu_peak_measure(sl_dtype dtype, int threads, double seconds)
{
    loop list[MAX_LOOPS];
    int n = list_loops(dtype, list);
    sl_cpu_peak peak = { 0 };
    for (int i = 0; i < n; i++) {
        if (!list[i].here)
            continue;
        double flops = measure(&list[i], threads, seconds / n);
        if (flops > peak.flops)
            peak = (sl_cpu_peak){ list[i].instruction, flops };
    }
    return peak;
}
