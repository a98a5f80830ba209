/* hex.h: what one hexadecimal digit stands for. */
#ifndef DOCKET_BASE_HEX_H
#define DOCKET_BASE_HEX_H

/* -1: it is none. */
static inline int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

#endif
