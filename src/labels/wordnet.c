/* How alike the classes of CIFAR-10 are by WordNet's tree of nouns.
 *
 * Source: WordNet 3.0 (Princeton), "wn cat -hypen" for each class: the chain of hypernyms of its
 * first sense, "automobile" being a name of car.n.01. Of a noun with several chains this is the
 * longest (dog is a domestic animal, too; car and truck have a wheeled vehicle that is a
 * container); the others meet no other class lower down, so they don't change the measure. */
#include <softlabel/labels.h>

#include <string.h>

#define WHOLE "entity/physical entity/object/whole"
#define VEHICLE WHOLE "/artifact/instrumentality/conveyance/vehicle"
#define CRAFT VEHICLE "/craft"
#define MOTOR_VEHICLE VEHICLE "/wheeled vehicle/self-propelled vehicle/motor vehicle"
#define VERTEBRATE WHOLE "/living thing/organism/animal/chordate/vertebrate"
#define PLACENTAL VERTEBRATE "/mammal/placental"
#define UNGULATE PLACENTAL "/ungulate"

static const struct {
    const char *name, *chain;
} nouns[] = {
    { "airplane", CRAFT "/aircraft/heavier-than-air craft/airplane" },
    { "automobile", MOTOR_VEHICLE "/car" },
    { "bird", VERTEBRATE "/bird" },
    { "cat", PLACENTAL "/carnivore/feline/cat" },
    { "deer", UNGULATE "/even-toed ungulate/ruminant/deer" },
    { "dog", PLACENTAL "/carnivore/canine/dog" },
    { "frog", VERTEBRATE "/amphibian/frog" },
    { "horse", UNGULATE "/odd-toed ungulate/equine/horse" },
    { "ship", CRAFT "/vessel/ship" },
    { "truck", MOTOR_VEHICLE "/truck" },
};

static const char *find(const char *name)
{
    for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++)
        if (strcmp(nouns[i].name, name) == 0)
            return nouns[i].chain;
    return NULL;
}

/* How many links, from "entity" on, both chains share; of a chain with itself: its depth. */
static int shared_links(const char *a, const char *b)
{
    int n = 0;
    for (;;) {
        const size_t length = strcspn(a, "/");
        if (strcspn(b, "/") != length || memcmp(a, b, length) != 0)
            return n;
        n++;
        if (!a[length] || !b[length])
            return n;
        a += length + 1;
        b += length + 1;
    }
}

sl_status sl_wordnet_distances(double *distances, const char *const *class_names, int n_classes,
                               sl_error *err)
{
    const size_t k = (size_t)n_classes;
    for (size_t i = 0; i < k; i++)
        if (!find(class_names[i]))
            return sl_error_set(err, SL_ENOTFOUND,
                                "where WordNet has the class '%s' isn't known here; give a table "
                                "of distances",
                                class_names[i]);
    for (size_t i = 0; i < k * k; i++) {
        const char *a = find(class_names[i / k]), *b = find(class_names[i % k]);
        distances[i] = 1 - 2.0 * shared_links(a, b) / (shared_links(a, a) + shared_links(b, b));
    }
    return SL_OK;
}
