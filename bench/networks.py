"""The classifiers of this project in PyTorch: the same wiring under the same tensor names
(docs/architecture.md), written as one writes them there.

    network = networks.build(networks.parse("wrn_28_10"))

What they compute is checked by tests/eval/make_conformance.py --check, how fast they do it is
measured by pytorch_reference.py, and tests/models/interchange.py exchanges weights with them.
"""
import re

import torch
import torch.nn.functional as F
from torch import nn


def conv(c_in, c_out, kernel, stride=1, bias=False):
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=bias)


def relu(x):
    return F.relu(x, inplace=True)


def path(c_in, c_out, stride, bottleneck):
    """A block's convolutions: channels, channels, kernel, stride."""
    if bottleneck:
        c = c_out // 4
        return [(c_in, c, 1, 1), (c, c, 3, stride), (c, c_out, 1, 1)]
    return [(c_in, c_out, 3, stride), (c_out, c_out, 3, 1)]


def add_stages(network, widths, c_in, make):
    """stage1.block1 and so on: make(c_in, c_out, stride, is the stage's first)."""
    for s, stage_widths in enumerate(widths):
        stage = nn.Sequential()
        for b, width in enumerate(stage_widths):
            stage.add_module("block%d" % (b + 1), make(c_in, width, 2 if s and not b else 1, s, b))
            c_in = width
        network.add_module("stage%d" % (s + 1), stage)
    return c_in


class Network(nn.Module):
    """What all but vgg have around their blocks: a convolution and perhaps a norm before them,
    perhaps a norm and ReLU, average pooling and the linear layer behind them."""

    def __init__(self, width, first=None, first_relu=True):
        super().__init__()
        self.conv = conv(3, width, 3)
        self.first, self.first_relu, self.last = first, first_relu, None
        if first:
            self.add_module(first, nn.BatchNorm2d(width))

    def finish(self, c, classes, last=None):
        self.last = last
        if last:
            self.add_module(last, nn.BatchNorm2d(c))
        self.fc = nn.Linear(c, classes)
        return self

    def forward(self, x):
        x = self.conv(x)
        if self.first:
            x = getattr(self, self.first)(x)
            if self.first_relu:
                x = relu(x)
        x = self.stage3(self.stage2(self.stage1(x)))
        if self.last:
            x = relu(getattr(self, self.last)(x))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


# ---- vgg ----

class VggStage(nn.Module):
    def __init__(self, c_in, c_out, n, use_bn):
        super().__init__()
        self.n, self.use_bn = n, use_bn
        for i in range(n):
            self.add_module("conv%d" % i, conv(c_out if i else c_in, c_out, 3, bias=True))
            if use_bn:
                self.add_module("bn%d" % i, nn.BatchNorm2d(c_out))

    def forward(self, x):
        for i in range(self.n):
            x = getattr(self, "conv%d" % i)(x)
            x = relu(getattr(self, "bn%d" % i)(x) if self.use_bn else x)
        return F.max_pool2d(x, 2)


class Vgg(nn.Module):
    def __init__(self, arch, classes):
        super().__init__()
        c_in = 3
        for s, (c, n) in enumerate(zip(arch["n_channels"], arch["n_layers"])):
            self.add_module("stage%d" % (s + 1), VggStage(c_in, c, n, arch["use_bn"]))
            c_in = c
        self.fc = nn.Linear(c_in, classes)

    def forward(self, x):
        for s in range(5):
            x = getattr(self, "stage%d" % (s + 1))(x)
        return self.fc(x.flatten(1))


# ---- resnet, resnet_preact, wrn, pyramidnet ----

class ResnetBlock(nn.Module):
    def __init__(self, c_in, c_out, stride, bottleneck):
        super().__init__()
        shapes = path(c_in, c_out, stride, bottleneck)
        self.n = len(shapes)
        for i, shape in enumerate(shapes, 1):
            self.add_module("conv%d" % i, conv(*shape))
            self.add_module("bn%d" % i, nn.BatchNorm2d(shape[1]))
        self.shortcut = nn.Sequential()
        if c_in != c_out:
            self.shortcut.add_module("conv", conv(c_in, c_out, 1, stride))
            self.shortcut.add_module("bn", nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = self.bn1(self.conv1(x))
        for i in range(2, self.n + 1):
            y = getattr(self, "bn%d" % i)(getattr(self, "conv%d" % i)(relu(y)))
        y += self.shortcut(x)
        return relu(y)


class PreactBlock(nn.Module):
    """shared: the shortcut, too, starts behind bn1 and ReLU."""

    def __init__(self, c_in, c_out, stride, bottleneck, shared, first_relu=True, last_norm=False):
        super().__init__()
        shapes = path(c_in, c_out, stride, bottleneck)
        self.n, self.shared = len(shapes), shared
        self.first_relu, self.last_norm = first_relu, last_norm
        for i, shape in enumerate(shapes, 1):
            self.add_module("bn%d" % i, nn.BatchNorm2d(shape[0]))
            self.add_module("conv%d" % i, conv(*shape))
        if last_norm:
            self.add_module("bn%d" % (self.n + 1), nn.BatchNorm2d(c_out))
        self.shortcut = self.make_shortcut(c_in, c_out, stride)

    def make_shortcut(self, c_in, c_out, stride):
        shortcut = nn.Sequential()
        if c_in != c_out:
            shortcut.add_module("conv", conv(c_in, c_out, 1, stride))
        return shortcut

    def forward(self, x):
        y = self.bn1(x)
        if self.shared or self.first_relu:
            y = relu(y)
        if self.shared:
            x = y
        y = self.conv1(y)
        for i in range(2, self.n + 1):
            y = getattr(self, "conv%d" % i)(relu(getattr(self, "bn%d" % i)(y)))
        if self.last_norm:
            y = getattr(self, "bn%d" % (self.n + 1))(y)
        y += self.shortcut(x)
        return y


class PyramidShortcut(nn.Module):
    def __init__(self, more, stride):
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x):
        if self.stride == 2:
            x = F.avg_pool2d(x, 2)
        return F.pad(x, (0, 0, 0, 0, 0, self.more)) if self.more else x


