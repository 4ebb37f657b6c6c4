/* Training's random numbers: shake-shake's weights and dropout's keys, a function of one key. */
#include "nn/program.h"

#include "base/random.h"
#include <string.h>

/* n weights of stream, the same one for all images unless image. */
static void draw_weights(float *to, size_t n, bool random, bool image, uint64_t key,
                         uint32_t stream)
{
    for (size_t i = 0; i < n; i++) {
        sl_random r = sl_random_stream(key, SL_RANDOM_SHAKE, stream, image ? (uint32_t)i : 0);
        to[i] = random ? (float)sl_random_unit(&r) : 0.5f;
    }
}

static void *place_of(const sl_program *p, unsigned char *draws, int buffer)
{
    return draws + p->buffers[buffer].offset;
}

void sl_program_draw(const sl_program *p, uint64_t key, unsigned char *draws)
{
    bool training = p->options.mode == SL_MODE_TRAIN;
    size_t n = (size_t)p->options.batch;
    uint32_t block = 0;
    for (size_t i = 0; i < p->n_groups; i++) {
        const sl_group *g = &p->groups[i];
        if (g->draws[0] < 0)
            continue;
        if (g->kind == SL_NODE_SHAKE) {
            const sl_shake *s = &sl_graph_node(p->graph, g->other)->shake;
            draw_weights(place_of(p, draws, g->draws[0]), n, training && s->forward, s->image, key,
                         2 * block);
            draw_weights(place_of(p, draws, g->draws[1]), n, training && s->backward, s->image, key,
                         2 * block + 1);
        } else {
            sl_random r = sl_random_stream(key, SL_RANDOM_DROPOUT, block, 0);
            uint64_t mask = sl_random_u64(&r);
            memcpy(place_of(p, draws, g->draws[0]), &mask, sizeof mask);
        }
        block++;
    }
}
