#include "cli/reproduce.h"

#include <string.h>

static const reproduce_scale scales[] = {
    {
        .name = "smoke",
        .models = "resnet_basic_8,wrn_10_1",
        .synthetic = true,
        .n_train = 1000,
        .n_test = 400,
        .recipe = "fast",
        .epochs = 3,
        .by_heart = 1,
        .tuning_epochs = 2,
        .targets = "human,hard",
        .rates = "0.01,0.001",
        .mixup_rates = "0.001",
        .splits = "0,1",
        .c10_50k = "ends",
        .epsilons = "2/255,8/255",
    },
    {
        .name = "cpu",
        .models = "resnet_basic_20,wrn_16_2,resnet_preact_basic_20",
        .n_train = 50000,
        .n_test = 10000,
        .recipe = "fast",
        .epochs = 15,
        .by_heart = 6,
        .tuning_epochs = 4,
        .targets = "human,hard",
        .rates = "0.01,0.001,0.0001",
        .mixup_rates = "0.001",
        .splits = "0,1,2",
        .c10_50k = "never",
        .epsilons = "2/255,8/255",
    },
    {
        .name = "paper",
        .models = "vgg_15_BN_64,densenet_BC_100_12,pyramidnet_basic_110_270,resnet_basic_110,"
                  "wrn_28_10,wrn_28_10_cutout16,resnet_preact_bottleneck_164,"
                  "shake_shake_26_2x64d_SSI_cutout16",
        .n_train = 50000,
        .n_test = 10000,
        .recipe = "paper",
        .tuning_epochs = 100,
        .targets = "human,hard,sampled,smoothed",
        .rates = "0.1,0.01,0.001",
        .mixup_rates = "0.1,0.01,0.001",
        .splits = "0,1,2",
        .c10_50k = "every",
        .epsilons = "1/255,2/255,4/255,8/255",
    },
};

const char *const reproduce_scale_names[] = { "smoke", "cpu", "paper", NULL };

const reproduce_scale *reproduce_find_scale(int place)
{
    return &scales[place];
}

size_t reproduce_count(const char *list)
{
    size_t n = 1;
    for (const char *at = list; (at = strchr(at, ',')); at++)
        n++;
    return n;
}
