/* boxes.c: the programs that read documents in a box of their own, and what each may see of the machine. */
#include "handlers/documents/sandbox_layers.h"

#include "worker/base/alloc.h"

#include <string.h>
#include <unistd.h>

static const char *const plain_environment[] = {"LANG=C.UTF-8", "LC_ALL=C.UTF-8", "OMP_THREAD_LIMIT=1", NULL};
static const char *const poppler_data[] = {"/usr/share/poppler",    "/usr/share/fonts",      "/etc/fonts",
                                           "/usr/share/fontconfig", "/var/cache/fontconfig", NULL};
static const char *const tesseract_data[] = {"/usr/share/tesseract-ocr", NULL};
static const char *const catdoc_data[] = {"/usr/share/catdoc", "/etc/catdocrc", NULL};
static const char *const unrtf_data[] = {"/usr/share/unrtf", NULL};

/* %u: the first page to read and the last; of pdfinfo and pdftoppm the page, then the resolution. */
static const char *const pdftotext[] = {"pdftotext", "-enc", "UTF-8", "-f", "%u", "-l", "%u", "-", "-", NULL};
static const char *const pdfinfo[] = {"pdfinfo", "-f", "%u", "-l", "%u", "-", NULL};
static const char *const pdftoppm[] = {"pdftoppm", "-gray", "-cropbox", "-singlefile", "-f",
                                       "%u",       "-r",    "%u",       "-",           NULL};
/* All text with its fonts, colours and places; without -hidden what is neither filled nor stroked is left out. In pixels of 108 to the inch,
 * its own measure, in which the page is shown, too. */
static const char *const pdftohtml[] = {"pdftohtml", "-xml", "-i", "-stdout", "-f", "%u",
                                        "-l",        "%u",   "-",  "page",    NULL};
static const char *const pdftohtml_hidden[] = {"pdftohtml", "-xml", "-i", "-stdout", "-hidden", "-f",
                                               "%u",        "-l",   "%u", "-",       "page",    NULL};
static const char *const pdftoppm_whole[] = {"pdftoppm", "-gray", "-singlefile", "-f", "%u", "-r", "%u", "-", NULL};
/* %s: languages; %u: the page of a TIFF, from 0, or the resolution of what pdftoppm made. */
static const char *const tesseract[] = {
    "tesseract", "stdin", "stdout", "-l", "%s", "-c", "page_separator=", "-c", "tessedit_page_number=%u", NULL};
static const char *const tesseract_page[] = {"tesseract", "stdin", "stdout",          "-l", "%s", "--dpi",
                                             "%u",        "-c",    "page_separator=", NULL};
static const char *const catdoc[] = {"catdoc", "-d", "utf-8", "-w", NULL};
static const char *const xls2csv[] = {"xls2csv", "-d", "utf-8", "-c", "\t", "-q", "0", "-b", "\f", "/dev/stdin", NULL};
static const char *const unrtf[] = {"unrtf", "--html", "--nopict", NULL};

static const struct box boxes[] = {
    {"pdftotext", "/usr/bin/pdftotext", pdftotext, plain_environment, poppler_data, 30, GIB},
    {"pdfinfo", "/usr/bin/pdfinfo", pdfinfo, plain_environment, poppler_data, 10, GIB},
    {"pdftoppm", "/usr/bin/pdftoppm", pdftoppm, plain_environment, poppler_data, 30, GIB},
    {"pdftohtml", "/usr/bin/pdftohtml", pdftohtml, plain_environment, poppler_data, 30, GIB},
    {"pdftohtml_hidden", "/usr/bin/pdftohtml", pdftohtml_hidden, plain_environment, poppler_data, 30, GIB},
    {"pdftoppm_whole", "/usr/bin/pdftoppm", pdftoppm_whole, plain_environment, poppler_data, 30, GIB},
    {"tesseract", "/usr/bin/tesseract", tesseract, plain_environment, tesseract_data, 600, 2 * GIB},
    {"tesseract_page", "/usr/bin/tesseract", tesseract_page, plain_environment, tesseract_data, 600, 2 * GIB},
    {"catdoc", "/usr/bin/catdoc", catdoc, plain_environment, catdoc_data, 20, GIB},
    {"xls2csv", "/usr/bin/xls2csv", xls2csv, plain_environment, catdoc_data, 20, GIB},
    {"unrtf", "/usr/bin/unrtf", unrtf, plain_environment, unrtf_data, 20, GIB},
};

const struct box *box_at(size_t index)
{
    return index < ARRAY_LENGTH(boxes) ? &boxes[index] : NULL;
}

const struct box *box_find(const char *name, size_t *index)
{
    for (size_t i = 0; i < ARRAY_LENGTH(boxes); i++) {
        if (strcmp(boxes[i].name, name) != 0) continue;
        *index = i;
        return &boxes[i];
    }
    return NULL;
}

bool box_installed(const char *name)
{
    size_t index;
    const struct box *box = box_find(name, &index);
    return box && access(box->program, X_OK) == 0;
}
