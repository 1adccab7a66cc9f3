"""A text of the study's folder: equations, an algorithm, an explanation."""

from studies.exhibits.exhibit import Exhibit, Found


def exhibit(found: Found, title: str, file: str) -> Exhibit:
    """The text, in Markdown.

    Args:
        found: what the study found.
        title: title above it.
        file: name of the file in the study's folder.

    Raises:
        ValueError: there is no such file.
    """
    path = found.study.folder / file
    if not path.is_file():
        raise ValueError(f"exhibits: text: {path} is not there")
    return Exhibit(title, text=path.read_text())
