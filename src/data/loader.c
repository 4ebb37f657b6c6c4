/* Loader threads fill a ring of slots ahead of the reader: batch b goes into slot b mod ring. A
 * slot is FREE, then BUSY while a thread fills it, READY, and FREE again when the reader asks for
 * the next batch. Threads take batches in order, so the ring never holds one that is not needed
 * next. */
#include "data/loader.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/augment.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Smaller alphas leave nearly every batch alone, larger ones mix nearly all by halves. */
static const double MIXUP_MIN = 1e-3, MIXUP_MAX = 1e3;

typedef struct {
    enum { SLOT_FREE, SLOT_BUSY, SLOT_READY } state;
    sl_batch batch;
    float *images;            /* (rows, 3, h, w); NULL with recipes */
    float *targets;           /* (rows, classes) */
    uint32_t *index;          /* (made_rows) */
    sl_image_recipe *recipes; /* (made_rows) */
    /* With mixup: the rows before it, and each row's partner. */
    float *plain_images, *plain_targets; /* (made_rows, ...) */
    uint32_t *partner;                   /* (batch_size) */
    uint32_t *made_as;                   /* (batch_size): where a row of the batch is made */
} slot;

struct sl_loader {
    const sl_dataset *set;
    const sl_targets *targets;
    sl_loader_options options;
    sl_pixel_table table;
    size_t n_images, n_batches; /* per epoch */
    uint32_t *images;           /* (n_images) the chosen images, as the caller gave them */

    size_t n_slots;
    slot *slots;
    int n_threads; /* running */
    pthread_t *threads;

    pthread_mutex_t lock; /* guards what follows and the slots' states */
    pthread_cond_t changed;
    bool stop;
    int busy;         /* threads that fill a slot; order and epoch stand still meanwhile */
    size_t next_fill; /* the batch that a thread takes next */
    size_t next_give; /* the batch that the reader gets next */
    slot *given;      /* the reader's, or NULL */
    uint32_t epoch;
    uint32_t *order; /* (n_images) the epoch's order */
};

/* ---- filling: on the loader threads, without the lock ---- */

static void fill_target(const sl_loader *loader, uint32_t image, float *target)
{
    const sl_loader_options *o = &loader->options;
    const sl_targets *targets = loader->targets;
    const size_t classes = (size_t)targets->classes, row = image * classes;
    const double *p = targets->p64 + row;

    if (o->sample_labels) {
        memset(target, 0, classes * sizeof *target);
        target[sl_label_draw(p, targets->classes, o->seed, loader->epoch, image)] = 1;
    } else {
        memcpy(target, targets->p + row, classes * sizeof *target);
    }
}

/* Row `at` of what is made: an image before mixing. */
static void make_row(const sl_loader *loader, slot *s, uint32_t image, size_t at)
{
    const sl_loader_options *o = &loader->options;
    const sl_dataset *set = loader->set;
    const size_t image_size = (size_t)set->channels * (size_t)set->height * (size_t)set->width;
    float *images = o->mixup > 0 ? s->plain_images : s->images;
    float *targets = o->mixup > 0 ? s->plain_targets : s->targets;

    s->index[at] = image;
    s->recipes[at] =
        sl_recipe_draw(&o->augmentation, set->height, set->width, o->seed, loader->epoch, image);
    fill_target(loader, image, targets + at * (size_t)loader->targets->classes);
    if (!o->recipes)
        sl_recipe_follow(&loader->table, set->pixels, set->height, set->width, &s->recipes[at],
                         images + at * image_size);
}

/* Partners are drawn for the whole batch, whose images (n) are; of these the rows first..first+rows
 * are made already, as rows 0..: makes the partners that are missing behind them, and numbers
 * partners by what is made. */
static void make_partners(const sl_loader *loader, slot *s, const uint32_t *images, size_t b,
                          size_t n, size_t first, size_t rows)
{
    const sl_loader_options *o = &loader->options;

    s->batch.lambda = sl_mixup_draw(o->mixup, o->seed, loader->epoch, (uint32_t)b, s->partner, n);
    for (size_t i = 0; i < n; i++)
        s->made_as[i] = i >= first && i - first < rows ? (uint32_t)(i - first) : UINT32_MAX;
    for (size_t i = 0; i < rows; i++) {
        const uint32_t partner = s->partner[first + i];
        if (s->made_as[partner] == UINT32_MAX) {
            s->made_as[partner] = (uint32_t)s->batch.n_recipes;
            make_row(loader, s, images[partner], s->batch.n_recipes++);
        }
        s->partner[i] = s->made_as[partner];
    }
}

