# %% [markdown]
# # Lesson 1: convolution
#
# A convolution layer slides a small kernel over its input. At every place it multiplies what lies
# under the kernel by the kernel's weights and adds up. This lesson answers three questions: *what is
# read where*, *how large is the output*, and *what does the layer compute*.

# %%
import numpy as np

import refconv
from refconv import AxisGeometry, ConvGeometry

# %% [markdown]
# ## One axis, by hand
#
# Five data, a kernel of three, a stride of two, one cell of padding on either side:
#
#     padded input     .  0  1  2  3  4  .
#     output 0        [k0 k1 k2]
#     output 1              [k0 k1 k2]
#     output 2                    [k0 k1 k2]
#
# Output `o` puts kernel element `k` on cell `o * stride + k * dilation - pad_before`. That line is
# all of convolution arithmetic. Everything else on this page follows from it.

# %%
axis = AxisGeometry(input_size=5, kernel_size=3, stride=2, pad_before=1, pad_after=1)
for o in range(axis.output_size):
    print(f"output {o}:", [tap.input_index[0] if tap.input_index else tap.kind.value for tap in axis.taps(o)])

assert axis.output_size == 3

# %% [markdown]
# ## The size, derived
#
# The kernel's first element can stand on every `s`-th cell as long as its last element still fits:
# `o = floor((i + 2p - k) / s) + 1`. `refconv.explain` names the relationship and puts the numbers in.

# %%
print(refconv.explain("conv", (5,), kernel_size=3, strides=2, padding=1))

# %% [markdown]
# With six data instead of five the output has the same size: the floor drops a cell, and the last
# cell of the padded input is never read. This is where two frameworks start to disagree by a pixel.

# %%
six = axis._replace(input_size=6)
print(f"outputs {six.output_size}, cells never read {six.unread}")
print("input sizes with this output size:", list(six.input_sizes_sharing_output()))

assert (six.output_size, six.unread) == (3, 1)
assert list(six.input_sizes_sharing_output()) == [5, 6]

# %% [markdown]
# ## The numbers
#
# Arrays are channels last: `(batch, length, channels)`; weights are `(kernel, channels, filters)`.
# The kernel is not flipped: what deep learning calls convolution is cross-correlation.

# %%
x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
weights = np.array([1.0, 0.0, -1.0])
y = refconv.conv(x.reshape(1, 5, 1), weights.reshape(3, 1, 1), strides=2, padding=1)
print(y.ravel())

by_hand = [0 * 1 + 1 * 0 + 2 * -1, 2 * 1 + 3 * 0 + 4 * -1, 4 * 1 + 5 * 0 + 0 * -1]
assert y.ravel().tolist() == by_hand

# %% [markdown]
# ## Padding by name
#
# `valid` pads nothing. `same` pads so that the output has `ceil(i / s)` cells, and when the amount is
# odd the extra cell stands at the end. `causal` pads only before, so that no output sees the future.
# `full` lets the kernel hang over by all but one element.

# %%
for padding in ("valid", "same", "causal", "full"):
    print(f"{padding:>6}:", refconv.output_size("conv", (10,), kernel_size=4, padding=padding))

reading = refconv.conventions.read("conv", (10,), kernel_size=4, strides=2, padding="same")
assert (reading.geometry.axes[0].pad_before, reading.geometry.axes[0].pad_after) == (1, 1)
odd = refconv.conventions.read("conv", (10,), kernel_size=3, strides=2, padding="same").geometry.axes[0]
assert (odd.pad_before, odd.pad_after) == (0, 1)

# %% [markdown]
# A causal output really does not depend on later inputs: change the last datum, and all outputs but
# the last stay as they were.

# %%
rng = np.random.default_rng(0)
sequence = rng.standard_normal((1, 8, 1))
kernel = rng.standard_normal((2, 1, 1))
changed = sequence.copy()
changed[0, -1] += 1
before = refconv.conv(sequence, kernel, padding="causal", dilation_rate=4)
after = refconv.conv(changed, kernel, padding="causal", dilation_rate=4)
assert np.array_equal(before[0, :-1], after[0, :-1])
assert before[0, -1] != after[0, -1]

# %% [markdown]
# ## Dilation (atrous convolution)
#
# A dilation of `d` spreads the kernel: `k` elements span `(k - 1) * d + 1` cells. The number of
# weights stays the same while the receptive field grows; three layers of dilation 1, 2, 4 see 15 data.

# %%
sizes = [AxisGeometry(64, 3, dilation=1), AxisGeometry(62, 3, dilation=2), AxisGeometry(58, 3, dilation=4)]
(field,) = refconv.receptive_field([ConvGeometry((a,)) for a in sizes])
print(field)
assert field.size == 15

# %% [markdown]
# ## A convolution is a matrix
#
# Flatten the input and the output, and a convolution is `y = C x`. Each row of `C` is one output; the
# weights stand where it reads. Lesson 2 uses the transpose of this matrix.

# %%
C = refconv.matrix(ConvGeometry((axis,)), weights.reshape(3, 1, 1))
print(C)
assert np.array_equal(C @ x, y.ravel())

# %% [markdown]
# ## The picture
#
# `animate` draws every step of the same rule. In a notebook it shows itself; `save` writes a GIF, or
# a storyboard with all frames on one page for print.

# %%
animation = refconv.animate(ConvGeometry((axis,)), x.reshape(1, 5, 1), weights=weights.reshape(3, 1, 1))
print(animation.alt_text)
assert len(animation) == axis.output_size
