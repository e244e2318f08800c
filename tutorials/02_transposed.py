# %% [markdown]
# # Lesson 2: transposed convolution
#
# A transposed convolution goes the other way: from something of the shape of a convolution's output
# to something of the shape of its input. It is *not* an inverse (it does not recover the values), and
# it is *not* another name for atrous or dilated convolution, though both are often said.

# %%
import numpy as np

import refconv
from refconv import AxisGeometry, ConvGeometry

# %% [markdown]
# ## First view: the transpose of a matrix
#
# Lesson 1 ended with a convolution as a matrix `C`, from 5 data to 2. Its transpose goes from 2 to 5.

# %%
conv = ConvGeometry((AxisGeometry(input_size=5, kernel_size=3, stride=2),))
weights = np.array([1.0, 2.0, 3.0])
C = refconv.matrix(conv, weights.reshape(3, 1, 1))
x = np.array([10.0, 1.0])
print(C)
print(C.T @ x)

# %% [markdown]
# ## Second view: stamping
#
# Every input stamps the kernel onto the output, scaled by its value, `stride` cells apart. Where
# stamps overlap they add up. (The overlap is uneven when the kernel does not divide by the stride:
# that is where checkerboard patterns come from.)

# %%
stamped = np.zeros(5)
for i, value in enumerate(x):
    stamped[2 * i : 2 * i + 3] += value * weights
print(stamped)
assert np.array_equal(stamped, C.T @ x)

# %% [markdown]
# ## Third view: zero insertion
#
# The same numbers come from an ordinary convolution: put `stride - 1` zeros between the inputs, pad
# by all but one kernel element, flip the kernel, and slide with stride 1.

# %%
spread = np.array([0, 0, 10, 0, 1, 0, 0.0])
flipped = weights[::-1]
gathered = np.array([spread[o : o + 3] @ flipped for o in range(5)])
print(gathered)
assert np.array_equal(gathered, stamped)

# %% [markdown]
# refconv has a loop for each view, and its tests hold them equal. `conv_transpose` takes weights in
# the order `(kernel, filters, channels)`.

# %%
y = refconv.conv_transpose(x.reshape(1, 2, 1), weights.reshape(3, 1, 1), strides=2)
print(y.ravel())
assert np.array_equal(y.ravel(), stamped)

# %% [markdown]
# As geometry, the transposed layer is the *adjoint* of the convolution: stride and zero insertion
# change places, and the kernel is read from its far end.

# %%
adjoint = conv.adjoint()
print(adjoint.axes[0])
assert adjoint.output_size == conv.input_size
assert np.array_equal(refconv.matrix(adjoint, weights.reshape(3, 1, 1)), C.T)

# %% [markdown]
# ## Adjoint, not inverse
#
# `<conv(a), b> = <a, conv_transpose(b)>` for all `a` and `b`: that is what "transposed" means. Going
# there and back does not give the input again.

# %%
rng = np.random.default_rng(1)
a, b = rng.standard_normal(5), rng.standard_normal(2)
assert np.isclose((C @ a) @ b, a @ (C.T @ b))
assert not np.allclose(C.T @ (C @ a), a)

# %% [markdown]
# ## Which size? `output_padding`
#
# With stride 2, inputs of 5 and of 6 give the same output of 2 in the forward direction; so the way
# back is ambiguous, with as many choices as the stride. Frameworks choose the smallest unless
# `output_padding` (or an output shape) says otherwise.

# %%
print(list(conv.axes[0].input_sizes_sharing_output()))
print(refconv.explain("conv-transpose", (2,), kernel_size=3, strides=2, output_padding=1))

assert refconv.output_size("conv-transpose", (2,), kernel_size=3, strides=2) == (5,)
assert refconv.output_size("conv-transpose", (2,), kernel_size=3, strides=2, output_padding=1) == (6,)

# %% [markdown]
# ## The same words, other sizes
#
# `same` with stride 2 doubles the size in Keras. PyTorch has no such word: padding 1 and output
# padding 1 give that size for a kernel of 3, yet they crop another side, so the values are shifted by
# one pixel. Sizes that agree do not prove that layers agree.

# %%
keras = refconv.conventions.read("conv-transpose", (4,), "keras", kernel_size=3, strides=2, padding="same")
torch = refconv.conventions.read("conv-transpose", (4,), "torch", kernel_size=3, stride=2, padding=1, output_padding=1)
print("Keras crops", keras.geometry.axes[0].crop, "- PyTorch crops", torch.geometry.axes[0].crop)
assert keras.geometry.output_size == torch.geometry.output_size == (8,)
assert keras.geometry.axes[0].crop != torch.geometry.axes[0].crop

# %% [markdown]
# ## The picture
#
# Both views side by side, in lockstep: on the left the flipped kernel slides over the zero-inserted
# input, on the right the stamps that overlap at the same output.

# %%
animation = refconv.animate(adjoint, x.reshape(1, 2, 1), weights=weights.reshape(3, 1, 1))
print(animation.alt_text)
assert len(animation) == 5
