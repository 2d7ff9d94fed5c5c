import pytest

from tuning.registry.names import read_regions_tag, registered_name, split_name


@pytest.mark.parametrize(
    ("model", "regions", "name"),
    [
        ("attention_unet", ("hokkaido",), "hokkaido-attention-unet"),
        ("unet", ("usa_puertorico",), "usa_puertorico-unet"),
        ("unet", ("hokkaido", "noto"), "multi-unet"),
    ],
)
def test_a_name_has_the_region_and_the_architecture(
    model: str, regions: tuple[str, ...], name: str
) -> None:
    assert registered_name(model, regions) == name
    assert split_name(name) == (name.split("-")[0], model)


@pytest.mark.parametrize(
    ("tags", "regions"),
    [
        ({"regions": "noto hokkaido noto"}, ("hokkaido", "noto")),
        ({"regions": "usa_alaska"}, ("usa_alaska",)),
        ({"data": "real"}, ("hokkaido",)),  # a run of an earlier release
    ],
)
def test_regions_come_from_the_tag(tags: dict[str, str], regions: tuple[str, ...]) -> None:
    assert read_regions_tag(tags, "run 1") == regions


@pytest.mark.parametrize(
    "text",
    ["", " ", "../x", "Hokkaido", "a-b", "x; drop", " ".join(f"r{n}" for n in range(101)), 7],
)
def test_a_tag_that_names_no_region_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tag regions must be 1 to 100 names of regions, but got"):
        read_regions_tag({"regions": text}, "run 1")
