/* Any bytes as a participant's request: token, recruiting ids and trials. Each runs in a
 * transaction that is rolled back, so that inputs don't depend on one another. */
#include "fuzz.h"
#include "study/api.h"
#include "study/study.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    sl_study *study;
    sl_store *store;
    sl_experiment *experiment;
    char token[SL_TOKEN_SIZE]; /* of a participant under way */
} lab;

static void must(bool fine)
{
    if (!fine)
        abort();
}

/* A small study in a folder of its own, which stays behind. */
static void open_lab(lab *l)
{
    char folder[] = "/tmp/softlabel-fuzz-XXXXXX";
    const sl_study_new_options options = { .synthetic = true, .recruitment = "mturk" };
    const sl_study_data data = { 0 };
    const char *what;
    sl_participant p;
    sl_verdict verdict;
    must(mkdtemp(folder) != NULL);
    must(!sl_study_new(folder, &options, &data, &what, NULL));
    must(!sl_study_open(&l->study, folder, &data, NULL));
    must(!sl_store_open(&l->store, ":memory:", l->study->images.sha256, false, NULL));
    must(!sl_experiment_create(&l->experiment, &l->study->config, &l->study->images, l->store,
                               NULL));
    must(!sl_store_begin(l->store, NULL));
    must(!sl_experiment_join(l->experiment, NULL, NULL, 1, &p, &verdict, NULL));
    must(!sl_token_make(&l->study->secret, p.id, l->token, NULL));
    must(!sl_store_commit(l->store, NULL));
}

/* First byte: the call, and whether the token is good; with a bad one, it is the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static lab l;
    char token[SL_TOKEN_SIZE] = "";
    sl_error err;
    if (!l.study)
        open_lab(&l);
    if (size == 0)
        return 0;
    const size_t n = size - 1 < sizeof token - 1 ? size - 1 : sizeof token - 1;
    memcpy(token, bytes + 1, n);
    const sl_api api = { &l.study->config, &l.study->images, &l.study->secret, l.store,
                         l.experiment };
    sl_request r = {
        .call = (sl_call)(bytes[0] & 3),
        .token = bytes[0] & 4 ? token : l.token,
        .body = (const char *)bytes + 1,
        .body_size = size - 1,
        .number = bytes[0] >> 3,
        .now_ms = 2,
    };
    must(!sl_store_begin(l.store, &err));
    must(!sl_api_answer(&api, &r, &err)); /* whatever it is, it's the participant's mistake */
    must(r.reply && r.status >= 200 && r.status < 500);
    free(r.reply);
    sl_store_rollback(l.store);
    must(!sl_experiment_reload(l.experiment, &err));
    return 0;
}
