/* A file of the build as a constant: symbol[] to symbol_end[], where a NUL follows. */
#ifndef STUDY_EMBED_H
#define STUDY_EMBED_H

#define SL_EMBED(symbol, path)                                             \
    extern const unsigned char symbol[], symbol##_end[];                   \
    __asm__(".pushsection .rodata\n"                                       \
            ".global " #symbol "\n.global " #symbol "_end\n" #symbol ":\n" \
            ".incbin \"" path "\"\n" #symbol "_end:\n.byte 0\n"            \
            ".popsection\n")

#endif
