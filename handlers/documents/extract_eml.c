/* extract_eml.c: e-mail by GMime: From, To, Cc, Subject and Date as text, then the body, plain text before HTML; attachments and nested
 * messages are parts. A mailbox is its messages, each a part. GLib ends the process where it gets no memory. */
#include "handlers/documents/charset.h"
#include "handlers/documents/extractors.h"
#include "handlers/documents/html.h"
#include "handlers/documents/mail_text.h"
#include "worker/base/alloc.h"

#include <gmime/gmime.h>
#include <string.h>
#include <strings.h>

#define MAX_DEPTH   20
#define MAX_PARTS   1000
#define MAX_HEADERS MIB

struct mail {
    const struct extract_input *in;
    struct extract_sink *sink;
    struct flow flow;
    size_t n_parts, n_given;
    bool encrypted;
    struct error *err;
};

/* What libraries have to say about a damaged file is no message of ours. */
static void ignore_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer context)
{
    (void)domain, (void)level, (void)message, (void)context;
}

void mail_prepare(void)
{
    static bool done;
    if (done) return;
    done = true;
    g_log_set_default_handler(ignore_log, NULL);
    g_mime_init();
}

/* Plain text, line by line; flowed: a line that ends with a space goes on in the next. */
static void put_plain(struct flow *f, const char *text, size_t length, bool flowed)
{
    const char *end = text + length;
    while (text < end && !f->done) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((line_end ? line_end : end) - text);
        size_t shown = n > 0 && text[n - 1] == '\r' ? n - 1 : n;
        bool signature = shown == 3 && memcmp(text, "-- ", 3) == 0;
        bool goes_on = flowed && shown > 0 && text[shown - 1] == ' ' && !signature;
        if (flowed && shown > 0 && text[0] == ' ') text++, shown--, n--; /* stuffed */
        flow_put(f, text, shown);
        if (!goes_on) flow_end_line(f);
        text += n + 1;
    }
}

enum status mail_put_text(struct flow *flow, const void *bytes, size_t length, const char *charset, bool html,
                          bool flowed, struct error *err)
{
    struct buffer text = {0};
    struct charset_result found;
    flow_break(flow, 2);
    if (html) return html_read(flow, bytes, length, charset, err);
    enum status st = charset_decode(&text, bytes, length, charset, &found, err);
    if (st == DOCKET_OK) put_plain(flow, text.data ? text.data : "", text.length, flowed);
    if (found.guessed) flow->sink->fact(flow->sink, FACT_ENCODING_FOUND, 1);
    if (found.n_replaced) flow->sink->fact(flow->sink, FACT_REPLACED_CHARACTERS, found.n_replaced);
    buffer_free(&text);
    return st;
}

void mail_put_header(struct flow *flow, const char *name, const char *value)
{
    if (!value || !*value) return;
    flow_put_str(flow, name);
    flow_put_str(flow, ": ");
    flow_words(flow, value, strlen(value));
    flow_break(flow, 1);
}

/* The decoded content; the caller unrefs. */
static GByteArray *content_of(GMimeObject *object)
{
    GMimeStream *memory = g_mime_stream_mem_new();
    GByteArray *bytes = NULL;
    if (GMIME_IS_PART(object)) {
        GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(object));
        if (content) g_mime_data_wrapper_write_to_stream(content, memory);
    } else
        g_mime_object_write_to_stream(object, NULL, memory);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(memory), FALSE);
    bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
    g_object_unref(memory);
    return bytes;
}

static bool is_type(GMimeObject *object, const char *type, const char *subtype)
{
    GMimeContentType *t = g_mime_object_get_content_type(object);
    return t && g_mime_content_type_is_type(t, type, subtype);
}

static bool is_attachment(GMimeObject *object)
{
    const char *disposition = g_mime_object_get_disposition(object);
    if (disposition && strcasecmp(disposition, "attachment") == 0) return true;
    return GMIME_IS_PART(object) && g_mime_part_get_filename(GMIME_PART(object)) != NULL;
}

static bool is_body(GMimeObject *object)
{
    return GMIME_IS_PART(object) && !is_attachment(object) &&
           (is_type(object, "text", "plain") || is_type(object, "text", "html"));
}

