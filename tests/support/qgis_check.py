"""Opens a map folder's `map.qgz` in QGIS and says what is wrong with it. Runs in the Python that QGIS comes with:

    QT_QPA_PLATFORM=offscreen /usr/bin/python3 -I tests/support/qgis_check.py FOLDER PICTURE.png

prints one JSON object: `qgis` (version), `crs`, `layers` (name, file, what is drawn), `problems` (a sentence each), and
draws the map to PICTURE.png. `tests/support/qgis_maps.py` calls it from a test.

What QGIS 3.22 does without a word, and this check shows: it gives a layer whose id has at most ten characters another id, so
that the layer tree loses it; it takes a coordinate system with an `authid` alone, without `wkt` or `proj4`, as none; and it reads a
project's own only where its `<properties>` hold `<SpatialRefSys><ProjectionsEnabled type="int">1</ProjectionsEnabled>`.
"""

import json
import sys
from pathlib import Path

from qgis.core import (  # Debian's package python3-qgis
    Qgis,
    QgsApplication,
    QgsExpression,
    QgsMapLayer,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRenderContext,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage

SIZE = QSize(800, 600)
BACKGROUND = QColor(255, 255, 255, 0)  # transparent: what a layer draws can be counted


def check_map(folder: Path, picture: Path) -> dict:
    """Open a folder's project and draw it; return what was found."""
    messages = []
    QgsApplication.messageLog().messageReceived.connect(
        lambda text, tag, level: messages.append((text, tag, level))
    )
    project = QgsProject.instance()
    problems = [] if project.read(str(folder / "map.qgz")) else [f"map.qgz: {project.error()}"]
    ordered = project.layerTreeRoot().layerOrder()
    problems += find_lost_layers(project, ordered)
    if not project.crs().isValid():
        problems.append("the project has no coordinate system")
    layers = []
    for layer in ordered:
        found, wrong = check_layer(layer, folder)
        layers.append(found)
        problems += [f"{layer.name()}: {sentence}" for sentence in wrong]
    shown = [layer for layer in ordered if is_shown(project, layer) and layer.isValid()]
    image, errors = draw(project, shown)
    problems += errors
    if not image.save(str(picture)):
        problems.append(f"{picture} cannot be written")
    problems += [f"{tag}: {text}" for text, tag, level in messages if level >= Qgis.Warning]
    crs = project.crs().authid()
    return {"qgis": Qgis.QGIS_VERSION, "crs": crs, "layers": layers, "problems": problems}


def find_lost_layers(project: QgsProject, ordered: list) -> list[str]:
    """Name layers that the project has but its layer tree does not, and a tree without any layer."""
    lost = {layer.name() for layer in project.mapLayers().values()}
    lost -= {layer.name() for layer in ordered}
    sentences = [f"{name}: not in the layer tree" for name in sorted(lost)]
    return sentences + ([] if ordered else ["map.qgz shows no layer"])


def is_shown(project: QgsProject, layer: QgsMapLayer) -> bool:
    """Return whether a layer is switched on, with all its groups."""
    return project.layerTreeRoot().findLayer(layer.id()).isVisible()


def check_layer(layer: QgsMapLayer, folder: Path) -> tuple[dict, list[str]]:
    """Return facts of a layer, and a sentence for each thing wrong with it."""
    if not layer.isValid():
        return {"name": layer.name(), "valid": False}, [f"not valid: {layer.source()}"]
    file = Path(layer.source().partition("|")[0])
    problems = []
    if layer.providerType() not in ("gdal", "ogr"):
        problems.append(f"read by {layer.providerType()}, so not from a file of the folder")
    elif file.resolve().parent != folder.resolve():
        problems.append(f"its file is not in the project's folder: {file}")
    if not layer.crs().isValid():
        problems.append("no coordinate system")
    problems += [f"in the project, {one}" for one in check_renderer(layer)]
    in_project = describe_style(layer)
    style = file.with_suffix(".qml")
    if style.exists():
        problems += load_style(layer, style)
        if describe_style(layer) != in_project:
            problems.append(
                f"drawn as {in_project} in the project, {describe_style(layer)} by {style.name}"
            )
    drawn = count_drawn(layer)
    if not drawn and isinstance(layer, QgsVectorLayer) and layer.featureCount():
        problems.append("draws nothing")
    return {
        "name": layer.name(),
        "valid": True,
        "file": file.name,
        "style": style.name if style.exists() else None,
        "shown": is_shown(QgsProject.instance(), layer),
        "legend": in_project,
        "drawn": drawn,
    }, problems


def load_style(layer: QgsMapLayer, style: Path) -> list[str]:
    """Read a `.qml` file into a layer; return what is wrong with it."""
    message, loaded = layer.loadNamedStyle(str(style))
    if not loaded:
        return [f"{style.name} cannot be read: {message}"]
    return [f"by {style.name}, {one}" for one in check_renderer(layer)]


def check_renderer(layer: QgsMapLayer) -> list[str]:
    """Return what is wrong with how a layer is drawn: QGIS itself draws such a layer in some way, or not at all."""
    if layer.renderer() is None:
        return ["nothing says how it is drawn"]
    if not isinstance(layer, QgsVectorLayer):
        bands = set(layer.renderer().usesBands())
        known = set(range(1, layer.bandCount() + 1))
        return [f"band {band} does not exist" for band in sorted(bands - known)]
    used = layer.renderer().usedAttributes(QgsRenderContext())
    if layer.labelsEnabled() and layer.labeling() is not None:
        settings = layer.labeling().settings()
        label = settings.getLabelExpression()
        if label.hasParserError():
            return [f"the label is no expression: {label.parserErrorString()}"]
        used |= label.referencedColumns()
    used |= QgsExpression(layer.displayExpression()).referencedColumns()
    known = {field.name() for field in layer.fields()}
    return [f"the column {name!r} does not exist" for name in sorted(used - known - {""})]


def describe_style(layer: QgsMapLayer) -> list[str]:
    """Return a layer's legend: the kind of drawing, then a colour and a label for each of its classes."""
    renderer = layer.renderer()
    if isinstance(layer, QgsVectorLayer):
        symbols = [
            (item.symbol().color() if item.symbol() else None, item.label())
            for item in renderer.legendSymbolItems()
        ]
    else:
        symbols = [(colour, label) for label, colour in renderer.legendSymbologyItems()]
    return [renderer.type(), *(f"{c.name(QColor.HexArgb) if c else '-'} {t}" for c, t in symbols)]


def count_drawn(layer: QgsMapLayer) -> float:
    """Return the share of a picture of a layer's own extent on which the layer draws, 0 to 1."""
    settings = make_settings([layer], layer.crs(), layer.extent())
    settings.setOutputSize(QSize(200, 150))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    pixels = [(x, y) for x in range(image.width()) for y in range(image.height())]
    return sum(image.pixelColor(x, y).alpha() > 0 for x, y in pixels) / len(pixels)


def make_settings(layers: list, crs: object, extent: object) -> QgsMapSettings:
    """Return how a map is drawn."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(crs)
    extent.scale(1.05)
    settings.setExtent(extent)
    settings.setBackgroundColor(BACKGROUND)
    settings.setOutputSize(SIZE)
    return settings


def draw(project: QgsProject, layers: list) -> tuple[QImage, list[str]]:
    """Draw what is switched on, at the project's first view; return the picture and what went wrong."""
    whole = QgsMapSettings()
    whole.setLayers(layers)
    whole.setDestinationCrs(project.crs())
    view = project.viewSettings().defaultViewExtent()
    extent = whole.fullExtent() if view.isNull() or view.isEmpty() else view
    job = QgsMapRendererSequentialJob(make_settings(layers, project.crs(), extent))
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    problems = [f"drawing: {error.message}" for error in job.errors()]
    step = 8
    alpha = [
        image.pixelColor(x, y).alpha()
        for x in range(0, image.width(), step)
        for y in range(0, image.height(), step)
    ]
    return image, problems + ([] if any(alpha) else ["the first view of the project is empty"])


def main() -> int:
    """Check the folder of the command line; return 1 if anything is wrong."""
    folder, picture = map(Path, sys.argv[1:])
    application = QgsApplication([], False)
    QgsApplication.initQgis()
    found = check_map(folder, picture)
    print(json.dumps(found))
    QgsProject.instance().clear()
    application.exitQgis()
    return int(bool(found["problems"]))


if __name__ == "__main__":
    sys.exit(main())
