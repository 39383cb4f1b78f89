"""How the site is made: Sphinx, with Markdown and notebooks by MyST-NB, nothing from a network.

``../scripts/docs`` runs it; the pages are put together by `site_tools.assemble` first.
"""

from importlib.metadata import version as installed_version

project = "Studio"
author = "The Studio authors"
version = release = installed_version("studio-workbench")

extensions = [
    "sphinx.ext.autodoc",
    "myst_nb",
    "sphinx_copybutton",
    "site_tools.mathml",
    "site_tools.docstrings",
]

nitpicky = True
# Imported where it is used, since Plotly takes seconds: its bare name stands in annotations.
nitpick_ignore = [("py:class", "Figure")]
default_role = "name"
# Two rooms may have a name for themselves; a hint then links to one of them.
suppress_warnings = ["ref.python"]

# Notebooks are shown as they are committed; the tests run them.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js: dict[str, str] = {}
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
copybutton_prompt_text = "$ "
copybutton_here_doc_delimiter = "EOF"

autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
add_module_names = False
toc_object_entries = False  # thousands of entries in the sidebar of each page

html_theme = "furo"
html_title = f"Studio {release}"
html_static_path = ["_static"]
html_css_files = ["studio.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_search_summary = False  # needs a server: the site also opens from a folder
html_show_copyright = False
