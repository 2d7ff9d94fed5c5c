from data.io.errors import list_first


def test_of_many_names_the_first_are_listed_and_the_others_counted() -> None:
    assert list_first(["a", "b", "c"], 3) == "a, b, c"
    assert list_first([str(number) for number in range(1203)], 2) == "0, 1 and 1,201 more"
    assert list_first([], 3) == ""
