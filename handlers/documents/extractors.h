/* extractors.h: the readers of office documents, web pages and e-mail. What each reads and leaves out stands at the head of its file. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_EXTRACTORS_H
#define DOCKET_HANDLERS_DOCUMENTS_EXTRACTORS_H

#include "handlers/documents/extractor.h"

extractor extract_html;
extractor extract_docx, extract_pptx, extract_xlsx; /* and their templates and kin with macros */
extractor extract_odf;                              /* text, spreadsheet, presentation, drawing */
extractor extract_eml, extract_mbox;
extractor
    extract_ole; /* by what is in it: an Outlook message, slides, or an encrypted office document; others are refused by name */

/* By media type; NULL: none of these. */
extractor *extractor_for(const char *media_type);
/* Loads what libraries would load from files while they read. Once, before a sandbox, by one thread. */
void extractors_prepare(void);

#endif
