/* extract_msg.c: Outlook messages: sender, recipients, subject and date as text, the body (plain before HTML), attachments and
 * embedded messages as parts. A body that is only RTF is a part of its own. */
#include "handlers/documents/charset.h"
#include "handlers/documents/mail_text.h"
#include "handlers/documents/ole.h"
#include "handlers/documents/rtf_packed.h"
#include "worker/base/alloc.h"

#include <gsf/gsf-input.h>
#include <gsf/gsf-outfile-msole.h>
#include <gsf/gsf-output-memory.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAX_ATTACHMENTS 1000
#define MAX_FOLDERS     20 /* in one another */

enum property {
    SUBJECT = 0x0037,
    TO = 0x0e04,
    CC = 0x0e03,
    SENDER_NAME = 0x0c1a,
    SENDER_ADDRESS = 0x5d01,
    SENDER_OTHER = 0x0c1f,
    SENT = 0x0039,
    RECEIVED = 0x0e06,
    BODY = 0x1000,
    HTML = 0x1013,
    RTF = 0x1009,
    CODE_PAGE = 0x3ffd,
    WEB_PAGE = 0x3fde,
    LONG_NAME = 0x3707,
    SHORT_NAME = 0x3704,
    SHOWN_NAME = 0x3001,
    DATA = 0x3701,
};

struct message {
    GsfInfile *folder;
    unsigned char properties[64 * 1024]; /* fixed-size ones: 16 bytes each */
    size_t n_bytes, header;
    const char *charset; /* of strings that are not UTF-16 */
};

static uint32_t little32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum status read_stream(struct message *m, const char *name, struct buffer *out, bool *there, struct error *err)
{
    GsfInput *stream = ole_stream(m->folder, name);
    *there = stream != NULL;
    if (!stream) return DOCKET_OK;
    enum status st = ole_read(out, stream, err);
    g_object_unref(stream);
    return st;
}

/* A property that is a string, in UTF-8. *html_bytes is not converted. */
static enum status read_property(struct message *m, enum property id, unsigned type, struct buffer *out, bool *there,
                                 struct error *err)
{
    char name[40];
    snprintf(name, sizeof(name), "__substg1.0_%04X%04X", (unsigned)id, type);
    return read_stream(m, name, out, there, err);
}

static enum status read_string(struct message *m, enum property id, struct buffer *out, struct error *err)
{
    struct buffer raw = {0};
    struct charset_result found;
    bool there;
    enum status st = read_property(m, id, 0x001f, &raw, &there, err);
    if (st == DOCKET_OK && there)
        st = charset_convert(out, raw.data ? raw.data : "", raw.length, "UTF-16LE", &found, err);
    else if (st == DOCKET_OK) {
        st = read_property(m, id, 0x001e, &raw, &there, err);
        if (st == DOCKET_OK && there)
            st = charset_decode(out, raw.data ? raw.data : "", raw.length, m->charset, &found, err);
    }
    buffer_free(&raw);
    while (st == DOCKET_OK && out->length > 0 && out->data[out->length - 1] == '\0') out->length--;
    if (out->data) out->data[out->length] = '\0';
    return st;
}

/* The 8 bytes of a property of fixed size; NULL: none. */
static const unsigned char *fixed_property(const struct message *m, enum property id)
{
    for (size_t at = m->header; at + 16 <= m->n_bytes; at += 16)
        if ((little32(m->properties + at) >> 16) == (uint32_t)id) return m->properties + at + 8;
    return NULL;
}

static enum status open_folder(struct message *m, GsfInfile *folder, struct error *err)
{
    struct buffer raw = {0};
    bool there;
    *m = (struct message){.folder = folder};
    enum status st = read_stream(m, "__properties_version1.0", &raw, &there, err);
    m->n_bytes = raw.length < sizeof(m->properties) ? raw.length : sizeof(m->properties);
    if (m->n_bytes) memcpy(m->properties, raw.data, m->n_bytes);
    m->header = raw.length % 16;        /* 32 bytes at the top, 24 in an embedded message, 8 elsewhere */
    m->header = m->header == 8 ? 8 : 0; /* unused entries before the first do not look like properties */
    buffer_free(&raw);
    const unsigned char *page = fixed_property(m, WEB_PAGE);
    if (!page) page = fixed_property(m, CODE_PAGE);
    m->charset = page ? charset_by_code_page(little32(page)) : NULL;
    return st;
}

