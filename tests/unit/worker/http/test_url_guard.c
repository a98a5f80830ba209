/* Which URLs and addresses the guard lets through: spellings, names, answers of resolvers, redirects. Nothing is connected to. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/http/url_guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define BLOCKED  CODE_url_address_blocked
#define INVALID  CODE_url_invalid
#define SCHEME   CODE_url_scheme_not_allowed
#define REDIRECT CODE_url_redirect_refused
#define FINE     CODE_NONE

static const struct {
    const char *url;
    enum error_code want;
    const char *host; /* of FINE */
} urls[] = {
    /* accepted */
    {"https://files.example/scan.pdf", FINE, "files.example"},
    {"http://files.example/scan.pdf", FINE, "files.example"},
    {"HTTPS://Files.EXAMPLE/scan.pdf", FINE, "files.example"},
    {"hTTp://files.example:8080/", FINE, "files.example"},
    {"https://files.example", FINE, "files.example"},
    {"https://files.example?x=1", FINE, "files.example"},
    {"https://files.example./a", FINE, "files.example"},
    {"https://a_b.files.example/a", FINE, "a_b.files.example"},
    {"https://xn--bcher-kva.example/a", FINE, "xn--bcher-kva.example"},
    {"https://files.example/a#part", FINE, "files.example"},
    {"https://files.example/a?X-Amz-Signature=0f%2B%2F&e=@x", FINE, "files.example"},
    {"https://files.example/a%20b/%E2%82%AC.pdf", FINE, "files.example"},
    {"https://files.example/\xe2\x82\xac.pdf", FINE, "files.example"},
    {"https://files.example/a:b@c", FINE, "files.example"},
    {"https://8.8.8.8/", FINE, "8.8.8.8"},
    {"https://1.1.1.1:443/", FINE, "1.1.1.1"},
    {"https://134744072/", FINE, "8.8.8.8"},
    {"https://[2606:4700:4700::1111]/", FINE, "2606:4700:4700::1111"},
    {"https://[::ffff:8.8.8.8]/", FINE, NULL},
    {"https://[64:ff9b::808:808]/", FINE, NULL},
    {"https://localhost.example/", FINE, "localhost.example"},
    {"https://internal.example/", FINE, "internal.example"},
    {"https://100.128.0.1/", FINE, "100.128.0.1"},
    {"https://172.32.0.1/", FINE, "172.32.0.1"},
    {"https://198.20.0.1/", FINE, "198.20.0.1"},
    {"https://223.255.255.255/", FINE, "223.255.255.255"},
    {"https://192.0.1.1/", FINE, "192.0.1.1"},
    {"https://168.63.129.17/", FINE, "168.63.129.17"},
    /* loopback in all its spellings */
    {"http://127.0.0.1/", BLOCKED, NULL},
    {"http://127.0.0.1:8080/", BLOCKED, NULL},
    {"http://127.1/", BLOCKED, NULL},
    {"http://127.0.1/", BLOCKED, NULL},
    {"http://2130706433/", BLOCKED, NULL},
    {"http://0x7f000001/", BLOCKED, NULL},
    {"http://0x7F.0.0.1/", BLOCKED, NULL},
    {"http://0177.0.0.1/", BLOCKED, NULL},
    {"http://017700000001/", BLOCKED, NULL},
    {"http://127.0.0.1./", BLOCKED, NULL},
    {"http://127.255.255.254/", BLOCKED, NULL},
    {"http://[::1]/", BLOCKED, NULL},
    {"http://[0:0:0:0:0:0:0:1]/", BLOCKED, NULL},
    {"http://[::]/", BLOCKED, NULL},
    {"http://0.0.0.0/", BLOCKED, NULL},
    {"http://0/", BLOCKED, NULL},
    {"http://[::ffff:127.0.0.1]/", BLOCKED, NULL},
    {"http://[::ffff:7f00:1]/", BLOCKED, NULL},
    {"http://[::127.0.0.1]/", BLOCKED, NULL},
    {"http://[::ffff:0:127.0.0.1]/", BLOCKED, NULL},
    {"http://[64:ff9b::7f00:1]/", BLOCKED, NULL},
    {"http://[64:ff9b:1::808:808]/", BLOCKED, NULL},
    {"http://[2002:7f00:1::]/", BLOCKED, NULL},
    {"http://[2002:808:808::1]/", BLOCKED, NULL},
    {"http://[2001::1]/", BLOCKED, NULL},
    {"http://[2001:db8::1]/", BLOCKED, NULL},
    {"http://[3fff::1]/", BLOCKED, NULL},
    {"http://[fe80::1]/", BLOCKED, NULL},
    {"http://[fe80::1%25eth0]/", BLOCKED, NULL},
    {"http://[2606:4700::1%25eth0]/", BLOCKED, NULL},
    {"http://[fc00::1]/", BLOCKED, NULL},
    {"http://[fd12:3456::1]/", BLOCKED, NULL},
    {"http://[ff02::1]/", BLOCKED, NULL},
    {"http://[100::1]/", BLOCKED, NULL},
    {"http://[4000::1]/", BLOCKED, NULL},
    {"http://[5f00::1]/", BLOCKED, NULL},
    /* other networks that are not public */
    {"http://10.0.0.1/", BLOCKED, NULL},
    {"http://10.255.255.255/", BLOCKED, NULL},
    {"http://100.64.0.1/", BLOCKED, NULL},
    {"http://100.127.255.255/", BLOCKED, NULL},
    {"http://169.254.169.254/latest/meta-data/", BLOCKED, NULL},
    {"http://2852039166/latest/meta-data/", BLOCKED, NULL},
    {"http://0xA9FEA9FE/", BLOCKED, NULL},
    {"http://[::ffff:a9fe:a9fe]/", BLOCKED, NULL},
    {"http://172.16.0.1/", BLOCKED, NULL},
    {"http://172.31.255.255/", BLOCKED, NULL},
    {"http://192.0.0.192/", BLOCKED, NULL},
    {"http://192.0.2.1/", BLOCKED, NULL},
    {"http://192.88.99.1/", BLOCKED, NULL},
    {"http://192.168.0.1/", BLOCKED, NULL},
    {"http://198.18.0.1/", BLOCKED, NULL},
    {"http://198.19.255.255/", BLOCKED, NULL},
    {"http://198.51.100.1/", BLOCKED, NULL},
    {"http://203.0.113.1/", BLOCKED, NULL},
    {"http://224.0.0.1/", BLOCKED, NULL},
    {"http://240.0.0.1/", BLOCKED, NULL},
    {"http://255.255.255.255/", BLOCKED, NULL},
    {"http://168.63.129.16/", BLOCKED, NULL},
    /* names */
    {"http://localhost/", BLOCKED, NULL},
    {"http://LOCALHOST:9200/", BLOCKED, NULL},
    {"http://localhost./", BLOCKED, NULL},
    {"http://a.localhost/", BLOCKED, NULL},
    {"http://metadata.google.internal/", BLOCKED, NULL},
    {"http://METADATA.google.INTERNAL./", BLOCKED, NULL},
    {"http://metadata/", BLOCKED, NULL},
    {"http://instance-data/", BLOCKED, NULL},
    {"http://queue.internal/", BLOCKED, NULL},
    {"http://api.default.svc.cluster.local/", BLOCKED, NULL},
    /* two readers, two meanings */
    {"http://1.1.1.1\\@127.0.0.1/", INVALID, NULL},
    {"http:\\\\127.0.0.1/", INVALID, NULL},
    {"http:///127.0.0.1/", INVALID, NULL},
    {"http:////127.0.0.1/", INVALID, NULL},
    {"http:/127.0.0.1/", INVALID, NULL},
    {"http:127.0.0.1", INVALID, NULL},
    {"http://", INVALID, NULL},
    {"http://?x", INVALID, NULL},
    {"http://#x", INVALID, NULL},
    {"", INVALID, NULL},
    {"//files.example/a", INVALID, NULL},
    {"/a", INVALID, NULL},
    {"files.example/a", INVALID, NULL},
    {"://files.example/", INVALID, NULL},
    {"1http://files.example/", INVALID, NULL},
    {"http://user@files.example/", INVALID, NULL},
    {"http://user:secret@files.example/", INVALID, NULL},
    {"http://files.example@127.0.0.1/", INVALID, NULL},
    {"http://@127.0.0.1/", INVALID, NULL},
    {"http://files.example:80@127.0.0.1/", INVALID, NULL},
    {"http://files.example%40127.0.0.1/", INVALID, NULL},
    {"http://127.0.0.1%00.files.example/", INVALID, NULL},
    {"http://%31%32%37.0.0.1/", INVALID, NULL},
    {"http://files example/", INVALID, NULL},
    {"http://files.example/a b", INVALID, NULL},
    {" http://files.example/", INVALID, NULL},
    {"http://files.example/ ", INVALID, NULL},
    {"http://files.example/\r\nHost: x", INVALID, NULL},
    {"http://files.example/\ta", INVALID, NULL},
    {"ht\ntp://files.example/", INVALID, NULL},
    {"http://files.example/\x7f", INVALID, NULL},
    {"http://files.example/\x01", INVALID, NULL},
    {"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", INVALID, NULL},
    {"http://127\xe3\x80\x82"
     "0\xe3\x80\x82"
     "0\xe3\x80\x82"
     "1/",
     INVALID, NULL},
    {"http://b\xc3\xbc"
     "cher.example/",
     INVALID, NULL},
    {"http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", INVALID, NULL},
    {"http://256.0.0.1/", INVALID, NULL},
    {"http://1.2.3.4.5/", INVALID, NULL},
    {"http://files.example.0x7f/", INVALID, NULL},
    {"http://4294967296/", INVALID, NULL},
    {"http://files..example/", INVALID, NULL},
    {"http://.files.example/", INVALID, NULL},
    {"http://files.example../", INVALID, NULL},
    {"http://fi!les.example/", INVALID, NULL},
    {"http://files.example:0/", INVALID, NULL},
    {"http://files.example:65536/", INVALID, NULL},
    {"http://files.example:80:80/", INVALID, NULL},
    {"http://files.example:8a/", INVALID, NULL},
    {"http://files.example:-1/", INVALID, NULL},
    {"http://[::1/", INVALID, NULL},
    {"http://[]/", INVALID, NULL},
    {"http://[127.0.0.1]/", INVALID, NULL},
    {"http://[::1]x/", INVALID, NULL},
    {"http://[v1.x]/", INVALID, NULL},
    /* schemes */
    {"file:///etc/passwd", SCHEME, NULL},
    {"FILE:///etc/passwd", SCHEME, NULL},
    {"ftp://files.example/a", SCHEME, NULL},
    {"gopher://127.0.0.1:6379/_x", SCHEME, NULL},
    {"dict://127.0.0.1:11211/stat", SCHEME, NULL},
    {"data:text/plain,x", SCHEME, NULL},
    {"javascript:alert(1)", SCHEME, NULL},
    {"ldap://files.example/", SCHEME, NULL},
    {"s3://bucket/key", SCHEME, NULL},
    {"http+unix://%2Frun%2Fdocker.sock/", SCHEME, NULL},
    {"httpss://files.example/", SCHEME, NULL},
    {"unix:/run/x", SCHEME, NULL},
};

