"""``metadata.json`` of a bundle: its files and tables in Croissant, the format of data set catalogues and search engines.

Written as plain JSON: the library ``mlcroissant`` would add rdflib, networkx and the stubs of pandas to every
installation. The tests load the file with that library, which validates it and reads the tables through it.

Reference:
    Akhtar et al. (2024), Croissant: A Metadata Format for ML-Ready Datasets, doi 10.48550/arXiv.2403.19546; specification 1.0,
    http://mlcommons.org/croissant/1.0.
"""

import csv
from collections.abc import Iterable, Mapping
from typing import Any

from tuning.bundle.archive import hash_bytes
from tuning.bundle.texts import CC_BY, CITATION, DOI

METADATA = "metadata.json"
SPECIFICATION = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FORMATS = {
    "csv": "text/csv",
    "json": "application/json",
    "md": "text/markdown",
    "npz": "application/x-npz",
    "txt": "text/plain",
}


def describe_files(
    name: str, created: str, provenance: Mapping[str, str], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """Return the metadata of a bundle.

    Args:
        name: The campaign.
        created: Its time, as in ``campaign.json``.
        provenance: Texts by name.
        files: The files to describe.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": SPECIFICATION,
        "name": name,
        "description": (
            f"Counts and tables of a benchmark of landslide segmentation models on Sentinel-1 time series: {provenance['data']} "
            f"tiles of {provenance['regions']}, split {provenance['split']} ({provenance['split_hash']}). Integer histograms of "
            "probability by class of each test tile, from which ranking, intervals and verdicts follow."
        ),
        "license": CC_BY,
        "citeAs": CITATION,
        "url": f"https://doi.org/{DOI}",
        "version": "1.0.0",
        "datePublished": created.removesuffix("Z"),
        "creator": {"@type": "sc:Organization", "name": "landslide-benchmark"},
        "distribution": [_describe_file(file, files[file]) for file in sorted(files)],
        "recordSet": [
            _describe_table(file, files[file].decode())
            for file in sorted(files)
            if file.endswith(".csv") and files[file].strip()
        ],
    }


def _describe_file(name: str, content: bytes) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{len(content)} B",
        "encodingFormat": _FORMATS[name.rpartition(".")[2]],
        "sha256": hash_bytes(content),
    }


def _describe_table(file: str, text: str) -> dict[str, Any]:
    """Return the record set of a CSV file: a field per column, of the type that all its cells have."""
    header, *rows = list(csv.reader(text.splitlines()))
    name = file.rpartition("/")[2].removesuffix(".csv")
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}".replace(" ", "_"),  # the library refuses spaces
                "name": f"{name}/{column}".replace(" ", "_"),
                "dataType": _find_type(row[number] for row in rows),
                "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
            }
            for number, column in enumerate(header)
        ],
    }


def _find_type(cells: Iterable[str]) -> str:
    """Return ``sc:Integer``, ``sc:Float`` or ``sc:Text``; a column with empty cells has no integers."""
    found = list(cells)
    if found and all(cell.lstrip("-").isdigit() for cell in found):
        return "sc:Integer"
    try:
        numbers = [float(cell) for cell in found if cell]
    except ValueError:
        return "sc:Text"
    return "sc:Float" if numbers else "sc:Text"
