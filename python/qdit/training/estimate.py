"""How much memory a training run takes, before anything is loaded."""

from collections.abc import Mapping

_ADAM_BYTES = 8  # two float32 moments
_GRADIENT_BYTES = 4
# values that a layer keeps of each token and unit of width for its backward pass, attention computed without
# its matrix of scores (Korthikanti et al., arXiv 2205.05198: 34 bytes at 2 bytes a value)
_KEPT_VALUES = 17


def estimate_memory(
    sizes: Mapping[str, int], *, weight_bytes: int, compute_bytes: int, tokens: int, recompute: bool
) -> dict[str, int]:
    """Return bytes on each device, by what they are for; it is the order of magnitude.

    Args:
        sizes: of the model, as `CausalModel.sizes` returns them.
        weight_bytes: of a weight that is not trained; those that are have 4.
        compute_bytes: of a value in the forward pass.
        tokens: of a batch on one device.
        recompute: whether only the inputs of layers are kept (gradient checkpointing).

    """
    trained = sizes["trained"]
    frozen = sizes["parameters"] - trained
    layer = tokens * sizes["width"] * compute_bytes
    layers = sizes["layers"]
    copies = trained * compute_bytes if compute_bytes < 4 else 0  # autocast keeps them for a step
    found = {
        "weights": frozen * weight_bytes + trained * 4 + copies,
        "gradients": trained * _GRADIENT_BYTES,
        "optimizer": trained * _ADAM_BYTES,
        "activations": layer * ((layers + _KEPT_VALUES) if recompute else layers * _KEPT_VALUES),
    }
    return found | {"total": sum(found.values())}


def checkpoint_bytes(sizes: Mapping[str, int], *, adapters: bool) -> int:
    """Return the size of a checkpoint: what is trained, or all weights, and the state of the optimizer."""
    weights = sizes["trained"] if adapters else sizes["parameters"]
    return weights * 4 + sizes["trained"] * _ADAM_BYTES
