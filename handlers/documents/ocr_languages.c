/* ocr_languages.c: in which languages this machine can read images: the data files that tesseract finds. Looks at their names, sizes and
 * heads; runs outside the sandbox. */
#include "handlers/documents/ocr_languages.h"

#include "worker/base/alloc.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_FOLDER "/usr/share/tesseract-ocr/*/tessdata/"
#define DATA_ENDING ".traineddata"
#define MAX_PARTS   64 /* a file has 24 */

/* The head counts the file's parts and says where each begins, or -1; all lie in the file. */
static bool is_whole(const char *path)
{
    struct {
        int32_t n;
        unsigned char starts[MAX_PARTS * sizeof(int64_t)];
    } head;
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    ssize_t got = good ? pread(fd, &head, sizeof(head), 0) : -1;
    if (fd >= 0) close(fd);
    if (got < (ssize_t)sizeof(head.n) || head.n < 1 || head.n > MAX_PARTS) return false;
    if ((size_t)got < sizeof(head.n) + (size_t)head.n * sizeof(int64_t)) return false;
    for (int32_t i = 0; i < head.n; i++) {
        int64_t start;
        memcpy(&start, head.starts + (size_t)i * sizeof(start), sizeof(start));
        if (start < -1 || start >= about.st_size) return false;
    }
    return true;
}

enum ocr_language_state ocr_language_state(const char *name, size_t length)
{
    char pattern[192];
    glob_t found = {0};
    if (!ocr_language_name(name, length)) return OCR_LANGUAGE_MISSING;
    snprintf(pattern, sizeof(pattern), DATA_FOLDER "%.*s" DATA_ENDING, (int)length, name);
    enum ocr_language_state state = OCR_LANGUAGE_MISSING;
    if (glob(pattern, 0, NULL, &found) == 0) {
        state = OCR_LANGUAGE_READY;
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (!is_whole(found.gl_pathv[i])) state = OCR_LANGUAGE_DAMAGED;
    }
    globfree(&found);
    return state;
}

bool ocr_language_name(const char *name, size_t length)
{
    if (length == 0 || length > MAX_OCR_LANGUAGE_BYTES) return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return true;
}

void ocr_languages_list(struct buffer *out)
{
    glob_t found = {0};
    size_t before = out->length;
    if (glob(DATA_FOLDER "*" DATA_ENDING, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            const char *name = strrchr(found.gl_pathv[i], '/') + 1;
            int length = (int)(strlen(name) - strlen(DATA_ENDING));
            if (strncmp(name, "osd.", 4) == 0) continue; /* how a page lies; no language */
            buffer_printf(out, "%s%.*s", out->length > before ? ", " : "", length, name);
        }
    globfree(&found);
    if (out->length == before) buffer_append_str(out, "none");
}

static enum status refuse(const char *name, size_t length, enum ocr_language_state state, struct error *err)
{
    struct buffer installed = {0};
    if (length > MAX_OCR_LANGUAGE_BYTES) length = MAX_OCR_LANGUAGE_BYTES;
    if (state == OCR_LANGUAGE_DAMAGED)
        return fail(err, DOCKET_CORRUPT, CODE_ocr_unavailable, "data for reading images in \"%.*s\" is damaged",
                    (int)length, name);
    ocr_languages_list(&installed);
    fail(err, DOCKET_NOT_FOUND, CODE_ocr_unavailable,
         "\"%.*s\" is no language that images are read in here; installed: %s", (int)length, name,
         installed.data ? installed.data : "?");
    buffer_free(&installed);
    return DOCKET_NOT_FOUND;
}

enum status ocr_languages_check(const char *languages, struct error *err)
{
    if (strlen(languages) > MAX_OCR_WORD)
        return fail(err, DOCKET_NOT_FOUND, CODE_ocr_unavailable,
                    "languages of images in %zu bytes, at most %d are read", strlen(languages), MAX_OCR_WORD);
    for (const char *at = languages;;) {
        size_t n = strcspn(at, "+");
        enum ocr_language_state state = ocr_language_state(at, n);
        if (state != OCR_LANGUAGE_READY) return refuse(at, n, state, err);
        if (at[n] == '\0') return DOCKET_OK;
        at += n + 1;
    }
}
