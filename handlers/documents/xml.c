/* xml.c: Expat with the doors shut: entity declarations are refused, external ones are not followed, depth has an end. The whole part
 * is handed over at once, so that no token is looked at twice. Knows namespaces, no formats. */
#include "handlers/documents/xml.h"

#include "worker/base/alloc.h"

#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SEPARATOR '\n'

/* Transitional and strict OOXML have namespaces of their own for the same elements. */
#define TRANSITIONAL "http://schemas.openxmlformats.org/"
#define STRICT       "http://purl.oclc.org/ooxml/"
#define OASIS        "urn:oasis:names:tc:opendocument:xmlns:"
static const struct {
    const char *uri, *prefix;
} namespaces[] = {
    {TRANSITIONAL "wordprocessingml/2006/main", "w"},
    {STRICT "wordprocessingml/main", "w"},
    {TRANSITIONAL "spreadsheetml/2006/main", "x"},
    {STRICT "spreadsheetml/main", "x"},
    {TRANSITIONAL "presentationml/2006/main", "p"},
    {STRICT "presentationml/main", "p"},
    {TRANSITIONAL "drawingml/2006/main", "a"},
    {STRICT "drawingml/main", "a"},
    {TRANSITIONAL "officeDocument/2006/math", "m"},
    {STRICT "officeDocument/math", "m"},
    {TRANSITIONAL "officeDocument/2006/relationships", "r"},
    {STRICT "officeDocument/relationships", "r"},
    {TRANSITIONAL "package/2006/relationships", "rel"},
    {TRANSITIONAL "markup-compatibility/2006", "mc"},
    {OASIS "office:1.0", "office"},
    {OASIS "text:1.0", "text"},
    {OASIS "table:1.0", "table"},
    {OASIS "drawing:1.0", "draw"},
    {OASIS "presentation:1.0", "presentation"},
    {OASIS "style:1.0", "style"},
    {OASIS "manifest:1.0", "manifest"},
    {OASIS "svg-compatible:1.0", "svg"},
};

static const char *prefix_of(const char *uri, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(namespaces); i++)
        if (strlen(namespaces[i].uri) == length && memcmp(namespaces[i].uri, uri, length) == 0)
            return namespaces[i].prefix;
    return "?";
}

/* Expat's "uri<separator>name" in our spelling; names too long for any reader lose their end. */
static const char *short_name(const char *name, char *out, size_t out_bytes)
{
    const char *local = strrchr(name, SEPARATOR);
    if (!local) return name;
    snprintf(out, out_bytes, "%s:%.60s", prefix_of(name, (size_t)(local - name)), local + 1);
    return out;
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
    struct xml_walk *x = context;
    char shown[96];
    if (x->st != DOCKET_OK) return;
    if (++x->depth > XML_MAX_DEPTH) {
        xml_fail(x, fail(&x->error, DOCKET_CORRUPT, CODE_document_corrupt, "%s: elements nested deeper than %d",
                         x->part, XML_MAX_DEPTH));
        return;
    }
    x->start(x, short_name(name, shown, sizeof(shown)), attributes);
}

static void XMLCALL on_end(void *context, const char *name)
{
    struct xml_walk *x = context;
    char shown[96];
    if (x->st != DOCKET_OK) return;
    x->end(x, short_name(name, shown, sizeof(shown)));
    x->depth--;
}

static void XMLCALL on_text(void *context, const char *utf8, int length)
{
    struct xml_walk *x = context;
    if (x->st == DOCKET_OK && x->text) x->text(x, utf8, (size_t)length);
}

static void XMLCALL on_entity(void *context, const char *name, int is_parameter, const char *value, int value_length,
                              const char *base, const char *system_id, const char *public_id, const char *notation)
{
    struct xml_walk *x = context;
    (void)name, (void)is_parameter, (void)value, (void)value_length, (void)base, (void)system_id, (void)public_id;
    (void)notation;
    xml_fail(
        x, fail(&x->error, DOCKET_CORRUPT, CODE_document_corrupt, "%s: declares entities, which is not read", x->part));
}

/* Expat does not call every missing byte by its name. */
static _Thread_local bool memory_failed;

static void *alloc(size_t size_bytes)
{
    void *memory = mem_alloc(size_bytes);
    memory_failed |= !memory;
    return memory;
}

static void *resize(void *memory, size_t size_bytes)
{
    void *more = mem_resize(memory, size_bytes, 1);
    memory_failed |= !more;
    return more;
}

void xml_stop(struct xml_walk *x)
{
    if (x->st == DOCKET_OK) XML_StopParser(x->parser, XML_FALSE);
}

void xml_fail(struct xml_walk *x, enum status st)
{
    if (x->st != DOCKET_OK) return;
    x->st = st;
    XML_StopParser(x->parser, XML_FALSE);
}

enum status xml_read(struct xml_walk *x, const char *bytes, size_t length, struct error *err)
{
    static const XML_Memory_Handling_Suite memory = {alloc, resize, mem_free};
    static const char separator[] = {SEPARATOR, '\0'};
    x->depth = 0;
    x->st = DOCKET_OK;
    if (length > INT_MAX)
        return fail(err, DOCKET_LIMIT, CODE_document_expands_too_far, "%s: %zu bytes of XML", x->part, length);
    memory_failed = false;
    XML_Parser parser = XML_ParserCreate_MM(NULL, &memory, separator);
    if (!parser) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read XML");
    x->parser = parser;
    XML_SetUserData(parser, x);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetEntityDeclHandler(parser, on_entity);
    enum status st = DOCKET_OK;
    if (XML_Parse(parser, bytes ? bytes : "", (int)length, XML_TRUE) != XML_STATUS_OK) {
        enum XML_Error why = XML_GetErrorCode(parser);
        if (x->st != DOCKET_OK) {
            st = x->st;
            if (err) *err = x->error;
        } else if (why == XML_ERROR_NO_MEMORY || memory_failed)
            st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read XML");
        else if (why != XML_ERROR_ABORTED)
            st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "%s: no well-formed XML at line %lu", x->part,
                      (unsigned long)XML_GetCurrentLineNumber(parser));
    }
    XML_ParserFree(parser);
    x->parser = NULL;
    return st;
}

const char *xml_attribute(const char **attributes, const char *name)
{
    char shown[96];
    for (; *attributes; attributes += 2)
        if (strcmp(short_name(attributes[0], shown, sizeof(shown)), name) == 0) return attributes[1];
    return NULL;
}

size_t xml_which(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (names[i] && strcmp(name, names[i]) == 0) return i;
    return n;
}

size_t xml_number(const char *text, size_t most, size_t otherwise)
{
    size_t n = 0;
    if (!text || !*text) return otherwise;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return otherwise;
        n = n * 10 + (size_t)(*text - '0');
        if (n > most) return otherwise;
    }
    return n;
}
