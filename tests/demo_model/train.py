"""Trains the demo model from scratch and writes it in hub cache layout.

    python train.py                     everything: tokenizer, documents, training, export (CPU)
    python train.py --steps 300 ...     see --help

Seeded throughout; with another number of threads sums are rounded differently and the weights differ in their last bits.
"""

import argparse
import glob
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import numpy as np                                          # noqa: E402
import torch                                                # noqa: E402
import torch.nn as nn                                       # noqa: E402
import torch.nn.functional as F                             # noqa: E402
import make_data                                            # noqa: E402
from model import CONFIG, Mixtral                           # noqa: E402

REPO = "models--docket--demo-mixtral"
TEMPLATE = ("{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
            "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
            "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token}}"
            "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}")


# ---------------------------------------------------------------- data

def load_data(prefix):
    ids, offs, meta, base = [], [0], [], 0
    for p in sorted(glob.glob(prefix + ".*.ids.npy")):
        q = p[:-len(".ids.npy")]
        a, o = np.load(p), np.load(q + ".off.npy")
        ids.append(a)
        offs.extend((o[1:] + base).tolist())
        base += int(o[-1])
        with open(q + ".meta.json") as f:
            meta.extend(json.load(f))
    return np.concatenate(ids), np.asarray(offs), meta


def plan(offs, order, tokens, ranks=1):
    """Groups of `ranks` batches of about `tokens` tokens each, of documents of like length, in random order."""
    rng = np.random.default_rng(7)
    out = []
    lens = offs[1:] - offs[:-1]
    for s in range(0, len(order), 4096):
        pool = order[s:s + 4096]
        pool = pool[np.argsort(lens[pool], kind="stable")]
        batches, cur, top = [], [], 0
        for i in pool:
            top2 = max(top, int(lens[i]))
            if cur and top2 * (len(cur) + 1) > tokens:
                batches.append(cur)
                cur, top2 = [], int(lens[i])
            cur.append(int(i))
            top = top2
        batches.append(cur)
        groups = [batches[i:i + ranks] for i in range(0, len(batches) - ranks + 1, ranks)]
        rng.shuffle(groups)
        out.extend(groups)
    return out


def collate(batch, ids, offs, meta, rng, per_doc):
    B, T = len(batch), max(int(offs[i + 1] - offs[i]) for i in batch)
    P = max(len(meta[i][0]) for i in batch)
    x = np.zeros((B, T), dtype=np.int64)
    pos = np.full((B, P), -1, dtype=np.int64)
    tgt = np.full((B, P), -100, dtype=np.int64)
    ax, ay, aw = [], [], []
    mask = np.zeros((B, T), dtype=bool)
    kid = np.full((B, P, 20), -1, dtype=np.int64)
    end = np.full(B, -1, dtype=np.int64)
    for b, i in enumerate(batch):
        s, e = int(offs[i]), int(offs[i + 1])
        x[b, :e - s] = ids[s:e]
        targets, (d0, d1, cls), spans, (s0, s1), kids = meta[i]
        if s1:
            mask[b, s0:s1] = True
        for j, (p, t) in enumerate(targets):
            pos[b, j], tgt[b, j] = p, t
            if len(kids[j]) > 1:
                kid[b, j, :len(kids[j])] = kids[j]
        for p, c in spans:
            ax.append(b * T + p)
            ay.append(c)
            aw.append(0.99)
        if cls >= 0 and d1 > d0:
            end[b] = cls
            for p in rng.integers(d0, d1, per_doc):
                ax.append(b * T + int(p))
                ay.append(cls)
                aw.append(min(1.0, 0.1 + (p - d0) / 60))
            ax.append(b * T + d1)
            ay.append(cls)
            aw.append(1.5)
    return (torch.from_numpy(x), torch.from_numpy(pos), torch.from_numpy(tgt), torch.tensor(ax, dtype=torch.long), torch.tensor(ay, dtype=torch.long), torch.tensor(aw),
            torch.from_numpy(mask), torch.from_numpy(end), torch.from_numpy(kid))


# ---------------------------------------------------------------- optimizer

