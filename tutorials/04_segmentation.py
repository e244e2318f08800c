# %% [markdown]
# # Lesson 4: finding objects, pixel by pixel
#
# To segment an image is to say for every pixel what it belongs to. The output is as large as the input,
# so a network must look at wide surroundings and still answer for single pixels. The usual shape is an
# *encoder-decoder*: strided convolutions make the image smaller and the features richer, and a decoder
# makes it large again. This lesson builds one out of everything in this package and asks two questions:
# *what does a dilated pyramid add*, and *which decoder is better, transposed convolution or bilinear
# upsampling*?
#
# The lesson needs scikit-learn: `pip install "refconv[lessons]"`. It takes a few minutes; with
# `REFCONV_LESSONS=quick` in the environment the networks see few images, which takes seconds.

# %%
import colorsys
import os
import random
import time

import matplotlib.cbook
import matplotlib.image
import numpy as np
from sklearn.datasets import load_sample_image

import refconv
from refconv.layers import Activation, BatchNormalization, Branches, Conv2D, Conv2DTranspose, Input, UpSampling2D
from refconv.losses import BinaryCrossentropy
from refconv.models import Sequential
from refconv.optimizers import Adam

QUICK = os.environ.get("REFCONV_LESSONS") == "quick"
SIZE, STRIP = 32, 80

# %% [markdown]
# ## Images whose masks are known
#
# The backgrounds are cut out of three photographs: a portrait, a palace and a flower. On each, one to
# three shapes are painted in a strong colour through which the texture of another cutting shows. What was
# painted is the mask. A flower's petals are as colourful as the paint, so colour alone is not enough.
#
# The photographs are cut into strips 80 pixels wide. Training images come from every other strip, held-out
# ones from those between: the network is judged on pixels that it has never seen, in shapes that are new too.

# %%
with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as portrait:
    photographs = [matplotlib.image.imread(portrait, format="jpg")]
