"""Configuration of the documentation: `python -m sphinx -n -W --keep-going docs docs/_build/html`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import skreg

project = "skreg"
author = "the skreg developers"
copyright = author
version = release = skreg.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "docstrings",
    "mathml",
    "pictures",
]
exclude_patterns = ["_build", "_ext"]
templates_path = ["_templates"]
nitpicky = True
# Names of other projects in our docstrings: their inventories would have to be fetched. And these eight,
# parameters and the like, which docstrings name without a page of their own; no function is among them.
nitpick_ignore_regex = [
    ("py:.*", r"(arviz|joblib|matplotlib|numpy|pymc|scipy|sklearn|xarray)\..*"),
    ("py:obj", r"centred|chunk|moments|noise|positive|predictive_entropy|set_fit_request|SDScaled"),
]

# -- What the docstrings become
default_role = "autolink"
autosummary_generate = True
numpydoc_show_class_members = False  # the class template lists them
numpydoc_class_members_toctree = False
autodoc_typehints = "none"  # numpydoc's own sections have the types

# -- The pages in Markdown
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# -- The gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"quickstart\.py",
    "within_subsection_order": "gallery_order.StoryKey",
    "abort_on_example_error": False,
    "only_warn_on_example_error": False,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "write_computation_times": False,  # that page asks a server for its tables
    "image_srcset": ["2x"],
    "matplotlib_animations": False,
    "min_reported_time": 1e9,
    "plot_gallery": "True",
}
suppress_warnings = ["config.cache"]  # the gallery's settings are not stored between builds

# -- HTML that asks nothing of any network
html_theme = "pydata_sphinx_theme"
html_title = "skreg"
html_static_path = ["_static"]
html_css_files = ["skreg.css"]
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}  # without it the theme complains on the console at a first visit
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
}
html_sidebars = {
    "index": [],
    "getting_started": [],
    "pictures": [],
    "whats_new": [],
    "contributing": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