/* Does it hold something to show? `html`: as HTML. */
static bool holds_text(GMimeObject *object, bool html, int depth)
{
    if (is_body(object)) {
        if (is_type(object, "text", "html") != html) return false;
        GByteArray *bytes = content_of(object);
        bool any = false;
        for (guint i = 0; i < bytes->len && !any; i++) any = !strchr(" \t\r\n", bytes->data[i]);
        g_byte_array_unref(bytes);
        return any;
    }
    if (!GMIME_IS_MULTIPART(object) || depth > MAX_DEPTH) return false;
    GMimeMultipart *multipart = GMIME_MULTIPART(object);
    int n = g_mime_multipart_get_count(multipart);
    for (int i = 0; i < n && i < MAX_PARTS; i++)
        if (holds_text(g_mime_multipart_get_part(multipart, i), html, depth + 1)) return true;
    return false;
}

static enum status put_body(struct mail *m, GMimeObject *object, int depth);

static enum status put_best(struct mail *m, GMimeMultipart *multipart, int depth)
{
    int n = g_mime_multipart_get_count(multipart);
    for (int html = 0; html < 2; html++)
        for (int i = 0; i < n && i < MAX_PARTS; i++) {
            GMimeObject *part = g_mime_multipart_get_part(multipart, i);
            if (holds_text(part, html, depth)) return put_body(m, part, depth + 1);
        }
    return DOCKET_OK;
}

static enum status put_body(struct mail *m, GMimeObject *object, int depth)
{
    enum status st = DOCKET_OK;
    if (depth > MAX_DEPTH)
        return fail(m->err, DOCKET_LIMIT, CODE_document_nesting_too_deep, "more than %d parts in one another",
                    MAX_DEPTH);
    if (is_body(object)) {
        const char *format = g_mime_object_get_content_type_parameter(object, "format");
        GByteArray *bytes = content_of(object);
        st = mail_put_text(&m->flow, bytes->data, bytes->len,
                           g_mime_object_get_content_type_parameter(object, "charset"), is_type(object, "text", "html"),
                           format && strcasecmp(format, "flowed") == 0, m->err);
        g_byte_array_unref(bytes);
        return st;
    }
    m->encrypted |= GMIME_IS_MULTIPART_ENCRYPTED(object) || is_type(object, "application", "pkcs7-mime") ||
                    is_type(object, "application", "x-pkcs7-mime");
    if (!GMIME_IS_MULTIPART(object)) return DOCKET_OK;
    GMimeMultipart *multipart = GMIME_MULTIPART(object);
    if (is_type(object, "multipart", "alternative")) return put_best(m, multipart, depth);
    int n = g_mime_multipart_get_count(multipart);
    for (int i = 0; i < n && i < MAX_PARTS && st == DOCKET_OK && !m->flow.done; i++)
        st = put_body(m, g_mime_multipart_get_part(multipart, i), depth + 1);
    return st;
}

static bool give(struct mail *m, const char *name, const void *bytes, size_t length)
{
    m->n_given++;
    return m->sink->part_begin(m->sink, name, strlen(name)) && m->sink->part_bytes(m->sink, bytes, length) &&
           m->sink->part_end(m->sink, NULL);
}

static bool give_message(struct mail *m, GMimeObject *object)
{
    GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
    if (!message) return true;
    const char *subject = g_mime_message_get_subject(message);
    char *name = str_format("%.200s.eml", subject && *subject ? subject : "message");
    GByteArray *bytes = content_of(GMIME_OBJECT(message));
    bool more = give(m, name ? name : "message.eml", bytes->data, bytes->len);
    mem_free(name);
    g_byte_array_unref(bytes);
    return more;
}

static bool give_part(struct mail *m, GMimeObject *object)
{
    static const char *const signatures[] = {"pgp-signature", "pkcs7-signature", "x-pkcs7-signature"};
    for (size_t i = 0; i < ARRAY_LENGTH(signatures); i++)
        if (is_type(object, "application", signatures[i])) return true;
    const char *name = GMIME_IS_PART(object) ? g_mime_part_get_filename(GMIME_PART(object)) : NULL;
    GByteArray *bytes = content_of(object);
    bool more = give(m, name && *name ? name : "attachment", bytes->data, bytes->len);
    g_byte_array_unref(bytes);
    return more;
}

