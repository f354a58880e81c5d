"""Hook of mkdocs: the site is docs/, what `nav` names, and every file of the checkout that these pages link to.

Files keep their places, so that one relative link serves an editor, a code host and the site; nothing is listed twice.
Only addresses differ: docs/ is the site's root. Notebooks are shown as pages, with the outputs that they hold.
"""

import base64
import json
import pathlib
import re
import unicodedata
import urllib.parse
from html import unescape

import latex2mathml.converter
from mkdocs.structure.files import File, Files

_FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
_NAMELESS = re.compile(r"(<li class=\"doc-section-item field-body\">\s*)–")
# Code, which stays; TeX as Jupyter marks it; then as arithmatex marks it; then letters of MathML.
_CODE_OR_TEX = re.compile(rf"{_FENCE.pattern}|`[^`]+`|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$]+)\$", _FENCE.flags)
_MARKED = re.compile(r"<(span|div) class=\"arithmatex\">\\[(\[](.+?)\\[)\]]</\1>", re.DOTALL)
_SCRIPT = re.compile(r"<mi mathvariant=\"script\">([A-Z])</mi>")
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg"}


def on_files(files, config):
    """Puts the checkout's files in place of those of docs/ alone."""
    root = pathlib.Path(config.config_file_path).resolve().parent
    docs = pathlib.Path(config.docs_dir).resolve()
    found = Files([file for file in files if file.src_dir is None or pathlib.Path(file.src_dir).resolve() != docs])
    waiting = [docs.joinpath(file.src_uri).relative_to(root).as_posix() for file in files
               if file.src_dir is not None and pathlib.Path(file.src_dir).resolve() == docs]
    waiting += [name for name in _named(config.nav) if (root / name).is_file()]  # mkdocs tells of the others
    seen = set()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name.endswith(".ipynb"):
            page, *pictures = _notebook(root / name, name, config)
            for file in (page, *pictures):
                found.append(file)
            waiting += linked(page.content_string, root, name)
            continue
        file = File(name, str(root), config.site_dir, config.use_directory_urls)
        file.dest_uri = file.dest_uri.removeprefix("docs/")
        found.append(file)
        if name.endswith(".md"):
            waiting += linked((root / name).read_text(encoding="utf-8"), root, name)
    return found


def _named(nav):
    """The pages of a navigation, in sections or not."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav or ()
    return [name for part in parts for name in _named(part)]


def linked(text, root, name):
    """The files of the checkout that a page links to, by their names from the root; its own pictures apart."""
    text = _FENCE.sub("", text)
    targets = (urllib.parse.urlsplit(target) for target in _LINK.findall(text))
    paths = ((root / name).parent.joinpath(urllib.parse.unquote(target.path)).resolve()
             for target in targets if target.path and not target.scheme)
    return [path.relative_to(root).as_posix() for path in paths if path.is_file() and path.is_relative_to(root)]


def on_page_markdown(markdown, page, config, files):
    """Links to notebooks lead to their pages."""
    return re.sub(r"(\]\([^)\s:]+)\.ipynb\)", r"\1.md)", markdown)


def on_page_content(html, page, config, files):
    """What is returned has no name here, and so needs no dash after it; and formulas are MathML."""
    return _MARKED.sub(_mathml, _NAMELESS.sub(r"\1", html))


def _marked(match):
    if match["block"]:
        return f"\n\n\\[{match['block']}\\]\n\n"
    return f"\\({match['inline']}\\)" if match["inline"] else match[0]


def _mathml(match):
    display = "block" if match[1] == "div" else "inline"
    formula = _SCRIPT.sub(_script_letter, latex2mathml.converter.convert(unescape(match[2]), display=display))
    return f'<div class="formula">{formula}</div>' if display == "block" else formula


def _script_letter(match):
    """A letter of its own in place of an attribute that browsers no longer know."""
    try:
        letter = unicodedata.lookup(f"MATHEMATICAL SCRIPT CAPITAL {match[1]}")
    except KeyError:  # one of those that Unicode had before
        letter = unicodedata.lookup(f"SCRIPT CAPITAL {match[1]}")
    return f"<mi>{letter}</mi>"


def _notebook(path, name, config):
    """A notebook's page, and the pictures on it, as mkdocs' files."""
    text, pictures = [], []
    stem = name.removesuffix(".ipynb")
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            text.append(_CODE_OR_TEX.sub(_marked, source))
            continue
        text.append(f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            kind = next((kind for kind in _ENDINGS if kind in data), None)
            if kind is not None:
                picture = f"{stem}-{len(pictures) + 1}.{_ENDINGS[kind]}"
                content = base64.b64decode("".join(data[kind]))
                pictures.append(File.generated(config, picture, content=content))
                text.append(f"![What the cell above shows]({picture.rpartition('/')[2]})")
            else:
                told = "".join(output.get("text", data.get("text/plain", ())))
                text.append(f"```text\n{told.rstrip()}\n```")
    return [File.generated(config, f"{stem}.md", content="\n\n".join(text)), *pictures]
