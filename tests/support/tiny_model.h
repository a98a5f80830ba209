/* tiny_model.h: a random Mixtral in memory, for tests of what runs on a model. */
#ifndef DOCKET_TESTS_SUPPORT_TINY_MODEL_H
#define DOCKET_TESTS_SUPPORT_TINY_MODEL_H

#include "worker/model/device.h"
#include "worker/model/model_config.h"
#include "worker/model/weights.h"

struct tiny_model {
    struct device device;
    struct model_config config;
    struct model_weights weights;
};

/* 2 layers, 64 wide, 4 heads on 2, 4 experts of 96, 2 of them a token, 61 words, 512 positions. false: prints why. */
bool tiny_model_open(struct tiny_model *model, const char *backend, unsigned n_threads, uint64_t seed);
void tiny_model_close(struct tiny_model *model);

#endif
