#include "data/synth.h"

const char *const sl_synth_class_names[SL_CIFAR_CLASSES] = {
    "disc",         "ring",      "ellipse",        "trefoil",         "star",
    "striped_disc", "oval_ring", "hollow_trefoil", "striped_ellipse", "striped_star",
};