static enum status put_string(struct flow *f, struct message *m, const char *label, enum property id, struct error *err)
{
    struct buffer text = {0};
    enum status st = read_string(m, id, &text, err);
    if (st == DOCKET_OK && text.length) mail_put_header(f, label, text.data);
    buffer_free(&text);
    return st;
}

static enum status put_sender(struct flow *f, struct message *m, struct error *err)
{
    struct buffer name = {0}, address = {0}, both = {0};
    enum status st = read_string(m, SENDER_NAME, &name, err);
    if (st == DOCKET_OK) st = read_string(m, SENDER_ADDRESS, &address, err);
    if (st == DOCKET_OK && !address.length) st = read_string(m, SENDER_OTHER, &address, err);
    if (st == DOCKET_OK && name.length && address.length && strcmp(name.data, address.data) != 0)
        buffer_printf(&both, "%s <%s>", name.data, address.data);
    else if (st == DOCKET_OK && (name.length || address.length))
        buffer_append_str(&both, name.length ? name.data : address.data);
    if (both.failed) st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a header");
    if (st == DOCKET_OK && both.length) mail_put_header(f, "From", both.data);
    buffer_free(&name);
    buffer_free(&address);
    buffer_free(&both);
    return st;
}

/* 100 ns since 1601, in UTC. */
static void put_date(struct flow *f, const struct message *m)
{
    const unsigned char *raw = fixed_property(m, SENT);
    char shown[64];
    struct tm parts;
    if (!raw) raw = fixed_property(m, RECEIVED);
    if (!raw) return;
    uint64_t ticks = little32(raw) | (uint64_t)little32(raw + 4) << 32;
    time_t seconds = (time_t)(ticks / 10000000) - 11644473600;
    if (ticks == 0 || !gmtime_r(&seconds, &parts) || parts.tm_year > 8099) return;
    strftime(shown, sizeof(shown), "%Y-%m-%d %H:%M:%S UTC", &parts);
    mail_put_header(f, "Date", shown);
}

static enum status put_body(struct flow *f, struct message *m, struct extract_sink *sink, struct buffer *rtf,
                            struct error *err)
{
    struct buffer body = {0}, packed = {0};
    bool there = false;
    enum status st = read_string(m, BODY, &body, err);
    size_t visible = body.data ? strspn(body.data, " \t\r\n") : 0;
    (void)sink;
    if (st == DOCKET_OK && body.length > visible) {
        st = mail_put_text(f, body.data, body.length, "utf-8", false, false, err);
        goto done;
    }
    buffer_clear(&body);
    if (st == DOCKET_OK) st = read_property(m, HTML, 0x0102, &body, &there, err);
    if (st == DOCKET_OK && there)
        st = mail_put_text(f, body.data, body.length, m->charset, true, false, err);
    else if (st == DOCKET_OK) {
        st = read_string(m, HTML, &body, err);
        if (st == DOCKET_OK && body.length) {
            st = mail_put_text(f, body.data, body.length, "utf-8", true, false, err);
            goto done;
        }
        if (st == DOCKET_OK) st = read_property(m, RTF, 0x0102, &packed, &there, err);
        if (st == DOCKET_OK && there) st = rtf_unpack(rtf, packed.data, packed.length, err);
    }
done:
    buffer_free(&body);
    buffer_free(&packed);
    return st;
}

static bool give(struct extract_sink *sink, const char *name, const void *bytes, size_t length)
{
    return sink->part_begin(sink, name, strlen(name)) && sink->part_bytes(sink, bytes, length) &&
           sink->part_end(sink, NULL);
}

static void copy_folder(GsfInfile *from, GsfOutfile *to, int depth)
{
    for (int i = 0; i < gsf_infile_num_children(from); i++) {
        const char *name = gsf_infile_name_by_index(from, i);
        GsfInput *child = gsf_infile_child_by_index(from, i);
        bool folder = child && GSF_IS_INFILE(child) && gsf_infile_num_children(GSF_INFILE(child)) >= 0;
        GsfOutput *copy = child && name && depth < MAX_FOLDERS ? gsf_outfile_new_child(to, name, folder) : NULL;
        if (copy && folder)
            copy_folder(GSF_INFILE(child), GSF_OUTFILE(copy), depth + 1);
        else if (copy)
            gsf_input_copy(child, copy);
        if (copy) {
            gsf_output_close(copy);
            g_object_unref(copy);
        }
        if (child) g_object_unref(child);
    }
}

