/* The pace of the heartbeat, its repeats, the list of ids, and the back-off of everything else. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/queue/backoff.h"
#include "worker/queue/heartbeat.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void beats_keep_their_times_and_never_follow_at_once(void **state)
{
    static const struct {
        const char *name;
        uint64_t due, begun, want;
    } cases[] = {
        {"in_time", 1000, 1000, 1100},
        {"a_little_late_keeps_the_grid", 1000, 1015, 1100},
        {"late_moves_the_grid", 1000, 1030, 1130},
        {"after_standing_still", 1000, 60000, 60100},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint64_t next = heartbeat_next_due(cases[i].due, cases[i].begun, 100);
        if (next != cases[i].want) fail_msg("%s: %llu", cases[i].name, (unsigned long long)next);
        assert_true(next - cases[i].begun <= 120 && next - cases[i].begun >= 80);
    }
}

static void repeats_wait_0_2_and_4_seconds_and_never_stretch_the_pace(void **state)
{
    (void)state;
    assert_true(heartbeat_retry_wait(2, 10, -1) == 0);
    assert_true(heartbeat_retry_wait(3, 10, -1) == 2);
    assert_true(heartbeat_retry_wait(4, 8, -1) == 4);
    assert_true(heartbeat_retry_wait(5, 10, -1) == -1);
    assert_true(heartbeat_retry_wait(3, 1, -1) == -1); /* the next beat comes first */
    assert_true(heartbeat_retry_wait(2, 10, 3) == 3);  /* Retry-After */
    assert_true(heartbeat_retry_wait(2, 10, 30) == -1);
}

static void backoff_grows_to_its_cap_with_jitter(void **state)
{
    (void)state;
    double low = 1e9, high = 0;
    for (unsigned failures = 1; failures < 100; failures++)
        for (uint64_t chance = 0; chance < 16; chance++) {
            double s = backoff_seconds(failures, 1, 60, -1, chance << 60);
            assert_true(s >= 1 && s <= 60);
            if (failures == 4) {
                low = s < low ? s : low;
                high = s > high ? s : high;
            }
        }
    assert_true(low == 6 && high > 9 && high < 10); /* 8 s, a quarter either way */
    assert_true(backoff_seconds(1, 1, 60, 300, 0) == 300);
    assert_true(backoff_seconds(50, 1, 60, 2, 0) >= 45);
    assert_true(backoff_chance() != backoff_chance());
}

static void ids_are_joined_encoded_and_cut_whole(void **state)
{
    struct id_list *list = NULL;
    struct error err;
    char id[1025];
    (void)state;
    assert_int_equal(id_list_open(&list, &err), DOCKET_OK);
    assert_string_equal(id_list_read(list), "");
    id_list_begin(list);
    assert_true(id_list_add(list, "b1"));
    assert_true(id_list_add(list, "a/b,c"));
    assert_string_equal(id_list_read(list), ""); /* not yet published */
    id_list_publish(list);
    assert_string_equal(id_list_read(list), "b1%2Ca%2Fb%2Cc");
    assert_string_equal(id_list_read(list), "b1%2Ca%2Fb%2Cc");
    id_list_begin(list);
    id_list_publish(list);
    assert_string_equal(id_list_read(list), "");
    memset(id, 'x', 1024);
    id[1024] = '\0';
    id_list_begin(list);
    size_t n = 0;
    while (id_list_add(list, id)) n++;
    assert_false(id_list_add(list, "y")); /* cut stays cut: order is kept */
    id_list_publish(list);
    assert_int_equal(n, (ID_LIST_BYTES + 3) / 1027);
    assert_int_equal(strlen(id_list_read(list)), n * 1027 - 3);
    id_list_close(list);
}

static void *publish_many(void *context)
{
    struct id_list *list = context;
    for (int i = 0; i < 20000; i++) {
        char id[16];
        id_list_begin(list);
        snprintf(id, sizeof(id), "%05d", i);
        for (int n = 0; n < 20; n++) id_list_add(list, id);
        id_list_publish(list);
    }
    return NULL;
}

