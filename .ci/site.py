"""Hooks of mkdocs: the README is the first page, and links to files of the repository lead there."""

import re
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


def outside(text, config, where, folder):
    """Text whose links to files outside of the pages lead to the repository."""

    def link(found):
        begin, target, end = found.groups()
        if ":" in target.split("/")[0]:
            return found.group(0)
        path = (folder / target).resolve()
        if not path.exists() and not target.startswith("changelog"):
            raise PluginError(f"{where}: there is no `{target}`")
        if path == ROOT / "CHANGELOG.md":
            return f"{begin}changelog.md{end}"
        if path == ROOT / "README.md":
            return f"{begin}index.md{end}"
        docs = Path(config.docs_dir)
        if path.is_relative_to(docs) and path.suffix != ".py":
            return f"{begin}{path.relative_to(docs).as_posix()}{end}"
        return f"{begin}{config.repo_url}/blob/main/{path.relative_to(ROOT).as_posix()}{end}"

    parts = CODE.split(text)
    return "".join(part if index % 2 else LINK.sub(link, part) for index, part in enumerate(parts))


def on_files(files, config):
    for name, source in [("index.md", "README.md"), ("changelog.md", "CHANGELOG.md")]:
        text = outside((ROOT / source).read_text(), config, source, ROOT)
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    if page.file.generated_by:
        return markdown
    # GitHub and mkdocs number equal headings in two ways.
    markdown = re.sub(r"\(#(\w+)-(\d)\)", r"(#\1_\2)", markdown)
    return outside(markdown, config, page.file.src_uri, Path(config.docs_dir))
