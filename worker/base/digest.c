/* digest.c: checksums by OpenSSL, which uses the CPU's own instructions where it has them. */
#include "worker/base/digest.h"

#include "worker/base/alloc.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES (256 * KIB)

struct digest {
    EVP_MD_CTX *context;
    bool failed;
};

enum status digest_open(struct digest **out, enum digest_kind kind, uint64_t size_bytes, struct error *err)
{
    char head[40];
    struct digest *digest = mem_zalloc(1, sizeof(*digest));
    if (digest) digest->context = EVP_MD_CTX_new();
    if (!digest || !digest->context ||
        EVP_DigestInit_ex(digest->context, kind == DIGEST_SHA256 ? EVP_sha256() : EVP_sha1(), NULL) != 1) {
        digest_close(digest);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a checksum");
    }
    if (kind == DIGEST_GIT_BLOB) {
        int n = snprintf(head, sizeof(head), "blob %llu", (unsigned long long)size_bytes);
        digest_add(digest, head, (size_t)n + 1); /* its NUL is part of what is summed */
    }
    *out = digest;
    return DOCKET_OK;
}

bool digest_add(struct digest *digest, const void *bytes, size_t length)
{
    if (EVP_DigestUpdate(digest->context, bytes, length) != 1) digest->failed = true;
    return !digest->failed;
}

bool digest_end(struct digest *digest, char hex[DIGEST_HEX_BYTES])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    if (digest->failed || EVP_DigestFinal_ex(digest->context, sum, &n) != 1 || n * 2 >= DIGEST_HEX_BYTES) return false;
    for (unsigned int i = 0; i < n; i++) {
        hex[2 * i] = "0123456789abcdef"[sum[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
    }
    hex[2 * n] = '\0';
    return true;
}

void digest_close(struct digest *digest)
{
    if (!digest) return;
    EVP_MD_CTX_free(digest->context);
    mem_free(digest);
}

enum status digest_file(int fd, enum digest_kind kind, uint64_t size_bytes, const char *name,
                        char hex[DIGEST_HEX_BYTES], struct error *err)
{
    struct digest *digest = NULL;
    char *piece = mem_alloc(PIECE_BYTES);
    enum status st = piece ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory for a checksum", name);
    if (st == DOCKET_OK) st = digest_open(&digest, kind, size_bytes, err);
    for (off_t at = 0; st == DOCKET_OK;) {
        ssize_t n = pread(fd, piece, PIECE_BYTES, at);
        if (n == 0) break;
        if (n > 0) {
            digest_add(digest, piece, (size_t)n);
            at += n;
        } else if (errno != EINTR) {
            st = fail(err, DOCKET_IO, CODE_model_read_error, "%s: reading at offset %lld: %s", name, (long long)at,
                      strerrordesc_np(errno));
        }
    }
    if (st == DOCKET_OK && !digest_end(digest, hex))
        st = fail(err, DOCKET_INTERNAL, CODE_NONE, "%s: the checksum cannot be computed", name);
    digest_close(digest);
    mem_free(piece);
    return st;
}
