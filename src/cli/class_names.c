#include "cli/class_names.h"
#include "data/dataset_private.h"
#include <stdio.h>

const char *const *cli_name_classes(cli_class_names *room, int classes)
{
    if (classes == SL_CIFAR_CLASSES)
        return sl_cifar10_class_names;
    for (int k = 0; k < classes && k < CLI_MAX_CLASSES; k++) {
        snprintf(room->text[k], sizeof room->text[k], "%d", k);
        room->names[k] = room->text[k];
    }
    return room->names;
}
