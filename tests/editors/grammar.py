"""The tree-sitter grammar over everything that farcast itself reads: usage: grammar.py LIBRARY

Compiles `editors/tree-sitter/src/parser.c` to LIBRARY, parses the experiments, the blocks of the
documentation and the language cases without mistakes of syntax, and colours them.
"""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

from tree_sitter import Language, Parser, Query, QueryCursor

ROOT = Path(__file__).parent.parent.parent
GRAMMAR = ROOT / "editors" / "tree-sitter"
# What the checker says of cases whose text is not farcast.
BROKEN = re.compile(r"^#! error (syntax-error|too-large|unknown-keyword|unknown-kind)", re.MULTILINE)


def language(library):
    source = GRAMMAR / "src"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", f"-I{source}", str(source / "parser.c"), "-o", library],
        check=True,
    )
    function = ctypes.CDLL(library).tree_sitter_farcast
    function.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return Language(capsule(function(), b"tree_sitter.Language", None))


def texts():
    """Name and text of what has no mistake of syntax."""
    for path in sorted((ROOT / "experiments").rglob("*.farcast")):
        yield str(path.relative_to(ROOT)), path.read_text()
    for path in sorted((ROOT / "docs").glob("*.md")):
        if path.name == "diagnostics.md":
            continue
        for number, block in enumerate(re.findall(r"```farcast\n(.*?)```", path.read_text(), re.S)):
            yield f"{path.name} {number}", block
    for path in sorted((ROOT / "tests" / "suite").rglob("*.farcast")):
        text = path.read_text()
        if not BROKEN.search(text):
            yield str(path.relative_to(ROOT)), text


def first_error(node):
    if node.is_error or node.is_missing:
        return node
    return next((found for child in node.children if (found := first_error(child))), None)


def main():
    farcast = language(sys.argv[1])
    parser = Parser(farcast)
    query = Query(farcast, (GRAMMAR / "queries" / "highlights.scm").read_text())
    count, bad, names = 0, [], set()
    for name, text in texts():
        tree = parser.parse(text.encode())
        if tree.root_node.has_error:
            error = first_error(tree.root_node)
            bad.append(f"{name}:{error.start_point[0] + 1}: {text.splitlines()[error.start_point[0]]}")
        names |= set(QueryCursor(query).captures(tree.root_node))
        count += 1
    for line in bad:
        print(line)
    wanted = {"keyword", "function", "variable", "number", "string", "comment", "type", "property"}
    print(f"{count} texts, {len(bad)} with errors; colours: {', '.join(sorted(names))}")
    sys.exit(bool(bad) or not wanted <= names)


if __name__ == "__main__":
    main()
