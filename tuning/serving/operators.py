"""The operators that a network's file may call: pure functions of tensors and numbers.

Some of torch's operators are unsafe: ``aten::from_file`` opens and creates files. Review an operator before adding it here.
This module becomes part of every logged model, so it needs only torch.
"""

import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tuning.serving.pt2_archive import pt2_error

_ATEN = """
abs add addcmul amax amin arange avg_pool2d batch_norm bmm cat ceil chunk clamp clone constant_pad_nd
contiguous conv1d conv2d conv3d conv_transpose2d cos cumsum div dropout einsum elu eq exp expand
feature_dropout flatten floor full gather ge gelu group_norm gt index_select instance_norm isfinite isnan
layer_norm le leaky_relu linear log logical_and logical_not logical_or lt masked_fill matmul max max_pool2d
maximum mean min minimum movedim mul nan_to_num narrow ne neg ones ones_like pad permute pow reciprocal relu
relu_ repeat reshape roll rsqrt rsub scaled_dot_product_attention select sigmoid silu sin slice softmax
softplus split split_with_sizes sqrt squeeze stack std sub sum sym_size tanh to transpose unbind unflatten
unsqueeze upsample_bilinear2d upsample_nearest2d var view where zeros zeros_like
"""
OPERATORS = frozenset(_ATEN.split())
NUMBERS = ("add", "eq", "floordiv", "ge", "gt", "le", "lt", "mod", "mul", "ne", "neg", "sub")
# Checks of the shapes and devices of the export, which need not be those of a run.
_CHECKS = "_assert_scalar _assert_tensor_metadata sym_constrain_range sym_constrain_range_for_size"
IDLE = frozenset(f"torch.ops.aten.{name}.default" for name in _CHECKS.split())
TARGET = re.compile(r"torch\.ops\.aten\.([a-z0-9_]+)\.([A-Za-z0-9_]+)|_operator\.([a-z]+)")


def find_operator(target: str, path: Path) -> Callable[..., Any]:
    """Return an allowed operator.

    Args:
        target: Its name in the graph, such as ``torch.ops.aten.conv2d.default``.
        path: The network's file, for the message.

    Raises:
        Pt2Error: If it is not allowed.
    """
    match = TARGET.fullmatch(target)
    if match and match[1] in OPERATORS:
        packet = getattr(torch.ops.aten, match[1])
        if match[2] in packet.overloads():
            function: Callable[..., Any] = getattr(packet, match[2])
            return function
    if match and match[3] in NUMBERS:
        number: Callable[..., Any] = getattr(operator, match[3])
        return number
    raise pt2_error("An operator must be listed in tuning/serving/operators.py", repr(target), path)
