"""MixtralForCausalLM's arithmetic in plain PyTorch, fast enough to train on a CPU."""

import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = dict(vocab_size=4096, hidden_size=192, intermediate_size=208, num_hidden_layers=4, num_attention_heads=6, num_key_value_heads=2, head_dim=32,
              num_local_experts=8, num_experts_per_tok=2, rope_theta=10000.0, rms_norm_eps=1e-5, max_position_embeddings=4096)


class Norm(torch.autograd.Function):
    """RMSNorm with a hand-written backward pass: float32 in, `out` type out."""

    @staticmethod
    def forward(ctx, x, w, eps, out):
        inv = torch.rsqrt(x.square().mean(-1, keepdim=True).add_(eps))
        ctx.save_for_backward(x, w, inv)
        return (x * inv).mul_(w).to(out)

    @staticmethod
    def backward(ctx, g):
        x, w, inv = ctx.saved_tensors
        g = g.float()
        xn = x * inv
        gw = (g * xn).sum(tuple(range(g.dim() - 1)))
        g = g * w
        dot = (g * xn).mean(-1, keepdim=True)
        return (g - xn.mul_(dot)).mul_(inv), gw, None, None


class Experts(torch.autograd.Function):
    """The chosen experts of every token: rows sorted by expert, one product an expert, backward pass by hand."""

    @staticmethod
    def forward(ctx, h, top, w1, w3, w2, order, counts, dt):
        N, K = top.shape
        tok = order // K
        xs = h.to(dt).index_select(0, tok)
        w13, w2 = torch.cat((w1, w3), 1).to(dt), w2.to(dt)
        gu = torch.empty(N * K, w13.shape[1], dtype=dt)
        act = torch.empty(N * K, w2.shape[2], dtype=dt)
        y = torch.empty(N * K, h.shape[1], dtype=dt)
        o = 0
        for e, n in enumerate(counts):
            if n:
                torch.mm(xs[o:o + n], w13[e].t(), out=gu[o:o + n])
                g, u = gu[o:o + n].chunk(2, -1)
                torch.mul(F.silu(g), u, out=act[o:o + n])
                torch.mm(act[o:o + n], w2[e].t(), out=y[o:o + n])
                o += n
        inv = torch.empty_like(order)
        inv[order] = torch.arange(N * K)
        yu = y.index_select(0, inv).view(N, K, -1)
        ctx.save_for_backward(xs, top, w13, w2, gu, act, yu, order, inv)
        ctx.counts = counts
        return torch.bmm(top.to(dt).unsqueeze(1), yu).squeeze(1).float()

    @staticmethod
    def backward(ctx, go):
        xs, top, w13, w2, gu, act, yu, order, inv = ctx.saved_tensors
        dt = xs.dtype
        N, K = top.shape
        gob = go.to(dt)
        gtop = torch.bmm(yu, gob.unsqueeze(2)).squeeze(2).float()
        gy = gob.index_select(0, order // K).mul_(top.to(dt).reshape(-1)[order][:, None])
        gw13, gw2 = torch.zeros(w13.shape), torch.zeros(w2.shape)
        gx = torch.empty_like(xs)
        o = 0
        for e, n in enumerate(ctx.counts):
            if n:
                s = slice(o, o + n)
                gw2[e] = gy[s].t() @ act[s]
                ga = gy[s] @ w2[e]
                g, u = gu[s].chunk(2, -1)
                sg = torch.sigmoid(g)
                silu = g * sg
                ggu = torch.empty_like(gu[s])
                half = g.shape[1]
                torch.mul(ga, silu, out=ggu[:, half:])
                torch.mul(ga.mul_(u), sg.add_(silu.mul_(1 - sg)), out=ggu[:, :half])
                gw13[e] = ggu.t() @ xs[s]
                torch.mm(ggu, w13[e], out=gx[s])
                o += n
        gh = gx.index_select(0, inv).view(N, K, -1).sum(1).float()
        f = w13.shape[1] // 2
        return gh, gtop, gw13[:, :f], gw13[:, f:], gw2, None, None, None


def rope_tables(n, dim, theta):
    inv = 1.0 / (theta ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    a = torch.arange(n, dtype=torch.float32)[:, None] * inv[None]
    a = torch.cat((a, a), -1)
    return a.cos(), a.sin()


def rotate(x, cos, sin):
    h = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., h:], x[..., :h]), -1) * sin


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        H, Fw, E = c["hidden_size"], c["intermediate_size"], c["num_local_experts"]
        q, kv = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
        self.c = c
        self.n1, self.n2 = nn.Parameter(torch.ones(H)), nn.Parameter(torch.ones(H))
        self.q = nn.Parameter(torch.randn(q, H) * 0.05)
        self.k = nn.Parameter(torch.randn(kv, H) * 0.05)
        self.v = nn.Parameter(torch.randn(kv, H) * 0.05)
        self.o = nn.Parameter(torch.randn(H, q) * 0.03)
        self.gate = nn.Parameter(torch.randn(E, H) * 0.05)
        self.w1 = nn.Parameter(torch.randn(E, Fw, H) * 0.05)
        self.w3 = nn.Parameter(torch.randn(E, Fw, H) * 0.05)
        self.w2 = nn.Parameter(torch.randn(E, H, Fw) * 0.03)

    def moe(self, h, dt):
        """h: [N, H] float32 (normalized).  Returns [N, H] and the balance loss."""
        c = self.c
        E, K = c["num_local_experts"], c["num_experts_per_tok"]
        N = h.shape[0]
        logits = F.linear(h, self.gate)
        probs = logits.softmax(-1)
        top, idx = probs.topk(K, -1)
        top = top / top.sum(-1, keepdim=True)
        flat = idx.reshape(-1)
        order = flat.argsort(stable=True)
        counts = torch.bincount(flat, minlength=E)
        out = Experts.apply(h, top, self.w1, self.w3, self.w2, order, counts.tolist(), dt)
        share = counts.float() / (N * K)
        bal = E * (share * probs.mean(0)).sum()
        return out, bal

    def forward(self, x, cos, sin, dt, pos=None):
        """x: [B, T, H] float32.  With pos ([B, P], -1 for none) only those places go on from here: [B, P, H]."""
        c = self.c
        B, T, H = x.shape
        nh, nk, d, eps = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"], c["rms_norm_eps"]
        h = Norm.apply(x, self.n1, eps, dt)
        if pos is None:
            qkv = F.linear(h, torch.cat((self.q, self.k, self.v)).to(dt)).view(B, T, nh + 2 * nk, d).transpose(1, 2)
            qk = rotate(qkv[:, :nh + nk], cos[:T].to(dt), sin[:T].to(dt))
            q, k, v = qk[:, :nh], qk[:, nh:], qkv[:, nh + nk:]
            rep = nh // nk
            k = k.unsqueeze(2).expand(B, nk, rep, T, d).reshape(B, nh, T, d)
            v = v.unsqueeze(2).expand(B, nk, rep, T, d).reshape(B, nh, T, d)
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, nh * d)
        else:
            p = pos.clamp(min=0)
            kv = F.linear(h, torch.cat((self.k, self.v)).to(dt)).view(B, T, 2 * nk, d).transpose(1, 2)
            k, v = rotate(kv[:, :nk], cos[:T].to(dt), sin[:T].to(dt)), kv[:, nk:]
            hq = h.gather(1, p[..., None].expand(-1, -1, H))
            x = x.gather(1, p[..., None].expand(-1, -1, H))
            P = p.shape[1]
            q = F.linear(hq, self.q.to(dt)).view(B, P, nh, d).transpose(1, 2)
            q = rotate(q, cos[p].unsqueeze(1).to(dt), sin[p].unsqueeze(1).to(dt)).reshape(B, nk, nh // nk, P, d)
            s = torch.einsum("bgrpd,bgtd->bgrpt", q, k).float() * d ** -0.5
            s = s.masked_fill((torch.arange(T)[None, None] > p[..., None])[:, None, None], float("-inf")).softmax(-1)
            self.seen = s
            a = torch.einsum("bgrpt,bgtd->bgrpd", s.to(dt), v).reshape(B, nh, P, d).transpose(1, 2).reshape(B, P, nh * d)
        x = x + F.linear(a, self.o.to(dt)).float()
        shape = x.shape
        y, bal = self.moe(Norm.apply(x, self.n2, eps, torch.float32).reshape(-1, H), dt)
        return x + y.view(shape), bal


class Mixtral(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.emb = nn.Parameter(torch.randn(c["vocab_size"], c["hidden_size"]) * 0.05)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = nn.Parameter(torch.ones(c["hidden_size"]))
        self.head = nn.Parameter(torch.randn(c["vocab_size"], c["hidden_size"]) * 0.05)
        cos, sin = rope_tables(c["max_position_embeddings"], c["head_dim"], c["rope_theta"])
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, ids, pos, dt=torch.float32, taps=()):
        """ids [B, T], pos [B, P].  Returns logits [B, P, V], the balance loss and the hidden states after the layers in taps."""
        x = F.embedding(ids, self.emb)
        bal, mid = 0.0, []
        for i, l in enumerate(self.layers):
            x, b = l(x, self.cos, self.sin, dt, pos if i == len(self.layers) - 1 else None)
            bal = bal + b
            if i + 1 in taps:
                mid.append(x)
        x = Norm.apply(x, self.norm, self.c["rms_norm_eps"], dt)
        return F.linear(x, self.head.to(dt)).float(), bal, mid

    def published(self):
        """Weights under the names of the published checkpoints."""
        out = {"model.embed_tokens.weight": self.emb, "model.norm.weight": self.norm, "lm_head.weight": self.head}
        for i, l in enumerate(self.layers):
            p = f"model.layers.{i}."
            out.update({p + "input_layernorm.weight": l.n1, p + "post_attention_layernorm.weight": l.n2, p + "self_attn.q_proj.weight": l.q, p + "self_attn.k_proj.weight": l.k,
                        p + "self_attn.v_proj.weight": l.v, p + "self_attn.o_proj.weight": l.o, p + "block_sparse_moe.gate.weight": l.gate})
            for e in range(self.c["num_local_experts"]):
                for n in ("w1", "w2", "w3"):
                    out[f"{p}block_sparse_moe.experts.{e}.{n}.weight"] = getattr(l, n)[e]
        return {k: v.detach() for k, v in out.items()}

    def load_published(self, w):
        with torch.no_grad():
            for k, v in self.published().items():
                v.copy_(w[k].float())
        return self


def from_hub(folder):
    import json
    import os
    from safetensors.torch import load_file
    with open(os.path.join(folder, "config.json")) as f:
        j = json.load(f)
    c = {k: j.get(k, CONFIG.get(k)) for k in CONFIG}
    c["head_dim"] = j.get("head_dim") or j["hidden_size"] // j["num_attention_heads"]
    w = {}
    for n in sorted(os.listdir(folder)):
        if n.endswith(".safetensors"):
            w.update(load_file(os.path.join(folder, n)))
    return Mixtral(c).load_published(w)
