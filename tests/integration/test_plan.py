"""docket plan against the sizes of well-known models, from their config.json alone."""

import json
import subprocess

import pytest

from support import BUILD, MODEL, MODEL_CACHE, missing

DOCKET = str(BUILD / "docket")
GIB = 1 << 30
BASE = {"hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2, "vocab_size": 32000,
        "torch_dtype": "bfloat16", "max_position_embeddings": 4096, "tie_word_embeddings": False}
CONFIGS = {
    "mixtral-8x7b": {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
                     "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8,
                     "num_experts_per_tok": 2, "max_position_embeddings": 32768, "rope_theta": 1e6},
    "mistral-7b": {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
                   "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 32768},
    "llama2-7b": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
                  "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32},
    "tinyllama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
                  "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4, "max_position_embeddings": 2048},
    "gemma-2b": {"architectures": ["GemmaForCausalLM"], "model_type": "gemma", "hidden_size": 2048, "intermediate_size": 16384,
                 "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 256000,
                 "hidden_act": "gelu", "max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "tie_word_embeddings": True},
}
# billions of parameters; GiB in bf16, nf4 with double quantization, q1; linear weights, for the formats that cost a row something
KNOWN = {"mixtral-8x7b": (46.70, 86.99, 22.80, 7.25), "mistral-7b": (7.24, 13.49, 3.84, 1.50), "llama2-7b": (6.74, 12.55, 3.60, 1.43),
         "tinyllama": (1.10, 2.05, 0.71, 0.39), "gemma-2b": (2.51, 4.67, 1.93, 1.27)}
BITS = {"none": 16, "nf4": 4.126953125, "nf4-plain": 4.5, "fp4": 4.126953125, "q8": 8.5, "q4": 4.5, "q2": 2.5, "q1": 1.25}

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


@pytest.fixture
def plan(tmp_path):
    def run(name, *words, expect=0, **changes):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**BASE, **CONFIGS[name], **changes}))
        said = subprocess.run([DOCKET, "plan", "--model", str(path), "--json", *words], env={}, capture_output=True, text=True, timeout=60,
                              check=False)
        assert said.returncode == expect, said.stderr
        return json.loads(said.stdout) if expect == 0 else said.stderr
    return run


@pytest.mark.parametrize("name", KNOWN)
def test_known_sizes(plan, name):
    parameters, *sizes = KNOWN[name]
    for quantization, want in zip(("none", "nf4", "q1"), sizes):
        told = plan(name, "--quantization", quantization)
        assert f"{told['parameters'] / 1e9:.2f}" == f"{parameters:.2f}"
        assert f"{told['weights_bytes'] / GIB:.2f}" == f"{want:.2f}", quantization
        assert sum(part["bytes"] for part in told["parts"]) == told["weights_bytes"]


@pytest.mark.parametrize("quantization", BITS)
def test_linear_weights_cost_their_bits(plan, quantization):
    told = plan("mixtral-8x7b", "--quantization", quantization)
    for part in told["parts"]:
        quantized = part["part"] in ("attention", "experts")
        bits = BITS[quantization] if quantized else 16
        assert abs(part["bytes"] - part["parameters"] * bits / 8) <= 1e-6 * part["bytes"] + 64, part


def test_int8_has_a_scale_a_row(plan):
    """8 bits a weight and one f32 a row: 32 layers of 10,240 rows of attention, 8 experts of 32,768 rows."""
    parts = {part["part"]: part for part in plan("mixtral-8x7b", "--quantization", "int8")["parts"]}
    assert parts["attention"]["bytes"] == parts["attention"]["parameters"] + 32 * 10240 * 4
    assert parts["experts"]["bytes"] == parts["experts"]["parameters"] + 32 * 8 * 32768 * 4


def test_parts_have_formats_of_their_own(plan):
    parts = {part["part"]: part["format"] for part in plan("mixtral-8x7b", "--quantization", "nf4,experts=q2,head=int8")["parts"]}
    assert parts == {"embedding": "none", "attention": "nf4", "experts": "q2", "head": "int8", "rest": "none"}


@pytest.mark.parametrize("kv, bytes_a_token", [("f16", 131072), ("f32", 262144), ("q8_0", 69632), ("q4_0", 36864)])
def test_cache_bytes_a_token(plan, kv, bytes_a_token):
    """Mixtral: 2 x 32 layers x 8 heads x 128 values: 128 KiB a token in f16, 34 and 18 bytes for 32 values in the others."""
    told = plan("mixtral-8x7b", "--kv", kv, "--context", "4096")
    assert told["kv_bytes_per_token"] == bytes_a_token
    [row] = told["contexts"]
    assert row["kv_bytes"] == bytes_a_token * row["kv_slots"] and row["kv_slots"] >= 2 * 4096
    assert row["total_bytes"] == told["weights_bytes"] + row["kv_bytes"] + row["activation_bytes"]


def test_what_does_not_fit_is_left_to_the_host_in_order(plan):
    """A larger device never holds less; embedding first, then experts, then layers; nothing is lost."""
    before = None
    for gib in (1, 2, 4, 6, 8, 12, 16, 20, 24, 26, 28, 32):
        row = plan("mixtral-8x7b", "--quantization", "nf4", "--gpu-memory", f"{gib}GiB", "--context", "4096")["contexts"][0]
        assert row["device_bytes"] + row["host_bytes"] == row["total_bytes"]
        if row["fits"]:
            assert row["device_bytes"] <= gib * GIB and row["spare_bytes"] == gib * GIB - row["device_bytes"]
        assert row["embedding_on_host"] or not row["experts_on_host"]
        assert row["experts_on_host"] == 256 or not row["layers_on_host"]
        if before is not None:
            assert row["host_bytes"] <= before["host_bytes"] and row["fits"] >= before["fits"]
        before = row
    assert before["fits"] and before["host_bytes"] == 0
    assert not plan("mixtral-8x7b", "--gpu-memory", "1GiB", "--context", "32768")["contexts"][0]["fits"]


def test_a_tied_table_stays_on_the_device(plan):
    row = plan("gemma-2b", "--gpu-memory", "3GiB", "--context", "4096")["contexts"][0]
    assert not row["embedding_on_host"] and row["layers_on_host"]


@pytest.mark.parametrize("words, code", [(["--gpu-memory", "lots"], 78), (["--gpu-memory", "-1GiB"], 78), (["--kv", "f8"], 78),
                                         (["--quantization", "nf5"], 78), (["--context", "999999999"], 78), (["--context", "0"], 64)])
def test_bad_words_are_named(plan, words, code):
    assert words[1] in plan("mixtral-8x7b", *words, expect=code)


@pytest.mark.parametrize("changes", [{"num_hidden_layers": 0}, {"vocab_size": -1}, {"hidden_size": 1 << 60}, {"architectures": ["X"]}])
def test_a_bad_config_is_refused(plan, changes):
    assert "model_config_unsupported" in plan("mixtral-8x7b", expect=65, **changes)


def test_a_table_for_people():
    said = subprocess.run([DOCKET, "plan", "--model", MODEL, "--hub-cache", str(MODEL_CACHE), "--gpu-memory", "8GB"], env={},
                          capture_output=True, text=True, check=True)
    assert "experts" in said.stdout and "all on the device" in said.stdout
