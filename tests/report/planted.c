#include "planted.h"

#include <stdio.h>

/* Losses after epochs 1 and 2, c10h val and c10 val alike; the accuracy is 1 less the loss. */
typedef struct {
    const char *targets;
    double lr;
    int split_seed;
    double loss[2];
} made_run;

static const made_run runs[PLANTED_RUNS] = {
    { "human", 0.1, 0, { 0.10, 0.50 } },  { "human", 0.1, 1, { 0.60, 0.50 } },
    { "human", 0.1, 2, { 0.60, 0.50 } },  { "human", 0.01, 0, { 0.40, 0.30 } },
    { "human", 0.01, 1, { 0.40, 0.20 } }, { "human", 0.01, 2, { 0.40, 0.25 } },
    { "hard", 0.01, 0, { 0.55, 0.60 } },  { "hard", 0.01, 1, { 0.50, 0.60 } },
    { "hard", 0.01, 2, { 0.60, 0.70 } },
};

static void plant_run(const char *dir, int i, double mixup)
{
    const made_run *r = &runs[i];
    const int best = r->loss[1] < r->loss[0];
    const double v = r->loss[best];
    char text[2000], csv[500];
    char folder[300];
    snprintf(folder, sizeof folder, "%s/r%d", dir, i);
    fixture_make_dir(folder);
    int n = snprintf(
        text, sizeof text,
        "{\"stage\": \"finetune\", \"settings\": {\"targets\": \"%s\", \"lr\": %g, \"epochs\": 2, "
        "\"batch_size\": 128, \"weight_decay\": 0.0001, \"augment\": \"none\", \"mixup\": %g, "
        "\"split_seed\": %d, \"seed\": 0}, \"model\": {\"name\": \"m_1\", \"checkpoint_sha256\": "
        "\"ab\"}, \"data\": {\"test\": \"x\", \"human\": \"y\", \"note\": \"\"}, \"rule\": "
        "\"the lowest\", \"best_sha256\": \"r%d%s\", "
        "\"before\": {\"epoch\": 0, \"c10h_val_loss\": 0.9, \"c10h_val_acc\": 0.1, "
        "\"c10h_val_c10_loss\": 0.9, \"c10h_val_c10_acc\": 0.1}, \"selected\": {\"epoch\": %d, "
        "\"c10h_val_loss\": %.2f, \"c10h_val_acc\": %.2f, \"c10h_val_c10_loss\": %.2f, "
        "\"c10h_val_c10_acc\": %.2f}}",
        r->targets, r->lr, mixup, r->split_seed, i, mixup > 0 ? "m" : "", best + 1, v, 1 - v, v,
        1 - v);
    fixture_write(fixture_path(folder, "result.json"), text, (size_t)n);
    n = snprintf(csv, sizeof csv,
                 "epoch,c10h_val_loss,c10h_val_acc,c10h_val_c10_loss,c10h_val_c10_acc\n"
                 "0,0.9,0.1,0.9,0.1\n1,%.2f,%.2f,%.2f,%.2f\n2,%.2f,%.2f,%.2f,%.2f\n",
                 r->loss[0], 1 - r->loss[0], r->loss[0], 1 - r->loss[0], r->loss[1], 1 - r->loss[1],
                 r->loss[1], 1 - r->loss[1]);
    fixture_write(fixture_path(folder, "metrics.csv"), csv, (size_t)n);
}

void planted_runs(const char *dir, double mixup)
{
    for (int i = 0; i < PLANTED_RUNS; i++)
        plant_run(dir, i, mixup);
}

/* ---- attacks ---- */

static void put_row(FILE *out, const char *epsilon, double value, double loss, double accuracy)
{
    fprintf(out,
            "{\"epsilon_text\": \"%s\", \"epsilon\": %.9f, \"c10_crossentropy\": {\"value\": "
            "%.4f, \"low\": null, \"high\": null}, \"accuracy\": {\"value\": %.4f, \"low\": "
            "null, \"high\": null}, \"confusion\": {\"wrong\": %d, \"spearman\": {\"value\": 0.5, "
            "\"low\": 0.4, \"high\": 0.6}, \"p_value\": 0.01, \"human_share\": {\"value\": 0.02, "
            "\"low\": 0.01, \"high\": 0.03}, \"chance_share\": {\"value\": 0.005, \"low\": null, "
            "\"high\": null}, \"model\": [[0.9, 0.1], [0.2, 0.8]], \"human\": [[0.95, 0.05], [0.1, "
            "0.9]]}}",
            epsilon, value, loss, accuracy, (int)(1000 * (1 - accuracy)));
}

static void put_model(FILE *out, const char *sha256, double loss, double attacked, double accuracy,
                      double accuracy_attacked)
{
    fprintf(out,
            "{\"model\": \"m_1\", \"sha256\": \"%s\", \"classes\": [\"cat\", \"dog\"], "
            "\"data\": {\"test\": \"x\"}, \"attack\": {\"method\": \"fgsm\", \"targets\": "
            "\"hard\"}, \"rows\": [",
            sha256);
    put_row(out, "0", 0, loss, accuracy);
    fputs(", ", out);
    put_row(out, "8/255", 8.0 / 255, attacked, accuracy_attacked);
    fputs("]}", out);
}

const char *planted_attack(const char *dir)
{
    const char *path = fixture_path(dir, "attack.json");
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    fputs("{\"format\": \"softlabel-attack-1\", \"models\": [", out);
    put_model(out, "ab", 1, 5, 0.8, 0.1);
    for (int i = 0; i < PLANTED_RUNS; i++) {
        char sha256[16];
        snprintf(sha256, sizeof sha256, "r%d", i);
        fputs(", ", out);
        put_model(out, sha256, 0.5 + 0.01 * i, 2 + 0.1 * i, 0.9 - 0.01 * i, 0.3 - 0.01 * i);
    }
    fputs("]}", out);
    assert_int_equal(fclose(out), 0);
    return path;
}
