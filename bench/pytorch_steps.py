"""Steps of a network in PyTorch, in every way of ways.py, on the processor or a GPU.

A training step is forward, soft-target cross-entropy, backward and an SGD step (Nesterov momentum
0.9, weight decay 1e-4). Evaluation is forward alone, without gradients, batch norm folded into the
convolutions; a GPU's logits come to the host. bf16 is autocast; in a GPU's evaluation the folded
weights are bfloat16 themselves, which spares casting them each time.
"""
import gc
import sys

import torch
import torch.nn.functional as F

import networks
import ways

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def why_not(way, device):
    """What this PyTorch lacks for a way on this device, or None."""
    if "compile" in way["run"] and not hasattr(torch, "compile"):
        return "PyTorch %s has no torch.compile" % torch.__version__
    if way["run"] != "eager" and not ways.is_gpu(device):
        return "for GPUs only"
    return None


def sgd(net, device):
    settings = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
    if not ways.is_gpu(device):
        return torch.optim.SGD(net.parameters(), **settings)
    try:
        return torch.optim.SGD(net.parameters(), fused=True, **settings)
    except (TypeError, RuntimeError):  # before 2.3
        return torch.optim.SGD(net.parameters(), foreach=True, **settings)


def train_step(net, images, targets, way, device):
    optimizer = sgd(net, device)
    autocast = torch.autocast(device.split(":")[0], torch.bfloat16,
                              enabled=way["precision"] == "bf16")

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            logits = net(images)
        loss = -(targets * F.log_softmax(logits.float(), 1)).sum(1).mean()
        loss.backward()
        optimizer.step()

    return step


def folded(net, images, fold):
    if fold == "fx":
        from torch.fx.experimental.optimization import fuse
        return fuse(net)
    net = torch.jit.trace(net, images, check_trace=False)
    return torch.jit.optimize_for_inference(torch.jit.freeze(net))


def eval_step(net, images, way):
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=way["precision"] == "bf16",
                              cache_enabled=way["fold"] != "jit")
    with torch.no_grad(), autocast:
        net = folded(net.eval(), images, way["fold"])

    def step():
        with torch.no_grad(), autocast:
            return net(images)

    return step


def gpu_eval_step(net, images, way):
    with torch.no_grad():
        net = compiled(folded(net.eval(), images, way["fold"]), way)
    if way["precision"] == "bf16":
        net, images = net.to(torch.bfloat16), images.to(torch.bfloat16)

    def step():
        with torch.no_grad():
            return net(images)

    return step


def compiled(net, way):
    if way["run"] == "compile":
        return torch.compile(net, mode="reduce-overhead")
    return torch.compile(net) if way["run"] == "compile+graph" else net


def captured(step):
    """The step as one CUDA graph; its result is always the same tensor."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # memory, choice of kernels, the optimizer's state
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()

    def replay():
        graph.replay()
        return result

    return replay


def forget_all():
    """What an earlier step has left on the GPU and in torch.compile."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    if hasattr(torch, "_dynamo"):
        torch._dynamo.reset()


class Work:
    """One network and batch; step() makes a way of computing with them into a function."""

    def __init__(self, model, mode, batch, device):
        self.arch, self.mode, self.device = networks.parse(model), mode, device
        if not self.arch:
            sys.exit("pytorch_reference: unknown model '%s'; networks.parse has the names" % model)
        torch.manual_seed(0)
        self.batch, self.parameters = batch, None
        self.images = torch.randn(batch, 3, 32, 32)
        self.targets = torch.rand(batch, 10)
        self.targets /= self.targets.sum(1, keepdim=True)

    def step(self, way):
        layout = LAYOUTS[way["layout"]]
        images = self.images.to(self.device).to(memory_format=layout)
        net = networks.build(self.arch).to(self.device).to(memory_format=layout)
        self.parameters = sum(p.numel() for p in net.parameters())
        if not ways.is_gpu(self.device):
            return (train_step(net, images, self.targets, way, self.device)
                    if self.mode == "train" else eval_step(net, images, way))
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = way["precision"] == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = way["precision"] == "tf32"
        if self.mode == "train":
            step = train_step(compiled(net, way), images, self.targets.to(self.device), way,
                              self.device)
        else:
            step = gpu_eval_step(net, images, way)
        if "graph" in way["run"]:
            step = captured(step)
        return step if self.mode == "train" else lambda: step().cpu()


def matmul(device, precision, n=8192):
    """A large matrix product, for the peak: a step, and its operations."""
    torch.backends.cuda.matmul.allow_tf32 = False
    a, b = (torch.randn(n, n, device=device).to(torch.bfloat16 if precision == "bf16" else
                                                torch.float32) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out), 2 * n ** 3
