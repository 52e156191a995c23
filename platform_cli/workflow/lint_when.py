"""Lint of `when`: does it parse, and will its values still parse when they stand there?"""

from __future__ import annotations

import re

from platform_cli.workflow.condition import ConditionError, check_condition
from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.lint_document import Document
from platform_cli.workflow.lint_value import TAG

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_BARE_DASH = re.compile(r"(?<![\w\\])[A-Za-z]\w*[-.][A-Za-z]\w*")
_PLAIN = re.compile(r"\s*(?:-?\d+(?:\.\d+)?|true|false)\s*(?:$|[)&|])")
_UNQUOTED_TEST = re.compile(r"\0\s*(?:==|!=|=~|!~)(.*)")


def lint_when(document: Document, when: str, pointer: Pointer) -> None:
    """Findings about one `when`."""
    if not when.strip():
        return
    try:
        check_condition(TAG.sub("x", when))
    except ConditionError as error:
        document.error(pointer, f"the condition does not parse: {error}")
        return
    bare = _QUOTED.sub("''", TAG.sub("\0", when))
    word = _BARE_DASH.search(bare)
    if word:
        message = f"{word.group()} has a dash or dot and no quotes: the condition always fails"
        document.error(pointer, message, f"write '{word.group()}'")
    test = _UNQUOTED_TEST.search(bare)
    if test and not _PLAIN.match(test.group(1)):
        message = "a tag without quotes fails as soon as its value has a dash, a dot, a space, or is empty"
        document.warning(pointer, message, 'write \'"{{…}}" == "x"\'')