/* false: no more is wanted, or an error stands in m->err. */
static bool give_parts(struct mail *m, GMimeObject *object, int depth, enum status *st)
{
    const size_t most = m->in->max_members && m->in->max_members < MAX_PARTS ? m->in->max_members : MAX_PARTS;
    if (depth > MAX_DEPTH) {
        *st =
            fail(m->err, DOCKET_LIMIT, CODE_document_nesting_too_deep, "more than %d parts in one another", MAX_DEPTH);
        return false;
    }
    if (++m->n_parts > most) {
        *st = fail(m->err, DOCKET_LIMIT, CODE_archive_too_many_members, "more than %zu parts", most);
        return false;
    }
    if (GMIME_IS_MULTIPART(object)) {
        GMimeMultipart *multipart = GMIME_MULTIPART(object);
        int n = g_mime_multipart_get_count(multipart);
        for (int i = 0; i < n; i++)
            if (!give_parts(m, g_mime_multipart_get_part(multipart, i), depth + 1, st)) return false;
        return true;
    }
    if (is_body(object)) return true;
    if (GMIME_IS_MESSAGE_PART(object)) return give_message(m, object);
    return give_part(m, object);
}

/* A header whose words name a charset by another name than the one that its table is loaded by: the same with that name. NULL: there is no
 * such header. The caller frees. */
static char *respelled(GMimeMessage *message, const char *name)
{
    GMimeHeader *header = g_mime_header_list_get_header(g_mime_object_get_header_list(GMIME_OBJECT(message)), name);
    const char *raw = header ? g_mime_header_get_raw_value(header) : NULL;
    struct buffer out = {0};
    bool changed = false;
    for (const char *at = raw; at && *at;) {
        const char *word = strstr(at, "=?"), *label = word ? word + 2 : NULL;
        size_t n = label ? strcspn(label, "?*") : 0;
        const char *known = n && n < 40 ? charset_by_label(label, n) : NULL;
        buffer_append(&out, at, label ? (size_t)(label - at) : strlen(at));
        if (known) buffer_append_str(&out, known);
        changed |= known && (strlen(known) != n || strncasecmp(known, label, n) != 0);
        at = !label ? NULL : known ? label + n : label;
    }
    if (changed && buffer_append_char(&out, '\0')) return buffer_take(&out, NULL);
    buffer_free(&out);
    return NULL;
}

static char *addresses_of(GMimeMessage *message, const char *name, GMimeAddressType type, GMimeParserOptions *options)
{
    char *other = respelled(message, name);
    InternetAddressList *own = other ? internet_address_list_parse(options, other) : NULL;
    InternetAddressList *list = own ? own : g_mime_message_get_addresses(message, type);
    char *text = list ? internet_address_list_to_string(list, NULL, FALSE) : NULL;
    if (own) g_object_unref(own);
    mem_free(other);
    return text;
}

static char *subject_of(GMimeMessage *message, GMimeParserOptions *options)
{
    char *other = respelled(message, "Subject");
    char *line = other ? g_mime_utils_header_unfold(other) : NULL;
    char *text = line ? g_mime_utils_header_decode_text(options, line) : g_strdup(g_mime_message_get_subject(message));
    g_free(line);
    mem_free(other);
    return text;
}

static void put_headers(struct mail *m, GMimeMessage *message, GMimeParserOptions *options)
{
    static const struct {
        const char *name;
        GMimeAddressType type;
    } addresses[] = {{"From", GMIME_ADDRESS_TYPE_FROM}, {"To", GMIME_ADDRESS_TYPE_TO}, {"Cc", GMIME_ADDRESS_TYPE_CC}};
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        char *text = addresses_of(message, addresses[i].name, addresses[i].type, options);
        mail_put_header(&m->flow, addresses[i].name, text);
        g_free(text);
    }
    char *subject = subject_of(message, options);
    mail_put_header(&m->flow, "Subject", subject);
    g_free(subject);
    mail_put_header(&m->flow, "Date", g_mime_object_get_header(GMIME_OBJECT(message), "Date"));
}

