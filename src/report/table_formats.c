/* A table in each of its formats. */
#include "report/table_private.h"

#include <string.h>

enum { GAP = 2, NOTE_WIDTH = 100 };

/* ---- text ---- */

/* Characters, not bytes: a UTF-8 continuation byte is 10xxxxxx. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static size_t column_width(const sl_table *t, size_t column)
{
    size_t widest = 0;

    for (size_t r = 0; r < sl_table_rows(t); r++) {
        const size_t w = width(sl_table_at(t, r, column));

        if (!sl_table_is_section(t, r))
            widest = w > widest ? w : widest;
    }
    return widest;
}

static void repeat(FILE *out, char c, size_t n)
{
    while (n--)
        fputc(c, out);
}

static void write_row(const sl_table *t, size_t row, FILE *out)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        const char *text = sl_table_at(t, row, c);
        const size_t rest = column_width(t, c) - width(text);

        if (c > 0)
            repeat(out, ' ', GAP + rest);
        fputs(text, out);
        if (c == 0 && t->n_columns > 1)
            repeat(out, ' ', rest);
    }
    fputc('\n', out);
}

/* Broken at spaces. */
static void write_note(const char *text, FILE *out)
{
    size_t column = 0;

    while (*text) {
        const size_t bytes = strcspn(text, " ");
        char word[1000];

        snprintf(word, sizeof word, "%.*s", (int)bytes, text);
        if (column > 0 && column + 1 + width(word) > NOTE_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += (column > 0) + width(word);
        fprintf(out, "%s%s", column > width(word) ? " " : "", word);
        text += bytes + strspn(text + bytes, " ");
    }
    fputc('\n', out);
}

void sl_table_write(const sl_table *t, FILE *out)
{
    size_t total = 0;

    if (t->title)
        fprintf(out, "%s\n\n", t->title);
    for (size_t c = 0; c < t->n_columns; c++)
        total += column_width(t, c) + (c ? GAP : 0);
    for (size_t r = 0; r < sl_table_rows(t); r++) {
        if (sl_table_is_section(t, r))
            fprintf(out, "%s%s\n", r > 1 ? "\n" : "", sl_table_at(t, r, 0));
        else
            write_row(t, r, out);
        if (r == 0) {
            repeat(out, '-', total);
            fputc('\n', out);
        }
    }
    for (size_t i = 0; i < t->n_notes; i++) {
        if (i == 0)
            fputc('\n', out);
        write_note(t->notes[i], out);
    }
}

/* ---- escaping ---- */

typedef struct {
    const char *from, *to;
} replacement;

/* The first that matches; lists end with NULL. */
static void put_replaced(FILE *out, const char *text, const replacement *list)
{
    while (*text) {
        const replacement *r = list;

        while (r->from && strncmp(text, r->from, strlen(r->from)) != 0)
            r++;
        if (r->from) {
            fputs(r->to, out);
            text += strlen(r->from);
        } else {
            fputc(*text++, out);
        }
    }
}

static void put_markdown(FILE *out, const char *text)
{
    static const replacement list[] = {
        { "\\", "\\\\" }, { "|", "\\|" },  { "*", "\\*" },   { "_", "\\_" }, { "`", "\\`" },
        { "[", "\\[" },   { "<", "&lt;" }, { "&", "&amp;" }, { 0 },
    };

    put_replaced(out, text, list);
}

static void put_latex(FILE *out, const char *text)
{
    static const replacement list[] = {
        { "\\", "\\textbackslash{}" },
        { "&", "\\&" },
        { "%", "\\%" },
        { "$", "\\$" },
        { "#", "\\#" },
        { "_", "\\_" },
        { "{", "\\{" },
        { "}", "\\}" },
        { "~", "\\textasciitilde{}" },
        { "^", "\\textasciicircum{}" },
        { "<", "$<$" },
        { ">=", "$\\geq$" },
        { ">", "$>$" },
        { "±", "$\\pm$" },
        { "−", "$-$" },
        { "Δ", "$\\Delta$" },
        { "ε", "$\\varepsilon$" },
        { "α", "$\\alpha$" },
        { 0 },
    };

    put_replaced(out, text, list);
}

void sl_html_put_text(FILE *out, const char *text)
{
    static const replacement list[] = {
        { "&", "&amp;" },   { "<", "&lt;" },  { ">", "&gt;" },
        { "\"", "&quot;" }, { "'", "&#39;" }, { 0 },
    };

    put_replaced(out, text, list);
}

static void put_csv(FILE *out, const char *text)
{
    static const replacement list[] = { { "\"", "\"\"" }, { 0 } };
    const bool quoted = text[strcspn(text, ",\"\r\n")] != 0;

    if (quoted)
        fputc('"', out);
    put_replaced(out, text, list);
    if (quoted)
        fputc('"', out);
}

/* ---- the other formats ---- */

static void write_markdown(const sl_table *t, FILE *out)
{
    if (t->title) {
        fputs("**", out);
        put_markdown(out, t->title);
        fputs("**\n\n", out);
    }
    for (size_t r = 0; r < sl_table_rows(t); r++) {
        const char *mark = sl_table_is_section(t, r) ? "**" : "";

        for (size_t c = 0; c < t->n_columns; c++) {
            const char *around = c == 0 ? mark : "";

            fprintf(out, "%s %s", c == 0 ? "|" : " |", around);
            put_markdown(out, sl_table_at(t, r, c));
            fputs(around, out);
        }
        fputs(" |\n", out);
        for (size_t c = 0; r == 0 && c < t->n_columns; c++)
            fprintf(out, "%s%s", c == 0 ? "|---|" : "---:|", c + 1 == t->n_columns ? "\n" : "");
    }
    for (size_t i = 0; i < t->n_notes; i++) {
        fputc('\n', out);
        put_markdown(out, t->notes[i]);
        fputc('\n', out);
    }
}

static void write_latex(const sl_table *t, FILE *out)
{
    fputs("\\begin{table}\n\\centering\n", out);
    if (t->title) {
        fputs("\\caption{", out);
        put_latex(out, t->title);
        fputs("}\n", out);
    }
    fputs("\\begin{tabular}{l", out);
    repeat(out, 'r', t->n_columns - 1);
    fputs("}\n\\hline\n", out);
    for (size_t r = 0; r < sl_table_rows(t); r++) {
        if (sl_table_is_section(t, r)) {
            fprintf(out, "%s\\multicolumn{%zu}{l}{\\textit{", r > 1 ? "\\hline\n" : "",
                    t->n_columns);
            put_latex(out, sl_table_at(t, r, 0));
            fputs("}}", out);
        }
        for (size_t c = 0; c < t->n_columns && !sl_table_is_section(t, r); c++) {
            fputs(c == 0 ? "" : " & ", out);
            put_latex(out, sl_table_at(t, r, c));
        }
        fprintf(out, " \\\\\n%s", r == 0 ? "\\hline\n" : "");
    }
    fputs("\\hline\n\\end{tabular}\n", out);
    for (size_t i = 0; i < t->n_notes; i++) {
        fputs(i == 0 ? "\n\\smallskip\n\\footnotesize\n" : "\n", out);
        put_latex(out, t->notes[i]);
        fputc('\n', out);
    }
    fputs("\\end{table}\n", out);
}

static void write_csv(const sl_table *t, FILE *out)
{
    for (size_t r = 0; r < sl_table_rows(t); r++)
        for (size_t c = 0; c < t->n_columns; c++) {
            fputs(c == 0 ? "" : ",", out);
            put_csv(out, sl_table_at(t, r, c));
            fputs(c + 1 == t->n_columns ? "\n" : "", out);
        }
}

static void write_html(const sl_table *t, FILE *out)
{
    fputs("<figure class=\"table\">\n<table>\n", out);
    if (t->title) {
        fputs("<caption>", out);
        sl_html_put_text(out, t->title);
        fputs("</caption>\n", out);
    }
    for (size_t r = 0; r < sl_table_rows(t); r++) {
        const bool section = sl_table_is_section(t, r);

        fputs("<tr>", out);
        for (size_t c = 0; c < (section ? 1 : t->n_columns); c++) {
            const char *tag = r == 0 || section || c == 0 ? "th" : "td";

            if (section)
                fprintf(out, "<th class=\"section\" colspan=\"%zu\">", t->n_columns);
            else
                fprintf(out, "<%s>", tag);
            sl_html_put_text(out, sl_table_at(t, r, c));
            fprintf(out, "</%s>", tag);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table>\n<figcaption>\n", out);
    for (size_t i = 0; i < t->n_notes; i++) {
        fputs("<p>", out);
        sl_html_put_text(out, t->notes[i]);
        fputs("</p>\n", out);
    }
    fputs("</figcaption>\n</figure>\n", out);
}

void sl_table_write_as(const sl_table *table, sl_table_format format, FILE *out)
{
    void (*const writers[])(const sl_table *, FILE *) = {
        [SL_TABLE_TEXT] = sl_table_write, [SL_TABLE_MARKDOWN] = write_markdown,
        [SL_TABLE_LATEX] = write_latex,   [SL_TABLE_CSV] = write_csv,
        [SL_TABLE_HTML] = write_html,
    };

    writers[format](table, out);
}
