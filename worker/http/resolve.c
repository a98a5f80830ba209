/* resolve.c: the system's resolver with a limit of time. getaddrinfo cannot be left, so it runs in a thread of its own, which is left
 * instead; who comes last frees what both used. */
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/http/url_guard.h"

#include <netdb.h>
#include <pthread.h>
#include <string.h>

#define POLL_SECONDS 0.05
#define MAX_LOOKUPS  64 /* that hang or run at one time in this process */

struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned users;
    bool done;
    int result;
    struct url_addresses found;
    char host[256];
};

static atomic_uint n_lookups;

static void lookup_leave(struct lookup *l)
{
    pthread_mutex_lock(&l->lock);
    bool last = --l->users == 0;
    pthread_mutex_unlock(&l->lock);
    if (!last) return;
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

static void take_addresses(struct url_addresses *found, const struct addrinfo *list)
{
    struct url_address address;
    for (; list; list = list->ai_next) {
        if (!url_address_of(list->ai_addr, &address)) continue;
        if (found->n < URL_MAX_ADDRESSES) found->items[found->n] = address;
        found->n++;
    }
}

static void *lookup_run(void *context)
{
    struct lookup *l = context;
    const struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int result = getaddrinfo(l->host, NULL, &want, &list);
    pthread_mutex_lock(&l->lock);
    l->result = result;
    if (result == 0) take_addresses(&l->found, list);
    l->done = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (result == 0) freeaddrinfo(list);
    atomic_fetch_sub(&n_lookups, 1);
    lookup_leave(l);
    return NULL;
}

static struct lookup *lookup_start(const char *host)
{
    pthread_attr_t attributes;
    pthread_condattr_t monotonic;
    pthread_t thread;
    struct lookup *l = mem_zalloc(1, sizeof(*l));
    if (!l) return NULL;
    strncpy(l->host, host, sizeof(l->host) - 1);
    l->users = 2;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, lookup_run, l);
    pthread_attr_destroy(&attributes);
    if (!failed) return l;
    l->users = 1;
    lookup_leave(l);
    return NULL;
}

/* Waits under the lock; false when time or patience ended first. */
static bool lookup_wait(struct lookup *l, double seconds, const atomic_bool *stop)
{
    uint64_t begun = clock_now_ns();
    while (!l->done) {
        struct timespec until;
        if ((stop && atomic_load(stop)) || clock_seconds_since(begun) >= seconds) return false;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)(POLL_SECONDS * 1e9);
        if (until.tv_nsec >= (long)NS_PER_SECOND) {
            until.tv_nsec -= (long)NS_PER_SECOND;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&l->changed, &l->lock, &until);
    }
    return true;
}

enum status url_resolve_system(void *context, const char *host, double timeout_seconds, const atomic_bool *stop,
                               struct url_addresses *out, struct error *err)
{
    enum status st = DOCKET_OK;
    (void)context;
    out->n = 0;
    if (atomic_fetch_add(&n_lookups, 1) >= MAX_LOOKUPS) {
        atomic_fetch_sub(&n_lookups, 1);
        return fail(err, DOCKET_NETWORK, CODE_fetch_dns_failed, "%s: too many names are being looked up", host);
    }
    struct lookup *l = lookup_start(host);
    if (!l) {
        atomic_fetch_sub(&n_lookups, 1);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to look up a name");
    }
    pthread_mutex_lock(&l->lock);
    bool ended = lookup_wait(l, timeout_seconds, stop);
    if (!ended && stop && atomic_load(stop))
        st = fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    else if (!ended)
        st = fail(err, DOCKET_TIMEOUT, CODE_fetch_dns_failed, "%s: no answer about its address in %.0f s", host,
                  timeout_seconds);
    else if (l->result == EAI_MEMORY)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to look up a name");
    else if (l->result != 0 || l->found.n == 0)
        st = fail(err, DOCKET_NETWORK, CODE_fetch_dns_failed, "%s has no address", host);
    else
        *out = l->found;
    pthread_mutex_unlock(&l->lock);
    lookup_leave(l);
    return st;
}
