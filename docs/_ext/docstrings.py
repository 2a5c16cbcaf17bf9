"""Docstrings on their way to the reference: what skreg itself defines, with bars that are absolute values.

scikit-learn documents what estimators inherit from it.
"""


def is_ours(obj):
    if isinstance(obj, property):
        obj = obj.fget
    module = getattr(obj, "__module__", None)
    return module is None or module.split(".")[0] == "skreg"


def skip_member(app, what, name, obj, skip, options):
    return None if is_ours(obj) and not name.startswith("_") else True


def escape_bars(app, what, name, obj, options, lines):
    """Keep reStructuredText from taking |w| for a substitution; code stays as it is."""
    in_code = False
    for i, line in enumerate(lines):
        in_code = line.lstrip().startswith(">>>") or (in_code and bool(line.strip()))
        if not in_code and "``" not in line:
            lines[i] = line.replace("|", r"\|")


def setup(app):
    app.connect("autodoc-process-docstring", escape_bars, priority=900)  # after numpydoc
    app.connect("autodoc-skip-member", skip_member)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