static void a_reader_never_sees_half_a_list(void **state)
{
    struct id_list *list = NULL;
    struct error err;
    pthread_t thread;
    long last = -1;
    (void)state;
    assert_int_equal(id_list_open(&list, &err), DOCKET_OK);
    pthread_create(&thread, NULL, publish_many, list);
    while (last != 19999) {
        const char *text = id_list_read(list);
        if (!text[0]) continue;
        long value = strtol(text, NULL, 10);
        assert_true(value >= last); /* never older than before */
        assert_int_equal(strlen(text), 20 * 5 + 19 * 3);
        for (int i = 0; i < 20; i++) assert_memory_equal(text + i * 8, text, 5);
        last = value;
    }
    pthread_join(thread, NULL);
    id_list_close(list);
}

/* A queue whose pings are counted and answered as told. */
struct fake {
    struct queue table;
    atomic_int pings, resets, failing;
    atomic_bool hang;
    char ids[64];
};

static void fake_ping(void *self, const char *ids, double timeout, const atomic_bool *stop, const atomic_bool *stop2,
                      struct queue_answer *out)
{
    struct fake *f = self;
    (void)stop2;
    memset(out, 0, sizeof(*out));
    out->retry_after_seconds = -1;
    snprintf(f->ids, sizeof(f->ids), "%s", ids);
    if (atomic_load(&f->hang)) clock_sleep(timeout, stop);
    out->verdict = atomic_fetch_sub(&f->failing, 1) > 0 || atomic_load(&f->hang) ? QUEUE_RETRY : QUEUE_DONE;
    atomic_fetch_add(&f->pings, 1);
}

static void wait_pings(struct fake *f, int n)
{
    while (atomic_load(&f->pings) < n) clock_sleep(0.001, NULL);
}

static void a_failed_ping_is_repeated_within_its_beat(void **state)
{
    struct fake f = {.failing = 1};
    struct id_list *ids = NULL;
    struct heartbeat *h = NULL;
    struct error err;
    (void)state;
    f.table = (struct queue){.self = &f, .ping = fake_ping};
    assert_int_equal(id_list_open(&ids, &err), DOCKET_OK);
    id_list_begin(ids);
    id_list_add(ids, "a");
    id_list_publish(ids);
    assert_int_equal(heartbeat_start(&h, &f.table, ids, 3600, &err), DOCKET_OK); /* no second beat in this test */
    wait_pings(&f, 2);
    heartbeat_wait_first(h, 10, NULL);
    assert_string_equal(f.ids, "a");
    heartbeat_stop(h);
    assert_int_equal(atomic_load(&f.pings), 2);
    id_list_close(ids);
}

static void a_silent_peer_does_not_stop_the_beats(void **state)
{
    struct fake f = {.hang = true};
    struct id_list *ids = NULL;
    struct heartbeat *h = NULL;
    struct error err;
    (void)state;
    f.table = (struct queue){.self = &f, .ping = fake_ping};
    assert_int_equal(id_list_open(&ids, &err), DOCKET_OK);
    assert_int_equal(heartbeat_start(&h, &f.table, ids, 0.1, &err), DOCKET_OK);
    wait_pings(&f, 3); /* each is given up when the next is due */
    assert_true(atomic_load(&heartbeat_facts(h)->failures_in_a_row) >= 2);
    heartbeat_stop(h);
    id_list_close(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beats_keep_their_times_and_never_follow_at_once),
        cmocka_unit_test(repeats_wait_0_2_and_4_seconds_and_never_stretch_the_pace),
        cmocka_unit_test(backoff_grows_to_its_cap_with_jitter),
        cmocka_unit_test(ids_are_joined_encoded_and_cut_whole),
        cmocka_unit_test(a_reader_never_sees_half_a_list),
        cmocka_unit_test(a_failed_ping_is_repeated_within_its_beat),
        cmocka_unit_test(a_silent_peer_does_not_stop_the_beats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
