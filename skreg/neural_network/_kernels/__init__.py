"""The compiled loops of training: a batch gathered, the passes through K networks, the losses, the steps.

A member's activation has shape (units, rows): a contiguous block, and the innermost loop runs along the
batch. Everything is compiled, and not only what NumPy is slow at, for the sake of threads: between short
NumPy calls two of them spend longer waiting for the interpreter's lock than one needs for it all.
"""
