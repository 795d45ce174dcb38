"""FHIR R4 and R5: notes, reports, compositions and conditions of an electronic record, from local files.

For: title - text and heading - section of notes and reports, synonym - name of conditions. Reads bundles and single
resources (``.json``), bulk exports (``.ndjson``), each also packed (``.gz``), and folders of them. Nothing is fetched: an
attachment elsewhere is read if it is a Binary in the same files. Licence and citation are yours to state in the recipe.

A ``DocumentReference`` gives its description as title and the text of its attachment (plain or HTML) with the headed
sections of it; a ``DiagnosticReport`` the name of its code as title, its presented form and its conclusion, or else its
narrative; a ``Composition`` title and sections; a ``Condition`` its name, the displays of its codes as other names, and its
notes as a section.

Left out and counted with the rejects, though they are no errors: what was entered in error, what holds no text of a kind
that is read (PDF, RTF, CDA), and a resource that comes a second time. The group is the patient.
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from medloom.errors import RowError
from medloom.records import Document
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.formats.fhir_documents import Reading, ResourceType, document_of
from medloom.sources.formats.fhir_fields import HTML, PLAIN, PassedOverError
from medloom.sources.formats.fhir_files import Binaries, Entry, entries_of, files_of
from medloom.sources.table import OnError, Paths, digests


class FhirSource(SourceConfig):
    """Resources of an electronic record as documents, grouped by patient."""

    type: Literal["fhir"] = "fhir"
    path: Paths = Field(description="A file (.json, .ndjson; also .gz), a folder with such below it, or a list of them.")
    resources: tuple[ResourceType, ...] = Field(default=get_args(ResourceType), description="Kinds of resources to read.")
    contains_phi: bool | None = Field(
        default=True,
        description="Whether the text is about patients who can be told from it; say false only of invented records.",
    )
    on_error: OnError = Field(
        default="fail", description="A bad resource stops the run, or is counted and kept in rejects.jsonl."
    )
    max_bytes: int = Field(default=10_000_000, ge=1_000, description="Largest attachment, in bytes.")
    licence: str = Field(default="not stated", description="Terms of the text, for report and card.")
    citation: str = Field(default="", description="How to cite the text, for report and card.")
    version: str = Field(default="", description="Date or release of the export, for report and card.")

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per resource that holds text."""
        files = self._files()
        seen: set[bytes] = set()
        with Binaries(files, self.max_bytes, (*PLAIN, *HTML)) as binaries:
            for path in files:
                find = partial(binaries.find, path=path)
                reading = Reading(self.name, find, self.max_bytes, self.contains_phi)
                for entry in entries_of(path, self.max_bytes):
                    try:
                        document = self._document(entry, reading, seen)
                    except PassedOverError as error:
                        rejects.add(entry.where, error.problem, "")
                    except RowError as error:
                        if self.on_error == "fail":
                            problem = f"{error.problem} (or set on_error: skip to leave such resources out)"
                            raise RowError(entry.where, problem) from None
                        rejects.add(entry.where, error.problem, entry.raw())
                    else:
                        if document is not None:
                            yield document

    def release(self) -> Release:
        """What the recipe states."""
        return Release(self.name, self.version or "not stated", self.licence, self.citation or "not stated")

    def inputs(self) -> dict[str, str]:
        """Hash of every file."""
        return digests(self._files())

    def _files(self) -> list[Path]:
        return files_of(self.name, self.path, self._folder)

    def _document(self, entry: Entry, reading: Reading, seen: set[bytes]) -> Document | None:
        """The document of an entry; None for a resource of a kind that is not asked for."""
        if isinstance(entry.resource, RowError):
            raise entry.resource
        kind = entry.resource.get("resourceType")
        if not isinstance(kind, str):
            raise RowError(entry.where, "no FHIR resource: field 'resourceType' is missing")
        if kind not in self.resources:
            return None
        document = document_of(entry, entry.resource, reading)
        key = hashlib.blake2b(document.id.encode(), digest_size=12).digest()
        if key in seen:
            raise PassedOverError(entry.where, "a resource of this kind and id came before")
        seen.add(key)
        return document
