# %% [markdown]
# # Lesson 3: a network that learns to read digits
#
# Lessons 1 and 2 said what a layer computes. This one lets layers learn: a small convolutional network
# reads the 1,797 handwritten digits that come with scikit-learn. It answers three questions: *what does
# a model consist of*, *what does one step of training do*, and *what has a kernel learned*.
#
# The lesson needs scikit-learn: `pip install "refconv[lessons]"`. It takes about half a minute; with
# `REFCONV_LESSONS=quick` in the environment it trains on a few digits only, which takes seconds.

# %%
import os
import random

import numpy as np
from sklearn.datasets import load_digits

from refconv.layers import Conv2D, Dense, Flatten
from refconv.losses import SparseCategoricalCrossentropy
from refconv.models import Sequential
from refconv.optimizers import Adam

QUICK = os.environ.get("REFCONV_LESSONS") == "quick"
random.seed(0)  # the weights that the layers start from

# %% [markdown]
# ## The data
#
# Images of 8 x 8 pixels with 17 shades of grey. A fifth of them is held out: the network is judged by
# digits that it has not been trained on.

# %%
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
images = (digits.images[order, :, :, None] / 16).astype(np.float32)
labels = digits.target[order]
held_out = len(labels) // 5
test_images, test_labels = images[:held_out], labels[:held_out]
images, labels = images[held_out:], labels[held_out:]
if QUICK:
    images, labels = images[:400], labels[:400]
print(images.shape, "to learn from,", test_images.shape, "held out")

# %% [markdown]
# ## The model
#
# Two convolutions see edges and corners, the second with a stride of 2: `o = ceil(8 / 2) = 4`. A dense
# layer weighs what they found, one output for each digit. It has no activation: the loss takes logits,
# which is more exact than a softmax and its logarithm one after the other.

# %%
model = Sequential(
    [
        Conv2D(16, 3, padding="same", activation="relu", input_shape=(8, 8, 1), name="edges"),
        Conv2D(32, 3, strides=2, padding="same", activation="relu", name="corners"),
        Flatten(name="flatten"),
        Dense(10, name="digit"),
    ],
    name="digits",
)
model.summary()
assert model.output_shape == (None, 10)

# %% [markdown]
# ## One step, by hand
#
# `forward` computes the outputs and keeps what `backward` needs. The loss gives the gradient to the
# outputs; `backward` takes it through every layer, from the last to the first, and leaves in each the gradient to
# its weights. A small step against the gradient makes the loss smaller. That is all of training.

# %%
loss = SparseCategoricalCrossentropy(from_logits=True)
few, answers = images[:64], labels[:64]
outputs = model.forward(few)
before = loss(answers, outputs)
model.backward(loss.gradient(answers, outputs))
for weights, gradient in zip(model.trainable_weights, model.gradients, strict=True):
    weights -= 0.01 * gradient
after = loss(answers, model(few))
print(f"loss {before:.4f} before the step, {after:.4f} after; guessing would be {np.log(10):.4f}")
assert after < before

# %% [markdown]
# ## Many steps
#
# `compile` chooses the loss and the optimizer, `fit` goes through the digits again and again in small
# batches. Smaller steps at the end settle the weights.

# %%
model.compile(Adam(0.003), loss, metrics=["accuracy"])
test = (test_images, test_labels)
model.fit(images, labels, epochs=4 if QUICK else 10, validation_data=test, seed=0)
model.optimizer.learning_rate = 0.0005
history = model.fit(images, labels, epochs=1 if QUICK else 5, validation_data=test, seed=1)
print("accuracy on the digits held out, epoch by epoch:", np.round(history.history["val_accuracy"], 3))

# %%
result = model.evaluate(test_images, test_labels)
print(f"held-out digits read correctly: {result['accuracy']:.2%}")
assert result["accuracy"] > (0.7 if QUICK else 0.97)

# %% [markdown]
# ## What went wrong
#
# The confusions are the ones people make, too.

# %%
chosen = model.predict(test_images).argmax(-1)
for i in np.flatnonzero(chosen != test_labels)[:3]:
    print(f"\nread as {chosen[i]}, written as {test_labels[i]}:")
    for row in test_images[i, :, :, 0]:
        print("".join(" .:-=+*#%@"[int(value * 9)] * 2 for value in row))

# %% [markdown]
# ## What a kernel has learned
#
# Nobody told the first layer what an edge is. Its kernels answer strongly where brightness changes: hold
# a white image against them, and away from the border every output is the same; a stroke is not.

# %%
kernel = model.layers[0].kernel[:, :, 0, :]
strongest = np.abs(kernel).sum((0, 1)).argmax()
print("the strongest kernel:\n", kernel[:, :, strongest].round(2))
assert kernel.shape == (3, 3, 16)
