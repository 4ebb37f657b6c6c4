/* Image files as browsers take them: what one is, and whether it is whole. The files are their
 * author's; nothing in one makes this read outside its bytes or take memory. */
#ifndef STUDY_IMAGE_FILE_H
#define STUDY_IMAGE_FILE_H

#include <stddef.h>

#define SL_IMAGE_MAX_BYTES ((size_t)8 << 20) /* of one image file */

/* What the first bytes say it is ("image/png"), NULL if no browser shows it. */
const char *sl_image_type(const unsigned char *bytes, size_t n);

/* What is wrong with a file, NULL if it is whole: a file that a browser would show in part or not
 * at all is told, such as one whose copying was cut short. PNG's pixels are unpacked; of JPEG, GIF
 * and WebP the parts are followed to the end, not what is packed in them. */
const char *sl_image_damage(const unsigned char *bytes, size_t n);

#endif