static void fill_slot(const sl_loader *loader, size_t b, slot *s)
{
    const sl_loader_options *o = &loader->options;
    const sl_dataset *set = loader->set;
    const size_t classes = (size_t)loader->targets->classes;
    const size_t image_size = (size_t)set->channels * (size_t)set->height * (size_t)set->width;
    const size_t start = b * o->batch_size, left = loader->n_images - start;
    const size_t n = left < o->batch_size ? left : o->batch_size;
    const size_t first = o->first_row < n ? o->first_row : n;
    const size_t rows = o->rows < n - first ? o->rows : n - first;
    const uint32_t *images = loader->order + start;

    for (size_t i = 0; i < rows; i++)
        make_row(loader, s, images[first + i], i);
    s->batch.n = s->batch.n_recipes = rows;
    if (o->mixup > 0) {
        make_partners(loader, s, images, b, n, first, rows);
        sl_rows_mix(s->plain_targets, s->partner, s->batch.lambda, rows, classes, s->targets);
        if (!o->recipes)
            sl_rows_mix(s->plain_images, s->partner, s->batch.lambda, rows, image_size, s->images);
    }
}

static slot *slot_of(const sl_loader *loader, size_t b)
{
    return &loader->slots[b % loader->n_slots];
}

static bool can_fill(const sl_loader *loader)
{
    return loader->next_fill < loader->n_batches &&
           slot_of(loader, loader->next_fill)->state == SLOT_FREE;
}

