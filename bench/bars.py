"""What speed and memory are to reach, with 2 threads, and on a GPU. Ratios are to PyTorch's best mode
of any precision or layout; softlabel's are those of its faster precision."""

TRAINING = {"default": 1.3, "vgg_15_BN_64": 1.15, "wrn_28_10": 1.15}  # times as fast, at least
EVALUATION = {"default": 1.5}
MEMORY = {"default": 0.6}  # times the peak memory, at most
BF16_TRAINING = {"vgg_15_BN_64": 0.8, "wrn_28_10": 0.8, "resnet_basic_110": 0.6}  # of the peak
ON_A_GPU = 1.3  # times as fast, at least


def bars_of(model, mode, device="cpu"):
    """name, of a figure in tables.figures() -> (limit, whether it's the least or the most)"""
    if device.startswith("cuda"):
        return {"speed": (ON_A_GPU, "least")}
    speed = TRAINING if mode == "train" else EVALUATION
    bars = {"speed": (speed.get(model, speed["default"]), "least"),
            "memory": (MEMORY.get(model, MEMORY["default"]), "most")}
    if mode == "train" and model in BF16_TRAINING:
        bars["bf16_peak"] = (BF16_TRAINING[model], "least")
    return bars
