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
    "mixtral-8x22b": {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 6144, "intermediate_size": 16384,
                      "num_hidden_layers": 56, "num_attention_heads": 48, "num_key_value_heads": 8, "num_local_experts": 8,
                      "num_experts_per_tok": 2, "max_position_embeddings": 65536, "rope_theta": 1e6, "vocab_size": 32768},
    "qwen3-30b-a3b": {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144,
                      "moe_intermediate_size": 768, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
                      "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": True, "vocab_size": 151936, "rms_norm_eps": 1e-6,
                      "max_position_embeddings": 40960, "rope_theta": 1e6},
    "gemma-2b": {"architectures": ["GemmaForCausalLM"], "model_type": "gemma", "hidden_size": 2048, "intermediate_size": 16384,
                 "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 256000,
                 "hidden_act": "gelu", "max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "tie_word_embeddings": True},
}
# billions of parameters; GiB in bf16, nf4 with double quantization, q1; linear weights, for the formats that cost a row something
KNOWN = {"mixtral-8x7b": (46.70, 86.99, 22.80, 7.25), "mistral-7b": (7.24, 13.49, 3.84, 1.50), "llama2-7b": (6.74, 12.55, 3.60, 1.43),
         "tinyllama": (1.10, 2.05, 0.71, 0.39), "mixtral-8x22b": (140.63, 261.94, 68.13, 21.16), "qwen3-30b-a3b": (30.53, 56.87, 15.55, 5.53), "gemma-2b": (2.51, 4.67, 1.93, 1.27)}
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
    layers = CONFIGS["mixtral-8x7b"]["num_hidden_layers"]
    assert row["kv_bytes"] == bytes_a_token // layers * (layers * row["kv_slots"] + row["running_slots"])
    assert row["kv_slots"] >= 2 * 4096 and row["running_slots"] == 2048
    assert row["total_bytes"] == told["weights_bytes"] + row["kv_bytes"] + row["activation_bytes"]


