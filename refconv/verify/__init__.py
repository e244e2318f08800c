"""Random layers, computed by refconv and by others from the same words: forward values and gradients compared.

Others are Keras, PyTorch, JAX and ONNX where they are installed, and always a naive oracle in NumPy. What draws the
layers, asks the others and lists their known faults (`draw`, `record`, `peers`, `oracle`, `faults`) imports nothing of
what it checks; `answer` gives refconv's side, and `sweep` compares.
"""