/* A message in a folder of this file, as a file of its own. */
static bool give_message(struct extract_sink *sink, GsfInfile *folder, const char *name)
{
    GsfOutput *memory = gsf_output_memory_new();
    GsfOutfile *file = gsf_outfile_msole_new(memory);
    copy_folder(folder, file, 0);
    gsf_output_close(GSF_OUTPUT(file));
    g_object_unref(file);
    const guint8 *bytes = gsf_output_memory_get_bytes(GSF_OUTPUT_MEMORY(memory));
    char *full = str_format("%.200s.msg", name);
    bool more = !bytes || give(sink, full ? full : "message.msg", bytes, (size_t)gsf_output_size(memory));
    mem_free(full);
    g_object_unref(memory);
    return more;
}

static enum status give_attachment(GsfInfile *folder, const char *charset, struct extract_sink *sink, bool *more,
                                   struct error *err)
{
    static const enum property names[] = {LONG_NAME, SHORT_NAME, SHOWN_NAME};
    struct message *a = mem_alloc(sizeof(*a));
    struct buffer name = {0}, data = {0};
    bool there = false;
    if (!a) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for an attachment");
    enum status st = open_folder(a, folder, err);
    a->charset = charset;
    for (size_t i = 0; i < ARRAY_LENGTH(names) && st == DOCKET_OK && !name.length; i++)
        st = read_string(a, names[i], &name, err);
    const char *shown = name.length ? name.data : "attachment";
    GsfInput *inner = st == DOCKET_OK ? ole_stream(folder, "__substg1.0_3701000D") : NULL;
    if (inner && GSF_IS_INFILE(inner))
        *more = give_message(sink, GSF_INFILE(inner), shown);
    else if (st == DOCKET_OK) {
        st = read_property(a, DATA, 0x0102, &data, &there, err);
        if (st == DOCKET_OK && there) *more = give(sink, shown, data.data ? data.data : "", data.length);
    }
    if (inner) g_object_unref(inner);
    buffer_free(&name);
    buffer_free(&data);
    mem_free(a);
    return st;
}

static enum status give_attachments(struct message *m, const struct extract_input *in, struct extract_sink *sink,
                                    struct error *err)
{
    const size_t most = in->max_members && in->max_members < MAX_ATTACHMENTS ? in->max_members : MAX_ATTACHMENTS;
    enum status st = DOCKET_OK;
    size_t n = 0;
    bool more = true;
    for (int i = 0; i < gsf_infile_num_children(m->folder) && more && st == DOCKET_OK; i++) {
        const char *name = gsf_infile_name_by_index(m->folder, i);
        if (!name || strncmp(name, "__attach_version1.0_", 20) != 0) continue;
        if (++n > most)
            return fail(err, DOCKET_LIMIT, CODE_archive_too_many_members, "more than %zu attachments", most);
        GsfInput *child = gsf_infile_child_by_index(m->folder, i);
        if (child && GSF_IS_INFILE(child)) st = give_attachment(GSF_INFILE(child), m->charset, sink, &more, err);
        if (child) g_object_unref(child);
    }
    return st;
}

enum status ole_read_message(GsfInfile *file, const struct extract_input *in, struct extract_sink *sink,
                             struct error *err)
{
    struct message *m = mem_alloc(sizeof(*m));
    struct buffer rtf = {0};
    struct error late = {0};
    struct flow flow;
    if (!m) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a message");
    flow_init(&flow, sink, in->max_characters);
    enum status st = open_folder(m, file, err);
    if (st == DOCKET_OK) st = put_sender(&flow, m, err);
    if (st == DOCKET_OK) st = put_string(&flow, m, "To", TO, err);
    if (st == DOCKET_OK) st = put_string(&flow, m, "Cc", CC, err);
    if (st == DOCKET_OK) st = put_string(&flow, m, "Subject", SUBJECT, err);
    if (st == DOCKET_OK) put_date(&flow, m);
    if (st == DOCKET_OK) st = put_body(&flow, m, sink, &rtf, err);
    bool done = flow.done;
    enum status end = flow_finish(&flow, &late);
    if (st == DOCKET_OK && end != DOCKET_OK) *err = late, st = end;
    if (st == DOCKET_OK && !done && rtf.length) done = !give(sink, "body.rtf", rtf.data, rtf.length);
    if (st == DOCKET_OK && !done) st = give_attachments(m, in, sink, err);
    buffer_free(&rtf);
    mem_free(m);
    return st;
}
