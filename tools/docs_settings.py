"""Extension of griffe: a field made by `tfstyle.settings.setting` shows its default, and its text as its docstring."""

import ast

import griffe

_MAKERS = ("setting", "other")


class Settings(griffe.Extension):
    """Reads the fields of settings classes as `tfstyle.settings` writes them."""

    def on_attribute_instance(self, *, node, attr, **kwargs):
        """Takes the default and the text out of the call that makes the field."""
        made = getattr(node, "value", None)
        if not isinstance(made, ast.Call) or getattr(made.func, "id", None) not in _MAKERS or len(made.args) < 2:
            return
        attr.value = ast.unparse(made.args[0])
        if text := _text(made.args[1]):
            attr.docstring = griffe.Docstring(text[0].upper() + text[1:] + ".", parent=attr)


def _text(node):
    """A text or f-string of the source, without what is put into it when it runs."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))