static void every_spelling_is_accepted_or_refused_as_it_should_be(void **state)
{
    const struct url_guard guard = {0};
    static struct url_target target;
    (void)state;
    assert_true(ARRAY_LENGTH(urls) >= 150);
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct error err = {0};
        enum status st = url_guard_read(&guard, &target, urls[i].url, &err);
        if (err.code != urls[i].want || (st == DOCKET_OK) != (urls[i].want == FINE))
            fail_msg("%s: %s %s (%s)", urls[i].url, error_code_name(err.code), err.message, target.host);
        if (urls[i].host && strcmp(target.host, urls[i].host) != 0) fail_msg("%s: %s", urls[i].url, target.host);
        if (st == DOCKET_OK) assert_null(strchr(target.url, '#'));
        if (strstr(err.message, "secret") || strstr(err.message, "passwd"))
            fail_msg("%s: says %s", urls[i].url, err.message);
    }
}

static void a_url_of_2048_bytes_is_read_and_one_more_is_not(void **state)
{
    const struct url_guard guard = {0};
    static struct url_target target;
    static char url[8200];
    struct error err = {0};
    (void)state;
    memset(url, 'a', sizeof(url) - 1);
    memcpy(url, "https://files.example/", 22);
    url[URL_MAX_BYTES] = '\0';
    assert_int_equal(url_guard_read(&guard, &target, url, &err), DOCKET_OK);
    url[URL_MAX_BYTES] = 'a';
    assert_int_equal(url_guard_read(&guard, &target, url, &err), DOCKET_BAD_INPUT);
    assert_int_equal(err.code, INVALID);
}