class PyramidBlock(PreactBlock):
    def __init__(self, c_in, c_out, stride, bottleneck):
        super().__init__(c_in, c_out, stride, bottleneck, False, first_relu=False, last_norm=True)

    def make_shortcut(self, c_in, c_out, stride):
        return PyramidShortcut(c_out - c_in, stride)


def residual_shape(arch):
    """bottleneck?, blocks a stage, the stages' widths of resnet and resnet_preact"""
    bottleneck, base = arch["block_type"] == "bottleneck", arch["base_channels"]
    n = (arch["depth"] - 2) // (9 if bottleneck else 6)
    e = 4 if bottleneck else 1
    return bottleneck, n, [[base] * n, [2 * base * e] * n, [4 * base * e] * n]


def resnet(arch, classes):
    bottleneck, n, widths = residual_shape(arch)
    network = Network(arch["base_channels"], "bn")
    c = add_stages(network, widths, arch["base_channels"],
                   lambda c_in, c_out, stride, s, b: ResnetBlock(c_in, c_out, stride, bottleneck))
    return network.finish(c, classes)


def resnet_preact(arch, classes):
    bottleneck, n, widths = residual_shape(arch)
    network = Network(arch["base_channels"])
    c = add_stages(network, widths, arch["base_channels"],
                   lambda c_in, c_out, stride, s, b: PreactBlock(
                       c_in, c_out, stride, bottleneck, b == 0 and arch["preact_stage"][s],
                       not arch["remove_first_relu"], arch["add_last_bn"]))
    return network.finish(c, classes, "bn")


def wrn(arch, classes):
    n, base = (arch["depth"] - 4) // 6, arch["base_channels"]
    width = base * arch["widening_factor"]
    network = Network(base)
    c = add_stages(network, [[width] * n, [2 * width] * n, [4 * width] * n], base,
                   lambda c_in, c_out, stride, s, b: PreactBlock(c_in, c_out, stride, False,
                                                                 c_in != c_out))
    return network.finish(c, classes, "bn")


def pyramidnet(arch, classes):
    bottleneck, base = arch["block_type"] == "bottleneck", arch["base_channels"]
    n = (arch["depth"] - 2) // (9 if bottleneck else 6)
    e = 4 if bottleneck else 1
    widths, width = [], base
    for _ in range(3 * n):
        width += arch["pyramid_alpha"] / (3 * n)  # added up: decides near half a channel
        widths.append(e * round(width))
    network = Network(e * base, "bn1", first_relu=False)
    c = add_stages(network, [widths[:n], widths[n:2 * n], widths[2 * n:]], e * base,
                   lambda c_in, c_out, stride, s, b: PyramidBlock(c_in, c_out, stride, bottleneck))
    return network.finish(c, classes, "bn2")


# ---- densenet ----

class DenseLayer(nn.Module):
    def __init__(self, c_in, growth, bottleneck):
        super().__init__()
        self.bottleneck = bottleneck
        if bottleneck:
            self.bn1, self.conv1 = nn.BatchNorm2d(c_in), conv(c_in, 4 * growth, 1)
            self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth, 3)
        else:
            self.bn, self.conv = nn.BatchNorm2d(c_in), conv(c_in, growth, 3)

    def forward(self, x):
        if self.bottleneck:
            y = self.conv2(relu(self.bn2(self.conv1(relu(self.bn1(x))))))
        else:
            y = self.conv(relu(self.bn(x)))
        return torch.cat([x, y], 1)


class Transition(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(c_in), conv(c_in, c_out, 1)

    def forward(self, x):
        return F.avg_pool2d(self.conv(relu(self.bn(x))), 2)


def densenet(arch, classes):
    bottleneck, growth = arch["block_type"] == "bottleneck", arch["growth_rate"]
    n = (arch["depth"] - 4) // (6 if bottleneck else 3)
    c = 2 * growth
    network = Network(c)
    for s in range(3):
        stage = nn.Sequential()
        for b in range(n):
            stage.add_module("block%d" % (b + 1), DenseLayer(c, growth, bottleneck))
            c += growth
        if s < 2:
            stage.add_module("transition", Transition(c, int(c * arch["compression_rate"])))
            c = int(c * arch["compression_rate"])
        network.add_module("stage%d" % (s + 1), stage)
    return network.finish(c, classes, "bn")


# ---- shake_shake ----

class ShakeFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x1, x2, alpha, beta):
        ctx.save_for_backward(beta)
        return torch.lerp(x2, x1, alpha)

    @staticmethod
    def backward(ctx, dy):
        beta, = ctx.saved_tensors
        d1 = dy * beta
        return d1, dy - d1, None, None


