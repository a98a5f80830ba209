/* xlsx_numbers.h: a cell's number as its format shows it, as far as that changes its meaning: dates, times, percentages. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_XLSX_NUMBERS_H
#define DOCKET_HANDLERS_DOCUMENTS_XLSX_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

enum number_kind { NUMBER_PLAIN, NUMBER_DATE, NUMBER_TIME, NUMBER_DATE_TIME, NUMBER_PERCENT };
#define NUMBER_BYTES 48

enum number_kind number_kind_of_id(size_t id); /* of the formats that every file has */
enum number_kind number_kind_of_code(const char *format_code);
/* `value` as it stands in the file; what is no number comes back as it is, cut to NUMBER_BYTES. */
void number_show(char out[NUMBER_BYTES], const char *value, enum number_kind kind, bool from_1904);

#endif