static void private_urls_keep_their_rules_of_spelling(void **state)
{
    const struct url_guard guard = {.allow_private = true};
    static struct url_target target;
    struct error err = {0};
    (void)state;
    assert_int_equal(url_guard_read(&guard, &target, "http://localhost:80/", &err), DOCKET_OK);
    assert_int_equal(url_guard_read(&guard, &target, "http://127.1/", &err), DOCKET_OK);
    assert_int_equal(url_guard_resolve(&guard, &target, 1, NULL, &err), DOCKET_OK);
    assert_int_equal(target.addresses.n, 0);
    assert_int_equal(url_guard_read(&guard, &target, "file:///etc/passwd", &err), DOCKET_BAD_INPUT);
    assert_int_equal(url_guard_read(&guard, &target, "http://a@b/", &err), DOCKET_BAD_INPUT);
}

/* A resolver that answers what the case says; after the first time something else, if it says so. */
struct answers {
    const char *first, *then; /* addresses with spaces between; "*n a": n times that one; "!": none in time */
    size_t asked;
};

static enum status answer(void *context, const char *host, double timeout_seconds, const atomic_bool *stop,
                          struct url_addresses *out, struct error *err)
{
    struct answers *a = context;
    const char *text = a->asked++ && a->then ? a->then : a->first;
    size_t times = 1;
    int used = 0;
    (void)host, (void)timeout_seconds, (void)stop;
    out->n = 0;
    if (text[0] == '!') return fail(err, DOCKET_TIMEOUT, CODE_fetch_dns_failed, "no answer");
    if (sscanf(text, "*%zu %n", &times, &used) == 1) text += used;
    while (*text) {
        char one[64];
        struct url_address address;
        assert_int_equal(sscanf(text, "%63s%n", one, &used), 1);
        text += used;
        text += strspn(text, " ");
        assert_true(url_address_read(one, &address));
        for (size_t i = 0; i < times; i++, out->n++)
            if (out->n < URL_MAX_ADDRESSES) out->items[out->n] = address;
        times = 1;
    }
    return DOCKET_OK;
}

