"""XML as elements that know their line; nothing in it can reach out of the file or blow it up."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from transfer.errors import ManifestError

_LARGEST_MB = 64  # an annotation has a few kilobytes


@dataclass
class Element:
    """An element of a document.

    Attributes:
        tag: its name.
        line: where it starts, from 1.
        text: what stands in it outside of its children, without spaces around.
        children: in order.
    """

    tag: str
    line: int
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, tag: str) -> list["Element"]:
        """Return the children of that name."""
        return [child for child in self.children if child.tag == tag]

    def child(self, tag: str) -> "Element":
        """Return the one child of that name.

        Raises:
            ManifestError: there is none, or several.
        """
        found = self.all(tag)
        if len(found) != 1:
            raise ManifestError(f"line {self.line}: <{self.tag}> has {len(found)} <{tag}>, not one")
        return found[0]


def read_elements(path: Path) -> Element:
    """Return the outermost element of an XML file.

    Raises:
        ManifestError: it cannot be read, is no XML, or declares a document type: that is where
            entities that unfold without end, or name other files, would come from.
    """
    document = Element("", 0)
    open_elements = [document]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, _attributes: object) -> None:
        element = Element(tag, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_tag: str) -> None:
        element = open_elements.pop()
        element.text = element.text.strip()

    def text(part: str) -> None:
        open_elements[-1].text += part

    def refuse(*_declared: object) -> NoReturn:
        raise ManifestError(f"line {parser.CurrentLineNumber}: DOCTYPE is refused; take it out")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    try:
        if path.stat().st_size > _LARGEST_MB * 2**20:
            raise ManifestError(f"has more than {_LARGEST_MB} MB")
        parser.Parse(path.read_bytes(), True)  # noqa: FBT003  # expat's own: this is all of it
    except expat.ExpatError as error:
        raise ManifestError(f"line {error.lineno}: {expat.ErrorString(error.code)}") from error
    except OSError as error:
        raise ManifestError(f"cannot be read: {error.strerror or error}") from error
    return document.children[0]
