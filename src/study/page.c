/* SL_WEB_DIR is where the build puts the page's files; the assembler reads them in. */
#include "study/page.h"
#include "study/embed.h"
#include <softlabel/study.h>
#include <string.h>

SL_EMBED(sl_page_index, SL_WEB_DIR "/index.html");
SL_EMBED(sl_page_script, SL_WEB_DIR "/page.js");
SL_EMBED(sl_page_style, SL_WEB_DIR "/page.css");
SL_EMBED(sl_page_admin, SL_WEB_DIR "/admin.html");
SL_EMBED(sl_page_admin_script, SL_WEB_DIR "/admin.js");
SL_EMBED(sl_page_admin_style, SL_WEB_DIR "/admin.css");

#define HTML "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"

static const struct {
    const char *path, *type;
    const unsigned char *bytes, *end;
    bool admin;
} files[] = {
    { "/", HTML, sl_page_index, sl_page_index_end, false },
    { "/page.js", SCRIPT, sl_page_script, sl_page_script_end, false },
    { "/page.css", STYLE, sl_page_style, sl_page_style_end, false },
    { "/admin", HTML, sl_page_admin, sl_page_admin_end, true },
    { "/admin.js", SCRIPT, sl_page_admin_script, sl_page_admin_script_end, true },
    { "/admin.css", STYLE, sl_page_admin_style, sl_page_admin_style_end, true },
};

bool sl_page_find(const char *path, sl_page_file *out)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        /* The linker alone knows the sizes. */
        *out = (sl_page_file){ files[i].type, files[i].bytes,
                               (size_t)(files[i].end - files[i].bytes), files[i].admin };
        return true;
    }
    return false;
}

bool sl_study_has_page(void)
{
    return sl_page_script_end - sl_page_script > 0;
}