static void all_answers_of_a_resolver_have_to_be_public(void **state)
{
    static const struct {
        const char *name, *first;
        enum error_code want;
        size_t n;
    } cases[] = {
        {"one", "8.8.8.8", FINE, 1},
        {"both_families", "8.8.8.8 2606:4700:4700::1111", FINE, 2},
        {"two_hundred", "*200 8.8.4.4", FINE, 200},
        {"as_many_as_there_may_be", "*256 8.8.4.4", FINE, 256},
        {"more_than_are_kept", "*257 8.8.4.4", BLOCKED, 0},
        {"loopback", "127.0.0.1", BLOCKED, 0},
        {"private", "10.1.2.3", BLOCKED, 0},
        {"link_local", "169.254.169.254", BLOCKED, 0},
        {"shared", "100.100.100.200", BLOCKED, 0},
        {"wire_server", "168.63.129.16", BLOCKED, 0},
        {"unique_local", "fd00:ec2::254", BLOCKED, 0},
        {"mapped", "::ffff:10.0.0.1", BLOCKED, 0},
        {"mixed_private_last", "8.8.8.8 10.0.0.1", BLOCKED, 0},
        {"mixed_private_first", "192.168.1.1 8.8.8.8", BLOCKED, 0},
        {"mixed_families", "8.8.8.8 ::1", BLOCKED, 0},
        {"mixed_families_other", "127.0.0.1 2606:4700:4700::1111", BLOCKED, 0},
        {"two_hundred_one_private", "*199 8.8.4.4 10.0.0.1", BLOCKED, 0},
        {"none", "", CODE_fetch_dns_failed, 0},
        {"no_answer", "!", CODE_fetch_dns_failed, 0},
    };
    static struct url_target target;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct answers a = {.first = cases[i].first};
        const struct url_guard guard = {.resolver = {answer, &a}};
        struct error err = {0};
        assert_int_equal(url_guard_read(&guard, &target, "https://files.example/", &err), DOCKET_OK);
        enum status st = url_guard_resolve(&guard, &target, 1, NULL, &err);
        if (err.code != cases[i].want || (st == DOCKET_OK) != (cases[i].want == FINE) ||
            target.addresses.n != cases[i].n)
            fail_msg("%s: %s, %zu addresses", cases[i].name, err.message, target.addresses.n);
    }
}