class Sums:
    """A model's bytes in nf4 with double quantization, counted here anew from its shapes: what the program says is not asked."""

    DRIVER = 520 * 1024 * 1024
    KV_BYTES = {"f16": 2, "q8_0": 34 / 32, "q4_0": 18 / 32}

    def __init__(self, name, kv, context):
        c = {**BASE, **CONFIGS[name]}
        self.c, self.context = c, context
        self.dim, self.layers, self.ffn = c["hidden_size"], c["num_hidden_layers"], c.get("moe_intermediate_size") or c["intermediate_size"]
        self.heads, self.kv_heads, self.vocab = c["num_attention_heads"], c["num_key_value_heads"], c["vocab_size"]
        self.head = c.get("head_dim") or self.dim // self.heads
        self.experts, self.top_k = c.get("num_local_experts") or c.get("num_experts", 1), c.get("num_experts_per_tok", 1)
        self.moe = self.experts > 1
        self.tied = c["tie_word_embeddings"]
        self.kv_token_layer = int(2 * self.kv_heads * self.head * self.KV_BYTES[kv])
        self.table = self.vocab * self.dim * 2
        q, k = self.heads * self.head, self.kv_heads * self.head
        self.attention = 2 * self._nf4(q * self.dim) + 2 * self._nf4(k * self.dim)
        self.expert = 3 * self._nf4(self.ffn * self.dim)
        qk_norms = 2 * self.head if c["model_type"] == "qwen3_moe" else 0
        self.rest = 2 * (2 * self.dim + qk_norms + (self.experts * self.dim if self.moe else 0))
        self.all = self.layers * (self.attention + self.rest + self.experts * self.expert) + 2 * self.dim + self.table * (1 if self.tied else 2)

    @staticmethod
    def _nf4(n):
        return -(-n * 2113 // 4096)         # 4.126953125 bits

    def scratch(self, rows):
        up = lambda n: -(-n // 256) * 256   # noqa: E731
        pairs, q, k = rows * self.top_k, self.heads * self.head, self.kv_heads * self.head
        ours = 4 * (4 * rows * self.dim + 2 * rows * q + 2 * rows * k + 2 * pairs + max(64 * self.vocab, 65536))
        batch = sum(4 * up(n * 4) + up(256 * 56) + up(256) for n in (rows, rows // 2))     # and the rows that are asked for, at most half
        group, partial = self.heads // self.kv_heads, self.heads * (self.head + 2) * 4
        partials = min(2**24 // partial, 16 * rows)
        items = (rows * max(group, 4) // 64 + 256 + 1 + 2 * partials * (group // 64 + 1)) * 5 // 4 + 8
        constants = self.layers * up(3 * self.experts * 80) + 4096                # views of experts' weights
        attention = items * 28 + rows * 24 + 1024 + partials * partial
        sort = self.experts + 1 + 2 * pairs + -(-pairs // 256) * self.experts
        return ours + 4 * (pairs * self.ffn + max(pairs * self.dim, rows * self.experts) + sort) + 2**24 + attention + batch + constants + \
            self.library(rows, pairs, q)

    def library(self, rows, pairs, q):
        """What cuBLASLt's regime takes, where passes are large: rows and two slots of weights in 16 bits, gate and up, the workspace."""
        if rows < 512 or pairs // self.experts < 256:
            return 2 * rows * max(q, self.dim)              # the own kernels' activations in 16 bits
        expert = 2 * self.ffn * self.dim
        slot = 2 * max(min(max(min(2**26 // (2 * expert), 32), 1), self.experts) * expert, self.dim * q)
        return 2 * max(pairs * self.dim, rows * max(q, self.dim)) + 2 * slot + min(pairs, 2048) * 2 * self.ffn * 4 + 2**25

    def loading(self, embedding, experts):
        """Before cache and scratch are there: two pieces of a source, f32 scales of the largest matrix, what is on its way to the host."""
        largest = self.dim * max(self.vocab, self.ffn, self.heads * self.head)
        return 2 * 2**24 + largest // 16 + (self.table if embedding else 0) + (self.expert if experts else 0)

    def ways(self):
        """(what, device bytes, of an expert per room) in the order in which they are tried."""
        passes = [(rows, self.context + self.context // 4 if small else max(8192, 2 * self.context))
                  for rows in (16384, 8192, 4096, 2048, 1024, 512) for small in (False, True)][:-2]
        passes.append((512, self.context + self.context // 4))
        guess = 2 * 2 * self.experts * self.top_k * 4       # ids and weights of the experts that the next layer may ask for

        def total(rows, slots, gone, embedding=False, experts=0, rooms=0, lower=0):
            later = self.scratch(rows) + self.kv_token_layer * ((self.layers - lower) * slots + rows) + (guess if experts else 0)
            return self.DRIVER + self.all - gone + rooms * self.expert + max(later, self.loading(embedding, experts))
        for rows, slots in passes:
            yield (rows, slots, False, 0, 0, 0), total(rows, slots, 0)
            if not self.tied:
                yield (rows, slots, True, 0, 0, 0), total(rows, slots, self.table, True)
        for rows, slots in passes[2:] if self.moe else ():
            for buffers in (2, 1):
                for each in range(1, self.experts + 1):
                    gone, rooms = each * self.layers, min(buffers, self.layers) * each
                    yield (rows, slots, True, gone, rooms, 0), total(rows, slots, self.table + gone * self.expert, True, gone, rooms)
        for lower in range(1, self.layers):
            for rows, slots in passes[6:]:
                gone = lower * (self.attention + self.rest + self.experts * self.expert) + (0 if self.tied else self.table)
                yield (rows, slots, False, 0, 0, lower), total(rows, slots, gone, lower=lower)


CARDS = {"16 GB": 16e9, "24 GB": 25.76e9, "32 GB": 34.19e9, "48 GB": 51.53e9, "80 GB": 85.05e9, "141 GB": 150.1e9, "budget": 12 * GIB, "tiny": 3 * GIB}


@pytest.mark.parametrize("kv", Sums.KV_BYTES)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_card_holds_what_an_independent_sum_says(plan, name, kv):
    for card, size in CARDS.items():
        told = plan(name, "--quantization", "nf4", "--kv", kv, "--gpu-memory", f"{int(size)}")
        for row in told["contexts"]:
            sums = Sums(name, kv, row["context"])
            assert told["weights_bytes"] == sums.all
            way = next(((what, taken) for what, taken in sums.ways() if taken <= size * (1 + 1e-7)), None)
            assert row["fits"] == (way is not None), (card, row)
            if not way:
                continue
            (rows, slots, embedding, experts, rooms, lower), taken = way
            assert (row["pass_tokens"], row["device_kv_slots"], row["embedding_on_host"], row["experts_on_host"], row["layers_on_host"]) == \
                (rows, slots, embedding, experts, lower), (card, row)
            more = min(int((size - taken) // sums.expert), experts - rooms) if experts else 0     # what is left over are rooms too
            assert row["expert_rooms"] == rooms + more
            assert abs(row["device_bytes"] - taken - more * sums.expert) <= 1e-4 * taken, (card, row)
            assert row["device_bytes"] + row["spare_bytes"] == int(size)


def test_mixtral_lies_on_a_24_gb_card_but_for_its_embedding_and_its_experts_stream_on_12_gib(plan):
    card = plan("mixtral-8x7b", "--quantization", "nf4", "--gpu-memory", "24GiB", "--context", "4096")["contexts"][0]
    assert card["fits"] and card["embedding_on_host"] and not card["experts_on_host"] and not card["layers_on_host"]
    small = plan("mixtral-8x7b", "--quantization", "nf4", "--gpu-memory", "12GiB", "--context", "4096")["contexts"][0]
    assert small["fits"] and small["embedding_on_host"] and 0 < small["experts_on_host"] < 256 and not small["layers_on_host"]
    assert small["expert_rooms"] >= 2 * small["experts_on_host"] / 32 and small["device_bytes"] <= 12 * GIB


def test_a_larger_card_never_holds_less(plan):
    before = None
    for gib in (2, 3, 4, 6, 8, 12, 16, 20, 24, 26, 28, 32):
        row = plan("mixtral-8x7b", "--quantization", "nf4", "--gpu-memory", f"{gib}GiB", "--context", "4096")["contexts"][0]
        if before and before["fits"]:
            assert row["fits"] and row["layers_on_host"] <= before["layers_on_host"]
        before = row
    assert before["fits"] and before["host_bytes"] == 0


def test_what_fits_nowhere_is_refused_with_the_numbers(plan):
    row = plan("mixtral-8x7b", "--gpu-memory", "1GiB", "--context", "32768")["contexts"][0]
    assert not row["fits"]
    for word in ("weights 86.99", "cache of 40960 tokens 5.00", "passes of 512 tokens", "1.00 may be used of the device", "lacking"):
        assert word in row["reason"], row["reason"]


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
