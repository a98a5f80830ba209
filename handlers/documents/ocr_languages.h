/* ocr_languages.h: languages that images are read in, by the names of tesseract's data: "eng", "chi_sim". */
#ifndef DOCKET_HANDLERS_DOCUMENTS_OCR_LANGUAGES_H
#define DOCKET_HANDLERS_DOCUMENTS_OCR_LANGUAGES_H

#include "worker/base/buffer.h"
#include "worker/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define MAX_OCR_LANGUAGES      8
#define MAX_OCR_LANGUAGE_BYTES 30
#define MAX_OCR_WORD           127 /* of all, joined by + */
enum ocr_language_state { OCR_LANGUAGE_MISSING, OCR_LANGUAGE_DAMAGED, OCR_LANGUAGE_READY };
bool ocr_language_name(const char *name, size_t length); /* letters, digits and _ */
enum ocr_language_state ocr_language_state(const char *name, size_t length);
void ocr_languages_list(struct buffer *out); /* "deu, eng", or "none" */
/* "eng+deu": ocr_unavailable for the first that is missing (NOT_FOUND; names what is installed) or damaged (CORRUPT). */
enum status ocr_languages_check(const char *languages, struct error *err);

#endif
