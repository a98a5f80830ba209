/* exchange.c: see exchange.h. */
#include "worker/http/exchange.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void start_library(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool http_library_started(void)
{
    pthread_once(&once, start_library);
    return global_result == CURLE_OK;
}

bool http_header_value(const char *line, size_t length, const char *name, char *out, size_t out_bytes)
{
    size_t n = strlen(name);
    if (length <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') return false;
    line += n + 1;
    length -= n + 1;
    while (length && (*line == ' ' || *line == '\t')) line++, length--;
    while (length && strchr(" \t\r\n", line[length - 1])) length--;
    if (length >= out_bytes) length = out_bytes - 1;
    memcpy(out, line, length);
    out[length] = '\0';
    return true;
}