static void an_answer_that_changes_is_judged_each_time(void **state)
{
    struct answers a = {.first = "8.8.8.8", .then = "127.0.0.1"};
    const struct url_guard guard = {.resolver = {answer, &a}};
    static struct url_target target;
    struct error err = {0};
    (void)state;
    assert_int_equal(url_guard_read(&guard, &target, "https://files.example/", &err), DOCKET_OK);
    assert_int_equal(url_guard_resolve(&guard, &target, 1, NULL, &err), DOCKET_OK);
    assert_int_equal(url_guard_resolve(&guard, &target, 1, NULL, &err), DOCKET_REFUSED);
    assert_int_equal(err.code, BLOCKED);
    assert_int_equal(target.addresses.n, 0); /* nothing is left that could be dialled */
}

static void redirects_are_read_from_the_start(void **state)
{
    static const struct {
        const char *from, *location, *want; /* NULL: refused */
    } cases[] = {
        {"https://files.example/a/b?q", "https://other.example/c", "https://other.example/c"},
        {"https://files.example/a/b?q", "/c", "https://files.example/c"},
        {"https://files.example/a/b?q", "c?d=:e", "https://files.example/a/c?d=:e"},
        {"https://files.example/a/b?q", "../c", "https://files.example/c"},
        {"https://files.example/a/b?q", "?r", "https://files.example/a/b?r"},
        {"https://files.example/a/b?q", "//other.example/c", "https://other.example/c"},
        {"https://files.example/a", "https://files.example:8443/a", "https://files.example:8443/a"},
        {"http://files.example/a", "https://files.example/a", "https://files.example/a"},
        {"http://files.example/a", "http://files.example/b", "http://files.example/b"},
        {"https://files.example/a", "http://files.example/a", NULL},
        {"https://files.example/a", "HTTP://files.example/a", NULL},
        {"https://files.example/a", "", NULL},
        {"http://files.example/a", "http://127.0.0.1/", NULL},
        {"http://files.example/a", "//127.0.0.1/", NULL},
        {"http://files.example/a", "//localhost/", NULL},
        {"http://files.example/a", "http://2130706433/", NULL},
        {"http://files.example/a", "http://[::1]/", NULL},
        {"http://files.example/a", "http:///127.0.0.1/", NULL},
        {"http://files.example/a", "http:127.0.0.1", NULL},
        {"http://files.example/a", "///127.0.0.1/", NULL},
        {"http://files.example/a", "/\\127.0.0.1/", NULL},
        {"http://files.example/a", "\\\\127.0.0.1/", NULL},
        {"http://files.example/a", "//user@other.example/", NULL},
        {"http://files.example/a", "http://other.example@127.0.0.1/", NULL},
        {"http://files.example/a", "file:///etc/passwd", NULL},
        {"http://files.example/a", "gopher://other.example/", NULL},
        {"http://files.example/a", "data:,x", NULL},
        {"http://files.example/a", "http://other.example/a b", NULL},
        {"http://files.example/a", "http://other.example/\ta", NULL},
    };
    const struct url_guard guard = {0};
    static struct url_target from, to;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = {0};
        assert_int_equal(url_guard_read(&guard, &from, cases[i].from, &err), DOCKET_OK);
        enum status st = url_guard_redirect(&guard, &to, &from, cases[i].location, &err);
        bool right = cases[i].want ? st == DOCKET_OK && strcmp(to.url, cases[i].want) == 0
                                   : st == DOCKET_REFUSED && err.code == REDIRECT;
        if (!right) fail_msg("%s: %s %s", cases[i].location, st == DOCKET_OK ? to.url : "", err.message);
    }
}

