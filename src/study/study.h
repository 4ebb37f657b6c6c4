/* An open study: what src/study's parts share. */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

#include "study/config.h"
#include "study/images.h"
#include "study/secret.h"
#include "study/store.h"

struct sl_study {
    char *dir, *database;
    sl_study_config config;
    sl_images images;
    sl_secret secret;
    char password[33];
};

/* Whether every image file can be shown; SL_EFORMAT with the first that can't. */
SL_CHECK sl_status sl_study_check_files(const sl_study *study, sl_error *err);

#endif