photographs += [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
photographs = [photograph[..., :3] / 255 for photograph in photographs]


def cutting(rng, first_strip):
    """Cut a texture out of every other strip of a photograph, at half the resolution, turned at random."""
    photograph = photographs[rng.integers(len(photographs))]
    height, width, _ = photograph.shape
    strip = rng.choice(np.arange(first_strip, width // STRIP, 2))
    top, left = rng.integers(height - 2 * SIZE), strip * STRIP + rng.integers(STRIP - 2 * SIZE + 1)
    part = photograph[top : top + 2 * SIZE, left : left + 2 * SIZE].reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
    part = part[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    return part if rng.integers(2) else part.swapaxes(0, 1)


def painted(rng):
    """Draw one to three ellipses, diamonds and rounded rectangles, at any angle."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    mask = np.zeros((SIZE, SIZE), bool)
    for _ in range(rng.integers(1, 4)):
        row, column = rng.uniform(0.2, 0.8, 2) * SIZE
        length, width = rng.uniform(0.12, 0.34, 2) * SIZE
        angle, power = rng.uniform(0, np.pi), rng.choice([1, 2, 6])
        along = (columns - column) * np.cos(angle) + (rows - row) * np.sin(angle)
        across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
        mask |= np.abs(along / length) ** power + np.abs(across / width) ** power < 1
    return mask


def draw(count, seed, first_strip):
    """Return images, from -0.5 to 0.5, and masks of which 10 to 40 % are foreground."""
    rng = np.random.default_rng(seed)
    images, masks = [], []
    while len(images) < count:
        mask = painted(rng)
        if 0.1 <= mask.mean() <= 0.4:
            colour = np.array(colorsys.hsv_to_rgb(rng.uniform(), *rng.uniform(0.7, 1, 2)))
            paint = 0.75 * colour + 0.25 * cutting(rng, first_strip)
            images.append(np.where(mask[..., None], paint, cutting(rng, first_strip)) - 0.5)
            masks.append(mask[..., None])
    return np.array(images, np.float32), np.array(masks, np.float32)


images, masks = draw(32 if QUICK else 1000, seed=1, first_strip=0)
test_images, test_masks = draw(16 if QUICK else 200, seed=2, first_strip=1)
print(images.shape, f"foreground {masks.mean():.0%}; held out: {len(test_images)}")
assert masks.mean((1, 2, 3)).min() >= 0.1
assert masks.mean((1, 2, 3)).max() <= 0.4

# %% [markdown]
# ## The parts
#
# A block is a convolution, a batch normalization and an activation. The *dilated pyramid* reads the same
# features at four distances at once: dilations 1, 2 and 4 with the same 3 x 3 kernel, and a 1 x 1 kernel.
# `Branches` runs its branches side by side and joins what they return along the channels.

# %%


def block(filters, kernel_size=3, **arguments):
    conv = Conv2D(filters, kernel_size, padding="same", use_bias=False, kernel_initializer="he_uniform", **arguments)
    return [conv, BatchNormalization(momentum=0.9), Activation("relu")]


def pyramid():
    return [Branches([block(12, 1), block(12), block(12, dilation_rate=2), block(12, dilation_rate=4)])]


axes = [refconv.AxisGeometry(SIZE // 4, 3, dilation=d, pad_before=d, pad_after=d) for d in (1, 2, 4)]
for axis in axes:
    print(f"dilation {axis.dilation}: a kernel of 3 reads a span of {axis.dilated_kernel_size}")
assert [axis.dilated_kernel_size for axis in axes] == [3, 5, 9]

# %% [markdown]
# Two decoders double the size. A transposed convolution learns how an input is stamped onto the output;
# kernel 4 with stride 2 is a good choice, as every output is then reached by equally many inputs. Bilinear
# upsampling learns nothing about place; a 1 x 1 convolution chooses the channels.


# %%
def transposed(filters):
    return [Conv2DTranspose(filters, 4, strides=2, padding="same")]


def bilinear(filters):
    return [UpSampling2D(2, interpolation="bilinear"), *block(filters, 1)]


# %% [markdown]
# ## The whole
#
# An empty branch is the input itself, so a branch beside it is a skip connection: the decoder sees what
# was there before the image was made smaller. Here one skip connection stands inside another.

# %%


def network(middle, decoder):
    quarter = [*block(24, strides=2), *middle, *block(24, 1), *decoder(16)]
    half = [*block(16, strides=2), Branches([[], quarter]), *block(16), *decoder(8)]
    return Sequential(
        [Input((SIZE, SIZE, 3)), *block(8), Branches([[], half]), *block(8), Conv2D(1, 1)], name="segmentation"
    )


random.seed(0)
network(pyramid(), transposed).summary()

# %% [markdown]
# ## The comparison
#
# Every network sees the same images in the same order. The judge is the mean intersection over union, of
# foreground and background, on the held-out images: 1 is perfect; calling everything background would give
# about 0.4.

# %%


def trained(middle, decoder):
    random.seed(0)
    model = network(middle(), decoder)
    model.compile(Adam(0.005), BinaryCrossentropy(from_logits=True), metrics=["mean_iou"])
    model.fit(images, masks, batch_size=16, epochs=1 if QUICK else 4, seed=0)
    # Smaller steps at the end settle the weights.
    model.optimizer.learning_rate = 0.001
    model.fit(images, masks, batch_size=16, epochs=1 if QUICK else 2, seed=1)
    return model


variants = {
    "dilated pyramid, transposed decoder": (pyramid, transposed),
    "dilated pyramid, bilinear decoder": (pyramid, bilinear),
    "plain convolution, transposed decoder": (lambda: block(32), transposed),
}
models, scores = {}, {}
for name, (middle, decoder) in variants.items():
    started = time.perf_counter()
    models[name] = trained(middle, decoder)
    scores[name] = models[name].evaluate(test_images, test_masks)["mean_iou"]
    count, seconds = models[name].count_params(), time.perf_counter() - started
    print(f"{name}: {count:,} weights, {seconds:.0f} s, mean intersection over union {scores[name]:.3f}\n")

assert QUICK or min(scores.values()) >= 0.9

# %% [markdown]
# ## Looking at it
#
# One held-out image: the true mask on the left, the answer of the best network on the right.

# %%
best = max(scores, key=scores.get)
answer = models[best].predict(test_images[:1])[0, ::2, :, 0] > 0
for truth, found in zip(test_masks[0, ::2, :, 0] > 0, answer, strict=True):
    print("".join(".#"[int(pixel)] for pixel in truth), "".join(".#"[int(pixel)] for pixel in found), sep="   ")

# %% [markdown]
# ## What to make of it
#
# All three find the objects. The pyramid has few weights for the distance that it sees, but a quarter of 32
# pixels is 8, which a plain 3 x 3 kernel nearly spans: it pays on larger images. The bilinear decoder
# does with a quarter fewer weights what the transposed one does. Differences of 0.01 are no more than another
# seed makes; to choose between two networks, train each several times.