class ShakePath(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(c_in, c_out, 3, stride), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = conv(c_out, c_out, 3), nn.BatchNorm2d(c_out)

    def forward(self, x):
        return self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))


class Downsample(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv1, self.conv2 = conv(c_in, c_out // 2, 1, 2), conv(c_in, c_out // 2, 1, 2)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x):  # sides are even: the second branch never sees its zero border
        return self.bn(torch.cat([self.conv1(x), self.conv2(x[:, :, 1:, 1:])], 1))


class ShakeBlock(nn.Module):
    def __init__(self, c_in, c_out, stride, arch):
        super().__init__()
        self.residual_path1 = ShakePath(c_in, c_out, stride)
        self.residual_path2 = ShakePath(c_in, c_out, stride)
        self.shortcut = nn.Sequential()
        self.changes = c_in != c_out
        if self.changes:
            self.shortcut.add_module("downsample", Downsample(c_in, c_out))
        self.random = arch["shake_forward"], arch["shake_backward"]
        self.per_image = arch["shake_image"]
        self.given = None  # alpha and beta, one an image or batch, instead of random ones

    def weights(self, x):
        shape = (x.shape[0] if self.per_image else 1, 1, 1, 1)
        given = self.given or [torch.rand(shape, device=x.device) for _ in self.random]
        return [w.reshape(shape).to(x) if random else x.new_full(shape, 0.5)
                for w, random in zip(given, self.random)]

    def forward(self, x):
        a = F.relu(x)  # not in place; all paths begin with it
        x1, x2 = self.residual_path1(a), self.residual_path2(a)
        y = ShakeFunction.apply(x1, x2, *self.weights(x1)) if self.training else (x1 + x2) * 0.5
        return y + self.shortcut(a if self.changes else x)


def shake_shake(arch, classes):
    n, base = (arch["depth"] - 2) // 6, arch["base_channels"]
    network = Network(base, "bn")
    c = add_stages(network, [[base] * n, [2 * base] * n, [4 * base] * n], base,
                   lambda c_in, c_out, stride, s, b: ShakeBlock(c_in, c_out, stride, arch))
    return network.finish(c, classes)


# ---- names ----

BUILDERS = {"vgg": Vgg, "resnet": resnet, "resnet_preact": resnet_preact, "wrn": wrn,
            "densenet": densenet, "pyramidnet": pyramidnet, "shake_shake": shake_shake}


def build(arch, classes=10):
    """A network of an architecture object, as in checkpoints and verification files."""
    if arch.get("drop_rate"):
        raise ValueError("dropout isn't written here")
    return BUILDERS[arch["arch"]](arch, classes)


def parse(name):
    """The architecture object that a name stands for, or None. Cutout is a matter of training."""
    name = re.sub(r"_cutout\d+$", "", name)
    if m := re.fullmatch(r"vgg_15_BN_(\d+)", name):
        c = int(m[1])
        return {"arch": "vgg", "n_channels": [c, 2 * c, 4 * c, 8 * c, 8 * c],
                "n_layers": [2, 2, 3, 3, 3], "use_bn": True}
    if m := re.fullmatch(r"(resnet|resnet_preact)_(basic|bottleneck)_(\d+)", name):
        arch = {"arch": m[1], "base_channels": 16, "block_type": m[2], "depth": int(m[3])}
        if m[1] == "resnet_preact":
            arch.update(remove_first_relu=False, add_last_bn=False, preact_stage=[True] * 3)
        return arch
    if m := re.fullmatch(r"wrn_(\d+)_(\d+)", name):
        return {"arch": "wrn", "base_channels": 16, "depth": int(m[1]),
                "widening_factor": int(m[2]), "drop_rate": 0}
    if m := re.fullmatch(r"densenet_BC_(\d+)_(\d+)", name):
        return {"arch": "densenet", "depth": int(m[1]), "block_type": "bottleneck",
                "growth_rate": int(m[2]), "drop_rate": 0, "compression_rate": 0.5}
    if m := re.fullmatch(r"pyramidnet_(basic|bottleneck)_(\d+)_(\d+)", name):
        return {"arch": "pyramidnet", "base_channels": 16, "depth": int(m[2]),
                "block_type": m[1], "pyramid_alpha": int(m[3])}
    if m := re.fullmatch(r"shake_shake_(\d+)_2x(\d+)d_([SE])([SE])([IB])", name):
        return {"arch": "shake_shake", "base_channels": int(m[2]), "depth": int(m[1]),
                "shake_forward": m[3] == "S", "shake_backward": m[4] == "S",
                "shake_image": m[5] == "I"}
    return None