static void *work(void *user)
{
    sl_loader *loader = user;
    pthread_mutex_lock(&loader->lock);
    for (;;) {
        while (!loader->stop && !can_fill(loader))
            pthread_cond_wait(&loader->changed, &loader->lock);
        if (loader->stop)
            break;
        const size_t b = loader->next_fill++;
        slot *s = slot_of(loader, b);
        s->state = SLOT_BUSY;
        loader->busy++;
        pthread_mutex_unlock(&loader->lock);

        fill_slot(loader, b, s);

        pthread_mutex_lock(&loader->lock);
        s->state = SLOT_READY;
        loader->busy--;
        pthread_cond_broadcast(&loader->changed);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* ---- reading ---- */

size_t sl_loader_batches(const sl_loader *loader)
{
    return loader->n_batches;
}

sl_status sl_loader_start(sl_loader *loader, uint32_t epoch, size_t first_batch, sl_error *err)
{
    if (first_batch > loader->n_batches)
        return sl_error_set(err, SL_EINVAL, "an epoch has %zu batches, so it can't start at %zu",
                            loader->n_batches, first_batch);
    pthread_mutex_lock(&loader->lock);
    loader->next_fill = loader->n_batches; /* nobody begins another */
    while (loader->busy > 0)
        pthread_cond_wait(&loader->changed, &loader->lock);
    for (size_t i = 0; i < loader->n_slots; i++)
        loader->slots[i].state = SLOT_FREE;
    loader->given = NULL;

    loader->epoch = epoch;
    memcpy(loader->order, loader->images, loader->n_images * sizeof *loader->order);
    if (loader->options.shuffle) {
        sl_random r = sl_random_stream(loader->options.seed, SL_RANDOM_ORDER, epoch, 0);
        sl_random_shuffle(&r, loader->order, loader->n_images);
    }
    loader->next_give = loader->next_fill = first_batch;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    return SL_OK;
}

sl_status sl_loader_next(sl_loader *loader, const sl_batch **out, sl_error *err)
{
    (void)err; /* everything was checked when the loader was made */
    *out = NULL;
    pthread_mutex_lock(&loader->lock);
    if (loader->given) {
        loader->given->state = SLOT_FREE;
        loader->given = NULL;
        pthread_cond_broadcast(&loader->changed);
    }
    if (loader->next_give < loader->n_batches) {
        slot *s = slot_of(loader, loader->next_give++);
        while (s->state != SLOT_READY)
            pthread_cond_wait(&loader->changed, &loader->lock);
        loader->given = s;
        *out = &s->batch;
    }
    pthread_mutex_unlock(&loader->lock);
    return SL_OK;
}

/* ---- creating ---- */

static sl_status check_options(const sl_dataset *set, const sl_targets *targets,
                               const sl_loader_options *o, sl_error *err)
{
    if (set->channels != 3)
        return sl_error_set(err, SL_EUNSUPPORTED, "images have %d channels, expected 3",
                            set->channels);
    if (targets->n != set->n || targets->classes != set->classes)
        return sl_error_set(err, SL_EMISMATCH,
                            "targets are %zu rows of %d classes, but the set '%s' has %zu images "
                            "of %d classes",
                            targets->n, targets->classes, set->name, set->n, set->classes);
    if (set->n > UINT32_MAX)
        return sl_error_set(err, SL_EUNSUPPORTED, "the set has over 2^32 images");
    if (o->batch_size < 1 || o->threads < 1)
        return sl_error_set(err, SL_EINVAL,
                            "batch size is %zu and threads %d, expected at least 1 of each",
                            o->batch_size, o->threads);
    if (o->first_row > o->batch_size || o->rows > o->batch_size - o->first_row)
        return sl_error_set(err, SL_EINVAL, "rows %zu to %zu of a batch of %zu", o->first_row,
                            o->first_row + o->rows, o->batch_size);
    if (o->augmentation.crop &&
        (o->augmentation.crop_pad < 0 || o->augmentation.crop_pad >= set->height ||
         o->augmentation.crop_pad >= set->width))
        return sl_error_set(err, SL_EINVAL, "crop pad is %d, expected 0..%d",
                            o->augmentation.crop_pad, set->height - 1);
    const int side = set->height < set->width ? set->height : set->width;
    if (o->augmentation.cutout < 0 || o->augmentation.cutout > side)
        return sl_error_set(err, SL_EINVAL, "cutout of side %d, expected 0 (none) to %d",
                            o->augmentation.cutout, side);
    if (o->mixup != 0 && !(o->mixup >= MIXUP_MIN && o->mixup <= MIXUP_MAX))
        return sl_error_set(err, SL_EINVAL, "mixup's alpha is %g, expected 0 (none) or %g to %g",
                            o->mixup, MIXUP_MIN, MIXUP_MAX);
    for (int c = 0; c < 3; c++)
        if (!(o->normalization.std[c] > 0))
            return sl_error_set(err, SL_EINVAL,
                                "standard deviation of channel %d is %g, expected more than 0", c,
                                (double)o->normalization.std[c]);
    return SL_OK;
}

static sl_status choose_images(sl_loader *loader, const int64_t *indices, size_t n_indices,
                               sl_error *err)
{
    const size_t n = loader->set->n, batch_size = loader->options.batch_size;
    loader->n_images = indices ? n_indices : n;
    sl_status st = sl_alloc(&loader->images, loader->n_images, sizeof *loader->images, err);
    if (!st)
        st = sl_alloc(&loader->order, loader->n_images, sizeof *loader->order, err);
    if (st)
        return st;
    for (size_t i = 0; i < loader->n_images; i++) {
        const int64_t image = indices ? indices[i] : (int64_t)i;
        if (image < 0 || (uint64_t)image >= n)
            return sl_error_set(err, SL_EINVAL, "index %zu is %lld, but the set has %zu images", i,
                                (long long)image, n);
        loader->images[i] = (uint32_t)image;
    }
    loader->n_batches = loader->n_images / batch_size;
    if (!loader->options.drop_last && loader->n_images % batch_size != 0)
        loader->n_batches++;
    if (loader->n_batches == 0)
        return sl_error_set(err, SL_EINVAL, "%zu images don't fill one batch of %zu",
                            loader->n_images, batch_size);
    loader->next_fill = loader->next_give = loader->n_batches; /* nothing before a start */
    return SL_OK;
}

static sl_status create_slot(slot *s, const sl_loader_options *o, size_t image_size, size_t classes,
                             sl_error *err)
{
    const bool mixes = o->mixup > 0;
    /* With mixup, each row may bring a partner from elsewhere in the batch. */
    const size_t made = mixes && o->rows < o->batch_size - o->rows ? 2 * o->rows : o->batch_size;
    const size_t rows = o->rows, made_rows = mixes ? made : rows;
    sl_status st = sl_alloc(&s->index, made_rows, sizeof *s->index, err);
    if (!st)
        st = sl_alloc(&s->recipes, made_rows, sizeof *s->recipes, err);
    if (!st)
        st = sl_alloc_aligned(&s->targets, rows * classes, sizeof *s->targets, err);
    if (!st && mixes)
        st = sl_alloc_aligned(&s->plain_targets, made_rows * classes, sizeof *s->targets, err);
    if (!st && mixes)
        st = sl_alloc(&s->partner, o->batch_size, sizeof *s->partner, err);
    if (!st && mixes)
        st = sl_alloc(&s->made_as, o->batch_size, sizeof *s->made_as, err);
    if (!st && !o->recipes)
        st = sl_alloc_aligned(&s->images, rows * image_size, sizeof *s->images, err);
    if (!st && !o->recipes && mixes)
        st = sl_alloc_aligned(&s->plain_images, made_rows * image_size, sizeof *s->images, err);
    s->batch = (sl_batch){ .images = s->images, .targets = s->targets, .index = s->index };
    if (o->recipes) {
        s->batch.recipes = s->recipes;
        s->batch.partner = s->partner;
    }
    return st;
}

static sl_status create_slots(sl_loader *loader, sl_error *err)
{
    const sl_dataset *set = loader->set;
    const size_t n = loader->options.batch_size, classes = (size_t)set->classes;
    const size_t image_size = (size_t)set->channels * (size_t)set->height * (size_t)set->width;
    size_t images_size, targets_size;
    if (!sl_size_mul(n, image_size, &images_size) || !sl_size_mul(n, classes, &targets_size))
        return sl_error_set(err, SL_ENOMEM, "a batch of %zu images is too large", n);

    /* One for the reader, one in the making by each thread, one ready. */
    const size_t n_slots = (size_t)loader->options.threads + 2;
    sl_status st = sl_alloc(&loader->slots, n_slots, sizeof *loader->slots, err);
    if (st)
        return st;
    loader->n_slots = n_slots;
    for (size_t i = 0; !st && i < n_slots; i++)
        st = create_slot(&loader->slots[i], &loader->options, image_size, classes, err);
    return st;
}

static sl_status start_threads(sl_loader *loader, sl_error *err)
{
    const int wanted = loader->options.threads;
    sl_status st = sl_alloc(&loader->threads, (size_t)wanted, sizeof *loader->threads, err);
    while (!st && loader->n_threads < wanted) {
        const int failed = pthread_create(&loader->threads[loader->n_threads], NULL, work, loader);
        if (failed)
            st = sl_error_set(err, SL_ENOMEM, "can't start loader thread %d: %s",
                              loader->n_threads + 1, strerror(failed));
        else
            loader->n_threads++;
    }
    return st;
}

sl_status sl_loader_create(sl_loader **out, const sl_dataset *set, const sl_targets *targets,
                           const int64_t *indices, size_t n_indices,
                           const sl_loader_options *options, sl_error *err)
{
    *out = NULL;
    sl_status st = check_options(set, targets, options, err);
    if (st)
        return st;
    sl_loader *loader;
    st = sl_alloc(&loader, 1, sizeof *loader, err);
    if (st)
        return st;
    loader->set = set;
    loader->targets = targets;
    loader->options = *options;
    if (!options->rows)
        loader->options.rows = options->batch_size - options->first_row;
    pthread_mutex_init(&loader->lock, NULL); /* these two can't fail on Linux */
    pthread_cond_init(&loader->changed, NULL);
    sl_pixel_table_init(&loader->table, &options->normalization);
    st = choose_images(loader, indices, n_indices, err);
    if (!st)
        st = create_slots(loader, err);
    if (!st)
        st = start_threads(loader, err);
    if (st)
        sl_loader_destroy(loader);
    else
        *out = loader;
    return st;
}

void sl_loader_destroy(sl_loader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->n_threads; i++)
        pthread_join(loader->threads[i], NULL);
    for (size_t i = 0; i < loader->n_slots; i++) {
        free(loader->slots[i].images);
        free(loader->slots[i].targets);
        free(loader->slots[i].index);
        free(loader->slots[i].recipes);
        free(loader->slots[i].plain_images);
        free(loader->slots[i].plain_targets);
        free(loader->slots[i].partner);
        free(loader->slots[i].made_as);
    }
    free(loader->slots);
    free(loader->threads);
    free(loader->images);
    free(loader->order);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}
