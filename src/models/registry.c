/* The list of families. */
#include "models/family.h"
#include <string.h>

static const sl_family *const families[] = {
    &sl_family_vgg,      &sl_family_resnet,     &sl_family_resnet_preact, &sl_family_wrn,
    &sl_family_densenet, &sl_family_pyramidnet, &sl_family_shake_shake,   NULL,
};

const sl_family *const *sl_families(void)
{
    return families;
}

const sl_family *sl_family_find(const char *arch)
{
    for (size_t i = 0; families[i]; i++)
        if (strcmp(families[i]->arch, arch) == 0)
            return families[i];
    return NULL;
}