/* What a parser that recurses and keeps all headers is not given: counted without it. */
static enum status check_size(const struct extract_input *in, struct error *err)
{
    const char *s = in->bytes, *end = s + in->length, *line = s;
    size_t n_containers = 0;
    bool in_headers = true;
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((next ? next : end) - line);
        if (n == 0 || (n == 1 && *line == '\r')) in_headers = false;
        if (in_headers && (size_t)(line - s) + n > MAX_HEADERS)
            return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "headers of more than %zu bytes",
                        (size_t)MAX_HEADERS);
        if (n > 14 && strncasecmp(line, "content-type:", 13) == 0) {
            const char *type = line + 13;
            while (type < line + n && (*type == ' ' || *type == '\t')) type++;
            size_t left = (size_t)(line + n - type);
            n_containers += (left > 10 && strncasecmp(type, "multipart/", 10) == 0) ||
                            (left > 8 && strncasecmp(type, "message/", 8) == 0);
        }
        line = next ? next + 1 : end;
    }
    if (n_containers > MAX_PARTS)
        return fail(err, DOCKET_LIMIT, CODE_document_nesting_too_deep,
                    "%zu parts that hold others, at most %d are read", n_containers, MAX_PARTS);
    return DOCKET_OK;
}

static enum status read_message(struct mail *m)
{
    static const char *fallbacks[] = {"utf-8", "windows-1252", NULL};
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(m->in->bytes, m->in->length);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeParserOptions *options = g_mime_parser_options_new();
    enum status st = DOCKET_OK;
    g_mime_parser_options_set_fallback_charsets(options, fallbacks);
    GMimeMessage *message = g_mime_parser_construct_message(parser, options);
    GMimeObject *body = message ? g_mime_message_get_mime_part(message) : NULL;
    if (message)
        put_headers(m, message, options);
    else
        st = fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "no message can be read from it");
    if (st == DOCKET_OK && body) st = put_body(m, body, 0);
    struct error late = {0};
    bool done = m->flow.done;
    enum status end = flow_finish(&m->flow, &late);
    if (st == DOCKET_OK && end != DOCKET_OK) *m->err = late, st = end;
    if (st == DOCKET_OK && m->encrypted)
        st = fail(m->err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "its body is encrypted");
    if (st == DOCKET_OK && body && !done) give_parts(m, body, 0, &st);
    if (message) g_object_unref(message);
    g_mime_parser_options_free(options);
    g_object_unref(parser);
    g_object_unref(stream);
    return st;
}

enum status extract_eml(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    struct mail m = {.in = in, .sink = sink, .err = err};
    mail_prepare();
    flow_init(&m.flow, sink, in->max_characters);
    enum status st = check_size(in, err);
    if (st == DOCKET_OK) st = read_message(&m);
    flow_free(&m.flow);
    return st;
}

enum status extract_mbox(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    const size_t most = in->max_members ? in->max_members : 10000;
    const char *end = (const char *)in->bytes + in->length, *start = NULL;
    size_t n = 0;
    bool after_blank = true;
    for (const char *line = in->bytes; line <= end;) {
        const char *next = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
        size_t length = (size_t)((next ? next : end) - line);
        bool separator = after_blank && length > 5 && memcmp(line, "From ", 5) == 0;
        if ((separator || line == end) && start) {
            char name[40];
            if (++n > most)
                return fail(err, DOCKET_LIMIT, CODE_archive_too_many_members, "more than %zu messages", most);
            int k = g_snprintf(name, sizeof(name), "message-%zu.eml", n);
            if (!sink->part_begin(sink, name, (size_t)k) || !sink->part_bytes(sink, start, (size_t)(line - start)) ||
                !sink->part_end(sink, NULL))
                return DOCKET_OK;
        }
        if (line == end) break;
        if (separator) start = next ? next + 1 : end;
        after_blank = length == 0 || (length == 1 && *line == '\r');
        line = next ? next + 1 : end;
    }
    if (n == 0) return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "a mailbox without a message");
    return DOCKET_OK;
}
