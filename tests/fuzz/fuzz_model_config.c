/* config.json: what is accepted can be computed. */
#include "worker/model/model_config.h"

#include <assert.h>
#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_config c;
    struct error err = {0};
    enum status st = model_config_parse(&c, (const char *)data, size, &err);
    if (st != DOCKET_OK) {
        assert(err.code == CODE_model_config_unsupported && err.message[0] && err.status == st);
        return 0;
    }
    assert(memchr(c.architecture, '\0', sizeof(c.architecture)) && c.architecture[0]);
    assert(c.n_layers && c.dim && c.ffn_dim && c.vocab && c.n_heads && c.n_kv_heads && c.max_position);
    assert(c.head_size >= 2 && c.head_size % 2 == 0 && c.head_size <= KERNELS_MAX_HEAD_SIZE);
    assert(c.n_heads % c.n_kv_heads == 0);
    assert(c.top_k <= c.n_experts && c.n_experts <= KERNELS_MAX_EXPERTS && c.top_k <= KERNELS_MAX_TOP_K);
    assert((c.n_experts == 0) == (c.top_k == 0));
    assert(isfinite((float)c.rope_theta) && (float)c.rope_theta > 0 && (float)c.rms_eps > 0 && c.rms_eps <= 1);
    assert(c.bos_id >= -1 && c.bos_id < (int64_t)c.vocab && c.n_eos <= MODEL_MAX_EOS);
    for (size_t i = 0; i < c.n_eos; i++) assert(c.eos_ids[i] >= 0 && (size_t)c.eos_ids[i] < c.vocab);
    float frequencies[KERNELS_MAX_HEAD_SIZE / 2];
    model_config_frequencies(&c, frequencies);
    for (size_t i = 0; i < c.head_size / 2; i++) assert(isfinite(frequencies[i]) && frequencies[i] >= 0);
    for (size_t l = 0; l < c.n_layers; l++) {
        assert(model_config_experts(&c, l) == 0 || model_config_experts(&c, l) == c.n_experts);
        assert(model_config_ffn_dim(&c, l) > 0);
    }
    assert(isfinite((float)c.clip_qkv) && c.clip_qkv >= 0);
    __int128 experts = c.n_experts ? (__int128)c.n_experts : 1;
    __int128 weights = (3 * experts * (__int128)c.dim * (__int128)c.ffn_dim +
                        2 * (__int128)(c.n_heads + c.n_kv_heads) * (__int128)c.head_size * (__int128)c.dim) *
                           (__int128)c.n_layers +
                       2 * (__int128)c.vocab * (__int128)c.dim;
    assert(weights < (__int128)1 << 60);
    return 0;
}
