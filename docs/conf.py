"""How Sphinx builds these pages: `make docs`."""

import os
from importlib.metadata import version as installed
from pathlib import Path

# The notebooks' kernels: one thread, on a machine that others use; none of the builder's own
# settings; and no warning that they talk over the loopback, as it would stand among the pages' own.
KERNELS = Path(__file__).parent / "_build" / "ipython"
(KERNELS / "profile_default").mkdir(parents=True, exist_ok=True)
settings = KERNELS / "profile_default" / "ipython_kernel_config.py"
settings.write_text('c.IPKernelApp.log_level = "ERROR"\n')
os.environ["IPYTHONDIR"] = str(KERNELS)
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "skysteer"
copyright = "the skysteer authors"
author = "the skysteer authors"
version = release = installed("skysteer")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "jupyter_execute"]
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "skysteer"
html_theme_options = {
    "navigation_with_keys": True,
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
html_copy_source = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

nb_execution_mode = "cache"  # only what has changed is run again
nb_execution_timeout = 600  # s for a cell
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True

# Each room's page lists its face, and autosummary makes a page for each name from the docstring.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # numpydoc's sections tell them, with shapes and units
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
