"""Metrics: what a model is judged by, taken over many batches.

A metric is fed batch by batch with `update` and asked once with `result`, so that the result is that of
all samples together and not a mean of means. Classes stand along the last axis of the outputs; outputs
with a single channel are a yes or no.

Examples
--------
>>> metric = get("accuracy")
>>> metric.update([1, 0], [[0.2, 0.8], [0.4, 0.6]])
>>> metric.result()
0.5
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np

from refconv.arguments import finite_number
from refconv.errors import ConvError
from refconv.functional.arrays import describe, read_array
from refconv.identifiers import configuration, made, plain, read_identifier, unknown_name
from refconv.losses import Loss, read_labels

_MODULE = "refconv.metrics"


class Metric:
    """Base of the metrics.

    Parameters
    ----------
    threshold : float
        Above it an output with a single channel is a yes: 0.5 for probabilities, 0 for logits.

    Attributes
    ----------
    name : str
        What it is called in a history.

    Raises
    ------
    ConvError
        If the threshold is no finite number.
    """

    name: str

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = finite_number("threshold", threshold)
        self.reset()

    def reset(self) -> None:
        """Forget all that was seen."""
        raise NotImplementedError

    def update(self, y_true: Any, y_pred: Any) -> None:
        """See a batch.

        Parameters
        ----------
        y_true : array_like
            Numbers of classes, of shape (batch, ...) or (batch, ..., 1), or one-hot like the outputs.
        y_pred : array_like, shape (batch, ..., classes)
            Outputs of a model.

        Raises
        ------
        ConvError
            If the targets do not fit the outputs.
        """
        raise NotImplementedError

    def result(self) -> float:
        """Return the value over all that was seen since the last `reset`; NaN if nothing was."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"threshold": self.threshold}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a metric from what `get_config` returned."""
        return cls(**config)

    def _classes(self, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray, int]:
        """Return the classes that are right, those that were chosen, and how many there are."""
        output = read_array("y_pred", y_pred)
        if output.ndim < 2:
            rule = "outputs have a batch axis and a last axis for the classes"
            raise ConvError("y_pred", describe(output), rule, "give a column for yes or no: y_pred[:, None]")
        if output.shape[-1] == 1:
            target = read_labels(y_true, np.broadcast_to(output, (*output.shape[:-1], 2)))
            return target, (output[..., 0] > self.threshold).astype(np.int64), 2
        given = read_array("y_true", y_true)
        target = given.argmax(-1) if given.shape == output.shape else read_labels(given, output)
        return target, output.argmax(-1), output.shape[-1]


class Accuracy(Metric):
    """The share of the positions whose class is right.

    Parameters
    ----------
    threshold : float
        Above it an output with a single channel is a yes: 0.5 for probabilities, 0 for logits.

    Raises
    ------
    ConvError
        If the threshold is no finite number.

    Examples
    --------
    >>> metric = Accuracy()
    >>> metric.update([[1.0], [0.0], [1.0]], [[0.9], [0.8], [0.7]])
    >>> round(metric.result(), 4)
    0.6667
    """

    name = "accuracy"

    def reset(self) -> None:
        """Forget all that was seen."""
        self._right = self._seen = 0

    def update(self, y_true: Any, y_pred: Any) -> None:
        """See a batch."""
        target, chosen, _ = self._classes(y_true, y_pred)
        self._right += int(np.count_nonzero(target == chosen))
        self._seen += target.size

    def result(self) -> float:
        """Return the value over all that was seen since the last `reset`; NaN if nothing was."""
        return self._right / self._seen if self._seen else float("nan")


class MeanIoU(Metric):
    """The mean over the classes of intersection over union.

    For each class, the positions where it is right and was chosen are divided by those where it is right
    or was chosen; a class that is neither anywhere is left out.

    Parameters
    ----------
    threshold : float
        Above it an output with a single channel is a yes: 0.5 for probabilities, 0 for logits.

    Raises
    ------
    ConvError
        If the threshold is no finite number.

    Examples
    --------
    >>> metric = MeanIoU()
    >>> metric.update([[0, 0, 1, 1]], [[[0.1], [0.2], [0.3], [0.9]]])
    >>> metric.result() == (2 / 3 + 1 / 2) / 2
    True
    """

    name = "mean_iou"

    def reset(self) -> None:
        """Forget all that was seen."""
        self._confusion = np.zeros((0, 0), np.int64)

    def update(self, y_true: Any, y_pred: Any) -> None:
        """See a batch."""
        target, chosen, classes = self._classes(y_true, y_pred)
        pairs = np.bincount((target * classes + chosen).ravel(), minlength=classes * classes)
        seen = pairs.reshape(classes, classes)
        if self._confusion.size and self._confusion.shape != seen.shape:
            before = len(self._confusion)
            raise ConvError("y_pred", classes, f"the outputs before had {before} classes", "call reset() between")
        self._confusion = self._confusion + seen if self._confusion.size else seen

    def result(self) -> float:
        """Return the value over all that was seen since the last `reset`; NaN if nothing was."""
        both = np.diag(self._confusion)
        either = self._confusion.sum(0) + self._confusion.sum(1) - both
        present = either > 0
        return float((both[present] / either[present]).mean()) if present.any() else float("nan")


NAMES: dict[str, type[Metric]] = {"accuracy": Accuracy, "acc": Accuracy, "mean_iou": MeanIoU}


def get(identifier: Any, loss: Loss | None = None, argument: str = "metrics") -> Metric:
    """Return the metric that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, class or Metric
        A name, what `serialize` returned, or a metric.
    loss : Loss, optional
        What the model is trained with: where it takes logits, a metric by name has the threshold 0. (Keras
        compares logits with 0.5.)
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    ConvError
        If it is none of these.

    Examples
    --------
    >>> get("mean_iou").name
    'mean_iou'
    """
    named = read_identifier(argument, identifier)
    if named is not None:
        kind = {plain(name): kind for name, kind in NAMES.items()}.get(plain(named.name))
        if kind is None:
            raise unknown_name(argument, named.name, NAMES, "a metric")
        config = {"threshold": 0.0 if getattr(loss, "from_logits", False) else 0.5, **named.config}
        metric: Metric = made(argument, named.name, kind, config)
        return metric
    if inspect.isclass(identifier) and issubclass(identifier, Metric):
        return identifier()
    if isinstance(identifier, Metric):
        return identifier
    raise unknown_name(argument, identifier, NAMES, "a metric")


def serialize(metric: Metric) -> Any:
    """Return what `get` turns into `metric` again: its configuration, or itself.

    Examples
    --------
    >>> serialize(Accuracy())["config"]
    {'threshold': 0.5}
    """
    return configuration(_MODULE, metric) if type(metric) in (Accuracy, MeanIoU) else metric