/* Both ends of every range, and their neighbours. */
static void ranges_end_where_the_registries_say(void **state)
{
    static const struct {
        const char *first, *last;
        bool first_alone, last_alone; /* the neighbour is blocked too */
    } v4[] = {
        {"0.0.0.0", "0.255.255.255", true, false},        {"10.0.0.0", "10.255.255.255", false, false},
        {"100.64.0.0", "100.127.255.255", false, false},  {"127.0.0.0", "127.255.255.255", false, false},
        {"169.254.0.0", "169.254.255.255", false, false}, {"172.16.0.0", "172.31.255.255", false, false},
        {"192.0.0.0", "192.0.0.255", false, false},       {"192.0.2.0", "192.0.2.255", false, false},
        {"192.88.99.0", "192.88.99.255", false, false},   {"192.168.0.0", "192.168.255.255", false, false},
        {"198.18.0.0", "198.19.255.255", false, false},   {"198.51.100.0", "198.51.100.255", false, false},
        {"203.0.113.0", "203.0.113.255", false, false},   {"224.0.0.0", "255.255.255.255", false, true},
        {"168.63.129.16", "168.63.129.16", false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(v4); i++) {
        struct in_addr low, high;
        struct url_address a = {0};
        assert_int_equal(inet_pton(AF_INET, v4[i].first, &low), 1);
        assert_int_equal(inet_pton(AF_INET, v4[i].last, &high), 1);
        uint32_t ends[] = {ntohl(low.s_addr), ntohl(high.s_addr), ntohl(low.s_addr) - 1, ntohl(high.s_addr) + 1};
        for (size_t k = 0; k < 4; k++) {
            if ((k == 2 && v4[i].first_alone) || (k == 3 && v4[i].last_alone)) continue;
            uint32_t n = htonl(ends[k]);
            memcpy(a.bytes, &n, 4);
            if (url_address_public(&a) != (k >= 2)) fail_msg("%s to %s, end %zu", v4[i].first, v4[i].last, k);
        }
    }
    static const struct {
        const char *address;
        bool public;
    } v6[] = {
        {"1fff:ffff::1", false},      {"2000::1", true},     {"2000:ffff::1", true},    {"2001::", false},
        {"2001:1ff:ffff::1", false},  {"2001:200::", true},  {"2001:db7:ffff::", true}, {"2001:db8::", false},
        {"2001:db8:ffff::1", false},  {"2001:db9::", true},  {"2001:ffff::1", true},    {"2002::", false},
        {"2002:ffff:ffff::1", false}, {"2003::", true},      {"3ffe:ffff::1", true},    {"3fff::", false},
        {"3fff:fff:ffff::1", false},  {"3fff:1000::", true}, {"3fff:ffff::1", true},    {"4000::", false},
        {"fec0::1", false},           {"ffff::", false},     {"64:ff9b::a00:1", false}, {"64:ff9b::1:808:808", false},
        {"::ffff:0:10.0.0.1", false}, {"::10.0.0.1", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(v6); i++) {
        struct url_address a;
        assert_true(url_address_read(v6[i].address, &a));
        if (url_address_public(&a) != v6[i].public) fail_msg("%s", v6[i].address);
    }
}

static void any_allocation_may_fail(void **state)
{
    struct answers a = {.first = "8.8.8.8"};
    const struct url_guard guard = {.resolver = {answer, &a}};
    static struct url_target target;
    struct error err = {0};
    (void)state;
    for (size_t n = 1;; n++) {
        mem_fail_at(n, false);
        enum status st = url_guard_read(&guard, &target, "https://files.example/", &err);
        if (st == DOCKET_OK) st = url_guard_resolve(&guard, &target, 1, NULL, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        assert_true(st == DOCKET_OK ? done : st == DOCKET_NO_MEMORY);
        if (done) break;
    }
    for (size_t n = 1; n < 4; n++) { /* the system's, whose thread may be late */
        struct url_addresses found;
        mem_fail_at(n, false);
        enum status st = url_resolve_system(NULL, "localhost", 20, NULL, &found, &err);
        mem_fail_at(0, false);
        assert_true(st == DOCKET_OK || st == DOCKET_NO_MEMORY || err.code == CODE_fetch_dns_failed);
    }
}

static void the_system_resolves_and_can_be_left(void **state)
{
    static struct url_addresses found;
    struct error err = {0};
    atomic_bool stop = true;
    (void)state;
    assert_int_equal(url_resolve_system(NULL, "127.0.0.1", 20, NULL, &found, &err), DOCKET_OK);
    assert_int_equal(found.n, 1);
    assert_false(url_address_public(&found.items[0]));
    enum status st = url_resolve_system(NULL, "no-such-name.invalid", 20, &stop, &found, &err);
    assert_true(st == DOCKET_CANCELLED || err.code == CODE_fetch_dns_failed);
    assert_true(url_resolve_system(NULL, "no-such-name.invalid", 0, NULL, &found, &err) != DOCKET_OK);
    assert_int_equal(err.code, CODE_fetch_dns_failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_is_accepted_or_refused_as_it_should_be),
        cmocka_unit_test(a_url_of_2048_bytes_is_read_and_one_more_is_not),
        cmocka_unit_test(private_urls_keep_their_rules_of_spelling),
        cmocka_unit_test(all_answers_of_a_resolver_have_to_be_public),
        cmocka_unit_test(an_answer_that_changes_is_judged_each_time),
        cmocka_unit_test(redirects_are_read_from_the_start),
        cmocka_unit_test(ranges_end_where_the_registries_say),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(the_system_resolves_and_can_be_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
