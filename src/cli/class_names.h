/* Names for classes of which only the number is known. */
#ifndef CLI_CLASS_NAMES_H
#define CLI_CLASS_NAMES_H

#define CLI_MAX_CLASSES 1024

typedef struct {
    char text[CLI_MAX_CLASSES][12];
    const char *names[CLI_MAX_CLASSES];
} cli_class_names;

/* CIFAR-10's for ten classes, else their numbers, which lie in room. */
const char *const *cli_name_classes(cli_class_names *room, int classes);

#endif