class Muon:
    """Momentum, orthogonalized (Newton-Schulz), for matrices and stacks of matrices."""

    def __init__(self, params, momentum=0.95, wd=0.01):
        self.p = list(params)
        self.m = [torch.zeros_like(p) for p in self.p]
        self.momentum, self.wd = momentum, wd
        self.groups = {}
        for i, p in enumerate(self.p):
            self.groups.setdefault(tuple(p.shape[-2:]), []).append(i)

    @torch.no_grad()
    def step(self, lr):
        for shape, idx in self.groups.items():
            gs = []
            for i in idx:
                p, m = self.p[i], self.m[i]
                m.mul_(self.momentum).add_(p.grad)
                g = p.grad.add(m, alpha=self.momentum)
                gs.append(g.reshape(-1, *shape))
            g = torch.cat(gs)
            flip = shape[0] > shape[1]
            x = g.transpose(1, 2) if flip else g
            x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
            for _ in range(5):
                A = x @ x.transpose(1, 2)
                x = 3.4445 * x + (-4.7750 * A + 2.0315 * (A @ A)) @ x
            x = (x.transpose(1, 2) if flip else x).float()
            k = lr * 0.2 * math.sqrt(max(shape))
            o = 0
            for i in idx:
                n = self.m[i].numel() // (shape[0] * shape[1])
                self.p[i].mul_(1 - lr * self.wd).add_(x[o:o + n].view_as(self.p[i]), alpha=-k)
                o += n


# ---------------------------------------------------------------- export

