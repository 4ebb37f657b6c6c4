/* The list of families, and from a name to one of them. */
#include "models/family.h"
#include <stdio.h>
#include <string.h>

static const sl_family *const families[] = { &sl_family_resnet, &sl_family_wrn, NULL };

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

sl_status sl_family_of_name(const char *name, const sl_family **family, json_t **arch,
                            sl_error *err)
{
    char patterns[300] = "";
    *arch = NULL;
    for (size_t i = 0; families[i]; i++) {
        *arch = families[i]->from_name(name);
        if (*arch) {
            *family = families[i];
            return SL_OK;
        }
        size_t used = strlen(patterns);
        snprintf(patterns + used, sizeof patterns - used, "%s%s", i ? "; " : "",
                 families[i]->pattern);
    }
    return sl_error_set(err, SL_EINVAL, "unknown model '%s'; there are %s", name, patterns);
}
