/* extractors.c: which of the readers of office documents, web pages and e-mail a media type has. */
#include "handlers/documents/extractors.h"

#include "handlers/documents/charset.h"
#include "handlers/documents/mail_text.h"
#include "handlers/documents/ole.h"
#include "worker/base/alloc.h"

#include <string.h>

static const struct {
    const char *begins; /* of the media type */
    extractor *extract;
} readers[] = {
    {"text/html", extract_html},
    {"application/xhtml+xml", extract_html},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.", extract_docx},
    {"application/vnd.openxmlformats-officedocument.presentationml.", extract_pptx},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.", extract_xlsx},
    {"application/vnd.oasis.opendocument.", extract_odf},
    {"message/rfc822", extract_eml},
    {"application/mbox", extract_mbox},
    {"application/vnd.ms-outlook", extract_ole},
    {"application/vnd.ms-powerpoint", extract_ole},
    {"application/x-ole-storage", extract_ole},
};

extractor *extractor_for(const char *media_type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++)
        if (strncmp(media_type, readers[i].begins, strlen(readers[i].begins)) == 0) return readers[i].extract;
    return NULL;
}

void extractors_prepare(void)
{
    charset_prepare();
    mail_prepare();
    ole_prepare();
}
