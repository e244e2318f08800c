"""What every framework calls a layer and each of its arguments: the tables behind `refconv.signature`.

A table says for one framework and one kind of layer how the framework names it, where that is documented, and the
framework's word for each argument of refconv's layer, which has Keras 3's names. In a name ``{n}`` is the number of
spatial axes; a dict has a value per number of axes, and what it lacks the framework does not have. An argument is
looked up by itself, then by its ending (``*_constraint``), then as ``*``.

Besides, `others` are the framework's own arguments that no argument of refconv's layer stands for, and what
they have to be for the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

DIRECT, RENAMED, EXPLICIT, NONE = "direct", "renamed", "needs explicit padding", "none"
STRATEGIES = (DIRECT, RENAMED, EXPLICIT, NONE)

FRAMEWORKS = {
    "keras1": "Keras 1",
    "tf": "TensorFlow 2.4 (Keras 2)",
    "keras": "Keras 3",
    "torch": "PyTorch",
    "onnx": "ONNX",
    "jax": "JAX",
    "matlab": "MATLAB",
}


class Word(NamedTuple):
    """A framework's word for an argument.

    Attributes
    ----------
    name : str or None
        None where there is none; ``"="`` for the same one.
    reason : str
        What is to be known about it.
    padding : bool
        Whether amounts of padding have to be worked out for it.
    """

    name: str | None
    reason: str = ""
    padding: bool = False


@dataclass(frozen=True)
class Table:
    """A framework's layer.

    Attributes
    ----------
    name : str or dict
        What the framework calls it.
    url : str
        Where it is documented.
    words : dict
        For an argument of refconv a name, a `Word`, or a dict of them by the number of spatial axes.
    others : dict
        The framework's other arguments, and what is said of them, if need be by the number of spatial axes.
    note : str
        How the layer is put together where one name does not say it.
    missing : str
        Why there is no such layer for the other numbers of axes.
    """

    name: str | dict[int, str]
    url: str
    words: dict[str, Any]
    others: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    missing: str = ""


def none(reason: str) -> Word:
    """Say that a framework has no such argument."""
    return Word(None, reason)


def padded(name: str, reason: str) -> Word:
    """Name an argument for which amounts of padding have to be worked out."""
    return Word(name, reason, padding=True)


SAME = {"*": "="}

# UpSampling1D and UpSampling3D have no interpolation.
_NEAREST = {1: "'nearest'", 3: "'nearest'"}

# Keras 3 and TensorFlow 2.4: the names are refconv's own.

_KERAS_DOCS = "https://keras.io/api/layers/"
_TF_DOCS = "https://www.tensorflow.org/versions/r2.4/api_docs/python/tf/keras/layers/"

KERAS = {
    "conv": Table("keras.layers.Conv{n}D", _KERAS_DOCS + "convolution_layers/convolution{n}d/", SAME),
    "conv-transpose": Table(
        "keras.layers.Conv{n}DTranspose", _KERAS_DOCS + "convolution_layers/convolution{n}d_transpose/", SAME
    ),
    "depthwise": Table(
        {1: "keras.layers.DepthwiseConv1D", 2: "keras.layers.DepthwiseConv2D"},
        _KERAS_DOCS + "convolution_layers/depthwise_convolution{n}d/",
        SAME,
        missing="has it in one and two dimensions; refconv's has the same arguments",
    ),
    "separable": Table(
        {1: "keras.layers.SeparableConv1D", 2: "keras.layers.SeparableConv2D"},
        _KERAS_DOCS + "convolution_layers/separable_convolution{n}d/",
        SAME,
        missing="has it in one and two dimensions; refconv's has the same arguments",
    ),
    "upsampling": Table("keras.layers.UpSampling{n}D", _KERAS_DOCS + "reshaping_layers/up_sampling{n}d/", SAME),
    "zero-padding": Table("keras.layers.ZeroPadding{n}D", _KERAS_DOCS + "reshaping_layers/zero_padding{n}d/", SAME),
    "cropping": Table("keras.layers.Cropping{n}D", _KERAS_DOCS + "reshaping_layers/cropping{n}d/", SAME),
}

TF = {
    "conv": Table("tf.keras.layers.Conv{n}D", _TF_DOCS + "Conv{n}D", SAME),
    "conv-transpose": Table(
        "tf.keras.layers.Conv{n}DTranspose",
        _TF_DOCS + "Conv{n}DTranspose",
        SAME | {"dilation_rate": Word("=", "above 1 it is documented as not supported")},
    ),
    "depthwise": Table(
        {2: "tf.keras.layers.DepthwiseConv2D"},
        _TF_DOCS + "DepthwiseConv2D",
        SAME | {"strides": Word("=", "equal for rows and columns")},
        missing="has it in two dimensions",
    ),
    "separable": Table(
        {1: "tf.keras.layers.SeparableConv1D", 2: "tf.keras.layers.SeparableConv2D"},
        _TF_DOCS + "SeparableConv{n}D",
        SAME | {"strides": {1: "=", 2: Word("=", "equal for rows and columns")}},
        missing="has it in one and two dimensions",
    ),
    "upsampling": Table(
        "tf.keras.layers.UpSampling{n}D",
        _TF_DOCS + "UpSampling{n}D",
        SAME | {"interpolation": Word("=", "'nearest' or 'bilinear'")},
    ),
    "zero-padding": Table(
        "tf.keras.layers.ZeroPadding{n}D",
        _TF_DOCS + "ZeroPadding{n}D",
        SAME | {"data_format": {1: none("channels last only"), 2: "=", 3: "="}},
    ),
    "cropping": Table("tf.keras.layers.Cropping{n}D", _TF_DOCS + "Cropping{n}D", SAME),
}

# Keras 1.2.

_KERAS1_DOCS = "https://faroit.com/keras-docs/1.2.2/layers/convolutional/"
_ORDERING = {
    1: none("channels last only"),
    2: Word("dim_ordering", "'th' is channels_first, 'tf' channels_last"),
    3: Word("dim_ordering", "'th' is channels_first, 'tf' channels_last"),
}
_KERAS1_KWARGS = Word("kwargs", "input_shape, name, trainable; there is no dtype")
_KERAS1_KERNEL = {1: "filter_length", 2: "nb_row, nb_col", 3: "kernel_dim1, kernel_dim2, kernel_dim3"}
_KERAS1_CONV = {
    "filters": "nb_filter",
    "kernel_size": _KERAS1_KERNEL,
    "strides": {1: "subsample_length", 2: "subsample", 3: "subsample"},
    "padding": Word("border_mode", "'valid' or 'same', on Theano also 'full'; there is no 'causal'"),
    "data_format": _ORDERING,
    "dilation_rate": {
        1: Word("atrous_rate", "of AtrousConvolution1D"),
        2: Word("atrous_rate", "of AtrousConvolution2D"),
        3: none("there is no AtrousConvolution3D"),
    },
    "groups": none("there are no groups"),
    "activation": "=",
    "use_bias": "bias",
    "kernel_initializer": Word("init", "a name or a function of the shape; 'zero' and 'one' for zeros and ones"),
    "bias_initializer": none("always zeros"),
    "kernel_regularizer": "W_regularizer",
    "bias_regularizer": "b_regularizer",
    "activity_regularizer": "=",
    "kernel_constraint": "W_constraint",
    "bias_constraint": "b_constraint",
    "kwargs": _KERAS1_KWARGS,
}
_KERAS1_OTHERS: dict[str, Any] = {"weights": "initial values, in its own layout"}

KERAS1 = {
    "conv": Table(
        "keras.layers.Convolution{n}D",
        _KERAS1_DOCS,
        _KERAS1_CONV,
        _KERAS1_OTHERS | {"input_dim": {1: "or input_shape"}, "input_length": {1: "or input_shape"}},
    ),
    "conv-transpose": Table(
        {2: "keras.layers.Deconvolution2D"},
        _KERAS1_DOCS,
        _KERAS1_CONV
        | {
            "padding": Word("border_mode", "'valid' or 'same'; the size is that of output_shape"),
            "output_padding": Word("output_shape", "the whole shape: one of the `stride` sizes that the stride allows"),
            "dilation_rate": none("there is none"),
        },
        _KERAS1_OTHERS,
        missing="documents Deconvolution2D only",
    ),
    "depthwise": Table({}, _KERAS1_DOCS, {}, missing="has SeparableConvolution2D only"),
    "separable": Table(
        {2: "keras.layers.SeparableConvolution2D"},
        _KERAS1_DOCS,
        _KERAS1_CONV
        | {
            "dilation_rate": none("there is none"),
            "depth_multiplier": "=",
            "depthwise_initializer": Word("init", "one for both steps"),
            "pointwise_initializer": Word("init", "one for both steps"),
            "depthwise_regularizer": "=",
            "pointwise_regularizer": "=",
            "depthwise_constraint": "=",
            "pointwise_constraint": "=",
        },
        _KERAS1_OTHERS,
        missing="has SeparableConvolution2D only",
    ),
    "upsampling": Table(
        "keras.layers.UpSampling{n}D",
        _KERAS1_DOCS,
        {
            "size": {1: "length", 2: "=", 3: "="},
            "data_format": _ORDERING,
            "interpolation": none("nearest only"),
            "kwargs": _KERAS1_KWARGS,
        },
    ),
    "zero-padding": Table(
        "keras.layers.ZeroPadding{n}D",
        _KERAS1_DOCS,
        {
            "padding": {
                1: Word("=", "a number, or (left_pad, right_pad)"),
                2: Word("=", "(rows, columns) or (top_pad, bottom_pad, left_pad, right_pad)"),
                3: Word("=", "one number per axis, for both sides"),
            },
            "data_format": _ORDERING,
            "kwargs": _KERAS1_KWARGS,
        },
    ),
    "cropping": Table(
        "keras.layers.Cropping{n}D",
        _KERAS1_DOCS,
        {"cropping": "=", "data_format": _ORDERING, "kwargs": _KERAS1_KWARGS},
    ),
}

# PyTorch.

_TORCH_DOCS = "https://docs.pytorch.org/docs/stable/generated/torch.nn."
_TORCH_LAYOUT = none("channels first only: permute before and after")
_TORCH_TRAINING = {
    "data_format": _TORCH_LAYOUT,
    "activation": none("a module of its own, such as torch.nn.ReLU"),
    "use_bias": "bias",
    "*_initializer": none("torch.nn.init changes the weights in place; the default is kaiming_uniform_(a=sqrt(5))"),
    "*_regularizer": none("a term of the loss, or the optimizer's weight_decay"),
    "*_constraint": none("by hand after each step, or torch.nn.utils.parametrize"),
    "kwargs": Word("dtype", "trainable is requires_grad_(); a name is given where the module is kept"),
}
_TORCH_SAME = padded(
    "padding",
    "'valid' is 0; 'same' at stride 1 only, else pad by hand: Keras' amount depends on the input's size and "
    "is uneven, the odd cell at the end; 'causal' pads (k - 1) * d before",
)
_TORCH_CONV = _TORCH_TRAINING | {
    "filters": "out_channels",
    "kernel_size": "=",
    "strides": "stride",
    "padding": _TORCH_SAME,
    "dilation_rate": "dilation",
    "groups": "=",
}
_TORCH_OTHERS = {
    "in_channels": "the input's channels, known in advance",
    "padding_mode": "'zeros'; refconv.pad has the others",
    "device": "where the weights are kept",
}

TORCH = {
    "conv": Table("torch.nn.Conv{n}d", _TORCH_DOCS + "Conv{n}d.html", _TORCH_CONV, _TORCH_OTHERS),
    "conv-transpose": Table(
        "torch.nn.ConvTranspose{n}d",
        _TORCH_DOCS + "ConvTranspose{n}d.html",
        _TORCH_CONV
        | {
            "padding": padded(
                "padding",
                "the cells cropped on both sides alike: 'valid' is 0; 'same' is (k - s) / 2 where that is whole, "
                "and 0 where k < s; else crop half of k - s - 1 here and one more cell at the end by hand",
            ),
            "output_padding": padded("output_padding", "None is not 0: it appends max(s - k, 0)"),
        },
        _TORCH_OTHERS | {"groups": "1; refconv.conv_transpose has groups", "padding_mode": "'zeros' only"},
    ),
    "depthwise": Table(
        "torch.nn.Conv{n}d",
        _TORCH_DOCS + "Conv{n}d.html",
        _TORCH_CONV | {"depth_multiplier": Word("out_channels", "in_channels * depth_multiplier")},
        _TORCH_OTHERS | {"groups": "in_channels"},
        note="with groups=in_channels",
    ),
    "separable": Table(
        "torch.nn.Conv{n}d",
        _TORCH_DOCS + "Conv{n}d.html",
        _TORCH_CONV
        | {
            "filters": Word("out_channels", "of the second"),
            "depth_multiplier": Word("out_channels", "of the first, in_channels * depth_multiplier"),
        },
        _TORCH_OTHERS | {"groups": "in_channels of the first, 1 of the second"},
        note="twice: groups=in_channels, bias=False, then kernel_size=1",
    ),
    "upsampling": Table(
        "torch.nn.Upsample",
        _TORCH_DOCS + "Upsample.html",
        {
            "size": Word("scale_factor", "size is the output's in PyTorch"),
            "data_format": _TORCH_LAYOUT,
            "interpolation": Word("mode", "'nearest', 'bilinear'; its 'bicubic' has other weights, lanczos is missing"),
            "kwargs": none("a module without weights"),
        },
        {
            "size": "not given",
            "mode": _NEAREST,
            "align_corners": "False",
            "recompute_scale_factor": "not given",
        },
    ),
    "zero-padding": Table(
        "torch.nn.ZeroPad{n}d",
        _TORCH_DOCS + "ZeroPad{n}d.html",
        {
            "padding": Word("=", "one number, or (before, after) from the last axis to the first, all in one tuple"),
            "data_format": _TORCH_LAYOUT,
            "kwargs": none("a module without weights"),
        },
    ),
    "cropping": Table(
        "torch.nn.ZeroPad{n}d",
        _TORCH_DOCS + "ZeroPad{n}d.html",
        {
            "cropping": padded("padding", "the negative amounts, (before, after) from the last axis to the first"),
            "data_format": _TORCH_LAYOUT,
            "kwargs": none("a module without weights"),
        },
        note="with negative amounts",
    ),
}

# ONNX.

_ONNX_DOCS = "https://onnx.ai/onnx/operators/onnx__"
_ONNX_LAYOUT = none("channels first only: Transpose before and after")
_ONNX_TRAINING = {
    "data_format": _ONNX_LAYOUT,
    "activation": none("a node of its own, such as Relu"),
    "use_bias": Word("B", "an input that may be left out"),
    "*_initializer": none("a graph holds the values themselves"),
    "*_regularizer": none("a graph is not trained"),
    "*_constraint": none("a graph is not trained"),
    "kwargs": none("the node's name, and the type of its tensors"),
}
_ONNX_CONV = _ONNX_TRAINING | {
    "filters": none("the first axis of W, (filters, channels / group, k...)"),
    "kernel_size": Word("kernel_shape", "or left out: W has it"),
    "strides": "=",
    "padding": {
        1: padded("auto_pad, pads", "'valid' is VALID, 'same' SAME_UPPER; 'causal' is pads [(k - 1) * d, 0]"),
        2: Word("auto_pad", "'valid' is VALID, 'same' SAME_UPPER"),
        3: Word("auto_pad", "'valid' is VALID, 'same' SAME_UPPER"),
    },
    "dilation_rate": "dilations",
    "groups": "group",
}
_ONNX_WORDS = {"X": "the input", "W": "the weights"}

ONNX = {
    "conv": Table("Conv", _ONNX_DOCS + "Conv.html", _ONNX_CONV, _ONNX_WORDS | {"pads": "all 0, or left out"}),
    "conv-transpose": Table(
        "ConvTranspose",
        _ONNX_DOCS + "ConvTranspose.html",
        _ONNX_CONV
        | {
            "filters": none("the second axis of W, (channels, filters / group, k...)"),
            "padding": Word("auto_pad", "'same' is SAME_UPPER; 'valid' is NOTSET"),
            "output_padding": padded(
                "output_padding, pads",
                "None is not 0: under 'valid' output_padding is max(s - k, 0); for other sizes pads crops",
            ),
        },
        _ONNX_WORDS
        | {
            "group": "1; refconv.conv_transpose has groups",
            "output_shape": "left out: pads would be ignored",
        },
    ),
    "depthwise": Table(
        "Conv",
        _ONNX_DOCS + "Conv.html",
        _ONNX_CONV | {"depth_multiplier": none("the first axis of W is channels * depth_multiplier")},
        _ONNX_WORDS | {"group": "the input's channels", "pads": "all 0, or left out"},
        note="with group = channels",
    ),
    "separable": Table(
        "Conv",
        _ONNX_DOCS + "Conv.html",
        _ONNX_CONV | {"depth_multiplier": none("the first axis of the first W is channels * depth_multiplier")},
        _ONNX_WORDS | {"group": "the input's channels in the first, 1 in the second", "pads": "all 0, or left out"},
        note="twice: group = channels, then kernel_shape of ones",
    ),
    "upsampling": Table(
        "Resize",
        _ONNX_DOCS + "Resize.html",
        {
            "size": Word("scales", "with 1 for batch and channels"),
            "data_format": none("any: scales names every axis"),
            "interpolation": Word("mode", "'nearest', 'linear' for bilinear, 'cubic' for bicubic; lanczos is missing"),
            "kwargs": none("the node's name, and the type of its tensors"),
        },
        {
            "X": "the input",
            "mode": _NEAREST,
            "roi": "left out",
            "sizes": "left out",
            "coordinate_transformation_mode": "'half_pixel'",
            "nearest_mode": "'round_prefer_floor', the default",
            "cubic_coeff_a": "-0.5, where the default is -0.75",
            "exclude_outside": "1 for 'cubic'",
            "antialias": "0",
            "axes": "left out",
            "extrapolation_value": "left out",
            "keep_aspect_ratio_policy": "left out",
        },
    ),
    "zero-padding": Table(
        "Pad",
        _ONNX_DOCS + "Pad.html",
        {
            "padding": Word("pads", "all amounts before, then all after, with 0 for batch and channels"),
            "data_format": none("any: pads names every axis"),
            "kwargs": none("the node's name, and the type of its tensors"),
        },
        {"data": "the input", "mode": "'constant'", "constant_value": "left out, or 0", "axes": "left out"},
    ),
    "cropping": Table(
        "Slice",
        _ONNX_DOCS + "Slice.html",
        {
            "cropping": Word("starts, ends", "the amounts before, and the negative amounts after"),
            "data_format": none("any: axes says which are cropped"),
            "kwargs": none("the node's name, and the type of its tensors"),
        },
        {"data": "the input", "axes": "those cropped", "steps": "left out"},
    ),
}

# JAX.

_JAX_DOCS = "https://docs.jax.dev/en/latest/_autosummary/"
_JAX_TRAINING = {
    "filters": none("an axis of rhs"),
    "kernel_size": none("axes of rhs"),
    "data_format": Word("dimension_numbers", "such as ('NHWC', 'HWIO', 'NHWC')"),
    "activation": none("a function of its own, such as jax.nn.relu"),
    "use_bias": none("add it"),
    "*_initializer": none("jax.nn.initializers makes rhs"),
    "*_regularizer": none("a term of the loss"),
    "*_constraint": none("by hand after each step"),
    "kwargs": none("a function has no name and no state"),
}
_JAX_CONV = _JAX_TRAINING | {
    "strides": "window_strides",
    "padding": {
        1: padded("padding", "'VALID' or 'SAME'; 'causal' is [((k - 1) * d, 0)]"),
        2: Word("=", "'VALID' or 'SAME'"),
        3: Word("=", "'VALID' or 'SAME'"),
    },
    "dilation_rate": "rhs_dilation",
    "groups": "feature_group_count",
}
_JAX_OTHERS = {
    "lhs": "the input",
    "rhs": "the weights",
    "precision": "None, or jax.lax.Precision.HIGHEST",
    "preferred_element_type": "None",
}
_JAX_GENERAL = _JAX_OTHERS | {"lhs_dilation": "None", "batch_group_count": "1", "out_sharding": "None"}
_GENERAL = "jax.lax.conv_general_dilated"

JAX = {
    "conv": Table(_GENERAL, _JAX_DOCS + f"{_GENERAL}.html", _JAX_CONV, _JAX_GENERAL),
    "conv-transpose": Table(
        "jax.lax.conv_transpose",
        _JAX_DOCS + "jax.lax.conv_transpose.html",
        _JAX_TRAINING
        | {
            "strides": "=",
            "padding": Word("=", "'VALID' or 'SAME', which are Keras'; amounts would pad the dilated input"),
            "output_padding": padded("padding", "None is the words'; else amounts, ke - 1 less the crop on each side"),
            "dilation_rate": "rhs_dilation",
        },
        _JAX_OTHERS
        | {
            "transpose_kernel": "True, with rhs as Keras has it: by default the kernel is not flipped",
            "use_consistent_padding": "False",
        },
    ),
    "depthwise": Table(
        _GENERAL,
        _JAX_DOCS + f"{_GENERAL}.html",
        _JAX_CONV | {"depth_multiplier": none("rhs has shape (k..., 1, channels * depth_multiplier)")},
        _JAX_GENERAL | {"feature_group_count": "the input's channels"},
        note="with feature_group_count = channels",
    ),
    "separable": Table(
        _GENERAL,
        _JAX_DOCS + f"{_GENERAL}.html",
        _JAX_CONV | {"depth_multiplier": none("the first rhs has shape (k..., 1, channels * depth_multiplier)")},
        _JAX_GENERAL | {"feature_group_count": "the input's channels in the first, 1 in the second"},
        note="twice: feature_group_count = channels, then a kernel of ones",
    ),
    "upsampling": Table(
        "jax.image.resize",
        _JAX_DOCS + "jax.image.resize.html",
        {
            "size": Word("shape", "the output's whole shape"),
            "data_format": none("any: shape names every axis"),
            "interpolation": Word("method", "the same words, and 'cubic' for bicubic"),
            "kwargs": none("a function has no name and no state"),
        },
        {"image": "the input", "method": _NEAREST, "antialias": "no matter: it enlarges", "precision": "its default"},
    ),
    "zero-padding": Table(
        "jax.lax.pad",
        _JAX_DOCS + "jax.lax.pad.html",
        {
            "padding": Word("padding_config", "(before, after, 0) for every axis, batch and channels included"),
            "data_format": none("any: padding_config names every axis"),
            "kwargs": none("a function has no name and no state"),
        },
        {"operand": "the input", "padding_value": "0 of the input's dtype"},
    ),
    "cropping": Table(
        "jax.lax.pad",
        _JAX_DOCS + "jax.lax.pad.html",
        {
            "cropping": padded("padding_config", "(-before, -after, 0) for every axis, batch and channels included"),
            "data_format": none("any: padding_config names every axis"),
            "kwargs": none("a function has no name and no state"),
        },
        {"operand": "the input", "padding_value": "0 of the input's dtype"},
        note="with negative amounts",
    ),
}

# MATLAB's Deep Learning Toolbox.

_MATLAB_DOCS = "https://www.mathworks.com/help/deeplearning/ref/"
_MATLAB_LAYOUT = none("arrays are h, w, d, channel, batch")
_MATLAB_CONV = {
    "filters": "numFilters",
    "kernel_size": "filterSize",
    "strides": "Stride",
    "padding": Word("Padding", "'valid' is 0; 'same', and in one dimension 'causal', are its words too"),
    "data_format": _MATLAB_LAYOUT,
    "dilation_rate": "DilationFactor",
    "groups": none("groupedConvolution2dLayer has them, in two dimensions"),
    "activation": none("a layer of its own, such as reluLayer"),
    "use_bias": none("there always is one: zeros, with BiasLearnRateFactor 0, leave it out"),
    "bias_initializer": "BiasInitializer",
    "*_initializer": Word("WeightsInitializer", "'he' is not truncated, and counts NumChannels whatever the layer"),
    "bias_regularizer": Word("BiasL2Factor", "times the trainer's L2 strength, which halves the squares"),
    "activity_regularizer": none("there is none"),
    "*_regularizer": Word("WeightL2Factor", "times the trainer's L2 strength, which halves the squares"),
    "*_constraint": none("there are none"),
    "kwargs": Word("Name", "trainable=False is WeightLearnRateFactor and BiasLearnRateFactor 0"),
}
_MATLAB_SHARED = {
    "Weights": "[], or initial values",
    "Bias": "[], or initial values",
    "WeightLearnRateFactor": "1",
    "BiasLearnRateFactor": "1",
}
_MATLAB_OTHERS = _MATLAB_SHARED | {"NumChannels": "'auto'", "PaddingValue": "0"}
_GROUPED = {2: "groupedConvolution2dLayer"}

MATLAB = {
    "conv": Table(
        "convolution{n}dLayer",
        _MATLAB_DOCS + "nnet.cnn.layer.convolution{n}dlayer.html",
        _MATLAB_CONV,
        _MATLAB_OTHERS,
    ),
    "conv-transpose": Table(
        "transposedConv{n}dLayer",
        _MATLAB_DOCS + "transposedconv{n}dlayer.html",
        _MATLAB_CONV
        | {
            "padding": padded("Cropping", "'same' is its word too; 'valid' is 0, but for a kernel below the stride"),
            "output_padding": none("what is cropped last may be less, but nothing is appended"),
            "dilation_rate": none("there is none"),
        },
        _MATLAB_SHARED | {"NumChannels": "'auto'"},
    ),
    "depthwise": Table(
        _GROUPED,
        _MATLAB_DOCS + "nnet.cnn.layer.groupedconvolution2dlayer.html",
        _MATLAB_CONV | {"depth_multiplier": "numFiltersPerGroup"},
        _MATLAB_SHARED | {"numGroups": "'channel-wise'", "PaddingValue": "0"},
        note="with numGroups 'channel-wise'",
        missing="has it in two dimensions",
    ),
    "separable": Table(
        _GROUPED,
        _MATLAB_DOCS + "nnet.cnn.layer.groupedconvolution2dlayer.html",
        _MATLAB_CONV
        | {
            "filters": Word("numFilters", "of convolution2dLayer"),
            "depth_multiplier": Word("numFiltersPerGroup", "of groupedConvolution2dLayer"),
        },
        _MATLAB_OTHERS | {"numGroups": "'channel-wise'"},
        note="with numGroups 'channel-wise', then convolution2dLayer(1, numFilters)",
        missing="has it in two dimensions",
    ),
    "upsampling": Table(
        {2: "resize2dLayer", 3: "resize3dLayer"},
        "https://www.mathworks.com/help/images/ref/resize{n}dlayer.html",
        {
            "size": Word("Scale", "of a layer of the Image Processing Toolbox"),
            "data_format": _MATLAB_LAYOUT,
            "interpolation": Word("Method", "'nearest' or 'bilinear'"),
            "kwargs": "Name",
        },
        {
            "Method": _NEAREST,
            "OutputSize": "not given",
            "EnableReferenceInput": "false",
            "GeometricTransformMode": "'half-pixel'",
            "NearestRoundingMode": "'round'",
        },
        missing="has it in two and three dimensions",
    ),
    "zero-padding": Table({}, "", {}, missing="pads in the convolution that follows: its Padding"),
    "cropping": Table({}, "", {}, missing="crops to another input's size: crop2dLayer, crop3dLayer"),
}

TABLES: dict[str, dict[str, Table]] = {
    "keras1": KERAS1,
    "tf": TF,
    "keras": KERAS,
    "torch": TORCH,
    "onnx": ONNX,
    "jax": JAX,
    "matlab": MATLAB,
}