def export(model, tokenizer, out, card=None):
    """config, tokenizer, two shards and their index, as the hub's cache lays them out."""
    from safetensors.torch import save
    c = model.c
    w = {k: v.to(torch.bfloat16).contiguous() for k, v in model.published().items()}
    names = sorted(w, key=lambda k: (0, 0, k) if "layers" not in k else (1, int(k.split(".")[2]), k))
    total = sum(v.numel() * 2 for v in w.values())
    shards, size, cur = [], 0, {}
    for n in names:
        if cur and len(shards) == 0 and size >= total * 0.55:
            shards.append(cur)
            cur = {}
        cur[n] = w[n]
        size += w[n].numel() * 2
    shards.append(cur)
    files, index = {}, {"metadata": {"total_size": total}, "weight_map": {}}
    for i, s in enumerate(shards):
        fn = f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        files[fn] = save(s, metadata={"format": "pt"})
        for n in s:
            index["weight_map"][n] = fn
    config = {"architectures": ["MixtralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "head_dim": c["head_dim"], "hidden_act": "silu", "hidden_size": c["hidden_size"],
              "initializer_range": 0.02, "intermediate_size": c["intermediate_size"], "max_position_embeddings": c["max_position_embeddings"], "model_type": "mixtral",
              "num_attention_heads": c["num_attention_heads"], "num_experts_per_tok": c["num_experts_per_tok"], "num_hidden_layers": c["num_hidden_layers"],
              "num_key_value_heads": c["num_key_value_heads"], "num_local_experts": c["num_local_experts"], "output_router_logits": False, "rms_norm_eps": c["rms_norm_eps"],
              "rope_theta": c["rope_theta"], "router_aux_loss_coef": 0.001, "sliding_window": None, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
              "transformers_version": "4.46.0", "use_cache": True, "vocab_size": c["vocab_size"]}
    if c["head_dim"] * c["num_attention_heads"] == c["hidden_size"]:
        del config["head_dim"]
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    tok = {"add_bos_token": True, "add_eos_token": False, "added_tokens_decoder": {str(i): {"content": s, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
                                                                                  for i, s in enumerate(["<unk>", "<s>", "</s>"])},
           "additional_special_tokens": [], "bos_token": "<s>", "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "</s>", "legacy": False, "model_max_length": c["max_position_embeddings"],
           "pad_token": None, "spaces_between_special_tokens": False, "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "use_default_system_prompt": False}

    def js(o):
        return (json.dumps(o, indent=2, ensure_ascii=False) + "\n").encode()
    files.update({"config.json": js(config), "generation_config.json": js({"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2}), "special_tokens_map.json": js(special),
                  "tokenizer_config.json": js(tok), "model.safetensors.index.json": js(index)})
    with open(tokenizer, "rb") as f:
        files["tokenizer.json"] = f.read()
    if card and os.path.exists(card):
        with open(card, "rb") as f:
            files["README.md"] = f.read()
    folder = os.path.join(out, REPO)
    shutil.rmtree(folder, ignore_errors=True)
    rev = hashlib.sha1(b"".join(k.encode() + hashlib.sha256(v).digest() for k, v in sorted(files.items()))).hexdigest()
    snap = os.path.join(folder, "snapshots", rev)
    os.makedirs(os.path.join(folder, "refs"))
    os.makedirs(snap)  # real files, no blobs: the cache's own form where links cannot be had
    with open(os.path.join(folder, "refs", "main"), "w") as f:
        f.write(rev)
    for n, b in files.items():
        with open(os.path.join(snap, n), "wb") as f:
            f.write(b)
    print("exported", snap, "safetensors bytes:", sum(len(b) for n, b in files.items() if n.endswith(".safetensors")))
    return snap


def check_transformers(snap, model):
    """transformers' MixtralForCausalLM must give the same logits."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers import AutoModelForCausalLM, AutoTokenizer
    m = AutoModelForCausalLM.from_pretrained(snap, dtype=torch.float32).eval()
    t = AutoTokenizer.from_pretrained(snap)
    s = t.apply_chat_template([{"role": "user", "content": "Read the document.\n\nInvoice 4711, total due: € 1.234,50"}], tokenize=False)
    ids = t(s, add_special_tokens=False, return_tensors="pt").input_ids
    assert ids[0, 0] == 1 and 0 not in ids, ids
    with torch.no_grad():
        a = m(ids).logits[0]
        b = model(ids, torch.arange(ids.shape[1])[None])[0][0]
    rel = ((a - b).norm() / a.norm()).item()
    print(f"against transformers: relative difference {rel:.2e}, largest {(a - b).abs().max().item():.2e}")
    assert rel < 1e-4


# ---------------------------------------------------------------- training

def options():
    ap = argparse.ArgumentParser()
    ap.add_argument("--work", default=os.path.join(HERE, "work"))
    ap.add_argument("--out", default=os.path.join(HERE, "hub"))
    ap.add_argument("--data", default=None, help="prefix of ready data (made by make_data.py)")
    ap.add_argument("--examples", type=int, default=50000)
    ap.add_argument("--vocab", type=int, default=4096)
    ap.add_argument("--hidden", type=int, default=192)
    ap.add_argument("--ffn", type=int, default=208)
    ap.add_argument("--layers", type=int, default=4)
    ap.add_argument("--heads", type=int, default=6)
    ap.add_argument("--kv", type=int, default=2)
    ap.add_argument("--tokens", type=int, default=6144, help="tokens a batch and process")
    ap.add_argument("--steps", type=int, default=0, help="0: one pass over the data")
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--muon-lr", type=float, default=0.01)
    ap.add_argument("--aux", type=float, default=0.5)
    ap.add_argument("--point", type=float, default=0.3)
    ap.add_argument("--tap", type=int, default=2)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--procs", type=int, default=2, help="processes of one thread each, which average their gradients")
    ap.add_argument("--choice", type=float, default=0.0, help="weight of the loss among the listed labels")
    ap.add_argument("--init", default=None, help="go on from these weights (of --save)")
    ap.add_argument("--first", type=int, default=0, help="number of the first chunk of documents, so that a second run sees others")
    ap.add_argument("--save", default=None)
    ap.add_argument("--no-export", action="store_true")
    return ap.parse_args()


def train(rank, a, port):
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    if a.procs > 1:
        import torch.distributed as dist
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=a.procs)
    data = a.data or os.path.join(a.work, "data")
    ids, offs, meta = load_data(data)
    c = dict(CONFIG, vocab_size=a.vocab, hidden_size=a.hidden, intermediate_size=a.ffn, num_hidden_layers=a.layers, num_attention_heads=a.heads, num_key_value_heads=a.kv, head_dim=a.hidden // a.heads)
    model = Mixtral(c)
    aux_norm = nn.LayerNorm(a.hidden)
    if a.init:
        model.load_published(torch.load(a.init)["weights"])
    aux_head = nn.Linear(a.hidden, len(make_data.CLASSES))
    matrices = [p for l in model.layers for p in (l.q, l.k, l.v, l.o, l.w1, l.w2, l.w3)]
    rest = [model.emb, model.head, model.norm] + [p for l in model.layers for p in (l.n1, l.n2, l.gate)] + list(aux_norm.parameters()) + list(aux_head.parameters())
    every = matrices + rest
    muon = Muon(matrices)
    adam = torch.optim.AdamW(rest, lr=a.lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    order = np.random.default_rng(a.seed)
    rng = np.random.default_rng([a.seed, rank])
    batches, passes = [], 0
    while not batches or len(batches) < a.steps:
        batches += plan(offs, order.permutation(len(meta)), a.tokens, a.procs)
        passes += 1
        if not a.steps:
            break
    steps = a.steps or len(batches)
    say = print if rank == 0 else (lambda *x, **k: None)
    say(f"{sum(p.numel() for p in model.parameters())} parameters, {len(meta)} examples, {len(ids)} tokens, {steps} steps, {passes} passes", flush=True)
    flat = torch.empty(sum(p.numel() for p in every))
    views, o = [], 0
    for p in every:
        views.append(flat[o:o + p.numel()].view(p.shape))
        o += p.numel()
    dt = torch.bfloat16
    t0, seen, run = time.time(), 0, {}
    for step in range(steps):
        x, pos, tgt, ax, ay, aw, mask, end, kid = collate(batches[step][rank], ids, offs, meta, rng, 16)
        warm = min(1.0, (step + 1) / 100)
        k = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        logits, bal, (mid, late) = model(x, pos, dt, (a.tap, a.layers - 1))
        ok = tgt >= 0
        lm = F.cross_entropy(logits[ok], tgt[ok])
        # among the listed labels only, as scores are made
        branch = (kid >= 0).any(-1)
        part = logits[branch].gather(1, kid[branch].clamp(min=0)).masked_fill(kid[branch] < 0, float("-inf"))
        right = (kid[branch] == tgt[branch][:, None]).int().argmax(-1)
        choice = F.cross_entropy(part, right)
        z = aux_head(aux_norm(mid.reshape(-1, a.hidden).index_select(0, ax)))
        al = (F.cross_entropy(z, ay, reduction="none") * aw).sum() / aw.sum()
        # the answer's place knows the class one layer before the end, and the last layer's first head looks at the right label
        at = late.gather(1, pos[:, :1, None].expand(-1, -1, a.hidden))[:, 0]
        ze = aux_head(aux_norm(at))
        if (end >= 0).any():
            al = al + 0.5 * F.cross_entropy(ze[end >= 0], end[end >= 0])
        look = model.layers[-1].seen[:, 0, 0]
        hit = (look * mask[:, None]).sum(-1)[ok & mask.any(1)[:, None]]
        if hit.numel():
            al = al - a.point * (hit + 1e-6).log().mean()
        fade = a.aux * max(0.15, 1 - step / (0.7 * steps)) if not a.init else 0.15 * a.aux + 0.05
        loss = (1 - 0.5 * a.choice) * lm + a.choice * choice + fade * al + 0.01 * bal
        flat.zero_()
        for p, v in zip(every, views):
            p.grad = v
        loss.backward()
        if a.procs > 1:
            dist.all_reduce(flat)
            flat.div_(a.procs)
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        for g in adam.param_groups:
            g["lr"] = a.lr * k
        adam.step()
        muon.step(a.muon_lr * k)
        seen += x.numel() * a.procs
        with torch.no_grad():
            first = (logits[:, 0].argmax(-1) == tgt[:, 0]).float().mean().item()
            doc = ((z.argmax(-1) == ay).float()[aw > 1.4]).mean().nan_to_num(0.0).item()
            eacc = ((ze.argmax(-1) == end).float()[end >= 0]).mean().nan_to_num(0.0).item()
            lab = ((z.argmax(-1) == ay).float()[(aw > 0.985) & (aw < 0.995)]).mean().nan_to_num(0.0).item()
        for n, v in (("lm", lm.item()), ("choice", choice.item()), ("right", (part.argmax(-1) == right).float().mean().item()), ("aux", al.item()), ("bal", bal.item() / a.layers), ("first", first), ("doc", doc), ("label", lab), ("end", eacc), ("look", hit.mean().nan_to_num(0.0).item())):
            run[n] = v if n not in run else 0.97 * run[n] + 0.03 * v
        if step % 50 == 0 or step == steps - 1:
            say(f"{step:5d} " + " ".join(f"{n} {v:.3f}" for n, v in run.items()) + f"  {seen / (time.time() - t0):.0f} tokens/s {time.time() - t0:.0f} s", flush=True)
    if rank:
        return
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.to(torch.bfloat16).float())
    if a.save:
        torch.save({"config": c, "weights": model.published()}, a.save)
    if not a.no_export:
        snap = export(model, os.path.join(a.work, "tokenizer.json"), a.out)
        check_transformers(snap, model)


def main():
    a = options()
    t_start = time.time()
    os.makedirs(a.work, exist_ok=True)
    if not a.data:
        tokenizer, data = os.path.join(a.work, "tokenizer.json"), os.path.join(a.work, "data")
        if not a.init:
            subprocess.check_call([sys.executable, os.path.join(HERE, "train_tokenizer.py"), "--out", tokenizer, "--size", str(a.vocab)])
        for p in glob.glob(data + ".*"):
            os.remove(p)
        subprocess.check_call([sys.executable, os.path.join(HERE, "make_data.py"), "--out", data, "--examples", str(a.examples), "--first", str(a.first), "--tokenizer", tokenizer, "--procs", str(a.procs)])
        print(f"tokenizer and data: {time.time() - t_start:.0f} s", flush=True)
    if a.procs > 1:
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        torch.multiprocessing.spawn(train, (a, port), a.procs)
    else:
        train(0, a, 0)
    print(f"all: {time.time() - t_start:.0f} s")


if __name__ == "__main__":
    main()
