import pytest

from data.io.errors import check_no_keys, hide_password, list_first


def test_of_many_names_the_first_are_listed_and_the_others_counted() -> None:
    assert list_first(["a", "b", "c"], 3) == "a, b, c"
    assert list_first([str(number) for number in range(1203)], 2) == "0, 1 and 1,201 more"
    assert list_first([], 3) == ""


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:hunter2@bucket/x",
        "s3://bucket/x?access_key=AKIA&secret_key=hunter2&scheme=http",
        "abfs://c@account.net/x?sas_token=hunter2",
        "gs://bucket/x?Credential=hunter2",
    ],
)
def test_keys_in_a_storage_are_refused_and_never_shown(uri: str) -> None:
    with pytest.raises(
        ValueError, match=r"--storage must hold no keys, .* on every node"
    ) as caught:
        check_no_keys(uri)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in hide_password(f"error of {uri} here")


def test_a_storage_without_keys_stays_as_it_is() -> None:
    for uri in (
        "",
        "/folder?key=1 of 2",
        "s3://b/x?scheme=http&endpoint_override=h:9",
        "hdfs://me@h/x",
    ):
        assert check_no_keys(uri) == uri
