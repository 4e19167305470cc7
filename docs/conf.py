"""Settings of the documentation; ``make docs`` builds it."""

import sys
from importlib import metadata, util
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "ase_les"
author = "The ase_les developers"
project_copyright = "The ase_les developers, BSD-3-Clause"
release = metadata.version("ase_les")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "generated_pages",
    "unique_footnotes",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery/README.rst"]
# Names in single backticks in docstrings are objects where there is one of that name.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    # Parameters in backticks, and types of other packages in signatures.
    ("py:obj", r".*"),
    ("py:class", r".*"),
    ("py:exc", r".*"),
    ("py:data", r".*"),
]

# References of a docstring are a list, whether its text cites them or not. Names of parameters in
# backticks may be those of attributes of several classes.
suppress_warnings = ["ref.footnote", "ref.python"]

# Programs that some modules of `ase_les.interop` are for.
autodoc_mock_imports = ["distributed", "ipi", "lammps", "torch_sim"]
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"ase_les {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Equations without a network: one file of MathJax, from a package, is part of the site.
_MATHJAX = util.find_spec("sphinx-mathjax-offline")
if _MATHJAX is not None and _MATHJAX.submodule_search_locations:
    html_static_path.append(
        str(Path(_MATHJAX.submodule_search_locations[0]) / "static" / "mathjax" / "tex-svg-full.js")
    )
    mathjax_path = "tex-svg-full.js"
