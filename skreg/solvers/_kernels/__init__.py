"""The compiled loops of the solvers, for ½‖b − Aw‖² + Σ l1ⱼ|wⱼ| + ½Σ l2ⱼwⱼ² with columns of norm about 1.

`gram` minimises on a Gram matrix, `dense` and `sparse` work on A itself by X's own arrays, `duality` sums the
terms of a gap; `coordinate.pxd` is the step of one coordinate, which all of them take. No file here decides
anything that a reader would look for elsewhere.
"""
