/* version.c: asks compiler and libraries who they are; the one file outside their own rooms that includes all of them. */
#include "handlers/version.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <archive.h>
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <magic.h>
#include <openssl/crypto.h>
#include <pcre2.h>
#include <seccomp.h>
#include <utf8proc.h>

#ifndef DOCKET_VERSION
#define DOCKET_VERSION "unknown"
#endif
#ifndef DOCKET_COMMIT
#define DOCKET_COMMIT "unknown"
#endif

const char *docket_version(void)
{
    return DOCKET_VERSION;
}

const char *docket_commit(void)
{
    return DOCKET_COMMIT;
}

void version_write(struct buffer *out, bool verbose)
{
#ifdef __clang__
    const char *compiler = "clang " __clang_version__;
#else
    const char *compiler = "gcc " __VERSION__;
#endif
    char pcre2[64] = "unknown";
    buffer_printf(out, "docket %s (commit %s, %s)\n", DOCKET_VERSION, DOCKET_COMMIT, compiler);
    if (!verbose) return;
    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) <= (int)sizeof(pcre2)) pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    buffer_printf(out, "  %s\n  cJSON %s\n  %s\n  PCRE2 %s\n  utf8proc %s\n  %s\n", curl_version(), cJSON_Version(),
                  archive_version_details(), pcre2, utf8proc_version(), OpenSSL_version(OPENSSL_VERSION));
    const struct scmp_version *seccomp = seccomp_version();
    buffer_printf(out, "  libmagic %d.%02d\n", magic_version() / 100, magic_version() % 100);
    if (seccomp) buffer_printf(out, "  libseccomp %u.%u.%u\n", seccomp->major, seccomp->minor, seccomp->micro);
}
