/* VGG for 32x32 images (Simonyan and Zisserman 2015, as the paper's reference has it): five stages
 * of 3x3 convolutions with bias, each stage halved by max pooling; the last 1x1 map goes to the
 * classifier. */
#include "models/family.h"
#include <stdio.h>
#include <string.h>

enum { STAGES = 5, MAX_LAYERS = 50 };

typedef struct {
    int channels[STAGES], layers[STAGES];
    bool use_bn;
} vgg;

/* The published depths; the reference's names count two beyond the convolutions. */
static const struct {
    int depth, layers[STAGES];
} depths[] = {
    { 15, { 2, 2, 3, 3, 3 } }, /* the paper's; VGG-16 of the publication */
    { 10, { 1, 1, 2, 2, 2 } }, /* VGG-11 */
    { 12, { 2, 2, 2, 2, 2 } }, /* VGG-13 */
    { 18, { 2, 2, 4, 4, 4 } }, /* VGG-19 */
};
enum { N_DEPTHS = sizeof depths / sizeof *depths };

static const int widths[STAGES] = { 1, 2, 4, 8, 8 }; /* of a named network, times its base */

/* x (in,h,w) -> (out,h/2,w/2) */
static sl_value stage(sl_graph *g, sl_value x, const vgg *v, int s)
{
    for (int i = 0; i < v->layers[s]; i++) {
        char name[40];
        snprintf(name, sizeof name, "stage%d.conv%d", s + 1, i);
        x = sl_graph_conv(g, x, name, v->channels[s], 3, 1, 1, true);
        snprintf(name, sizeof name, "stage%d.bn%d", s + 1, i);
        if (v->use_bn)
            x = sl_graph_norm(g, x, name);
        x = sl_graph_relu(g, x);
    }
    return sl_graph_max_pool(g, x);
}

static sl_status read_list(const json_t *arch, const char *key, int max, int out[STAGES],
                           sl_error *err)
{
    const json_t *list = json_object_get(arch, key);
    if (json_array_size(list) != STAGES)
        return sl_error_set(err, SL_EINVAL, "'%s' isn't a list of %d whole numbers", key, STAGES);
    for (int i = 0; i < STAGES; i++) {
        const json_t *number = json_array_get(list, (size_t)i);
        json_int_t value = json_integer_value(number);
        if (!json_is_integer(number) || value < 1 || value > max)
            return sl_error_set(err, SL_EINVAL, "'%s' has something else than 1 to %d", key, max);
        out[i] = (int)value;
    }
    return SL_OK;
}

static sl_status read_arch(const json_t *arch, vgg *v, sl_error *err)
{
    sl_status st = read_list(arch, "n_channels", 4096, v->channels, err);
    if (!st)
        st = read_list(arch, "n_layers", MAX_LAYERS, v->layers, err);
    if (!st)
        st = sl_arch_bool(arch, "use_bn", &v->use_bn, err);
    return st;
}

static void write_name(const vgg *v, char name[64])
{
    int depth = depths[0].depth;
    for (int i = 0; i < N_DEPTHS; i++)
        if (memcmp(v->layers, depths[i].layers, sizeof v->layers) == 0)
            depth = depths[i].depth;
    snprintf(name, 64, "vgg_%d_%s%d", depth, v->use_bn ? "BN_" : "", v->channels[0]);
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    vgg v;
    sl_status st = read_arch(arch, &v, err);
    if (st)
        return st;
    if (image.h >> STAGES != 1 || image.w >> STAGES != 1)
        return sl_error_set(err, SL_EINVAL,
                            "images of %d x %d, but vgg takes sides of 32 to 63, whose last map is "
                            "1 x 1; use another family",
                            image.h, image.w);
    write_name(&v, name);
    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    for (int s = 0; s < STAGES; s++)
        x = stage(g, x, &v, s);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth, base, i = 0;
    const char *rest = name;
    if (!sl_name_word(&rest, "vgg_") || !sl_name_number(&rest, &depth) || !sl_name_word(&rest, "_"))
        return NULL;
    bool use_bn = sl_name_word(&rest, "BN_");
    if (!sl_name_number(&rest, &base) || *rest)
        return NULL;
    while (i < N_DEPTHS && depths[i].depth != depth)
        i++;
    if (i == N_DEPTHS)
        return NULL;
    json_t *channels = json_array(), *layers = json_array();
    for (int s = 0; s < STAGES; s++) {
        json_array_append_new(channels, json_integer((json_int_t)base * widths[s]));
        json_array_append_new(layers, json_integer(depths[i].layers[s]));
    }
    return json_pack("{s:o, s:o, s:b}", "n_channels", channels, "n_layers", layers, "use_bn",
                     use_bn);
}

static const char *const known[] = { "vgg_15_BN_64", "vgg_15_BN_16", NULL };

const sl_family sl_family_vgg = {
    .arch = "vgg",
    .pattern = "vgg_<depth>_BN_<channels> (10, 12, 15, 18; BN_ may be left out)",
    .members = "{\"arch\":\"vgg\",\"n_channels\":null,\"n_layers\":[2,2,3,3,3],\"use_bn\":true}",
    .known = known,
    .init = SL_INIT_FAN_OUT,
    .from_name = from_name,
    .build = build,
};
